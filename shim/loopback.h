/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every TCP connection to the loopback addresses of a network namespace, whatever its port: two
 * listening sockets, and a program of the kernel's that steers to them. Who forwards a port of a pod
 * (containerd, for the kubelet) dials the loopback address of the pod's namespace, where of a VM's pod
 * nobody else listens.
 */
#ifndef SHIM_LOOPBACK_H
#define SHIM_LOOPBACK_H

#include <linux/bpf.h>
#include <stddef.h>

#include "common/err.h"

enum { LOOPBACK_V4, LOOPBACK_V6, LOOPBACK_FAMILIES };

struct loopback {
	int listen_fds[LOOPBACK_FAMILIES]; /* -1: none. Not blocking */
	int link_fd;                       /* the steering ends with it; -1: none */
};

#define LOOPBACK_INIT                                                                              \
	{                                                                                          \
		.listen_fds = {-1, -1}, .link_fd = -1                                              \
	}

/* In the namespace at path; *ret's descriptors are the caller's. Needs a kernel of 5.9. */
int loopback_open(const char *path, struct loopback *ret, struct err *err);
void loopback_close(struct loopback *loopback);

#define LOOPBACK_MAX_INSNS 40

/* The program (BPF_PROG_TYPE_SK_LOOKUP) over the map, whose elements are the sockets by family. Pure.
 * Returns the number of instructions. */
size_t loopback_generate(int map_fd, struct bpf_insn ret[LOOPBACK_MAX_INSNS]);

#endif
