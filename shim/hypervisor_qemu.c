/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: system QEMU without KVM, for hosts that have none. It emulates the same shape
 * of machine (virtio-mmio, no PCI, no ACPI), boots the same kernel and initramfs, and the agent in it
 * finds what it finds in ours.
 *
 * Two children. sbx-share serves the guest's vsock by vhost-user, with the same code and the same
 * sockets in vsock_dirfd as sbx-vmm; QEMU has no vsock of its own without a host kernel module. They
 * hold the two ends of a socket pair, and share the guest's memory, which is a memfd for that reason.
 * The file system device is its too; its control connection waits here for the first shared folder.
 * When either ends the VM is over: the other is killed, and on_exit is called once, by the pidfd of
 * whichever went first. The guest's reset ends QEMU (-no-reboot), as it ends ours.
 *
 * The console comes through a pipe into a ring like sbx-vmm's, so that the last lines survive QEMU.
 *
 * QEMU opens what it is given by /proc/self/fd: no path of the host is on its command line but its own
 * firmware's. Its seccomp sandbox is on. It emulates the guest's CPU in a process of the caller's
 * rights: that is what the warning at the start of such a run means.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/console_ring.h"
#include "common/io.h"
#include "common/log.h"
#include "common/loop.h"
#include "shim/argv.h"
#include "shim/host_cgroup.h"
#include "shim/hypervisor.h"
#include "shim/image_tool.h"
#include "shim/oom_score.h"
#include "shim/places.h"
#include "shim/share.h"
#include "shim/spawn.h"

#define QEMU_PROGRAM      "qemu-system-x86_64"
#define READS_PER_WAKE_UP 8

struct child {
	pid_t pid;
	int pidfd;
	struct source *source;
};

struct qemu {
	struct hypervisor hv;
	struct loop *loop;
	struct child share, monitor;
	int console_fd, ring_fd;
	int share_fd; /* the control connection, until it is asked for */
	struct source *console_io;
	struct console_ring *ring;
	void (*on_exit)(struct hypervisor *hv, const char *how, void *data);
	void *data;
};

static struct qemu *qemu_of(struct hypervisor *hv)
{
	return container_of(hv, struct qemu, hv);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void child_kill(const struct child *child)
{
	if (child->pid > 0)
		syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
}

static void child_reap(struct child *child, char *how, size_t size)
{
	source_remove(child->source);
	child->source = NULL;
	if (child->pid > 0)
		spawn_reap(child->pidfd, how, size);
	child->pid = 0;
}

static void read_console(struct qemu *qemu)
{
	char buf[4096];

	for (int i = 0; i < READS_PER_WAKE_UP; i++) {
		ssize_t n = read(qemu->console_fd, buf, sizeof(buf));

		if (n > 0) {
			console_ring_write(qemu->ring, buf, (size_t)n);
			continue;
		}
		if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			source_remove(qemu->console_io);
			qemu->console_io = NULL;
		}
		return;
	}
}

static void on_console(struct source *source, uint32_t events, void *data)
{
	read_console(data);
}

static void over(struct qemu *qemu, struct child *first, struct child *other)
{
	char how[64] = "ended", ignored[64];

	child_reap(first, how, sizeof(how));
	child_kill(other);
	child_reap(other, ignored, sizeof(ignored));
	qemu->hv.pid = 0;
	/* A dying kernel's last lines may still be in the pipe. */
	if (qemu->console_io)
		read_console(qemu);
	qemu->on_exit(&qemu->hv, how, qemu->data);
}

static void on_monitor(struct source *source, uint32_t events, void *data)
{
	struct qemu *qemu = data;

	over(qemu, &qemu->monitor, &qemu->share);
}

static void on_share(struct source *source, uint32_t events, void *data)
{
	struct qemu *qemu = data;

	over(qemu, &qemu->share, &qemu->monitor);
}

static void qemu_stop(struct hypervisor *hv)
{
	child_kill(&qemu_of(hv)->monitor);
}

static void qemu_destroy(struct hypervisor *hv)
{
	struct qemu *qemu = qemu_of(hv);
	char how[64];

	child_kill(&qemu->monitor);
	child_kill(&qemu->share);
	child_reap(&qemu->monitor, how, sizeof(how));
	child_reap(&qemu->share, how, sizeof(how));
	close_fd(&qemu->monitor.pidfd);
	close_fd(&qemu->share.pidfd);
	source_remove(qemu->console_io);
	close_fd(&qemu->console_fd);
	console_ring_close(qemu->ring);
	close_fd(&qemu->ring_fd);
	close_fd(&qemu->share_fd);
	free(qemu);
}

/* --- start ------------------------------------------------------------------------------------ */

static void add_option(struct argv *argv, const char *option, const char *value)
{
	argv_add(argv, "%s", option);
	argv_add(argv, "%s", value);
}

static void add_machine(struct argv *argv, const struct hypervisor_config *config)
{
	add_option(argv, "-M", "microvm,acpi=off,x-option-roms=off,memory-backend=m");
	add_option(argv, "-global", "virtio-mmio.force-legacy=false");
	add_option(argv, "-accel", "tcg,thread=multi");
	add_option(argv, "-cpu", "max");
	argv_add(argv, "-smp");
	argv_add(argv, "%u", config->cpus);
	argv_add(argv, "-m");
	argv_add(argv, "size=%" PRIu64 "B", config->memory);
	argv_add(argv, "-object");
	argv_add(argv, "memory-backend-memfd,id=m,size=%" PRIu64 "B,share=on", config->memory);
	argv_add(argv, "-nodefaults");
	argv_add(argv, "-no-user-config");
	argv_add(argv, "-no-reboot");
	add_option(argv, "-display", "none");
	add_option(argv, "-sandbox",
		   "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
}

/* The ends of the pairs between QEMU (front), sbx-share (back) and us. */
struct ends {
	int vsock_front, vsock_back, fs_front, fs_back, control;
};

static void add_devices(struct argv *argv, const struct hypervisor_config *config,
			const struct ends *ends, int console_fd)
{
	argv_add(argv, "-kernel");
	argv_add(argv, "/proc/self/fd/%d", argv_keep(argv, config->kernel_fd));
	argv_add(argv, "-initrd");
	argv_add(argv, "/proc/self/fd/%d", argv_keep(argv, config->initrd_fd));
	/* No ACPI to power off by: a triple fault ends QEMU, thanks to -no-reboot. */
	argv_add(argv, "-append");
	/* On a busy host the kernel would wait for an emulated timer in vain, and panic. */
	argv_add(argv, "panic=-1 reboot=t no_timer_check %s", config->cmdline);
	argv_add(argv, "-add-fd");
	argv_add(argv, "fd=%d,set=1", argv_keep(argv, console_fd));
	add_option(argv, "-chardev", "file,id=console,path=/dev/fdset/1,append=on");
	add_option(argv, "-serial", "chardev:console");
	argv_add(argv, "-chardev");
	argv_add(argv, "socket,id=vsock,fd=%d", argv_keep(argv, ends->vsock_front));
	add_option(argv, "-device", "vhost-user-vsock-device,chardev=vsock");
	argv_add(argv, "-chardev");
	argv_add(argv, "socket,id=fs,fd=%d", argv_keep(argv, ends->fs_front));
	add_option(argv, "-device",
		   "vhost-user-fs-device,chardev=fs,tag=sbx,num-request-queues=1,queue-size=1024");
	add_option(argv, "-device", "virtio-rng-device");
	for (size_t i = 0; i < config->n_disks; i++) {
		const char *ro = config->disks[i].readonly ? ",read-only=on" : ",discard=unmap";

		argv_add(argv, "-blockdev");
		argv_add(argv, "driver=file,node-name=disk%zu,filename=/proc/self/fd/%d%s", i,
			 argv_keep(argv, config->disks[i].fd), ro);
		argv_add(argv, "-device");
		argv_add(argv, "virtio-blk-device,drive=disk%zu,serial=sbx%zu", i, i);
	}
}

/* The slot that every VM has, and what is in it; QEMU's has no link where nothing is. */
static void add_net(struct argv *argv, const struct hypervisor_net *net)
{
	static const uint8_t mac[] = NET_SLOT_MAC(0);
	char fds[16 * NET_MAX_PAIRS] = "";
	int at = 0;

	if (!net->n_fds)
		return;
	for (size_t i = 0; i < net->n_fds; i++)
		at += snprintf(fds + at, sizeof(fds) - (size_t)at, "%s%d", i ? ":" : "",
			       argv_keep(argv, net->fds[i]));
	argv_add(argv, "-netdev");
	if (net->stream)
		argv_add(argv, "stream,id=net,server=off,addr.type=fd,addr.str=%s", fds);
	else
		argv_add(argv, "tap,id=net,vhost=off,%s=%s", net->n_fds > 1 ? "fds" : "fd", fds);
	argv_add(argv, "-device");
	argv_add(argv, "virtio-net-device,netdev=net,mac=%02x:%02x:%02x:%02x:%02x:%02x%s", mac[0],
		 mac[1], mac[2], mac[3], mac[4], mac[5], net->n_fds > 1 ? ",mq=on" : "");
}

static int start_share(struct qemu *qemu, const struct hypervisor_config *config,
		       const struct ends *ends, struct err *err)
{
	_cleanup_free_ char *program = NULL;
	_cleanup_argv_ struct argv argv = {0};
	_cleanup_close_ int dir = -1;
	int r = places_find_program("sbx-share", &program, err);

	if (r < 0)
		return r;
	/* As the folders it gets: with no way to the directory above. */
	dir = share_clone(config->vsock_dir, false, false, err);
	if (dir < 0)
		return dir;
	argv_add(&argv, "%s", program);
	argv_add(&argv, "--vsock-dir=fd:%d", argv_keep(&argv, dir));
	argv_add(&argv, "--socket=fd:%d", argv_keep(&argv, ends->vsock_back));
	argv_add(&argv, "--fs-socket=fd:%d", argv_keep(&argv, ends->fs_back));
	argv_add(&argv, "--control=fd:%d", argv_keep(&argv, ends->control));
	argv.oom_score = &config->oom_score;
	argv.apart = true;
	r = argv_spawn(&argv, config->log_fd, &qemu->share.pid, &qemu->share.pidfd, err);
	if (r != -EPERM && r != -ENOSPC && r != -EINVAL)
		return r;
	/* Such a host is why there is this driver: it may be a container, without a right to namespaces. */
	argv.apart = false;
	argv_add(&argv, "--bare");
	return argv_spawn(&argv, config->log_fd, &qemu->share.pid, &qemu->share.pidfd, err);
}

static int start_monitor(struct qemu *qemu, const struct hypervisor_config *config,
			 const struct ends *ends, int console_fd, struct err *err)
{
	_cleanup_free_ char *program = NULL;
	_cleanup_argv_ struct argv argv = {0};
	int r = image_tool_find(QEMU_PROGRAM, &program);

	if (r == -ENOMEM)
		return err_set(err, ENOMEM, "out of memory");
	if (r < 0)
		return err_set(err, ENOENT,
			       "%s is not installed; install the package qemu-system-x86",
			       QEMU_PROGRAM);
	argv_add(&argv, "%s", program);
	if (config->rates.disk || config->rates.disk_ops || config->rates.net)
		log_warn("rates of disks and network are sbx-vmm's; there are none beside QEMU");
	add_machine(&argv, config);
	add_devices(&argv, config, ends, console_fd);
	add_net(&argv, &config->net);
	argv.oom_score = &config->oom_score;
	/* It is the task's pid, whose network some clients configure: not the host's. */
	argv.no_net = true;
	return argv_spawn(&argv, config->log_fd, &qemu->monitor.pid, &qemu->monitor.pidfd, err);
}

static int make_pair(int *ret_a, int *ret_b, struct err *err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set_errno(err, errno, "socketpair");
	*ret_a = pair[0];
	*ret_b = pair[1];
	return 0;
}

static void close_ends(struct ends *ends)
{
	close_fd(&ends->vsock_front);
	close_fd(&ends->vsock_back);
	close_fd(&ends->fs_front);
	close_fd(&ends->fs_back);
	close_fd(&ends->control);
}

static int start_both(struct qemu *qemu, const struct hypervisor_config *config, struct err *err)
{
	_cleanup_(close_ends) struct ends ends = {-1, -1, -1, -1, -1};
	_cleanup_close_ int console_w = -1;
	int pipefd[2], r;

	r = make_pair(&ends.vsock_front, &ends.vsock_back, err);
	if (r == 0)
		r = make_pair(&ends.fs_front, &ends.fs_back, err);
	if (r == 0)
		r = make_pair(&qemu->share_fd, &ends.control, err);
	if (r < 0)
		return r;
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_set_errno(err, errno, "pipe");
	qemu->console_fd = pipefd[0];
	console_w = pipefd[1];
	r = io_set_nonblock(qemu->console_fd, true);
	if (r < 0)
		return err_set_errno(err, -r, "pipe");
	r = start_share(qemu, config, &ends, err);
	if (r == 0)
		r = start_monitor(qemu, config, &ends, console_w, err);
	return r;
}

static int watch(struct qemu *qemu, struct err *err)
{
	int r = loop_add_io(qemu->loop, qemu->monitor.pidfd, EPOLLIN, on_monitor, qemu,
			    &qemu->monitor.source);

	if (r == 0)
		r = loop_add_io(qemu->loop, qemu->share.pidfd, EPOLLIN, on_share, qemu,
				&qemu->share.source);
	if (r == 0)
		r = loop_add_io(qemu->loop, qemu->console_fd, EPOLLIN, on_console, qemu,
				&qemu->console_io);
	return r < 0 ? err_set_errno(err, -r, "cannot watch QEMU") : 0;
}

static int qemu_start(struct loop *loop, const struct hypervisor_config *config,
		      struct hypervisor **ret, struct err *err)
{
	_cleanup_(hypervisor_destroy_p) struct hypervisor *hv = NULL;
	struct qemu *qemu = calloc(1, sizeof(*qemu));
	int r;

	if (!qemu)
		return err_set(err, ENOMEM, "out of memory");
	hv = &qemu->hv;
	hv->ops = &hypervisor_qemu;
	qemu->loop = loop;
	qemu->share.pidfd = qemu->monitor.pidfd = qemu->console_fd = qemu->share_fd = -1;
	qemu->on_exit = config->on_exit;
	qemu->data = config->data;
	qemu->ring_fd = console_ring_memfd();
	r = qemu->ring_fd < 0 ? qemu->ring_fd : console_ring_open(qemu->ring_fd, &qemu->ring);
	if (r < 0)
		return err_set_errno(err, -r, "cannot make the console's memory");
	r = start_both(qemu, config, err);
	if (r == 0)
		r = watch(qemu, err);
	if (r < 0)
		return r;
	hv->pid = qemu->monitor.pid;
	hv->oom_score = config->oom_score;
	*ret = TAKE_PTR(hv);
	return 0;
}

static size_t qemu_console(struct hypervisor *hv, char *buf, size_t max)
{
	return console_ring_tail(qemu_of(hv)->ring, buf, max);
}

static int qemu_set_oom_score(struct hypervisor *hv, int score)
{
	struct qemu *qemu = qemu_of(hv);
	int r = 0;

	hv->oom_score = score;
	if (qemu->monitor.pid > 0)
		r = oom_score_write(qemu->monitor.pid, score);
	if (r == 0 && qemu->share.pid > 0)
		r = oom_score_write(qemu->share.pid, score);
	return r;
}

static int qemu_enter_cgroup(struct hypervisor *hv, const char *path, struct err *err)
{
	struct qemu *qemu = qemu_of(hv);
	int r = host_cgroup_enter(path, qemu->monitor.pid, err);

	/* 0, of one that has ended, would be ourselves. */
	return r == 0 && qemu->share.pid > 0 ? host_cgroup_enter(path, qemu->share.pid, err) : r;
}

static int qemu_open_share(struct hypervisor *hv, bool readonly, int *ret_fd, struct err *err)
{
	struct qemu *qemu = qemu_of(hv);
	int r;

	if (qemu->share_fd < 0)
		return err_set(err, EBUSY, "sbx-share: its control connection was handed out");
	r = io_set_nonblock(qemu->share_fd, true);
	if (r < 0)
		return err_set_errno(err, -r, "sbx-share");
	*ret_fd = TAKE_FD(qemu->share_fd);
	return 0;
}

const struct hypervisor_ops hypervisor_qemu = {
	.name = "qemu",
	.start = qemu_start,
	.stop = qemu_stop,
	.open_share = qemu_open_share,
	.console = qemu_console,
	.set_oom_score = qemu_set_oom_score,
	.enter_cgroup = qemu_enter_cgroup,
	.destroy = qemu_destroy,
};
