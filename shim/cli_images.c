/* SPDX-License-Identifier: Apache-2.0 */
/* sbx images: what the image store holds. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "shim/cli.h"
#include "shim/image.h"
#include "shim/image_ref.h"
#include "shim/image_store.h"
#include "shim/image_tool.h"

#define SHORT_ID 12

struct options {
	bool json, help;
};

static const struct opt rows[] = {
	CLI_OPT(options, 0, "json", FLAG, json, NULL, "print JSON"),
	CLI_OPT(options, 'h', "help", FLAG, help, NULL, "this text"),
};

static const struct opts_spec spec = CLI_OPTS(
	"sbx images [--json] [ls | pull IMAGE | rm IMAGE... | prune]", rows, .permute = true);

/* --- ls ------------------------------------------------------------------------------------- */

static void print_size(uint64_t size)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)size;
	size_t i = 0;

	for (; value >= 1024 && i + 1 < ARRAY_SIZE(units); i++)
		value /= 1024;
	printf("%8.*f %-3s", i ? 1 : 0, value, units[i]);
}

static int print_row(const struct image_record *record, void *data)
{
	struct image_store *store = data;
	time_t created = (time_t)record->created;
	char when[32] = "", *name = strdup(record->reference);
	struct tm tm;

	if (!name)
		return -ENOMEM;
	image_tool_clean(name);
	if (localtime_r(&created, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
	printf("%.*s  ", SHORT_ID, record->hex);
	print_size(record->size);
	printf("  %-16s  %-4s  %s\n", when, image_store_is_used(store, record->hex) ? "yes" : "no",
	       name);
	free(name);
	return 0;
}

struct listing {
	struct image_store *store;
	json_t *array;
};

static int add_row(const struct image_record *record, void *data)
{
	struct listing *listing = data;
	json_t *row = json_pack("{s:s, s:s, s:I, s:I, s:b, s:o}", "reference", record->reference,
				"id", record->hex, "size", (json_int_t)record->size, "created",
				(json_int_t)record->created, "in_use",
				image_store_is_used(listing->store, record->hex), "config",
				image_config_to_json(&record->config));

	return json_array_append_new(listing->array, row) < 0 ? -ENOMEM : 0;
}

static int list(struct image_store *store, bool json, struct err *err)
{
	json_auto_t *array = json_array();
	struct listing listing = {.store = store, .array = array};
	int r;

	if (json) {
		r = image_store_for_each(store, add_row, &listing);
		if (r == 0)
			json_dumpf(array, stdout, JSON_INDENT(2));
		printf("\n");
	} else {
		printf("%-*s  %12s  %-16s  %-4s  %s\n", SHORT_ID, "ID", "SIZE", "BUILT", "USED",
		       "IMAGE");
		r = image_store_for_each(store, print_row, store);
	}
	return r < 0 ? err_set_errno(err, -r, "image store") : 0;
}

/* --- rm, prune ------------------------------------------------------------------------------ */

struct removal {
	struct image_store *store;
	const char *name;              /* as given; NULL: everything */
	char reference[IMAGE_REF_MAX]; /* the same in the store's words */
	size_t removed, used;
	struct err *err;
};

/* A name means its record; at least four digits mean every image whose id begins with them. */
static bool is_meant(const struct removal *removal, const struct image_record *record)
{
	size_t n = removal->name ? strlen(removal->name) : 0;

	if (!removal->name || strcmp(record->reference, removal->reference) == 0 ||
	    strcmp(record->reference, removal->name) == 0)
		return true;
	return n >= 4 && n <= IMAGE_HEX_MAX && strncmp(record->hex, removal->name, n) == 0;
}

static int remove_row(const struct image_record *record, void *data)
{
	struct removal *removal = data;
	int r;

	if (!is_meant(removal, record))
		return 0;
	r = image_store_remove(removal->store, record, removal->err);
	/* prune takes what it can get. */
	if (r == -EBUSY && !removal->name) {
		removal->used++;
		return 0;
	}
	removal->removed += r == 0;
	return r;
}

/* Paths in the store are absolute; one that is gone can only be named as the store has it. */
static void translate(const char *name, char reference[IMAGE_REF_MAX])
{
	struct image_ref *ref = malloc(sizeof(*ref));
	char absolute[PATH_MAX];

	snprintf(reference, IMAGE_REF_MAX, "%s", name);
	if (ref && image_ref_parse(name, ref, NULL) == 0) {
		if (ref->kind != IMAGE_REGISTRY && ref->path[0] && realpath(ref->path, absolute))
			snprintf(ref->path, sizeof(ref->path), "%s", absolute);
		image_ref_format(ref, reference);
	}
	free(ref);
}

static int remove_named(struct image_store *store, char **names, struct err *err)
{
	for (; *names; names++) {
		struct removal removal = {.store = store, .name = *names, .err = err};
		int r;

		translate(*names, removal.reference);
		r = image_store_for_each(store, remove_row, &removal);
		if (r < 0)
			return r;
		if (removal.removed == 0)
			return err_set(err, ENOENT, "%.200s: no such image in the store", *names);
	}
	return 0;
}

static int prune(struct image_store *store, bool json, struct err *err)
{
	struct removal removal = {.store = store, .err = err};
	int r = image_store_for_each(store, remove_row, &removal);

	if (r < 0)
		return r;
	image_store_sweep(store);
	if (json)
		printf("{\"removed\": %zu, \"in_use\": %zu}\n", removal.removed, removal.used);
	else
		printf("%zu removed, %zu in use\n", removal.removed, removal.used);
	return 0;
}

static int pull(char **names, struct err *err)
{
	for (; *names; names++) {
		_cleanup_image_ struct image image = IMAGE_INIT;
		int r = image_pull(*names, &image, err);

		if (r < 0)
			return r;
		printf("%s\n", image.id);
	}
	return 0;
}

static int run_verb(char **words, bool json, struct err *err)
{
	_cleanup_image_store_ struct image_store store = IMAGE_STORE_INIT;
	const char *verb = words[0] ? words[0] : "ls";
	bool has_names = words[0] && words[1];
	int r;

	if (strcmp(verb, "pull") == 0 && has_names)
		return pull(words + 1, err);
	r = image_store_open(&store, err);
	if (r < 0)
		return r;
	if (strcmp(verb, "ls") == 0 && !has_names)
		return list(&store, json, err);
	if (strcmp(verb, "rm") == 0 && has_names)
		return remove_named(&store, words + 1, err);
	if (strcmp(verb, "prune") == 0 && !has_names)
		return prune(&store, json, err);
	return err_set(err, EINVAL, "usage: %s", spec.usage);
}

int cli_images(int argc, char **argv)
{
	struct options options = {0};
	struct err err = ERR_INIT;
	int first = opts_parse(&spec, argc, argv, &options, NULL, &err);

	if (first < 0)
		return cli_fail("images", &err);
	if (options.help) {
		opts_help(&spec);
		return 0;
	}
	return run_verb(argv + first, options.json, &err) < 0 ? cli_fail("images", &err) : 0;
}
