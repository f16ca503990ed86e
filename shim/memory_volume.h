/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders in the host's memory that engines make for one pod and bind into its containers: /dev/shm, and
 * what Kubernetes calls an emptyDir of medium Memory. Nobody on the host looks into them, so that in
 * the guest they are what they are meant to be, memory of the pod's: a tmpfs of the guest, by which all
 * containers that bind it know it, as large and with the owner and mode of the host's.
 */
#ifndef SHIM_MEMORY_VOLUME_H
#define SHIM_MEMORY_VOLUME_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

struct spec;

#define MEMORY_VOLUMES_MAX 64

/* Those that containers of a pod have named so far. */
struct memory_volumes {
	struct memory_volume {
		char *name, *target; /* in the guest; where the host has it mounted */
		bool shared;         /* it held files, and is a folder as any other */
		bool gone;           /* from the host: the guest may forget it, too */
	} items[MEMORY_VOLUMES_MAX];
	size_t n;
};

/*
 * Looks at each bind mount's source, and sets its mount's volume where it is such a folder; notes which of
 * those known are gone. -ENOMEM.
 */
int memory_volumes_mark(struct memory_volumes *known, struct spec *spec, struct err *err);

/* The names of those that are gone, at most as many as ret has room for; known keeps them. */
size_t memory_volumes_gone(const struct memory_volumes *known, char *ret[MEMORY_VOLUMES_MAX]);
/* The guest was told of all that are gone. */
void memory_volumes_forget(struct memory_volumes *known);

void memory_volumes_finish(struct memory_volumes *known);

#endif
