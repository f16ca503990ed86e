/* SPDX-License-Identifier: Apache-2.0 */
/* The value parsers of opts.h: pure, whole strings, no locale. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/opts.h"

/* Digits at *s, moved past. -EINVAL where there is none, -ERANGE beyond 64 bits. */
static int digits(const char **s, uint64_t *ret)
{
	uint64_t v = 0;

	if (**s < '0' || **s > '9')
		return -EINVAL;
	for (; **s >= '0' && **s <= '9'; (*s)++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(**s - '0'), &v))
			return -ERANGE;
	*ret = v;
	return 0;
}

int parse_uint(const char *s, uint64_t *ret)
{
	uint64_t v;
	int r = digits(&s, &v);

	if (r < 0)
		return r;
	if (*s)
		return -EINVAL;
	*ret = v;
	return 0;
}

/* Powers of 1024, as docker and the kernel's command line count. */
int parse_size(const char *s, uint64_t *ret)
{
	static const char units[] = "kmgt";
	unsigned shift = 0;
	uint64_t v;
	int r = digits(&s, &v);

	if (r < 0)
		return r;
	if (*s && *s != 'b' && *s != 'B') {
		const char *u = strchr(units, *s | 0x20);

		if (!u)
			return -EINVAL;
		shift = 10 * (unsigned)(u - units + 1);
		s++;
		if (*s == 'i')
			s++;
	}
	if (*s == 'b' || *s == 'B')
		s++;
	if (*s)
		return -EINVAL;
	if (v > UINT64_MAX >> shift)
		return -ERANGE;
	*ret = v << shift;
	return 0;
}

/* ".5": up to nine digits of a fraction, as billionths. */
static int fraction(const char **s, uint64_t *ret)
{
	uint64_t v = 0, scale = 1000000000;

	if (**s < '0' || **s > '9')
		return -EINVAL;
	for (; **s >= '0' && **s <= '9'; (*s)++) {
		if (scale == 1)
			continue;
		scale /= 10;
		v += (uint64_t)(**s - '0') * scale;
	}
	*ret = v;
	return 0;
}

int parse_time_ns(const char *s, uint64_t *ret)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{"", 1000000000}, {"s", 1000000000},     {"ms", 1000000},
		{"us", 1000},     {"m", 60000000000ull}, {"h", 3600000000000ull},
	};
	uint64_t whole, part = 0, ns;
	int r = digits(&s, &whole);

	if (r == 0 && *s == '.') {
		s++;
		r = fraction(&s, &part);
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(s, units[i].name) != 0)
			continue;
		if (__builtin_mul_overflow(whole, units[i].ns, &ns))
			return -ERANGE;
		/* part < 1e9 billionths of at most 3.6e12 ns: in two steps, to stay within 64 bits.
		 */
		part = units[i].ns >= 1000000000 ? part * (units[i].ns / 1000000000)
						 : part / (1000000000 / units[i].ns);
		if (__builtin_add_overflow(ns, part, &ns))
			return -ERANGE;
		*ret = ns;
		return 0;
	}
	return -EINVAL;
}
