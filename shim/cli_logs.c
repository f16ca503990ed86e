/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sbx logs: stdout.log to our stdout, stderr.log to our stderr. With --follow as they grow, told by
 * inotify, until the sandbox has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "common/io.h"
#include "shim/cli.h"
#include "shim/cli_pod.h"
#include "shim/log_file.h"

/* The end of a shim that is killed writes nothing; its lock tells, looked at so often. */
#define LOOK_MS 1000

struct logs_options {
	bool follow, help;
};

static const struct opt rows[] = {
	CLI_OPT(logs_options, 'f', "follow", FLAG, follow, NULL, "go on until the sandbox ends"),
	CLI_OPT(logs_options, 'h', "help", FLAG, help, NULL, "this text"),
};

static const struct opts_spec spec = CLI_OPTS("sbx logs [options] SANDBOX", rows);

/* What has been added since the last call. A reader that has gone is the end. */
static int copy_new(int from, int to)
{
	char buf[16384];
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = log_file_read(from, buf, sizeof(buf))) > 0)
		r = io_write_full(to, buf, (size_t)n);
	return r;
}

static bool has_ended(struct pod_dir *pod)
{
	_cleanup_record_ struct record record = {0};

	if (pod_dir_read_record(pod, &record, NULL) < 0 || record.status == RECORD_STOPPED)
		return true;
	if (pod_dir_try_lock(pod) < 0)
		return false;
	close_fd(&pod->lock_fd);
	return true;
}

static int follow(struct pod_dir *pod, int out, int error)
{
	_cleanup_close_ int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd poll_fd = {.fd = watch, .events = POLLIN};
	char events[4096];
	bool ended = false;
	int r = 0;

	if (watch < 0 || inotify_add_watch(watch, pod->path, IN_MODIFY | IN_MOVED_TO) < 0)
		return -errno;
	/* One more copy after the end was seen: the last bytes came before it. */
	while (r == 0 && !ended) {
		ended = has_ended(pod);
		r = copy_new(out, STDOUT_FILENO);
		if (r == 0)
			r = copy_new(error, STDERR_FILENO);
		if (r < 0 || ended)
			break;
		if (poll(&poll_fd, 1, LOOK_MS) > 0 && read(watch, events, sizeof(events)) < 0 &&
		    errno != EAGAIN)
			r = -errno;
	}
	return r;
}

static int logs(const char *ref, const struct logs_options *o, struct err *err)
{
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = NULL;
	_cleanup_record_ struct record record = {0};
	_cleanup_close_ int out = -1, error = -1;
	int r = cli_find_pod(ref, &pod, &record, err);

	if (r < 0)
		return r;
	if (!record.detached)
		return err_set(err, ENOENT,
			       "%s ran in the foreground, its output was not kept; run "
			       "it with -d for that",
			       ref);
	out = openat(pod->dirfd, "stdout.log", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	error = openat(pod->dirfd, "stderr.log", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (out < 0 || error < 0)
		return err_set_errno(err, errno, "%s: its logs", ref);
	if (o->follow) {
		r = follow(pod, out, error);
	} else {
		r = copy_new(out, STDOUT_FILENO);
		if (r == 0)
			r = copy_new(error, STDERR_FILENO);
	}
	return r < 0 ? err_set_errno(err, -r, "cannot print the logs") : 0;
}

int cli_logs(int argc, char **argv)
{
	struct logs_options o = {0};
	struct err err = ERR_INIT;
	int first = opts_parse(&spec, argc, argv, &o, NULL, &err), r;

	if (first < 0)
		return cli_fail("logs", &err);
	if (o.help) {
		opts_help(&spec);
		return 0;
	}
	if (argc - first != 1) {
		err_set(&err, EINVAL, "one sandbox is needed; sbx ps -a lists them");
		return cli_fail("logs", &err);
	}
	r = logs(argv[first], &o, &err);
	return r < 0 ? cli_fail("logs", &err) : 0;
}
