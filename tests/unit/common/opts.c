/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/opts.h"

struct values {
	bool tty, detach;
	const char *name;
	struct opt_list env;
	uint64_t memory, cpus, timeout;
};

static const struct opt rows[] = {
	{'t', "tty", OPT_FLAG, offsetof(struct values, tty), NULL, "a terminal", 0, 0},
	{'d', "detach", OPT_FLAG, offsetof(struct values, detach), NULL, "detach", 0, 0},
	{0, "name", OPT_STRING, offsetof(struct values, name), "NAME", "a name", 0, 0},
	{'e', "env", OPT_LIST, offsetof(struct values, env), "K=V", "environment", 0, 0},
	{'m', "memory", OPT_SIZE, offsetof(struct values, memory), "SIZE", "memory", 1 << 20, 0},
	{0, "cpus", OPT_UINT, offsetof(struct values, cpus), "N", "vCPUs", 1, 32},
	{0, "timeout", OPT_TIME, offsetof(struct values, timeout), "TIME", "limit", 0, 0},
};

static const struct opts_spec spec = {.usage = "x", .opts = rows, .n_opts = ARRAY_SIZE(rows)};
static const struct opts_spec go_spec = {.usage = "x",
					 .opts = rows,
					 .n_opts = ARRAY_SIZE(rows),
					 .single_dash = true,
					 .permute = true};

static struct values v;
static struct err err;
static bool dashdash;

/* Splits line at spaces and parses it; words ends up as the reordered argv. */
static char *words[32];
static int n_words;

static int parse(const struct opts_spec *s, const char *line)
{
	static char buf[256];

	v = (struct values){0};
	err = (struct err)ERR_INIT;
	strncpy(buf, line, sizeof(buf) - 1);
	n_words = 0;
	for (char *w = strtok(buf, " "); w; w = strtok(NULL, " "))
		words[n_words++] = w;
	return opts_parse(s, n_words, words, &v, &dashdash, &err);
}

Test(opts, every_form_of_an_option)
{
	cr_assert_eq(parse(&spec, "-td -m 512m --cpus=4 --name web -eA=1 -e B=2 -e=C=3 image -x"),
		     10);
	cr_assert(v.tty && v.detach);
	cr_assert_eq(v.memory, 512u << 20);
	cr_assert_eq(v.cpus, 4);
	cr_assert_str_eq(v.name, "web");
	cr_assert_eq(v.env.n, 3);
	cr_assert_str_eq(v.env.items[0], "A=1");
	cr_assert_str_eq(v.env.items[2], "C=3");
	cr_assert_str_eq(words[10], "image");
	cr_assert_not(dashdash);
}

Test(opts, double_dash_ends_the_options)
{
	cr_assert_eq(parse(&spec, "-t -- -m"), 2);
	cr_assert(dashdash);
	cr_assert_eq(v.memory, 0);
	cr_assert_eq(parse(&spec, "--"), 1);
	cr_assert_eq(parse(&spec, ""), 0);
	cr_assert_eq(parse(&spec, "-"), 0, "a lone dash is an operand");
}

Test(opts, permuted_and_with_a_single_dash)
{
	cr_assert_eq(parse(&go_spec, "start -name box -t end -- -t"), 4);
	cr_assert_str_eq(v.name, "box");
	cr_assert(v.tty);
	cr_assert_str_eq(words[4], "start");
	cr_assert_str_eq(words[5], "end");
	cr_assert_str_eq(words[6], "-t");
	/* Long names go first, and what is none is what it is to getopt. */
	cr_assert_eq(parse(&go_spec, "-td -e=A=1 -eB=2 -memory=2m -tty=false x"), 5);
	cr_assert(v.detach && !v.tty);
	cr_assert_eq(v.memory, 2u << 20);
	cr_assert_eq(v.env.n, 2);
	cr_assert_str_eq(v.env.items[0], "A=1");
	cr_assert_str_eq(v.env.items[1], "B=2");
	cr_assert_eq(parse(&go_spec, "-nonsense x"), -EINVAL);
	cr_assert(strstr(err.msg, "unknown option '-nonsense'"), "%s", err.msg);
}

Test(opts, errors_name_the_option_and_what_it_wants)
{
	static const struct {
		const char *line, *text;
	} cases[] = {
		{"--bogus", "unknown option '--bogus'"},
		{"-tq", "unknown option '-q'"},
		{"-m", "--memory wants a size"},
		{"--memory", "--memory wants a size"},
		{"-m lots", "--memory wants a size such as 512m or 2g, not 'lots'"},
		{"-m 1k", "--memory: 1k is out of range"},
		{"--cpus 33", "--cpus: 33 is out of range (1 to 32)"},
		{"--cpus 0", "out of range"},
		{"--cpus -1", "--cpus wants a whole number, not '-1'"},
		{"--cpus 99999999999999999999", "out of range"},
		{"--tty=maybe", "--tty wants no value, not 'maybe'"},
		{"--timeout 5x", "--timeout wants a time"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_assert_eq(parse(&spec, cases[i].line), -EINVAL, "%s", cases[i].line);
		cr_assert(strstr(err.msg, cases[i].text), "%s gave: %s", cases[i].line, err.msg);
	}
}

Test(opts, a_list_is_bounded)
{
	char *many[OPT_LIST_MAX + 1];

	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (char *)"--env=A=1";
	v = (struct values){0};
	cr_assert_eq(opts_parse(&spec, OPT_LIST_MAX, many, &v, NULL, &err), OPT_LIST_MAX);
	v = (struct values){0};
	cr_assert_eq(opts_parse(&spec, OPT_LIST_MAX + 1, many, &v, NULL, &err), -EINVAL);
}

Test(opts, sizes)
{
	uint64_t n = 0;

	cr_assert(parse_size("0", &n) == 0 && n == 0);
	cr_assert(parse_size("4096", &n) == 0 && n == 4096);
	cr_assert(parse_size("4k", &n) == 0 && n == 4096);
	cr_assert(parse_size("2GiB", &n) == 0 && n == 2ull << 30);
	cr_assert(parse_size("1T", &n) == 0 && n == 1ull << 40);
	cr_assert(parse_size("7b", &n) == 0 && n == 7);
	cr_assert_eq(parse_size("16777216t", &n), -ERANGE);
	cr_assert_eq(parse_size("18446744073709551616", &n), -ERANGE);
	cr_assert_eq(parse_size("", &n), -EINVAL);
	cr_assert_eq(parse_size("1.5g", &n), -EINVAL);
	cr_assert_eq(parse_size("1gx", &n), -EINVAL);
	cr_assert_eq(parse_size("-1", &n), -EINVAL);
	cr_assert_eq(n, 7, "outputs stay untouched on failure");
}

Test(opts, times)
{
	uint64_t n = 0;

	cr_assert(parse_time_ns("10", &n) == 0 && n == 10000000000ull);
	cr_assert(parse_time_ns("1.5s", &n) == 0 && n == 1500000000ull);
	cr_assert(parse_time_ns("500ms", &n) == 0 && n == 500000000ull);
	cr_assert(parse_time_ns("0.25ms", &n) == 0 && n == 250000);
	cr_assert(parse_time_ns("2m", &n) == 0 && n == 120000000000ull);
	cr_assert(parse_time_ns("1.999999999999h", &n) == 0 && n == 7199999996400ull);
	cr_assert_eq(parse_time_ns("1.s", &n), -EINVAL);
	cr_assert_eq(parse_time_ns("s", &n), -EINVAL);
	cr_assert_eq(parse_time_ns("1d", &n), -EINVAL);
	cr_assert_eq(parse_time_ns("99999999999999999h", &n), -ERANGE);
}
