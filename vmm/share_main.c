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
 *
 * Once all is open it enters its jail, and then serves: what it has of the host is the folders that it
 * is given, the sockets, and "/N", its own open file N, for calls that know no descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
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
#include "vmm/jail.h"
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
	bool readonly, owned, bare, help, version;
};

#define AT(member) offsetof(struct options, member)

static const struct opt option_table[] = {
	{0, "vsock-dir", OPT_STRING, AT(vsock_dir), "fd:N|DIR",
	 "serve vsock, with its sockets in this directory", 0, 0},
	{0, "socket", OPT_STRING, AT(socket), "fd:N|PATH",
	 "its front end's connection, or where to wait for it", 0, 0},
	{0, "fs-socket", OPT_STRING, AT(fs_socket), "fd:N|PATH",
	 "serve a file system device: its front end's connection", 0, 0},
	{0, "fuse", OPT_STRING, AT(fuse), "fd:N",
	 "serve the names for sbx-vmm's file system device", 0, 0},
	{0, "control", OPT_STRING, AT(control), "fd:N",
	 "the owner's connection, by which folders come and go", 0, 0},
	{0, "readonly", OPT_FLAG, AT(readonly), NULL,
	 "every folder will be: keep no right but to read", 0, 0},
	{0, "owned", OPT_FLAG, AT(owned), NULL, "end when the parent process does", 0, 0},
	{0, "bare", OPT_FLAG, AT(bare), NULL, "no namespaces: for a host that grants none", 0, 0},
	{'h', "help", OPT_FLAG, AT(help), NULL, "this text", 0, 0},
	{0, "version", OPT_FLAG, AT(version), NULL, "the version", 0, 0},
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

/* --- the jail ------------------------------------------------------------------------------- */

/* What whose file is takes, of root's rights; see share_creds.c and share_xattr.c. */
#define OWNERSHIP                                                                                  \
	(1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER | 1u << CAP_FSETID |          \
	 1u << CAP_SETGID | 1u << CAP_SETUID | 1u << CAP_SETFCAP)

/* An ordinary user's files are that user's: no right is needed. */
static void enter_jail(const struct options *options)
{
	const struct jail jail = {
		.root = JAIL_ROOT_FDS,
		.caps = geteuid()           ? 0
			: options->readonly ? 1u << CAP_DAC_READ_SEARCH
					    : OWNERSHIP,
		.owned = options->owned || options->control,
		.bare = options->bare,
	};
	struct err err = ERR_INIT;

	if (jail_enter(&jail, &err) < 0)
		fatal("%s", err.msg);
}

/* --- names ---------------------------------------------------------------------------------- */

struct names {
	struct loop *loop;
	struct share *share;
	struct share_control *control;
	struct share_link *link;
};

static void names_finish(struct names *names)
{
	share_control_destroy(names->control);
	share_link_destroy(names->link);
	share_destroy(names->share);
	loop_destroy(names->loop);
}

static void on_names_end(void *data)
{
	loop_exit(data, 0);
}

static void on_signal(struct source *source, uint32_t events, void *data)
{
	loop_exit(data, 0);
}

/* Nothing is served yet, and all that is needed is open. Takes the descriptors over. */
static int names_create(int link_fd, int control_fd, struct names *ret)
{
	int r = loop_create(&ret->loop);

	if (r >= 0)
		r = share_create(&ret->share);
	if (r >= 0)
		r = share_control_create(ret->share, ret->loop, control_fd, on_names_end, ret->loop,
					 &ret->control);
	if (r >= 0)
		r = share_link_create(ret->share, ret->loop, link_fd, on_names_end, ret->loop,
				      &ret->link);
	return r;
}

static int serve_names(const struct options *options)
{
	_cleanup_(names_finish) struct names names = {0};
	struct source *term;
	int r = names_create(given_fd("fuse", options->fuse), given_fd("control", options->control),
			     &names);

	if (r >= 0)
		r = loop_add_signal(names.loop, SIGTERM, on_signal, names.loop, &term);
	if (r < 0)
		fatal("names: %s", strerror(-r));
	enter_jail(options);
	r = seccomp_enter(SECCOMP_SHARE);
	if (r < 0)
		fatal("seccomp: %s", strerror(-r));
	return loop_run(names.loop);
}

/* The process's mask of modes is this thread's alone: the others make no files. */
static void *run_names(void *data)
{
	const struct names *names = data;

	_exit(loop_run(names->loop) ? 1 : 0);
}

/* --- devices -------------------------------------------------------------------------------- */

struct devices {
	struct loop *loop;
	struct vhost_user *vsock, *fs_front;
	struct virtio_device *fs;
	struct names names;
	struct thread names_thread;
};

static void devices_finish(struct devices *devices)
{
	vhost_user_destroy(devices->vsock);
	vhost_user_destroy(devices->fs_front);
	loop_destroy(devices->loop);
}

static void on_close(int why, void *data)
{
	if (why < 0)
		log_error("front end: %s", strerror(-why));
	loop_exit(data, why < 0 ? 1 : 0);
}

static int create_vsock(struct devices *devices, const struct options *options)
{
	int dirfd = open_dir(options->vsock_dir);
	struct virtio_device *dev;
	int r = virtio_vsock_create(dirfd, VSOCK_GUEST_CID, devices->loop, &dev);

	return r < 0 ? r
		     : vhost_user_create(devices->loop, front_end("socket", options->socket), dev,
					 VSOCK_QUEUES, on_close, devices->loop, &devices->vsock);
}

static int create_fs(struct devices *devices, const struct options *options)
{
	struct err err = ERR_INIT;
	int pair[2], r;

	/* The device's end waits where it must (virtio_fs.c); for the rest it asks not to. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
	    io_set_nonblock(pair[1], true) < 0)
		return -errno;
	r = virtio_fs_create(devices->loop, &devices->fs);
	if (r >= 0)
		r = vhost_user_create(devices->loop, front_end("fs-socket", options->fs_socket),
				      devices->fs, FS_QUEUES, on_close, devices->loop,
				      &devices->fs_front);
	if (r >= 0 && virtio_fs_attach(devices->fs, pair[0], &err) < 0)
		fatal("%s", err.msg);
	return r < 0 ? r
		     : names_create(pair[1], given_fd("control", options->control),
				    &devices->names);
}

/* Only who serves the names keeps the rights. */
static int start_threads(struct devices *devices)
{
	int r = 0;

	if (devices->fs)
		r = thread_start(&devices->names_thread, "names", SECCOMP_SHARE, run_names,
				 &devices->names);
	if (r >= 0)
		r = jail_drop_capabilities();
	if (r >= 0 && devices->fs)
		r = devices->fs->ops->start(devices->fs);
	return r < 0 ? r : seccomp_enter(SECCOMP_DEVICES);
}

static int serve_devices(const struct options *options)
{
	static struct devices all; /* the names' thread has a part of it */
	struct devices *devices = &all;
	struct source *term;
	int r = loop_create(&devices->loop);

	if (r >= 0)
		r = loop_add_signal(devices->loop, SIGTERM, on_signal, devices->loop, &term);
	if (r >= 0)
		r = create_vsock(devices, options);
	if (r >= 0 && options->fs_socket)
		r = create_fs(devices, options);
	if (r < 0)
		fatal("devices: %s", strerror(-r));
	enter_jail(options);
	r = start_threads(devices);
	if (r < 0)
		fatal("threads: %s", strerror(-r));
	r = loop_run(devices->loop);
	devices_finish(devices);
	return r;
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
	io_ignore_signals();
	if (jail_begin(options.bare, &err) < 0)
		fatal("%s", err.msg);
	return (options.fuse ? serve_names(&options) : serve_devices(&options)) ? 1 : 0;
}
