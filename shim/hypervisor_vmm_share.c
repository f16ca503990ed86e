/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: sbx-share, the file server of a VM, is started with the pod's first shared
 * folder. It and sbx-vmm hold the two ends of a socket pair. Without it the guest's files are gone,
 * so its end is the VM's end.
 */
#include "shim/hypervisor_vmm_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/loop.h"
#include "shim/argv.h"
#include "shim/host_cgroup.h"
#include "shim/oom_score.h"
#include "shim/places.h"
#include "shim/spawn.h"
#include "vmm.pb-c.h"

static void on_share(struct source *source, uint32_t events, void *data)
{
	struct vmm *vmm = data;
	char how[64] = "ended";

	source_remove(vmm->share_source);
	vmm->share_source = NULL;
	/* It ends by itself, with 0, where its monitor has: then the monitor's own end says why. */
	if (spawn_reap(vmm->share_pidfd, how, sizeof(how)) != 0)
		snprintf(vmm->share_end, sizeof(vmm->share_end), "was ended: its file server %s",
			 how);
	vmm->share_pid = 0;
	vmm_stop(&vmm->hv);
}

static void on_attached(const struct err *err, void *data)
{
	struct vmm *vmm = data;

	if (!err || vmm->share_end[0])
		return;
	snprintf(vmm->share_end, sizeof(vmm->share_end), "was ended: no file server: %.60s",
		 err->msg);
	vmm_stop(&vmm->hv);
}

static int attach_share(struct vmm *vmm, int fd)
{
	const struct rpc_invocation inv = {.method = "AttachShare", .fds = &fd, .n_fds = 1};

	return vmm_ask(vmm, &inv, vmm_on_done,
		       &(struct vmm_request){.done = on_attached, .data = vmm});
}

static int spawn_share(struct vmm *vmm, bool readonly, int fuse_fd, int control_fd, struct err *err)
{
	_cleanup_free_ char *program = NULL;
	_cleanup_argv_ struct argv argv = {0};
	int r = places_find_program("sbx-share", &program, err);

	if (r < 0)
		return r;
	argv_add(&argv, "%s", program);
	argv.apart = true;
	argv.oom_score = &vmm->hv.oom_score;
	argv_add(&argv, "--fuse=fd:%d", argv_keep(&argv, fuse_fd));
	argv_add(&argv, "--control=fd:%d", argv_keep(&argv, control_fd));
	if (readonly)
		argv_add(&argv, "--readonly");
	r = argv_spawn(&argv, vmm->log_fd, &vmm->share_pid, &vmm->share_pidfd, err);
	if (r < 0)
		return r;
	r = loop_add_io(vmm->loop, vmm->share_pidfd, EPOLLIN, on_share, vmm, &vmm->share_source);
	if (r < 0)
		return err_set_errno(err, -r, "cannot watch sbx-share");
	return vmm->cgroup ? host_cgroup_enter(vmm->cgroup, vmm->share_pid, err) : 0;
}

int vmm_open_share(struct hypervisor *hv, bool readonly, int *ret_fd, struct err *err)
{
	_cleanup_close_ int device = -1, names = -1, ours = -1, theirs = -1;
	struct vmm *vmm = vmm_of(hv);
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return err_set_errno(err, errno, "socketpair");
	device = pair[0];
	names = pair[1];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return err_set_errno(err, errno, "socketpair");
	ours = pair[0];
	theirs = pair[1];
	r = spawn_share(vmm, readonly, names, theirs, err);
	if (r < 0)
		return r;
	r = attach_share(vmm, device);
	if (r < 0)
		return err_set_errno(err, -r, "cannot attach sbx-share");
	*ret_fd = TAKE_FD(ours);
	return 0;
}

int vmm_enter_cgroup(struct hypervisor *hv, const char *path, struct err *err)
{
	struct vmm *vmm = vmm_of(hv);
	int r;

	free(vmm->cgroup);
	vmm->cgroup = strdup(path);
	if (!vmm->cgroup)
		return err_set(err, ENOMEM, "out of memory");
	r = host_cgroup_enter(path, hv->pid, err);
	if (r == 0 && vmm->share_pid > 0)
		r = host_cgroup_enter(path, vmm->share_pid, err);
	return r;
}

int vmm_set_oom_score(struct hypervisor *hv, int score)
{
	struct vmm *vmm = vmm_of(hv);
	int r = 0;

	hv->oom_score = score;
	if (hv->pid > 0)
		r = oom_score_write(hv->pid, score);
	if (r == 0 && vmm->share_pid > 0)
		r = oom_score_write(vmm->share_pid, score);
	return r;
}
