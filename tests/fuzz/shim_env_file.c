/* SPDX-License-Identifier: Apache-2.0 */
/* Environment files: every entry has a name without white space, and lies on one line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shim/env_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int check_entry(const char *entry, void *data)
{
	size_t name = strcspn(entry, "=");

	if (name == 0 || strcspn(entry, " \t") < name || strchr(entry, '\n'))
		abort();
	return strchr(entry, '=') ? env_list_set(data, entry) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct env_list list = {0};
	struct err err = ERR_INIT;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	env_file_parse(text, size, check_entry, &list, &err);
	if (list.n > ENV_MAX_VARIABLES)
		abort();
	env_list_finish(&list);
	free(text);
	return 0;
}
