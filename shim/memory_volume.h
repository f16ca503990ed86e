/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders in the host's memory that engines make for one pod and bind into its containers: /dev/shm, and
 * what Kubernetes calls an emptyDir of medium Memory. Nobody on the host looks into them, so that in
 * the guest they are what they are meant to be, memory of the pod's: a tmpfs of the guest, by which all
 * containers that bind it know it, as large and with the owner and mode of the host's.
 */
#ifndef SHIM_MEMORY_VOLUME_H
#define SHIM_MEMORY_VOLUME_H

#include "common/err.h"

struct spec;

/* Looks at each bind mount's source, and sets its mount's volume where it is such a folder. -ENOMEM. */
int memory_volumes_mark(struct spec *spec, struct err *err);

#endif
