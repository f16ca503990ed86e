/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the shim needs of a machine monitor, and nothing of which one it is. Two drivers: "vmm", our
 * own sbx-vmm on KVM, and "qemu", software emulation for hosts without usable KVM.
 *
 * A hypervisor runs one VM in a child process. It ends with hypervisor_stop(), with the guest's own
 * power-off, or by accident; each way ends in one call of on_exit.
 */
#ifndef SHIM_HYPERVISOR_H
#define SHIM_HYPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/slots.h"

struct hypervisor;
struct loop;

#define HYPERVISOR_MAX_DISKS 8
/* Disk slots of every VM: the first disks fill some, what comes later takes the rest. */
#define HYPERVISOR_SLOTS 4

struct hypervisor_disk {
	int fd;
	bool readonly;
};

/* The queues of a tap, or a stream socket of length-prefixed frames. No descriptors: no network. */
struct hypervisor_net {
	int fds[NET_MAX_PAIRS];
	size_t n_fds;
	bool stream;
	uint32_t mtu;
};

/* What a second may bring; 0: no limit. */
struct hypervisor_rates {
	uint64_t disk, disk_ops; /* bytes and requests of each disk */
	uint64_t net;            /* bytes each way */
};
#define HYPERVISOR_MIN_RATE 4096         /* bytes */
#define HYPERVISOR_MAX_RATE (1ull << 40) /* of either */

/* Descriptors stay the caller's and are needed during the start only. */
struct hypervisor_config {
	int kernel_fd, initrd_fd;
	const char
		*cmdline; /* the kernel's; the driver adds how its machine is described and ended */
	uint64_t memory;  /* bytes */
	unsigned cpus;
	uint64_t max_memory; /* that the guest may be given later; 0: no more */
	unsigned max_cpus;   /* the same */
	unsigned slots;      /* disk slots in all; the first n_disks are filled */
	bool net_slot, share_slot;
	struct hypervisor_disk disks[HYPERVISOR_MAX_DISKS];
	size_t n_disks;
	struct hypervisor_net net;
	struct hypervisor_rates rates;
	int vsock_dirfd;       /* where the VM's vsock sockets are and go */
	const char *vsock_dir; /* the same by path, for a driver that knows no descriptors */
	int log_fd;            /* the child's stderr */
	int oom_score;         /* oom_score.h: of the VM's processes, where we may */
	/* how: "was killed by signal 9 (Killed)". From the loop, never from within a call. */
	void (*on_exit)(struct hypervisor *hv, const char *how, void *data);
	void *data;
};

/* err is NULL where it worked. */
typedef void (*hypervisor_done)(const struct err *err, void *data);
/* added: bytes that the guest is going to have beyond what it booted with. */
typedef void (*hypervisor_resized)(const struct err *err, uint64_t added, void *data);
/* A stage of the VM's own start, CLOCK_MONOTONIC; name NULL ends the list. */
typedef void (*hypervisor_stage)(const char *name, uint64_t at_ns, void *data);

struct hypervisor_ops {
	const char *name;
	/* Forks, execs and returns; the VM boots on its own. */
	int (*start)(struct loop *loop, const struct hypervisor_config *config,
		     struct hypervisor **ret, struct err *err);
	/* Ends the VM at once; on_exit follows. */
	void (*stop)(struct hypervisor *hv);
	/* NULL here and below, up to stages: the driver cannot. */
	int (*pause)(struct hypervisor *hv, hypervisor_done done, void *data);
	int (*resume)(struct hypervisor *hv, hypervisor_done done, void *data);
	/* fd stays the caller's. */
	int (*attach_disk)(struct hypervisor *hv, unsigned slot, const struct hypervisor_disk *disk,
			   hypervisor_done done, void *data);
	int (*detach_disk)(struct hypervisor *hv, unsigned slot, hypervisor_done done, void *data);
	/* Into the net slot, once; the descriptors stay the caller's. */
	int (*attach_net)(struct hypervisor *hv, const struct hypervisor_net *net,
			  hypervisor_done done, void *data);
	/*
	 * The owner's end of the control connection of the sbx-share that serves this VM's file
	 * system device, which is started where that has not happened yet. Once; the caller's.
	 * readonly: no folder will ever be anything else.
	 */
	int (*open_share)(struct hypervisor *hv, bool readonly, int *ret_fd, struct err *err);
	/* Lets the guest have so much memory in all, at most max_memory; when it takes it is seen there. */
	int (*resize_memory)(struct hypervisor *hv, uint64_t memory, hypervisor_resized done,
			     void *data);
	int (*stages)(struct hypervisor *hv, hypervisor_stage stage, void *data);
	/* The newest bytes of the guest's console, also after its end. Returns how many. */
	size_t (*console)(struct hypervisor *hv, char *buf, size_t max);
	/* Of all processes of the VM, those to come too. 0 or -errno. */
	int (*set_oom_score)(struct hypervisor *hv, int score);
	/*
	 * Moves all processes of the VM, those to come too, into the cgroup that path names in each of the
	 * host's hierarchies (host_cgroup.h).
	 */
	int (*enter_cgroup)(struct hypervisor *hv, const char *path, struct err *err);
	/* Fails every open request, now; the VM ends soon. Console and pid stay. NULL: none is ever open. */
	void (*hang_up)(struct hypervisor *hv);
	/* Frees, after having ended the child and waited for it if it still runs. */
	void (*destroy)(struct hypervisor *hv);
};

/* The head of every driver's own struct. */
struct hypervisor {
	const struct hypervisor_ops *ops;
	pid_t pid;
	int oom_score;
};

extern const struct hypervisor_ops hypervisor_vmm;
extern const struct hypervisor_ops hypervisor_qemu;

static inline void hypervisor_destroy(struct hypervisor *hv)
{
	if (hv)
		hv->ops->destroy(hv);
}
DEFINE_CLEANUP(struct hypervisor, hypervisor_destroy)

#endif
