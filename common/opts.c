/* SPDX-License-Identifier: Apache-2.0 */
#include "common/opts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct opt *find_long(const struct opts_spec *spec, const char *name, size_t len)
{
	for (size_t i = 0; i < spec->n_opts; i++)
		if (spec->opts[i].name && strlen(spec->opts[i].name) == len &&
		    memcmp(spec->opts[i].name, name, len) == 0)
			return &spec->opts[i];
	return NULL;
}

static const struct opt *find_short(const struct opts_spec *spec, char c)
{
	for (size_t i = 0; i < spec->n_opts; i++)
		if (spec->opts[i].shrt && spec->opts[i].shrt == c)
			return &spec->opts[i];
	return NULL;
}

static const char *const kind_wants[] = {
	[OPT_FLAG] = "no value",       [OPT_STRING] = "a value",
	[OPT_LIST] = "a value",        [OPT_SIZE] = "a size such as 512m or 2g",
	[OPT_UINT] = "a whole number", [OPT_TIME] = "a time such as 10, 500ms or 2m",
};

static int bad(const struct opt *opt, const char *value, struct err *err)
{
	return err_set(err, EINVAL, "--%s wants %s, not '%.200s'", opt->name, kind_wants[opt->kind],
		       value);
}

static int set_number(const struct opt *opt, const char *value, uint64_t *to, struct err *err)
{
	uint64_t v = 0;
	int r = opt->kind == OPT_SIZE   ? parse_size(value, &v)
		: opt->kind == OPT_TIME ? parse_time_ns(value, &v)
					: parse_uint(value, &v);

	if (r == -EINVAL)
		return bad(opt, value, err);
	if (r < 0 || v < opt->min || (opt->max && v > opt->max))
		return err_set(err, EINVAL, "--%s: %.200s is out of range (%llu to %llu)",
			       opt->name, value, (unsigned long long)opt->min,
			       (unsigned long long)(opt->max ? opt->max : UINT64_MAX));
	*to = v;
	return 0;
}

static int set(const struct opt *opt, const char *value, void *into, struct err *err)
{
	void *field = (char *)into + opt->offset;
	struct opt_list *list;

	switch (opt->kind) {
	case OPT_FLAG:
		if (value && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
			return bad(opt, value, err);
		*(bool *)field = !value || strcmp(value, "true") == 0;
		return 0;
	case OPT_STRING:
		*(const char **)field = value;
		return 0;
	case OPT_LIST:
		list = field;
		if (list->n == OPT_LIST_MAX)
			return err_set(err, EINVAL, "--%s: more than %d values", opt->name,
				       OPT_LIST_MAX);
		list->items[list->n++] = value;
		return 0;
	default:
		return set_number(opt, value, field, err);
	}
}

static int missing(const struct opt *opt, struct err *err)
{
	return err_set(err, EINVAL, "--%s wants %s", opt->name, kind_wants[opt->kind]);
}

/* "-root" is a long option as Go's parser takes it; "-td" and "-e=X" stay what they are to getopt. */
static bool is_long(const struct opts_spec *spec, const char *word)
{
	if (word[1] == '-')
		return true;
	return spec->single_dash && word[2] && word[2] != '=' &&
	       (find_long(spec, word + 1, strcspn(word + 1, "=")) || !find_short(spec, word[1]));
}

/* --name, --name=VALUE, --name VALUE at argv[i]. Returns how many words it took. */
static int long_option(const struct opts_spec *spec, int argc, char **argv, int i, size_t dashes,
		       void *into, struct err *err)
{
	const char *name = argv[i] + dashes;
	size_t len = strcspn(name, "=");
	const struct opt *opt = find_long(spec, name, len);
	const char *value = name[len] == '=' ? name + len + 1 : NULL;
	int used = 1, r;

	if (!opt)
		return err_set(err, EINVAL, "unknown option '%.200s'; --help lists them", argv[i]);
	if (!value && opt->kind != OPT_FLAG) {
		if (i + 1 >= argc)
			return missing(opt, err);
		value = argv[i + 1];
		used = 2;
	}
	r = set(opt, value, into, err);
	return r < 0 ? r : used;
}

/* -n, -n VALUE, -nVALUE, -n=VALUE, -abc at argv[i]. Returns how many words it took. */
static int short_options(const struct opts_spec *spec, int argc, char **argv, int i, void *into,
			 struct err *err)
{
	int r;

	for (const char *p = argv[i] + 1; *p; p++) {
		const struct opt *opt = find_short(spec, *p);
		const char *value = p + 1;

		if (!opt)
			return err_set(err, EINVAL,
				       "unknown option '-%c' in '%.200s'; --help lists them", *p,
				       argv[i]);
		if (opt->kind == OPT_FLAG) {
			r = set(opt, NULL, into, err);
			if (r < 0)
				return r;
			continue;
		}
		if (*value) {
			r = set(opt, *value == '=' ? value + 1 : value, into, err);
			return r < 0 ? r : 1;
		}
		if (i + 1 >= argc)
			return missing(opt, err);
		r = set(opt, argv[i + 1], into, err);
		return r < 0 ? r : 2;
	}
	return 1;
}

/* Moves argv[from .. from + n) to at, shifting what lies between to the right. */
static void rotate(char **argv, int at, int from, int n)
{
	for (int k = 0; k < n; k++) {
		char *word = argv[from + k];

		memmove(argv + at + k + 1, argv + at + k, sizeof(*argv) * (size_t)(from - at));
		argv[at + k] = word;
	}
}

int opts_parse(const struct opts_spec *spec, int argc, char **argv, void *into, bool *ret_dashdash,
	       struct err *err)
{
	int first = 0, i = 0, r; /* operands seen so far are argv[first .. i) */
	bool dashdash = false;

	while (i < argc) {
		const char *word = argv[i];

		if (strcmp(word, "--") == 0) {
			rotate(argv, first, i, 1);
			first++;
			dashdash = true;
			break;
		}
		if (word[0] != '-' || !word[1]) {
			if (!spec->permute)
				break;
			i++;
			continue;
		}
		if (is_long(spec, word))
			r = long_option(spec, argc, argv, i, word[1] == '-' ? 2 : 1, into, err);
		else
			r = short_options(spec, argc, argv, i, into, err);
		if (r < 0)
			return r;
		rotate(argv, first, i, r);
		first += r;
		i += r;
	}
	if (ret_dashdash)
		*ret_dashdash = dashdash;
	return first;
}

void opts_help(const struct opts_spec *spec)
{
	printf("usage: %s\n", spec->usage);
	for (size_t i = 0; i < spec->n_opts; i++) {
		const struct opt *o = &spec->opts[i];
		char left[64];

		if (!o->help)
			continue;
		snprintf(left, sizeof(left), "%s%c%s--%s%s%s", o->shrt ? "-" : " ",
			 o->shrt ? o->shrt : ' ', o->shrt ? ", " : "  ", o->name,
			 o->operand ? " " : "", o->operand ? o->operand : "");
		printf("  %-26s %s\n", left, o->help);
	}
}
