/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: sbx-vmm as a child. It gets everything as descriptors: kernel, initramfs,
 * disks, the directory of its vsock sockets, a memfd for the console's last lines, and one end of a
 * socket pair on which it serves sbx.vmm.v1.Control. It ends when that socket closes, and by a death
 * signal when we die; we know of its end by its pidfd. A request on the control socket that is
 * answered with an error leaves the VM running.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/console_ring.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/rpc.h"
#include "shim/hypervisor.h"
#include "shim/places.h"
#include "shim/spawn.h"
#include "vmm.pb-c.h"

#define CONTROL_TIMEOUT_MS 10000
#define MAX_STAGES         64

struct vmm {
	struct hypervisor hv;
	struct loop *loop;
	int pidfd, ring_fd;
	struct source *child;
	struct rpc_conn *control;
	struct console_ring *ring;
	void (*on_exit)(struct hypervisor *hv, const char *how, void *data);
	void *data;
};

static struct vmm *vmm_of(struct hypervisor *hv)
{
	return container_of(hv, struct vmm, hv);
}

static void on_child(struct source *source, uint32_t events, void *data)
{
	struct vmm *vmm = data;
	char how[64] = "ended";

	source_remove(vmm->child);
	vmm->child = NULL;
	spawn_reap(vmm->pidfd, how, sizeof(how));
	vmm->hv.pid = 0;
	vmm->on_exit(&vmm->hv, how, vmm->data);
}

static void on_control_close(struct rpc_conn *conn, int why, void *data)
{
	struct vmm *vmm = data;

	/* Without its control socket it ends by itself; the pidfd says when. */
	rpc_conn_close(vmm->control);
	vmm->control = NULL;
}

static void vmm_stop(struct hypervisor *hv)
{
	struct vmm *vmm = vmm_of(hv);

	if (hv->pid > 0)
		syscall(SYS_pidfd_send_signal, vmm->pidfd, SIGKILL, NULL, 0);
}

static void vmm_destroy(struct hypervisor *hv)
{
	struct vmm *vmm = vmm_of(hv);
	char how[64];

	vmm_stop(hv);
	if (hv->pid > 0)
		spawn_reap(vmm->pidfd, how, sizeof(how));
	source_remove(vmm->child);
	rpc_conn_close(vmm->control);
	console_ring_close(vmm->ring);
	close_fd(&vmm->ring_fd);
	close_fd(&vmm->pidfd);
	free(vmm);
}

/* --- start ------------------------------------------------------------------------------------ */

#define MAX_ARGS (32 + 2 * HYPERVISOR_MAX_DISKS)

struct command {
	const char *argv[MAX_ARGS + 1];
	size_t n;
	int fds[8 + HYPERVISOR_MAX_DISKS];
	size_t n_fds;
	bool failed;
};

static void add_arg(struct command *cmd, const char *option, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void add_arg(struct command *cmd, const char *option, const char *fmt, ...)
{
	char *value = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (cmd->n + 2 > MAX_ARGS || vasprintf(&value, fmt, ap) < 0)
		cmd->failed = true;
	va_end(ap);
	if (cmd->failed)
		return;
	cmd->argv[cmd->n++] = option;
	cmd->argv[cmd->n++] = value;
}

static void add_fd(struct command *cmd, const char *option, int fd, const char *suffix)
{
	add_arg(cmd, option, "fd:%d%s", fd, suffix);
	cmd->fds[cmd->n_fds++] = fd;
}

/* Values are ours, options are literals; argv[0] is the caller's. */
static void command_finish(struct command *cmd)
{
	for (size_t i = 2; i < cmd->n; i += 2)
		free((char *)cmd->argv[i]);
}

static void build_command(struct command *cmd, const struct hypervisor_config *config,
			  int control_fd, int ring_fd)
{
	add_fd(cmd, "--kernel", config->kernel_fd, "");
	add_fd(cmd, "--initrd", config->initrd_fd, "");
	add_arg(cmd, "--cmdline", "%s", config->cmdline);
	add_arg(cmd, "--memory", "%llu", (unsigned long long)config->memory);
	add_arg(cmd, "--cpus", "%u", config->cpus);
	for (size_t i = 0; i < config->n_disks; i++)
		add_fd(cmd, "--disk", config->disks[i].fd, config->disks[i].readonly ? ",ro" : "");
	add_arg(cmd, "--slots", "%u", config->slots);
	add_fd(cmd, "--vsock-dir", config->vsock_dirfd, "");
	add_fd(cmd, "--control", control_fd, "");
	add_fd(cmd, "--console-ring", ring_fd, "");
}

static int run(struct vmm *vmm, const struct hypervisor_config *config, int control_fd,
	       struct err *err)
{
	_cleanup_free_ char *program = NULL;
	struct command cmd = {.n = 1};
	struct spawn spawn = {
		.argv = cmd.argv,
		.fds = cmd.fds,
		.out_fd = config->log_fd,
		.err_fd = config->log_fd,
		.die_with_us = true,
	};
	int r = places_find_program("sbx-vmm", &program, err);

	if (r < 0)
		return r;
	cmd.argv[0] = program;
	build_command(&cmd, config, control_fd, vmm->ring_fd);
	spawn.n_fds = cmd.n_fds;
	r = cmd.failed ? err_set(err, ENOMEM, "out of memory")
		       : spawn_start(&spawn, &vmm->hv.pid, &vmm->pidfd, err);
	command_finish(&cmd);
	return r;
}

static void on_hello(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	/* It serves no other version's requests; each of ours fails with the same message. */
	if (err)
		log_error("%s", err->msg);
}

static int connect_control(struct vmm *vmm, int *fd, struct err *err)
{
	const struct rpc_config config = {
		.data = vmm,
		.on_close = on_control_close,
		.role = "shim",
	};
	int r = rpc_conn_create(vmm->loop, TAKE_FD(*fd), &config, &vmm->control);

	if (r == 0)
		r = rpc_hello(vmm->control, 0, on_hello, NULL);
	if (r == 0)
		r = loop_add_io(vmm->loop, vmm->pidfd, EPOLLIN, on_child, vmm, &vmm->child);
	return r < 0 ? err_set_errno(err, -r, "cannot watch sbx-vmm") : 0;
}

static int vmm_start(struct loop *loop, const struct hypervisor_config *config,
		     struct hypervisor **ret, struct err *err)
{
	_cleanup_(hypervisor_destroy_p) struct hypervisor *hv = NULL;
	struct vmm *vmm = calloc(1, sizeof(*vmm));
	_cleanup_close_ int ours = -1, theirs = -1;
	int pair[2], r;

	if (!vmm)
		return err_set(err, ENOMEM, "out of memory");
	hv = &vmm->hv;
	hv->ops = &hypervisor_vmm;
	vmm->loop = loop;
	vmm->pidfd = vmm->ring_fd = -1;
	vmm->on_exit = config->on_exit;
	vmm->data = config->data;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return err_set_errno(err, errno, "socketpair");
	ours = pair[0];
	theirs = pair[1];
	vmm->ring_fd = console_ring_memfd();
	r = vmm->ring_fd < 0 ? vmm->ring_fd : console_ring_open(vmm->ring_fd, &vmm->ring);
	if (r < 0)
		return err_set_errno(err, -r, "cannot make the console's memory");
	r = run(vmm, config, theirs, err);
	if (r == 0)
		r = connect_control(vmm, &ours, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(hv);
	return 0;
}

/* --- requests --------------------------------------------------------------------------------- */

struct request {
	hypervisor_done done;
	hypervisor_stage stage;
	void *data;
};

static void on_done(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	struct request *request = data;

	request->done(err, request->data);
	free(request);
}

static int ask(struct vmm *vmm, const struct rpc_invocation *what, rpc_done fn,
	       const struct request *request)
{
	static const Google__Empty empty = GOOGLE__EMPTY__INIT;
	struct rpc_invocation inv = *what;
	struct request *copy;
	int r;

	if (!vmm->control)
		return -EPIPE;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	*copy = *request;
	inv.service = &vmm__control__descriptor;
	inv.timeout_ms = CONTROL_TIMEOUT_MS;
	if (!inv.request)
		inv.request = &empty.base;
	r = rpc_invoke(vmm->control, &inv, fn, copy);
	if (r < 0)
		free(copy);
	return r;
}

static int vmm_pause(struct hypervisor *hv, hypervisor_done done, void *data)
{
	const struct rpc_invocation inv = {.method = "Pause"};

	return ask(vmm_of(hv), &inv, on_done, &(struct request){.done = done, .data = data});
}

static int vmm_resume(struct hypervisor *hv, hypervisor_done done, void *data)
{
	const struct rpc_invocation inv = {.method = "Resume"};

	return ask(vmm_of(hv), &inv, on_done, &(struct request){.done = done, .data = data});
}

static int vmm_attach_disk(struct hypervisor *hv, unsigned slot, const struct hypervisor_disk *disk,
			   hypervisor_done done, void *data)
{
	Vmm__AttachDiskRequest request = VMM__ATTACH_DISK_REQUEST__INIT;
	const struct rpc_invocation inv = {
		.method = "AttachDisk",
		.request = &request.base,
		.fds = &disk->fd,
		.n_fds = 1,
	};

	request.slot = slot;
	request.readonly = disk->readonly;
	return ask(vmm_of(hv), &inv, on_done, &(struct request){.done = done, .data = data});
}

static void on_status(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	const Vmm__StatusResponse *status = (const Vmm__StatusResponse *)reply;
	struct request *request = data;

	for (size_t i = 0; status && i < status->n_stages && i < MAX_STAGES; i++)
		request->stage(status->stages[i]->name, status->stages[i]->at_ns, request->data);
	request->stage(NULL, 0, request->data);
	free(request);
}

static int vmm_stages(struct hypervisor *hv, hypervisor_stage stage, void *data)
{
	const struct rpc_invocation inv = {.method = "Status"};

	return ask(vmm_of(hv), &inv, on_status, &(struct request){.stage = stage, .data = data});
}

static size_t vmm_console(struct hypervisor *hv, char *buf, size_t max)
{
	return console_ring_tail(vmm_of(hv)->ring, buf, max);
}

const struct hypervisor_ops hypervisor_vmm = {
	.name = "vmm",
	.start = vmm_start,
	.stop = vmm_stop,
	.pause = vmm_pause,
	.resume = vmm_resume,
	.attach_disk = vmm_attach_disk,
	.stages = vmm_stages,
	.console = vmm_console,
	.destroy = vmm_destroy,
};
