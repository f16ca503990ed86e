/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/image_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_VERSION 1

char *image_record_encode(const struct image_record *record)
{
	json_auto_t *root = json_pack(
		"{s:i, s:s, s:s, s:s, s:I, s:I, s:o}", "version", RECORD_VERSION, "reference",
		record->reference, "signature", record->signature, "sha256", record->hex, "size",
		(json_int_t)record->size, "created", (json_int_t)record->created, "config",
		image_config_to_json(&record->config));

	return root ? json_dumps(root, JSON_INDENT(2)) : NULL;
}

static int copy_text(json_t *root, const char *name, char *buf, size_t size)
{
	const char *s = json_string_value(json_object_get(root, name));
	size_t n = s ? strlen(s) : size;

	if (n >= size)
		return -EBADMSG;
	memcpy(buf, s, n + 1);
	return 0;
}

static int get_number(json_t *root, const char *name, uint64_t *ret)
{
	json_t *value = json_object_get(root, name);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return -EBADMSG;
	*ret = (uint64_t)json_integer_value(value);
	return 0;
}

static int read_record(json_t *root, struct image_record *record, struct err *err)
{
	const char *reference = json_string_value(json_object_get(root, "reference"));
	uint64_t version = 0;

	if (get_number(root, "version", &version) < 0 || version != RECORD_VERSION)
		return err_set(err, EBADMSG, "image record: of another version");
	if (!reference || copy_text(root, "signature", record->signature, IMAGE_SIGNATURE_MAX) ||
	    copy_text(root, "sha256", record->hex, sizeof(record->hex)) ||
	    get_number(root, "size", &record->size) ||
	    get_number(root, "created", &record->created))
		return err_set(err, EBADMSG, "image record: a member is missing or wrong");
	/* It becomes a file's name. */
	if (strspn(record->hex, "0123456789abcdef") != IMAGE_HEX_MAX)
		return err_set(err, EBADMSG, "image record: sha256 is not 64 hex digits");
	record->reference = strdup(reference);
	if (!record->reference)
		return err_set(err, ENOMEM, "out of memory");
	return image_config_from_json(json_object_get(root, "config"), &record->config, err);
}

int image_record_parse(const char *text, size_t size, struct image_record *ret, struct err *err)
{
	json_auto_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	struct image_record record = {0};
	int r;

	if (!root)
		return err_set(err, EBADMSG, "image record: not valid JSON");
	r = read_record(root, &record, err);
	if (r < 0)
		image_record_finish(&record);
	else
		*ret = record;
	return r;
}

void image_record_finish(struct image_record *record)
{
	free(record->reference);
	image_config_finish(&record->config);
	memset(record, 0, sizeof(*record));
}
