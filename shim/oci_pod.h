/* SPDX-License-Identifier: Apache-2.0 */
/* From a container to the pod that it is in, and to that pod's shim, started where none runs. */
#ifndef SHIM_OCI_POD_H
#define SHIM_OCI_POD_H

#include "shim/cli_pod.h"
#include "shim/oci.h"
#include "shim/oci_record.h"
#include "shim/spec.h"

/*
 * The pod of a container that is about to be made: that of the container whose stand-in a namespace
 * path of its spec leads to, else what its annotations say, else one of its own.
 */
int oci_pod_choose(const struct oci *oci, const struct spec *spec, const char *id,
		   char ret[POD_ID_MAX + 1], struct err *err);

/* Connects to the pod's shim; -ENOENT where it has ended. */
int oci_pod_connect(const struct oci *oci, const char *pod, struct cli_shim *ret, struct err *err);
/* And starts one where there is none. */
int oci_pod_obtain(const struct oci *oci, const char *pod, struct cli_shim *ret, struct err *err);

/* Removes what a shim that died has left of a pod; nothing where one lives. */
void oci_pod_sweep(const struct oci *oci, const char *pod);

/* The shim ends with its last container. */
void oci_pod_release(struct cli_shim *shim, const char *id);

#endif
