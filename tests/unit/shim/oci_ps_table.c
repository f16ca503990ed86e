/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "common/cleanup.h"
#include "shim/oci_ps_table.h"

#define NOW_NS 1700000000000000000u /* 2023-11-14 22:13:20 */

static char line[512];

static void set_up(void)
{
	setenv("TZ", "UTC", 1);
	tzset();
}

TestSuite(oci_ps, .init = set_up);

static Task__ProcessRow sleeper(void)
{
	Task__ProcessRow row = TASK__PROCESS_ROW__INIT;

	row.pid = 123;
	row.ppid = 45;
	row.uid = 0;
	row.state = 'S';
	row.start_ns = NOW_NS - 3600 * 1000000000ull;
	row.command = (char *)(uintptr_t) "sleep 1d";
	return row;
}

static void expect(const Task__ProcessRow *row, enum oci_ps_style style, const char *user,
		   const char *golden)
{
	oci_ps_format(row, style, user, NOW_NS, line, sizeof(line));
	cr_assert_str_eq(line, golden);
}

Test(oci_ps, tables)
{
	Task__ProcessRow row = sleeper();

	cr_assert_str_eq(oci_ps_header(OCI_PS_FULL),
			 "UID          PID    PPID  C STIME TTY          TIME CMD");
	expect(&row, OCI_PS_FULL, "root",
	       "root         123      45  0 21:13 ?        00:00:00 sleep 1d");
	cr_assert_str_eq(oci_ps_header(OCI_PS_BSD), "    PID TTY      STAT   TIME COMMAND");
	expect(&row, OCI_PS_BSD, "root", "    123 ?        S      0:00 sleep 1d");
	row.tty = (uint32_t)makedev(136, 7);
	row.leader = row.foreground = true;
	row.uid = 4000000000u;
	row.cpu_ns = 1850 * 1000000000ull;
	row.start_ns = NOW_NS - 86400 * 1000000000ull;
	expect(&row, OCI_PS_FULL, NULL,
	       "40000000     123      45  2 Nov13 pts/7    00:30:50 sleep 1d");
	expect(&row, OCI_PS_BSD, NULL, "    123 pts/7    Ss+   30:50 sleep 1d");
}

/* Nothing in it is to be believed. */
Test(oci_ps, words_of_a_guest)
{
	Task__ProcessRow row = sleeper();
	char endless[4096];

	row.command = (char *)(uintptr_t) "a\x1b[31m\nroot 1";
	row.state = 0x1b;
	expect(&row, OCI_PS_BSD, NULL, "    123 ?        ?      0:00 a?[31m?root 1");
	memset(endless, 'x', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	row = sleeper();
	row.command = endless;
	row.pid = row.ppid = row.uid = row.tty = row.state = UINT32_MAX;
	row.start_ns = row.cpu_ns = UINT64_MAX;
	for (int i = 0; i < 2; i++) {
		oci_ps_format(&row, i ? OCI_PS_BSD : OCI_PS_FULL, NULL, NOW_NS, line, sizeof(line));
		cr_assert_lt(strlen(line), 400);
		cr_assert_not(strchr(line, '\n'));
	}
}

Test(oci_ps, arguments_choose_the_table)
{
	static const struct {
		const char *args[2];
		enum oci_ps_style style;
	} cases[] = {
		{{NULL, NULL}, OCI_PS_FULL}, {{"-ef", NULL}, OCI_PS_FULL},
		{{"-e", "-f"}, OCI_PS_FULL}, {{"-e", "-x"}, OCI_PS_BSD},
		{{"aux", NULL}, OCI_PS_BSD}, {{"--forest", NULL}, OCI_PS_BSD},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *args[2] = {(char *)(uintptr_t)cases[i].args[0],
				 (char *)(uintptr_t)cases[i].args[1]};
		size_t n = !args[0] ? 0 : !args[1] ? 1 : 2;

		cr_assert_eq(oci_ps_choose(args, n), cases[i].style, "%zu", i);
	}
}
