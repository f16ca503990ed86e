/* SPDX-License-Identifier: Apache-2.0 */
/* sbx inspect: record and config.json of sandboxes, as one JSON array. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/io.h"
#include "shim/cli.h"
#include "shim/cli_each.h"
#include "shim/cli_pod.h"
#include "shim/spec.h"

struct inspect_options {
	bool json, help;
	json_t *array;
};

static const struct opt rows[] = {
	CLI_OPT(inspect_options, 0, "json", FLAG, json, NULL, "JSON, which is the only form"),
	CLI_OPT(inspect_options, 'h', "help", FLAG, help, NULL, "this text"),
};

static const struct opts_spec spec = CLI_OPTS("sbx inspect SANDBOX...", rows);

static json_t *load(struct pod_dir *pod, const char *name, size_t max)
{
	_cleanup_free_ char *text = NULL;
	size_t size;

	if (io_read_file(pod->dirfd, name, max, &text, &size) < 0)
		return NULL;
	return json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
}

static int inspect(const char *ref, void *data, struct err *err)
{
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = NULL;
	struct inspect_options *o = data;
	json_t *root;
	int r = cli_find_pod(ref, &pod, NULL, err);

	if (r < 0)
		return r;
	root = load(pod, "record.json", RECORD_MAX_BYTES);
	if (!root)
		return err_set(err, EIO, "%s/record.json: cannot be read", pod->path);
	json_object_set_new(root, "directory", json_string(pod->path));
	json_object_set_new(root, "config", load(pod, "config.json", SPEC_MAX_BYTES));
	json_array_append_new(o->array, root);
	return 0;
}

int cli_inspect(int argc, char **argv)
{
	struct inspect_options o = {.array = json_array()};
	int code = cli_each("inspect", &spec, argc, argv, &o, &o.help, inspect);

	if (json_array_size(o.array)) {
		json_dumpf(o.array, stdout, JSON_INDENT(2));
		printf("\n");
	}
	json_decref(o.array);
	return code;
}
