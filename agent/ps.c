/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a process's command line lies in its own memory, and reading it may wait for whoever
 * has to fill that: a FUSE server, say, that is the container's. So a thread reads, one for each call, and the
 * loop answers when it is done, or with an error after a while. A thread that hangs keeps what it writes to:
 * the last of the two to let go frees it. There are never more than a few of them.
 */
#include "agent/ps.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "agent/cgroup.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/io.h"
#include "common/loop.h"
#include "common/rpc.h"
#include "common/thread.h"

#define LIMIT_NS    5000000000u
#define MAX_THREADS 4
#define MAX_FILE    16384

/* One call's; `users` are the loop and the thread. */
struct ps {
	atomic_int users;
	struct rpc_call *call;
	struct source *done, *limit;
	int done_fd, cgroup_fd;
	uint32_t pids[CGROUP_MAX_PIDS];
	size_t n_pids, n_rows;
	Agent__ProcessRow rows[PS_MAX_ROWS], *list[PS_MAX_ROWS];
	char commands[PS_MAX_ROWS][PS_MAX_COMMAND + 1];
};

static atomic_int threads;

/* --- what /proc says -------------------------------------------------------------------------- */

int parse_ps_stat(const char *text, const struct ps_clock *clock, Agent__ProcessRow *row)
{
	const char *at = strrchr(text, ')');
	unsigned pid, ppid;
	int group, session, tty, foreground;
	uint64_t utime, stime, start, since_boot;
	char state;

	/* The name before it may hold anything. */
	if (!at || sscanf(text, "%u ", &pid) != 1 ||
	    sscanf(at + 1,
		   " %c %u %d %d %d %d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
		   " %*d %*d %*d %*d %*d %*d %" SCNu64,
		   &state, &ppid, &group, &session, &tty, &foreground, &utime, &stime, &start) != 9)
		return -EINVAL;
	row->pid = pid;
	row->ppid = ppid;
	row->state = (unsigned char)state;
	row->leader = session == (int)pid;
	row->foreground = foreground == group;
	row->tty = (uint32_t)tty;
	row->cpu_ns = (utime + stime) * clock->tick_ns;
	since_boot = start * clock->tick_ns;
	if (since_boot < clock->boottime_ns)
		row->start_ns = clock->realtime_ns - (clock->boottime_ns - since_boot);
	else
		row->start_ns = clock->realtime_ns;
	return 0;
}

int parse_ps_uid(const char *text, uint32_t *ret)
{
	const char *at = strstr(text, "\nUid:");

	return at && sscanf(at + 5, "%*u %" SCNu32, ret) == 1 ? 0 : -EINVAL;
}

static void make_printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

void format_ps_command(const char *cmdline, size_t n, const char *stat, char *ret, size_t size)
{
	const char *open = strchr(stat, '('), *close = strrchr(stat, ')');

	while (n && !cmdline[n - 1])
		n--;
	if (n >= size)
		n = size - 1;
	if (n) {
		for (size_t i = 0; i < n; i++)
			ret[i] = cmdline[i] ? cmdline[i] : ' ';
		ret[n] = '\0';
	} else if (open && close > open) {
		snprintf(ret, size, "[%.*s]", (int)(close - open - 1), open + 1);
	} else {
		ret[0] = '\0';
	}
	make_printable(ret);
}

/* --- the thread ------------------------------------------------------------------------------- */

static char *read_of(uint32_t pid, const char *name)
{
	char path[48], *text = NULL;

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	return io_read_file(AT_FDCWD, path, MAX_FILE, &text, NULL) < 0 ? NULL : text;
}

static size_t read_cmdline(uint32_t pid, char *buf, size_t size)
{
	_cleanup_close_ int fd = -1;
	char path[48];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, buf, size);
	return n < 0 ? 0 : (size_t)n;
}

static void read_row(struct ps *ps, uint32_t pid, const struct ps_clock *clock)
{
	_cleanup_free_ char *stat = read_of(pid, "stat"), *status = read_of(pid, "status");
	Agent__ProcessRow *row = &ps->rows[ps->n_rows];
	char cmdline[PS_MAX_COMMAND];

	agent__process_row__init(row);
	/* One that has ended meanwhile is none. */
	if (!stat || !status || parse_ps_stat(stat, clock, row) < 0 ||
	    parse_ps_uid(status, &row->uid) < 0)
		return;
	row->command = ps->commands[ps->n_rows];
	format_ps_command(cmdline, read_cmdline(pid, cmdline, sizeof(cmdline)), stat, row->command,
			  sizeof(ps->commands[0]));
	ps->list[ps->n_rows++] = row;
}

static void let_go(struct ps *ps)
{
	if (atomic_fetch_sub(&ps->users, 1) > 1)
		return;
	close_fd(&ps->done_fd);
	close_fd(&ps->cgroup_fd);
	free(ps);
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec now = {0};

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void *run(void *data)
{
	const struct ps_clock clock = {
		.realtime_ns = clock_ns(CLOCK_REALTIME),
		.boottime_ns = clock_ns(CLOCK_BOOTTIME),
		.tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK),
	};
	struct ps *ps = data;

	ps->n_pids = cgroup_pids(ps->cgroup_fd, ps->pids, CGROUP_MAX_PIDS);
	for (size_t i = 0; i < ps->n_pids && ps->n_rows < PS_MAX_ROWS; i++)
		read_row(ps, ps->pids[i], &clock);
	eventfd_write(ps->done_fd, 1);
	let_go(ps);
	atomic_fetch_sub(&threads, 1);
	return NULL;
}

/* --- the loop --------------------------------------------------------------------------------- */

static void finish(struct ps *ps)
{
	source_remove(ps->done);
	source_remove(ps->limit);
	let_go(ps);
}

static void on_done(struct source *source, uint32_t events, void *data)
{
	Agent__PidsResponse reply = AGENT__PIDS_RESPONSE__INIT;
	struct ps *ps = data;

	reply.rows = ps->list;
	reply.n_rows = ps->n_rows;
	reply.more = ps->n_pids > PS_MAX_ROWS ? (uint32_t)(ps->n_pids - PS_MAX_ROWS) : 0;
	rpc_reply(ps->call, &reply.base);
	finish(ps);
}

static void on_limit(struct source *source, uint32_t events, void *data)
{
	struct err err = ERR_INIT;
	struct ps *ps = data;

	err_set(&err, ETIMEDOUT, "a process of the container does not let itself be read");
	rpc_fail(ps->call, &err);
	finish(ps);
}

static int start(struct loop *loop, struct ps *ps, int cgroup_fd)
{
	int r;

	ps->cgroup_fd = fcntl(cgroup_fd, F_DUPFD_CLOEXEC, 3);
	ps->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ps->cgroup_fd < 0 || ps->done_fd < 0)
		return -errno;
	r = loop_add_io(loop, ps->done_fd, EPOLLIN, on_done, ps, &ps->done);
	if (r == 0)
		r = loop_add_timer(loop, on_limit, ps, &ps->limit);
	if (r == 0)
		r = source_arm(ps->limit, LIMIT_NS);
	if (r < 0)
		return r;
	atomic_fetch_add(&threads, 1);
	atomic_fetch_add(&ps->users, 1);
	r = thread_run(run, ps, NULL);
	if (r < 0) {
		atomic_fetch_sub(&threads, 1);
		atomic_fetch_sub(&ps->users, 1);
	}
	return r;
}

void ps_answer(struct loop *loop, int cgroup_fd, struct rpc_call *call)
{
	struct ps *ps = atomic_load(&threads) < MAX_THREADS ? calloc(1, sizeof(*ps)) : NULL;
	struct err err = ERR_INIT;
	int r;

	if (!ps) {
		err_set(&err, EBUSY, "too many lists of processes are being made");
		rpc_fail(call, &err);
		return;
	}
	ps->users = 1;
	ps->call = call;
	ps->cgroup_fd = ps->done_fd = -1;
	r = start(loop, ps, cgroup_fd);
	if (r == 0)
		return;
	err_set_errno(&err, -r, "a thread for the list of processes");
	rpc_fail(call, &err);
	finish(ps);
}
