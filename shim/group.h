/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which pod a container belongs to, by its bundle's annotations as containerd's CRI, CRI-O, runc's
 * shim and sbx-oci write them. Pure.
 */
#ifndef SHIM_GROUP_H
#define SHIM_GROUP_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "shim/pod_dir.h"

/*
 * The id of the pod's first container, from a whole config.json: its own, id, where nothing says
 * otherwise. Only the annotations are looked at; the rest is judged when the container is made.
 */
int group_of(const char *config, size_t size, const char *id, char ret[POD_ID_MAX + 1],
	     struct err *err);

struct spec;

/* The same from a spec that has been parsed. */
int group_of_spec(const struct spec *spec, const char *id, char ret[POD_ID_MAX + 1],
		  struct err *err);

/* Whether the annotations name a pod at all: another container may be of it, too. */
bool group_is_named(const struct spec *spec);

/* Whether the container stands for its pod and runs nothing itself: CRI's sandbox container. */
bool group_is_sandbox(const struct spec *spec);

/* Whether the container is one of CRI's, of either kind: the kubelet's, not somebody's own. */
bool group_is_cri(const struct spec *spec);

struct utsname;

/*
 * The pod's host name, from its first container's spec. A pod of CRI's that has none shows the host's, as
 * where its UTS namespace is a fresh one of the host's kernel; else its own id stands in. host is where the
 * host's is put; the string lasts as long as all three.
 */
const char *group_hostname(const struct spec *spec, const char *id, struct utsname *host);

#endif
