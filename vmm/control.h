/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Control service of proto/vmm.proto, on the connection to the owner of the VM. When that
 * connection ends, so does the VM.
 */
#ifndef VMM_CONTROL_H
#define VMM_CONTROL_H

#include <stdint.h>

#include "common/cleanup.h"
#include "common/err.h"

struct control;
struct devices;
struct loop;
struct vcpus;
struct vm;

struct control_config {
	struct vm *vm;
	struct vcpus *vcpus;
	struct devices *devices;
	unsigned cpus;
	uint64_t memory, max_memory; /* that it booted with; that it may have */
};

/* fd, a connected stream socket, is taken over, also on failure. */
int control_create(struct loop *loop, int fd, const struct control_config *config,
		   struct control **ret, struct err *err);
void control_destroy(struct control *control);
DEFINE_CLEANUP(struct control, control_destroy)

/* All vCPUs have parked, as control asked them to. */
void control_on_settled(struct control *control);

#endif
