/* SPDX-License-Identifier: Apache-2.0 */
/* What ps(1) shows of a container's processes. */
#ifndef AGENT_PS_H
#define AGENT_PS_H

#include <stddef.h>
#include <stdint.h>

#include "agent.pb-c.h"

struct rpc_call;

#define PS_MAX_ROWS 256 /* so that they fit into a reply */
#define PS_MAX_NAME 63  /* the kernel keeps 15, of its own threads more */

/* Answers call with a PidsResponse of rows. */
void ps_answer(int cgroup_fd, struct rpc_call *call);

/* --- pure, for tests --- */

struct ps_clock {
	uint64_t realtime_ns, boottime_ns, tick_ns;
};

/* /proc/PID/stat: all of a row but uid and command. -EINVAL. */
int parse_ps_stat(const char *text, const struct ps_clock *clock, Agent__ProcessRow *row);
/* The effective one of /proc/PID/status; -EINVAL. */
int parse_ps_uid(const char *text, uint32_t *ret);
/* The program's name in /proc/PID/stat, empty where there is none. What is not printable becomes '?'. */
void parse_ps_name(const char *stat, char ret[PS_MAX_NAME + 1]);

#endif
