/* SPDX-License-Identifier: Apache-2.0 */
/* What sbx-oci reads: its records, which come back the same, the config.json of an exec, and stat lines. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shim/oci_process.h"
#include "shim/oci_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_record(const char *data, size_t size)
{
	struct oci_record record = {0}, again = {0};
	struct err err = ERR_INIT;
	char *text = NULL;

	if (oci_record_parse(data, size, &record, &err) < 0) {
		if (!err.code || !err.msg[0])
			abort();
		return;
	}
	if (oci_record_encode(&record, &text) < 0 ||
	    oci_record_parse(text, strlen(text), &again, NULL) < 0)
		abort();
	if (strcmp(record.id, again.id) || strcmp(record.pod, again.pod) ||
	    record.pid != again.pid || record.annotations.n != again.annotations.n)
		abort();
	json_decref(oci_record_state(&record, "running"));
	free(text);
	oci_record_finish(&record);
	oci_record_finish(&again);
}

static void try_process(const char *data, size_t size)
{
	static const struct oci_process_options options = {
		.env = {.items = {"A=B"}, .n = 1},
		.caps = {.items = {"CAP_KILL"}, .n = 1},
		.groups = {.items = {"5"}, .n = 1},
		.user = "7",
	};
	char *args[] = {(char *)(uintptr_t) "sh"};
	struct err err = ERR_INIT;
	char *text = NULL;

	if (oci_process_build(data, size, &options, args, 1, &text, &err) < 0 && !err.msg[0])
		abort();
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1);
	uint64_t started;

	if (!line)
		return 0;
	memcpy(line, data, size);
	line[size] = '\0';
	parse_start_time(line, &started);
	try_record(line, size);
	try_process(line, size);
	free(line);
	return 0;
}
