/* SPDX-License-Identifier: Apache-2.0 */
/* A command line, its words split at newlines, into a table with every kind of option. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/opts.h"

struct values {
	bool flag;
	const char *string;
	struct opt_list list;
	uint64_t size, number, time;
};

static const struct opt rows[] = {
	{'f', "flag", OPT_FLAG, offsetof(struct values, flag), NULL, "", 0, 0},
	{'s', "string", OPT_STRING, offsetof(struct values, string), "S", "", 0, 0},
	{'l', "list", OPT_LIST, offsetof(struct values, list), "L", "", 0, 0},
	{'m', "size", OPT_SIZE, offsetof(struct values, size), "N", "", 1, 1ull << 40},
	{'n', "number", OPT_UINT, offsetof(struct values, number), "N", "", 0, 100},
	{0, "time", OPT_TIME, offsetof(struct values, time), "T", "", 0, 0},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct opts_spec spec = {.usage = "x", .opts = rows, .n_opts = ARRAY_SIZE(rows)};
	struct values values = {0};
	struct err err = ERR_INIT;
	bool dashdash;
	char *argv[512], *text, *rest;
	int argc = 0, first;

	if (size < 1)
		return 0;
	spec.permute = data[0] & 1;
	spec.single_dash = data[0] & 2;
	text = rest = strndup((const char *)data + 1, size - 1);
	while (rest && argc < 512)
		argv[argc++] = strsep(&rest, "\n");
	first = opts_parse(&spec, argc, argv, &values, &dashdash, &err);
	if (first > argc || (first < 0 && !err.msg[0]))
		__builtin_trap();
	/* Whatever was moved around, every word must still be one of ours. */
	for (int i = 0; i < argc; i++)
		if (argv[i] < text || argv[i] >= text + size)
			__builtin_trap();
	free(text);
	return 0;
}
