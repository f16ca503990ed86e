/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of each process only what the kernel itself knows: a command line lies in the process's memory, and
 * reading it waits for whoever has to fill that, a FUSE server of the container's own, say. So a row has
 * the program's name.
 */
#include "agent/ps.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/cgroup.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/rpc.h"

#define MAX_FILE                                                                                   \
	1024 /* what matters is at the beginning; of status, a process has a say in the length */

struct ps {
	uint32_t pids[CGROUP_MAX_PIDS];
	size_t n_pids, n_rows;
	Agent__ProcessRow rows[PS_MAX_ROWS], *list[PS_MAX_ROWS];
	char names[PS_MAX_ROWS][PS_MAX_NAME + 1];
};

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

void parse_ps_name(const char *stat, char ret[PS_MAX_NAME + 1])
{
	const char *open = strchr(stat, '('), *close = strrchr(stat, ')');

	snprintf(ret, PS_MAX_NAME + 1, "%.*s", open && close > open ? (int)(close - open - 1) : 0,
		 open ? open + 1 : "");
	for (; *ret; ret++)
		if (*ret < ' ' || *ret > '~')
			*ret = '?';
}

static int read_file(uint32_t pid, const char *name, char text[MAX_FILE])
{
	_cleanup_close_ int fd = -1;
	char path[48];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, MAX_FILE - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return 0;
}

static void read_row(struct ps *ps, uint32_t pid, const struct ps_clock *clock)
{
	Agent__ProcessRow *row = &ps->rows[ps->n_rows];
	char stat[MAX_FILE], status[MAX_FILE];

	agent__process_row__init(row);
	/* One that has ended meanwhile is none. */
	if (read_file(pid, "stat", stat) < 0 || read_file(pid, "status", status) < 0 ||
	    parse_ps_stat(stat, clock, row) < 0 || parse_ps_uid(status, &row->uid) < 0)
		return;
	row->command = ps->names[ps->n_rows];
	parse_ps_name(stat, row->command);
	ps->list[ps->n_rows++] = row;
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec now = {0};

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void ps_answer(int cgroup_fd, struct rpc_call *call)
{
	const struct ps_clock clock = {
		.realtime_ns = clock_ns(CLOCK_REALTIME),
		.boottime_ns = clock_ns(CLOCK_BOOTTIME),
		.tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK),
	};
	Agent__PidsResponse reply = AGENT__PIDS_RESPONSE__INIT;
	_cleanup_free_ struct ps *ps = calloc(1, sizeof(*ps));
	struct err err = ERR_INIT;

	if (!ps) {
		err_set(&err, ENOMEM, "out of memory");
		rpc_fail(call, &err);
		return;
	}
	ps->n_pids = cgroup_pids(cgroup_fd, ps->pids, CGROUP_MAX_PIDS);
	for (size_t i = 0; i < ps->n_pids && ps->n_rows < PS_MAX_ROWS; i++)
		read_row(ps, ps->pids[i], &clock);
	reply.rows = ps->list;
	reply.n_rows = ps->n_rows;
	reply.more = ps->n_pids > PS_MAX_ROWS ? (uint32_t)(ps->n_pids - PS_MAX_ROWS) : 0;
	rpc_reply(call, &reply.base);
}
