/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/oci_ps_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>

#define SECOND_NS       1000000000u
#define MAX_COMMAND     256
#define PTS_FIRST_MAJOR 136 /* to 143: each has a few of the numbers */
#define PTS_LAST_MAJOR  143

enum oci_ps_style oci_ps_choose(char *const *args, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (args[i][0] == '-' && args[i][1] != '-' && strchr(args[i], 'f'))
			return OCI_PS_FULL;
	return n ? OCI_PS_BSD : OCI_PS_FULL;
}

const char *oci_ps_header(enum oci_ps_style style)
{
	return style == OCI_PS_FULL ? "UID          PID    PPID  C STIME TTY          TIME CMD"
				    : "    PID TTY      STAT   TIME COMMAND";
}

static void format_tty(uint32_t tty, char ret[16])
{
	if (major(tty) >= PTS_FIRST_MAJOR && major(tty) <= PTS_LAST_MAJOR)
		snprintf(ret, 16, "pts/%u",
			 (major(tty) - PTS_FIRST_MAJOR) * 256 + (minor(tty) & 0xfffff));
	else
		snprintf(ret, 16, "?");
}

/* As ps has it: the time of today, the day of this year, else the year. */
static void format_start(uint64_t start_ns, uint64_t now_ns, char ret[16])
{
	const time_t start = (time_t)(start_ns / SECOND_NS), now = (time_t)(now_ns / SECOND_NS);
	struct tm then = {0}, today = {0};

	localtime_r(&start, &then);
	localtime_r(&now, &today);
	if (!strftime(ret, 16,
		      then.tm_year != today.tm_year   ? "%Y"
		      : then.tm_yday != today.tm_yday ? "%b%d"
						      : "%H:%M",
		      &then))
		snprintf(ret, 16, "?");
}

/* Of one CPU, over its whole life, in percent. */
static unsigned cpu_percent(const Task__ProcessRow *row, uint64_t now_ns)
{
	uint64_t life = now_ns > row->start_ns ? now_ns - row->start_ns : 0;
	uint64_t percent = life / 100 ? row->cpu_ns / (life / 100) : 0;

	return percent > 99 ? 99 : (unsigned)percent;
}

static void format_command(const char *command, char ret[MAX_COMMAND + 1])
{
	size_t n = strnlen(command, MAX_COMMAND);

	for (size_t i = 0; i < n; i++)
		ret[i] = command[i] >= ' ' && command[i] <= '~' ? command[i] : '?';
	ret[n] = '\0';
}

static void format_full(const Task__ProcessRow *row, const char *user, uint64_t now_ns,
			const char *command, char *ret, size_t size)
{
	uint64_t seconds = row->cpu_ns / SECOND_NS;
	char number[16], tty[16], start[16];

	snprintf(number, sizeof(number), "%u", row->uid);
	format_tty(row->tty, tty);
	format_start(row->start_ns, now_ns, start);
	snprintf(ret, size,
		 "%-8.8s %7u %7u %2u %5s %-8s %02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 " %s",
		 user ? user : number, row->pid, row->ppid, cpu_percent(row, now_ns), start, tty,
		 seconds / 3600, seconds / 60 % 60, seconds % 60, command);
}

static void format_bsd(const Task__ProcessRow *row, const char *command, char *ret, size_t size)
{
	uint64_t seconds = row->cpu_ns / SECOND_NS;
	bool is_letter = row->state > ' ' && row->state <= '~';
	char tty[16], state[8];

	format_tty(row->tty, tty);
	snprintf(state, sizeof(state), "%c%s%s", is_letter ? (int)row->state : '?',
		 row->leader ? "s" : "", row->foreground ? "+" : "");
	snprintf(ret, size, "%7u %-8s %-4s %3" PRIu64 ":%02" PRIu64 " %s", row->pid, tty, state,
		 seconds / 60, seconds % 60, command);
}

void oci_ps_format(const Task__ProcessRow *row, enum oci_ps_style style, const char *user,
		   uint64_t now_ns, char *ret, size_t size)
{
	char command[MAX_COMMAND + 1];

	format_command(row->command, command);
	if (style == OCI_PS_FULL)
		format_full(row, user, now_ns, command, ret, size);
	else
		format_bsd(row, command, ret, size);
}
