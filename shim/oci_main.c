/* SPDX-License-Identifier: Apache-2.0 */
/* sbx-oci: the table of verbs, and where an error goes. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/version.h"
#include "shim/oci.h"
#include "shim/oci_log.h"

static const struct oci_verb *const verbs[] = {
	&oci_create_verb, &oci_start_verb,  &oci_state_verb, &oci_kill_verb,     &oci_delete_verb,
	&oci_exec_verb,   &oci_run_verb,    &oci_list_verb,  &oci_ps_verb,       &oci_pause_verb,
	&oci_resume_verb, &oci_update_verb, &oci_spec_verb,  &oci_features_verb, &oci_events_verb,
};

static void print_usage(void)
{
	oci_help_global();
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		printf("  %-10s %s\n", verbs[i]->name, verbs[i]->help);
	printf("sbx-oci VERB --help says more.\n");
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int fail(const struct oci *oci, int code, const struct err *err)
{
	oci_log_error(oci, err->msg);
	return code;
}

/* Where things are must not change with the working directory, which a later call has another one of. */
static int make_root_absolute(struct oci *oci, char buf[PATH_MAX], struct err *err)
{
	_cleanup_free_ char *cwd = NULL;

	if (oci->root[0] == '/')
		return 0;
	cwd = getcwd(NULL, 0);
	if (!cwd)
		return err_set_errno(err, errno, "the working directory");
	if (snprintf(buf, PATH_MAX, "%s/%s", cwd, oci->root) >= PATH_MAX)
		return err_set(err, ENAMETOOLONG, "--root: too long");
	oci->root = buf;
	return 0;
}

static int run_verb(struct oci *oci, const struct oci_verb *verb, int argc, char **argv)
{
	char root[PATH_MAX];
	struct err err = ERR_INIT;
	int r;

	if (argc > 0 && is_help(argv[0])) {
		opts_help(verb->opts);
		return 0;
	}
	r = make_root_absolute(oci, root, &err);
	if (r == 0)
		r = verb->run(oci, argc, argv, &err);
	return r < 0 ? fail(oci, verb->failed ? verb->failed : OCI_FAILED, &err) : r;
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct oci oci;
	int first;

	io_ignore_signals();
	first = oci_parse_global(argc - 1, argv + 1, &oci, &err) + 1;
	if (err.code)
		return fail(&oci, OCI_FAILED, &err);
	if (oci.version) {
		printf("sbx-oci version %s\ncommit: %s\nspec: 1.2.0\n", sbx_version, sbx_build_id);
		return 0;
	}
	if (oci.help || first == argc) {
		print_usage();
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(argv[first], verbs[i]->name) == 0)
			return run_verb(&oci, verbs[i], argc - first - 1, argv + first + 1);
	err_set(&err, EINVAL, "%.32s: no such verb; sbx-oci --help lists them", argv[first]);
	return fail(&oci, OCI_FAILED, &err);
}
