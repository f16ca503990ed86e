/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "common/cleanup.h"
#include "shim/last_words.h"

static char buf[64];

static const char *console(const char *tail)
{
	cr_assert_eq(last_words_console(tail, strlen(tail), buf, sizeof(buf)), strlen(buf));
	return buf;
}

static const char *log_line(const char *tail)
{
	cr_assert_eq(last_words_log(tail, strlen(tail), buf, sizeof(buf)), strlen(buf));
	return buf;
}

Test(last_words, of_a_console)
{
	cr_assert_str_eq(console(""), "");
	cr_assert_str_eq(console("\n\r\n"), "");
	cr_assert_str_eq(console("one\r\ntwo\r\n"), "one | two");
	cr_assert_str_eq(console("0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n"),
			 "2 | 3 | 4 | 5 | 6 | 7 | 8 | 9");
	cr_assert_str_eq(console("a\x1b[2Jb\xff"), "a?[2Jb?");
}

Test(last_words, why_a_kernel_dies_without_its_trace)
{
	cr_assert_str_eq(
		console("x\n[1.0] BUG: bad\na\nb\n[1.1] RIP: f\r\n[1.1] RSP: s\nc\nd\ne\n"
			"f\ng\nh\ni\n[1.1] RIP: f\r\n[1.2] Kernel panic - not syncing: y\nz\n"),
		"BUG: bad | RIP: f | RSP: s | Kernel panic - not syncing: y");
}

Test(last_words, are_bounded)
{
	char large[1000];

	memset(large, 'x', sizeof(large));
	cr_assert_lt(last_words_console(large, sizeof(large), buf, sizeof(buf)), sizeof(buf));
	cr_assert_lt(last_words_log(large, sizeof(large), buf, sizeof(buf)), sizeof(buf));
	memset(large, '\n', sizeof(large));
	large[0] = 'x';
	cr_assert_eq(last_words_console(large, sizeof(large), buf, sizeof(buf)), 1);
	cr_assert_eq(last_words_console(large, 1, buf, 5), 1);
}

Test(last_words, of_a_monitor)
{
	cr_assert_str_eq(log_line(""), "");
	cr_assert_str_eq(log_line("2026-01-01T00:00:00Z info shim: up\n"), "");
	cr_assert_str_eq(log_line("T error sbx-vmm: no memory\nT warning shim: it ended\n"),
			 "no memory");
	cr_assert_str_eq(log_line("qemu-system-x86_64: bad\nT info shim: a\nT info shim: b\n"),
			 "qemu-system-x86_64: bad");
}
