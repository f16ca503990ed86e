/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docs/oci-spec.md against the table that config.json is read by: each field of the one is in the other, and
 * a field is refused, or only said in the log, exactly where the page says so.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "shim/spec.h"

#define MAX_ROWS 512

struct row {
	const char *field, *place;
	bool seen;
};

static struct row rows[MAX_ROWS];
static size_t n_rows;

/* "| `field` | place | ..." */
static void parse_row(char *line)
{
	char *field = line + 3, *end = strchr(field, '`'), *place, *bar;

	cr_assert_not_null(end, "%s", line);
	*end = 0;
	place = end + 4;
	bar = strstr(place, " |");
	cr_assert_not_null(bar, "%s", field);
	*bar = 0;
	cr_assert_lt(n_rows, MAX_ROWS);
	for (size_t i = 0; i < n_rows; i++)
		cr_assert_str_neq(rows[i].field, field);
	rows[n_rows++] = (struct row){field, place, false};
}

static void read_page(char *text)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, "| `", 3) == 0)
			parse_row(line);
	cr_assert_gt(n_rows, 100);
}

static void check_field(const struct json_field *f, const char *path)
{
	for (size_t i = 0; i < n_rows; i++) {
		const char *place = rows[i].place;
		bool refused = strcmp(place, "refused by name") == 0;
		bool noted = strcmp(place, "said in the log") == 0;

		if (strcmp(rows[i].field, path) != 0)
			continue;
		rows[i].seen = true;
		cr_assert(refused || noted || !strcmp(place, "honoured in the guest") ||
				  !strcmp(place, "relayed to the host"),
			  "%s: no such place: %s", path, place);
		cr_assert_eq(refused, f->kind == JSON_FIELD_REFUSED, "%s", path);
		cr_assert_eq(noted, f->kind == JSON_FIELD_NOTED, "%s", path);
		cr_assert(!(refused || noted) || f->why, "%s is refused without a reason", path);
		return;
	}
	cr_assert_fail("%s is not in docs/oci-spec.md", path);
}

static void walk(const struct json_object *object, const char *prefix)
{
	for (size_t i = 0; i < object->n_fields; i++) {
		const struct json_field *f = &object->fields[i];
		char path[256];

		snprintf(path, sizeof(path), "%s%s%s%s", prefix, prefix[0] ? "." : "", f->name,
			 f->kind == JSON_FIELD_OBJECTS ? "[]" : "");
		if (f->object)
			walk(f->object, path);
		else
			check_field(f, path);
	}
}

Test(spec_doc, page_and_parser_agree)
{
	_cleanup_free_ char *text = NULL;

	cr_assert_eq(io_read_file(AT_FDCWD, "docs/oci-spec.md", 1 << 20, &text, NULL), 0);
	read_page(text);
	walk(spec_schema(), "");
	for (size_t i = 0; i < n_rows; i++)
		cr_assert(rows[i].seen, "%s is in docs/oci-spec.md only", rows[i].field);
}
