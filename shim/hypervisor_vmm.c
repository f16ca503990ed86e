/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: sbx-vmm as a child. It gets everything as descriptors: kernel, initramfs,
 * disks, the directory of its vsock sockets, a memfd for the console's last lines, and one end of a
 * socket pair on which it serves sbx.vmm.v1.Control. It ends when that socket closes, and by a death
 * signal when we die; we know of its end by its pidfd. A request on the control socket that is
 * answered with an error leaves the VM running.
 *
 * It is the first of a process namespace, and makes the rest of its jail itself. Where we are root it
 * becomes a uid of its own, which can connect to the vsock sockets in its directory and owns nothing
 * else: our own number over UID_BASE, which lies where nobody gives out uids, so that no two pods that
 * live have the same one and nobody needs to keep book.
 *
 * A second child serves the pod's shared folders, see hypervisor_vmm_share.c; hypervisor_vmm_net.c has what is
 * asked about its network.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/console_ring.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/ports.h"
#include "common/rpc.h"
#include "shim/argv.h"
#include "shim/host_cgroup.h"
#include "shim/hypervisor_vmm_internal.h"
#include "shim/places.h"
#include "shim/spawn.h"
#include "vmm.pb-c.h"

#define CONTROL_TIMEOUT_MS 10000
#define END_TIMEOUT_MS     500
#define MAX_STAGES         64
#define UID_BASE           0x70000000u /* systemd's containers end just below */

static void on_child(struct source *source, uint32_t events, void *data)
{
	struct vmm *vmm = data;
	char how[64] = "ended";

	source_remove(vmm->child);
	vmm->child = NULL;
	spawn_reap(vmm->pidfd, how, sizeof(how));
	vmm->hv.pid = 0;
	vmm->on_exit(&vmm->hv, vmm->share_end[0] ? vmm->share_end : how, vmm->data);
}

static void on_control_close(struct rpc_conn *conn, int why, void *data)
{
	struct vmm *vmm = data;

	/* Without its control socket it ends by itself; the pidfd says when. */
	rpc_conn_close(vmm->control);
	vmm->control = NULL;
}

void vmm_stop(struct hypervisor *hv)
{
	struct vmm *vmm = vmm_of(hv);

	if (hv->pid > 0)
		syscall(SYS_pidfd_send_signal, vmm->pidfd, SIGKILL, NULL, 0);
}

/*
 * It is asked first. A process that is killed leaves its namespaces before KVM ends its VM, and the kernel
 * ends a network namespace and a VM with one rcu_barrier each, one after the other.
 */
static void end_monitor(struct vmm *vmm)
{
	struct pollfd ended = {.fd = vmm->pidfd, .events = POLLIN};
	char how[64];

	if (vmm->hv.pid <= 0)
		return;
	syscall(SYS_pidfd_send_signal, vmm->pidfd, SIGTERM, NULL, 0);
	if (poll(&ended, 1, END_TIMEOUT_MS) != 1)
		vmm_stop(&vmm->hv);
	spawn_reap(vmm->pidfd, how, sizeof(how));
}

static void vmm_destroy(struct hypervisor *hv)
{
	struct vmm *vmm = vmm_of(hv);
	char how[64];

	end_monitor(vmm);
	if (vmm->share_pid > 0) {
		syscall(SYS_pidfd_send_signal, vmm->share_pidfd, SIGKILL, NULL, 0);
		spawn_reap(vmm->share_pidfd, how, sizeof(how));
	}
	source_remove(vmm->share_source);
	close_fd(&vmm->share_pidfd);
	source_remove(vmm->child);
	rpc_conn_close(vmm->control);
	console_ring_close(vmm->ring);
	close_fd(&vmm->ring_fd);
	close_fd(&vmm->pidfd);
	free(vmm->cgroup);
	free(vmm);
}

static void vmm_hang_up(struct hypervisor *hv)
{
	/* Without it the monitor ends by itself. */
	rpc_conn_close(TAKE_PTR(vmm_of(hv)->control));
}

/* --- start ------------------------------------------------------------------------------------ */

/*
 * Ours to open, because a cgroup may forbid it: podman has its pods' conmon, and so us, in one that lets
 * open the devices of a container only. The monitor will be in it, too, with the device open; we leave.
 * -1: the monitor will find the same, and say so.
 */
static int open_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd >= 0 || errno != EPERM || geteuid() != 0)
		return fd;
	if (host_cgroup_enter("/", getpid(), NULL) < 0)
		return -1;
	log_info("left a cgroup in which /dev/kvm cannot be opened");
	return open("/dev/kvm", O_RDWR | O_CLOEXEC);
}

/* The directory may be entered and not changed; of what is in it the sockets for the guest are given. */
static int give_sockets(int dirfd, uid_t uid, struct err *err)
{
	static const char *const names[] = {PORT_SOCKET(PORT_AGENT), PORT_SOCKET(PORT_STREAM)};

	if (fchmod(dirfd, 0711) < 0)
		return err_set_errno(err, errno, "vsock directory");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (fchownat(dirfd, names[i], uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0)
			return err_set_errno(err, errno, "%s", names[i]);
	return 0;
}

static void add_rates(struct argv *argv, const struct hypervisor_rates *rates)
{
	if (rates->disk)
		argv_add(argv, "--disk-rate=%" PRIu64, rates->disk);
	if (rates->disk_ops)
		argv_add(argv, "--disk-ops=%" PRIu64, rates->disk_ops);
	if (rates->net)
		argv_add(argv, "--net-rate=%" PRIu64, rates->net);
}

static void build_command(struct argv *argv, const struct hypervisor_config *config, int kvm_fd,
			  int control_fd, int ring_fd)
{
	if (kvm_fd >= 0)
		argv_add(argv, "--kvm=fd:%d", argv_keep(argv, kvm_fd));
	argv_add(argv, "--kernel=fd:%d", argv_keep(argv, config->kernel_fd));
	argv_add(argv, "--initrd=fd:%d", argv_keep(argv, config->initrd_fd));
	argv_add(argv, "--cmdline=%s", config->cmdline);
	argv_add(argv, "--memory=%" PRIu64, config->memory);
	if (config->max_memory > config->memory)
		argv_add(argv, "--max-memory=%" PRIu64, config->max_memory);
	argv_add(argv, "--cpus=%u", config->cpus);
	if (config->max_cpus > config->cpus)
		argv_add(argv, "--max-cpus=%u", config->max_cpus);
	for (size_t i = 0; i < config->n_disks; i++)
		argv_add(argv, "--disk=fd:%d%s", argv_keep(argv, config->disks[i].fd),
			 config->disks[i].readonly ? ",ro" : "");
	argv_add(argv, "--slots=%u", config->slots);
	add_rates(argv, &config->rates);
	if (!config->net_slot)
		argv_add(argv, "--no-net");
	if (!config->share_slot)
		argv_add(argv, "--no-share");
	argv_add(argv, "--vsock-dir=fd:%d", argv_keep(argv, config->vsock_dirfd));
	argv_add(argv, "--control=fd:%d", argv_keep(argv, control_fd));
	argv_add(argv, "--console-ring=fd:%d", argv_keep(argv, ring_fd));
}

static int run(struct vmm *vmm, const struct hypervisor_config *config, int control_fd,
	       struct err *err)
{
	_cleanup_free_ char *program = NULL;
	_cleanup_argv_ struct argv argv = {0};
	_cleanup_close_ int kvm_fd = -1;
	int r = places_find_program("sbx-vmm", &program, err);

	if (r < 0)
		return r;
	argv_add(&argv, "%s", program);
	argv.apart = true;
	argv.oom_score = &vmm->hv.oom_score;
	if (geteuid() == 0) {
		uid_t uid = UID_BASE + (uid_t)getpid();

		r = give_sockets(config->vsock_dirfd, uid, err);
		if (r < 0)
			return r;
		argv_add(&argv, "--uid=%u", uid);
	}
	kvm_fd = open_kvm();
	build_command(&argv, config, kvm_fd, control_fd, vmm->ring_fd);
	return argv_spawn(&argv, config->log_fd, &vmm->hv.pid, &vmm->pidfd, err);
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
	hv->oom_score = config->oom_score;
	vmm->loop = loop;
	vmm->pidfd = vmm->ring_fd = vmm->share_pidfd = -1;
	vmm->log_fd = config->log_fd;
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
	if (r == 0)
		r = vmm_start_net(vmm, &config->net, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(hv);
	return 0;
}

/* --- requests --------------------------------------------------------------------------------- */

void vmm_on_done(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	struct vmm_request *request = data;

	request->done(err, request->data);
	free(request);
}

int vmm_ask(struct vmm *vmm, const struct rpc_invocation *what, rpc_done fn,
	    const struct vmm_request *request)
{
	static const Google__Empty empty = GOOGLE__EMPTY__INIT;
	struct rpc_invocation inv = *what;
	struct vmm_request *copy;
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

	return vmm_ask(vmm_of(hv), &inv, vmm_on_done,
		       &(struct vmm_request){.done = done, .data = data});
}

static int vmm_resume(struct hypervisor *hv, hypervisor_done done, void *data)
{
	const struct rpc_invocation inv = {.method = "Resume"};

	return vmm_ask(vmm_of(hv), &inv, vmm_on_done,
		       &(struct vmm_request){.done = done, .data = data});
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
	return vmm_ask(vmm_of(hv), &inv, vmm_on_done,
		       &(struct vmm_request){.done = done, .data = data});
}

static int vmm_detach_disk(struct hypervisor *hv, unsigned slot, hypervisor_done done, void *data)
{
	Vmm__DetachDiskRequest request = VMM__DETACH_DISK_REQUEST__INIT;
	const struct rpc_invocation inv = {.method = "DetachDisk", .request = &request.base};

	request.slot = slot;
	return vmm_ask(vmm_of(hv), &inv, vmm_on_done,
		       &(struct vmm_request){.done = done, .data = data});
}

static void on_resized(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	const Vmm__ResizeMemoryResponse *resized = (const Vmm__ResizeMemoryResponse *)reply;
	struct vmm_request *request = data;

	request->resized(err, err ? 0 : resized->added, request->data);
	free(request);
}

static int vmm_resize_memory(struct hypervisor *hv, uint64_t memory, hypervisor_resized done,
			     void *data)
{
	Vmm__ResizeMemoryRequest request = VMM__RESIZE_MEMORY_REQUEST__INIT;
	const struct rpc_invocation inv = {.method = "ResizeMemory", .request = &request.base};

	request.memory = memory;
	return vmm_ask(vmm_of(hv), &inv, on_resized,
		       &(struct vmm_request){.resized = done, .data = data});
}

static void on_status(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	const Vmm__StatusResponse *status = (const Vmm__StatusResponse *)reply;
	struct vmm_request *request = data;

	for (size_t i = 0; status && i < status->n_stages && i < MAX_STAGES; i++)
		request->stage(status->stages[i]->name, status->stages[i]->at_ns, request->data);
	request->stage(NULL, 0, request->data);
	free(request);
}

static int vmm_stages(struct hypervisor *hv, hypervisor_stage stage, void *data)
{
	const struct rpc_invocation inv = {.method = "Status"};

	return vmm_ask(vmm_of(hv), &inv, on_status,
		       &(struct vmm_request){.stage = stage, .data = data});
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
	.detach_disk = vmm_detach_disk,
	.attach_net = vmm_attach_net,
	.open_share = vmm_open_share,
	.resize_memory = vmm_resize_memory,
	.stages = vmm_stages,
	.console = vmm_console,
	.set_oom_score = vmm_set_oom_score,
	.enter_cgroup = vmm_enter_cgroup,
	.hang_up = vmm_hang_up,
	.destroy = vmm_destroy,
};
