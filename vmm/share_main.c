/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sbx-share: what of a pod's VM is served by a process of its own.
 *
 * Theory of Operation
 *
 *	beside sbx-vmm		names of the shared folders (share.h), on --fuse; sbx-vmm has the device
 *	beside QEMU		the devices vsock and fs, by vhost-user, on --socket and --fs-socket,
 *				and, on a thread of its own so that a slow disk holds up neither, the
 *				names: the two halves of the file server hold a socket pair's two ends
 *
 * Either way the owner adds and removes the folders on --control, and nothing else of the host is
 * ever opened. It ends when one of these sockets closes.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/io.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/opts.h"
#include "common/version.h"
#include "vmm/share.h"
#include "vmm/thread.h"
#include "vmm/vhost_user.h"
#include "vmm/virtio.h"
#include "vmm/virtio_fs.h"
#include "vmm/virtio_vsock.h"

#define VSOCK_GUEST_CID 3 /* each VM has its own host, so the number says nothing */
#define VSOCK_QUEUES    2 /* the event queue stays with the front end */
#define FS_QUEUES       2 /* QEMU's device has the one for FORGET and one for requests */

struct options {
	const char *vsock_dir, *socket, *fs_socket, *fuse, *control;
	bool owned, help, version;
};

static const struct opt option_table[] = {
	{
		.name = "vsock-dir",
		.kind = OPT_STRING,
		.offset = offsetof(struct options, vsock_dir),
		.operand = "fd:N|DIR",
		.help = "serve vsock, with its sockets in this directory",
	},
	{
		.name = "socket",
		.kind = OPT_STRING,
		.offset = offsetof(struct options, socket),
		.operand = "fd:N|PATH",
		.help = "its front end's connection, or where to wait for it",
	},
	{
		.name = "fs-socket",
		.kind = OPT_STRING,
		.offset = offsetof(struct options, fs_socket),
		.operand = "fd:N|PATH",
		.help = "serve a file system device: its front end's connection",
	},
	{
		.name = "fuse",
		.kind = OPT_STRING,
		.offset = offsetof(struct options, fuse),
		.operand = "fd:N",
		.help = "serve the names for sbx-vmm's file system device",
	},
	{
		.name = "control",
		.kind = OPT_STRING,
		.offset = offsetof(struct options, control),
		.operand = "fd:N",
		.help = "the owner's connection, by which folders come and go",
	},
	{
		.name = "owned",
		.kind = OPT_FLAG,
		.offset = offsetof(struct options, owned),
		.help = "end when the parent process does",
	},
	{
		.shrt = 'h',
		.name = "help",
		.kind = OPT_FLAG,
		.offset = offsetof(struct options, help),
		.help = "this text",
	},
	{
		.name = "version",
		.kind = OPT_FLAG,
		.offset = offsetof(struct options, version),
		.help = "the version",
	},
};

static const struct opts_spec option_spec = {
	.usage = "sbx-share --control fd:N --fuse fd:N\n"
		 "       sbx-share --vsock-dir DIR --socket SOCKET [--fs-socket SOCKET --control "
		 "fd:N]",
	.opts = option_table,
	.n_opts = ARRAY_SIZE(option_table),
};

/* "fd:N": that descriptor; otherwise -1. */
static int inherited(const char *option, const char *value)
{
	uint64_t fd;

	if (strncmp(value, "fd:", 3) != 0)
		return -1;
	if (parse_uint(value + 3, &fd) < 0 || fd > INT32_MAX || fcntl((int)fd, F_GETFD) < 0)
		fatal("--%s %s: no such descriptor", option, value);
	fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	return (int)fd;
}

static int open_dir(const char *value)
{
	int fd = inherited("vsock-dir", value);

	if (fd < 0)
		fd = open(value, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fatal("%s: %s", value, strerror(errno));
	return fd;
}

/* One front end, then the socket's name is gone: a pod has one VM. */
static int wait_for_front_end(const char *path)
{
	_cleanup_close_ int listener = -1;
	int fd, r = sock_listen_at(-1, path, 1, &listener);

	if (r < 0)
		fatal("%s: %s", path, strerror(-r));
	io_set_nonblock(listener, false);
	do
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	unlink(path);
	if (fd < 0)
		fatal("%s: %s", path, strerror(errno));
	return fd;
}

static int given_fd(const char *option, const char *value)
{
	int fd = inherited(option, value);

	if (fd < 0)
		fatal("--%s %s: fd:N is wanted", option, value);
	return fd;
}

static int front_end(const char *option, const char *value)
{
	int fd = inherited(option, value);

	return fd < 0 ? wait_for_front_end(value) : fd;
}

/* --- names ---------------------------------------------------------------------------------- */

struct names {
	int link_fd, control_fd;
};

static void on_names_end(void *data)
{
	loop_exit(data, 0);
}

static void on_signal(struct source *source, uint32_t events, void *data)
{
	loop_exit(data, 0);
}

/* The place of the jail: nothing has been served yet, and all that is needed is open. */
static int serve_names(const struct names *names)
{
	_cleanup_(loop_destroy_p) struct loop *loop = NULL;
	_cleanup_(share_destroy_p) struct share *share = NULL;
	_cleanup_(share_link_destroy_p) struct share_link *link = NULL;
	_cleanup_(share_control_destroy_p) struct share_control *control = NULL;
	struct source *term;
	int r = loop_create(&loop);

	if (r >= 0)
		r = share_create(&share);
	if (r >= 0)
		r = loop_add_signal(loop, SIGTERM, on_signal, loop, &term);
	if (r >= 0)
		r = share_control_create(share, loop, names->control_fd, on_names_end, loop,
					 &control);
	if (r >= 0)
		r = share_link_create(share, loop, names->link_fd, on_names_end, loop, &link);
	if (r < 0)
		fatal("names: %s", strerror(-r));
	return loop_run(loop);
}

static void *run_names(void *data)
{
	/* Creations set the mask of modes, which is to be this thread's own. */
	if (unshare(CLONE_FS) < 0)
		fatal("unshare: %s", strerror(errno));
	_exit(serve_names(data) ? 1 : 0);
}

/* --- devices -------------------------------------------------------------------------------- */

static void on_close(int why, void *data)
{
	if (why < 0)
		log_error("front end: %s", strerror(-why));
	loop_exit(data, why < 0 ? 1 : 0);
}

static int start_vsock(struct loop *loop, const struct options *options, struct vhost_user **ret)
{
	int dirfd = open_dir(options->vsock_dir);
	struct virtio_device *dev;
	int r = virtio_vsock_create(dirfd, VSOCK_GUEST_CID, loop, &dev);

	return r < 0 ? r
		     : vhost_user_create(loop, front_end("socket", options->socket), dev,
					 VSOCK_QUEUES, on_close, loop, ret);
}

static int start_fs(struct loop *loop, const struct options *options, struct vhost_user **ret)
{
	static struct names names;
	struct virtio_device *dev;
	struct err err = ERR_INIT;
	pthread_t thread;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	names = (struct names){pair[1], given_fd("control", options->control)};
	r = virtio_fs_create(loop, &dev);
	if (r >= 0)
		r = vhost_user_create(loop, front_end("fs-socket", options->fs_socket), dev,
				      FS_QUEUES, on_close, loop, ret);
	if (r >= 0 && virtio_fs_attach(dev, pair[0], &err) < 0)
		fatal("%s", err.msg);
	if (r >= 0)
		r = thread_start(&thread, run_names, &names);
	return r;
}

static int serve_devices(const struct options *options)
{
	_cleanup_(loop_destroy_p) struct loop *loop = NULL;
	_cleanup_(vhost_user_destroy_p) struct vhost_user *vsock = NULL, *fs = NULL;
	struct source *term;
	int r = loop_create(&loop);

	if (r >= 0)
		r = loop_add_signal(loop, SIGTERM, on_signal, loop, &term);
	if (r >= 0)
		r = start_vsock(loop, options, &vsock);
	if (r >= 0 && options->fs_socket)
		r = start_fs(loop, options, &fs);
	if (r < 0)
		fatal("devices: %s", strerror(-r));
	return loop_run(loop);
}

static void check(const struct options *options)
{
	if (options->fuse && (options->vsock_dir || options->socket || options->fs_socket))
		fatal("--fuse: goes with --control alone");
	if (!options->fuse && (!options->vsock_dir || !options->socket))
		fatal("--vsock-dir and --socket, or --fuse, are needed");
	if ((options->fuse || options->fs_socket) != (options->control != NULL))
		fatal("--control goes with --fuse or --fs-socket, and they with it");
}

int main(int argc, char **argv)
{
	struct options options = {0};
	struct err err = ERR_INIT;
	struct names names;
	int n;

	log_open(STDERR_FILENO, LOG_WARN, "sbx-share");
	n = opts_parse(&option_spec, argc - 1, argv + 1, &options, NULL, &err);
	if (n < 0)
		fatal("%s", err.msg);
	if (options.help) {
		opts_help(&option_spec);
		return 0;
	}
	if (options.version) {
		printf("sbx-share %s (%s)\n", sbx_version, sbx_build_id);
		return 0;
	}
	if (n < argc - 1)
		fatal("unexpected argument: %s", argv[1 + n]);
	check(&options);
	if (options.owned)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	if (!options.fuse)
		return serve_devices(&options) ? 1 : 0;
	names = (struct names){given_fd("fuse", options.fuse),
			       given_fd("control", options.control)};
	return serve_names(&names) ? 1 : 0;
}
