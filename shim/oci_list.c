/* SPDX-License-Identifier: Apache-2.0 */
/* sbx-oci list: the containers of a root. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shim/host_user.h"
#include "shim/oci_container.h"
#include "shim/oci_store.h"

struct list_options {
	const char *format;
	bool quiet;
};

static const struct opt rows[] = {
	CLI_OPT(list_options, 'f', "format", STRING, format, "FORMAT", "table (default) or json"),
	CLI_OPT(list_options, 'q', "quiet", FLAG, quiet, NULL, "ids only"),
};

static const struct opts_spec spec = CLI_OPTS("sbx-oci list [options]", rows);

struct listing {
	const struct oci *oci;
	const struct list_options *options;
	json_t *array; /* NULL: a table */
};

/* As runc has it: who made the state directory, by name where it has one. */
static void format_owner(const struct oci *oci, const char *id, char *ret, size_t size)
{
	const char *name;
	uid_t uid;

	ret[0] = '\0';
	if (oci_store_owner(oci->root, id, &uid) < 0)
		return;
	name = host_user_name(uid);
	if (name)
		snprintf(ret, size, "%s", name);
	else
		snprintf(ret, size, "#%u", uid);
}

static int list_one(const struct oci_record *record, void *data)
{
	_cleanup_oci_container_ struct oci_container container = {0};
	struct listing *listing = data;
	char owner[64];
	json_t *state;

	if (listing->options->quiet) {
		printf("%s\n", record->id);
		return 0;
	}
	if (oci_container_open(listing->oci, record->id, &container, NULL) < 0)
		return 0;
	state = oci_record_state(&container.record, oci_container_status(&container));
	format_owner(listing->oci, record->id, owner, sizeof(owner));
	json_object_set_new(state, "owner", json_string(owner));
	if (listing->array)
		return json_array_append_new(listing->array, state);
	if (state)
		printf("%-24s %-11d %-11s %-32s %-31s %s\n", record->id,
		       (int)json_integer_value(json_object_get(state, "pid")),
		       oci_container_status(&container), record->bundle,
		       json_string_value(json_object_get(state, "created")), owner);
	json_decref(state);
	return 0;
}

static int run(const struct oci *oci, int argc, char **argv, struct err *err)
{
	struct list_options o = {.format = "table"};
	struct listing listing = {.oci = oci, .options = &o};
	int first, r = oci_parse(&oci_list_verb, argc, argv, &o, 0, 0, &first, err);

	if (r < 0)
		return r;
	if (strcmp(o.format, "json") == 0)
		listing.array = json_array();
	else if (strcmp(o.format, "table") != 0)
		return err_set(err, EINVAL, "--format %.40s: neither table nor json", o.format);
	else if (!o.quiet)
		printf("%-24s %-11s %-11s %-32s %-31s %s\n", "ID", "PID", "STATUS", "BUNDLE",
		       "CREATED", "OWNER");
	r = oci_store_for_each(oci->root, list_one, &listing, err);
	if (listing.array && r == 0 && !o.quiet) {
		json_dumpf(listing.array, stdout, JSON_COMPACT);
		puts("");
	}
	json_decref(listing.array);
	return r;
}

const struct oci_verb oci_list_verb = {
	.name = "list",
	.help = "list containers",
	.opts = &spec,
	.run = run,
};
