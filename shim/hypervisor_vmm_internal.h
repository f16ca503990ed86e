/* SPDX-License-Identifier: Apache-2.0 */
/* What hypervisor_vmm.c (the monitor), _share.c (its file server) and _net.c (its network) share. */
#ifndef SHIM_HYPERVISOR_VMM_INTERNAL_H
#define SHIM_HYPERVISOR_VMM_INTERNAL_H

#include "common/rpc.h"
#include "shim/hypervisor.h"

struct console_ring;

struct vmm {
	struct hypervisor hv;
	struct loop *loop;
	int pidfd, ring_fd, log_fd;
	struct source *child;
	char *cgroup;    /* NULL: where we are */
	pid_t share_pid; /* 0: not running */
	int share_pidfd;
	struct source *share_source;
	char share_end[96]; /* how it ended */
	struct rpc_conn *control;
	struct console_ring *ring;
	void (*on_exit)(struct hypervisor *hv, const char *how, void *data);
	void *data;
};

static inline struct vmm *vmm_of(struct hypervisor *hv)
{
	return container_of(hv, struct vmm, hv);
}

/* Who asked, and for what: an answer, the stages of the VM's start, or more memory. */
struct vmm_request {
	hypervisor_done done;
	hypervisor_stage stage;
	hypervisor_resized resized;
	void *data;
};

/* Calls the monitor; fn gets its answer, and a copy of request that it must free. 0 or -errno. */
int vmm_ask(struct vmm *vmm, const struct rpc_invocation *what, rpc_done fn,
	    const struct vmm_request *request);
/* Hands the answer to request->done. */
void vmm_on_done(const ProtobufCMessage *reply, const struct err *err, void *data);

void vmm_stop(struct hypervisor *hv);
/* Of the monitor and of the file server, where there is one. */
int vmm_set_oom_score(struct hypervisor *hv, int score);
int vmm_enter_cgroup(struct hypervisor *hv, const char *path, struct err *err);
/* The network that it begins with; nothing where that is none. */
int vmm_start_net(struct vmm *vmm, const struct hypervisor_net *net, struct err *err);
int vmm_attach_net(struct hypervisor *hv, const struct hypervisor_net *net, hypervisor_done done,
		   void *data);
int vmm_open_share(struct hypervisor *hv, bool readonly, int *ret_fd, struct err *err);

#endif
