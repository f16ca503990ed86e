/* SPDX-License-Identifier: Apache-2.0 */
/* A record that was read is written and read again, the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shim/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const struct record *a, const struct record *b)
{
	if (strcmp(a->id, b->id) || a->status != b->status || a->args.n != b->args.n ||
	    a->created_ns != b->created_ns || a->shim_pid != b->shim_pid ||
	    a->detached != b->detached || a->remove != b->remove)
		abort();
	if (a->status == RECORD_STOPPED && a->exit_status != b->exit_status)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record record = {0}, again = {0};
	struct err err = ERR_INIT;
	char *text = NULL;

	if (record_parse((const char *)data, size, &record, &err) < 0) {
		if (!err.code || !err.msg[0])
			abort();
		return 0;
	}
	if (record_encode(&record, &text) < 0 || record_parse(text, strlen(text), &again, NULL) < 0)
		abort();
	check_same(&record, &again);
	free(text);
	record_finish(&record);
	record_finish(&again);
	return 0;
}
