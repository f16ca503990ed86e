/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines from a table: one row per option drives parsing, the help text and the error line.
 * Accepts --name VALUE, --name=VALUE, -n VALUE, -nVALUE, bundled flags (-it), "--" as the end, and,
 * for runc's and containerd's sake, long names behind a single dash where single_dash is set: a word
 * that is a long name is one, even where its letters are short ones.
 * Parsing is pure: it allocates nothing, keeps pointers into argv, and stops at the first operand
 * (or, with permute, moves options before operands, as getopt does).
 */
#ifndef COMMON_OPTS_H
#define COMMON_OPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum opt_kind {
	OPT_FLAG,   /* bool */
	OPT_STRING, /* const char * */
	OPT_LIST,   /* struct opt_list, repeatable */
	OPT_SIZE,   /* uint64_t bytes: 512m, 2G, 1GiB, 4096 */
	OPT_UINT,   /* uint64_t, decimal */
	OPT_TIME,   /* uint64_t nanoseconds: 10, 1.5s, 500ms, 2m, 1h; a bare number is seconds */
};

#define OPT_LIST_MAX 256

struct opt_list {
	const char *items[OPT_LIST_MAX];
	size_t n;
};

struct opt {
	char shrt;        /* 0: none */
	const char *name; /* long name without dashes */
	enum opt_kind kind;
	size_t offset;       /* into the caller's struct */
	const char *operand; /* what help calls the value, "SIZE" */
	const char *help;    /* one line; NULL: not listed */
	uint64_t min, max;   /* of numbers; max 0: no bound */
};

struct opts_spec {
	const char *usage; /* "sbx run [options] [IMAGE] [COMMAND...]" */
	const struct opt *opts;
	size_t n_opts;
	bool single_dash;
	bool permute; /* options may also follow operands, up to "--" (operands are moved, as
			 getopt) */
};

/*
 * Fills into (zeroed or defaulted by the caller). Returns the index in argv of the first operand
 * (argc where there is none), or -EINVAL with one line that names the option and what it wants.
 * *ret_dashdash (may be NULL) tells whether a "--" came before that operand.
 */
int opts_parse(const struct opts_spec *spec, int argc, char **argv, void *into, bool *ret_dashdash,
	       struct err *err);

/* Prints usage and the options to stdout. */
void opts_help(const struct opts_spec *spec);

/* The value parsers, for configuration files and annotations. Whole strings only. */
int parse_size(const char *s, uint64_t *ret);
int parse_uint(const char *s, uint64_t *ret);
int parse_time_ns(const char *s, uint64_t *ret);

#endif
