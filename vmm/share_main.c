/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sbx-share: serves virtio devices of a pod's VM from a process of their own. Now: vsock for QEMU, by
 * vhost-user. It ends when the front end's socket closes.
 */
#include <errno.h>
#include <fcntl.h>
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
#include "vmm/vhost_user.h"
#include "vmm/virtio.h"
#include "vmm/virtio_vsock.h"

#define VSOCK_GUEST_CID 3 /* each VM has its own host, so the number says nothing */
#define VSOCK_QUEUES    2 /* the event queue stays with the front end */

struct options {
	const char *vsock_dir, *socket;
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
		.help = "the front end's connection, or where to wait for it",
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
	.usage = "sbx-share --vsock-dir DIR --socket SOCKET",
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

static void on_close(int why, void *data)
{
	if (why < 0)
		log_error("front end: %s", strerror(-why));
	loop_exit(data, why < 0 ? 1 : 0);
}

static void on_signal(struct source *source, uint32_t events, void *data)
{
	loop_exit(data, 0);
}

static int serve_vsock(int dirfd, int front_end)
{
	_cleanup_(loop_destroy_p) struct loop *loop = NULL;
	_cleanup_(vhost_user_destroy_p) struct vhost_user *vu = NULL;
	struct virtio_device *dev;
	struct source *term;
	int r = loop_create(&loop);

	if (r >= 0)
		r = loop_add_signal(loop, SIGTERM, on_signal, loop, &term);
	if (r >= 0)
		r = virtio_vsock_create(dirfd, VSOCK_GUEST_CID, loop, &dev);
	if (r >= 0)
		r = vhost_user_create(loop, front_end, dev, VSOCK_QUEUES, on_close, loop, &vu);
	if (r < 0)
		fatal("vsock: %s", strerror(-r));
	return loop_run(loop);
}

int main(int argc, char **argv)
{
	struct options options = {0};
	struct err err = ERR_INIT;
	int n, dirfd, front_end;

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
	if (!options.vsock_dir || !options.socket)
		fatal("--vsock-dir and --socket are needed");
	if (options.owned)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	dirfd = open_dir(options.vsock_dir);
	front_end = inherited("socket", options.socket);
	if (front_end < 0)
		front_end = wait_for_front_end(options.socket);
	return serve_vsock(dirfd, front_end) ? 1 : 0;
}
