/* SPDX-License-Identifier: Apache-2.0 */
/* What ps(1) shows of a container's processes. */
#ifndef AGENT_PS_H
#define AGENT_PS_H

#include <stddef.h>
#include <stdint.h>

#include "agent.pb-c.h"

struct loop;
struct rpc_call;

#define PS_MAX_ROWS    256 /* so that they fit into a reply */
#define PS_MAX_COMMAND 160

/* Answers call with a PidsResponse of rows, later, whatever it costs to read them. */
void ps_answer(struct loop *loop, int cgroup_fd, struct rpc_call *call);

/* --- pure, for tests --- */

struct ps_clock {
	uint64_t realtime_ns, boottime_ns, tick_ns;
};

/* /proc/PID/stat: all of a row but uid and command. -EINVAL. */
int parse_ps_stat(const char *text, const struct ps_clock *clock, Agent__ProcessRow *row);
/* The effective one of /proc/PID/status; -EINVAL. */
int parse_ps_uid(const char *text, uint32_t *ret);
/*
 * The text of a command: n bytes of /proc/PID/cmdline, or where there are none the name in /proc/PID/stat,
 * in brackets. What is not printable becomes '?'.
 */
void format_ps_command(const char *cmdline, size_t n, const char *stat, char *ret, size_t size);

#endif
