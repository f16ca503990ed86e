/* SPDX-License-Identifier: Apache-2.0 */
/* Mount options, apart by commas. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/options.h"

#define MAX_OPTIONS 128

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *options[MAX_OPTIONS], *at = text;
	struct mount_options parsed;
	struct err err = ERR_INIT;
	size_t n = 0;
	int r;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	while (at && n < MAX_OPTIONS)
		options[n++] = strsep(&at, ",");
	r = options_parse(options, n, &parsed, &err);
	if (r < 0 ? !err.code : parsed.n_data > OPTIONS_MAX_DATA)
		__builtin_trap();
	/* No bit may be asked to be set and left out of the mask that clears its field. */
	if (r >= 0 && (parsed.attr_set & parsed.attr_clr & ~0x70ull))
		__builtin_trap();
	free(text);
	return 0;
}
