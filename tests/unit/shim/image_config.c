/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/strbuf.h"
#include "shim/image_config.h"
#include "shim/image_record.h"

#define GOLDEN "tests/golden/shim/image_config/"

static int parse(const char *text, struct image_config *ret, struct err *err)
{
	return image_config_parse(text, strlen(text), ret, err);
}

/* NAME.json is an image's configuration, NAME.out what the store keeps of it, or the error. */
static void check_golden(const char *name)
{
	_cleanup_free_ char *text = NULL, *want = NULL, *got = NULL;
	struct image_config config = {0};
	struct err err = ERR_INIT;
	char path[256];
	json_t *object;
	size_t size;

	snprintf(path, sizeof(path), GOLDEN "%s.json", name);
	cr_assert_eq(io_read_file(AT_FDCWD, path, 1 << 21, &text, &size), 0, "%s", path);
	snprintf(path, sizeof(path), GOLDEN "%s.out", name);
	cr_assert_eq(io_read_file(AT_FDCWD, path, 1 << 21, &want, NULL), 0, "%s", path);
	if (image_config_parse(text, size, &config, &err) < 0) {
		cr_assert(asprintf(&got, "error: %s\n", err.msg) > 0);
	} else {
		object = image_config_to_json(&config);
		text = (free(text), json_dumps(object, JSON_INDENT(2)));
		json_decref(object);
		cr_assert(asprintf(&got, "%s\n", text) > 0);
		image_config_finish(&config);
	}
	cr_assert_str_eq(got, want, "%s", name);
}

Test(image_config, golden)
{
	static const char *const names[] = {
		"full",
		"empty",
		"nulls",
		"relative-workdir",
		"wrong-arch",
		"wrong-os",
		"not-object",
		"syntax",
		"env-without-name",
		"cmd-not-array",
		"entrypoint-types",
		"user-type",
		"duplicates",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		check_golden(names[i]);
}

Test(image_config, bounds)
{
	_cleanup_strbuf_ struct strbuf text = {0};
	struct image_config config;
	struct err err = ERR_INIT;

	strbuf_addf(&text, "{\"config\":{\"Cmd\":[\"x\"");
	for (int i = 1; i < IMAGE_CONFIG_MAX_ITEMS; i++)
		strbuf_addf(&text, ",\"x\"");
	strbuf_addf(&text, "]}}");
	cr_assert_eq(parse(text.data, &config, &err), 0, "%s", err.msg);
	image_config_finish(&config);
	text.len -= 3;
	strbuf_addf(&text, ",\"x\"]}}");
	cr_assert_eq(parse(text.data, &config, &err), -EBADMSG);
	cr_assert_str_eq(err.msg, "image configuration: Cmd has too many items");

	strbuf_finish(&text);
	strbuf_addf(&text, "{\"config\":{\"User\":\"%0*d\"}}", IMAGE_CONFIG_MAX_STRING + 1, 0);
	cr_assert_eq(parse(text.data, &config, &err), -EBADMSG);
	cr_assert_str_eq(err.msg, "image configuration: User is too long");

	strbuf_finish(&text);
	strbuf_addf(&text, "{\"config\":{}}%*s", IMAGE_CONFIG_MAX_BYTES, "");
	cr_assert_eq(parse(text.data, &config, &err), -EBADMSG);
	cr_assert_str_eq(err.msg, "image configuration: it is larger than 1 MiB");
}

Test(image_config, deep_nesting)
{
	_cleanup_free_ char *text = malloc(1 << 19);
	struct image_config config;

	cr_assert(text);
	memset(text, '[', 1 << 19);
	cr_assert_eq(image_config_parse(text, 1 << 19, &config, NULL), -EBADMSG);
}

Test(image_config, default_runs_a_shell)
{
	struct image_config config;

	cr_assert_eq(image_config_default(&config), 0);
	cr_assert_null(config.entrypoint[0]);
	cr_assert_str_eq(config.cmd[0], "/bin/sh");
	cr_assert_null(config.cmd[1]);
	cr_assert_eq(strncmp(config.env[0], "PATH=/", 6), 0);
	cr_assert_str_eq(config.user, "");
	cr_assert_str_eq(config.workdir, "/");
	image_config_finish(&config);
	image_config_finish(&config);
}

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

Test(image_record, round_trip)
{
	struct image_record record = {.reference = (char *)"oci:/a\"b:c",
				      .signature = "manifest sha256:" HEX,
				      .hex = HEX,
				      .size = 1ull << 40,
				      .created = 1700000000};
	struct image_record back;
	_cleanup_free_ char *text = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(image_config_default(&record.config), 0);
	text = image_record_encode(&record);
	cr_assert(text);
	cr_assert_eq(image_record_parse(text, strlen(text), &back, &err), 0, "%s", err.msg);
	cr_assert_str_eq(back.reference, record.reference);
	cr_assert_str_eq(back.signature, record.signature);
	cr_assert_str_eq(back.hex, record.hex);
	cr_assert_eq(back.size, record.size);
	cr_assert_eq(back.created, record.created);
	cr_assert_str_eq(back.config.cmd[0], "/bin/sh");
	image_record_finish(&back);
	image_config_finish(&record.config);
	/* Half a record, as a crash without rename(2) would leave it. */
	cr_assert_eq(image_record_parse(text, strlen(text) / 2, &back, &err), -EBADMSG);
}

Test(image_record, bad)
{
	static const char *const texts[] = {
		"",
		"[]",
		"{}",
		"{\"version\":2}",
		"{\"version\":1,\"reference\":\"x\",\"signature\":\"s\",\"sha256\":\"../../etc\","
		"\"size\":1,\"created\":1,\"config\":{}}",
		"{\"version\":1,\"reference\":\"x\",\"signature\":\"s\",\"sha256\":\"" HEX
		"\",\"size\":-1,\"created\":1,\"config\":{}}",
		"{\"version\":1,\"reference\":\"x\",\"signature\":\"s\",\"sha256\":\"" HEX
		"\",\"size\":1,\"created\":1,\"config\":[]}",
		"{\"version\":1,\"signature\":\"s\",\"sha256\":\"" HEX
		"\",\"size\":1,\"created\":1,\"config\":{}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct image_record record;

		cr_assert_eq(image_record_parse(texts[i], strlen(texts[i]), &record, NULL),
			     -EBADMSG, "%s", texts[i]);
	}
}
