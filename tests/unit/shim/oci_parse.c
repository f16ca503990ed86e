/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "shim/oci.h"
#include "shim/oci_launch.h"

static char line[512];
static char *words[64];
static int n_words;
static struct err err;

static void split(const char *text)
{
	n_words = 0;
	snprintf(line, sizeof(line), "%s", text);
	for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
		words[n_words++] = word;
	err = (struct err)ERR_INIT;
}

Test(oci_parse, before_the_verb)
{
	struct oci oci;

	split("--root /r --log /l --log-format json --systemd-cgroup --rootless=auto create -b x "
	      "y");
	cr_assert_eq(oci_parse_global(n_words, words, &oci, &err), 8);
	cr_assert_str_eq(oci.root, "/r");
	cr_assert_str_eq(oci.log, "/l");
	cr_assert_str_eq(oci.log_format, "json");
	cr_assert(oci.systemd_cgroup);
	split("-root /r2 -log=/l2 -debug state -x y");
	cr_assert_eq(oci_parse_global(n_words, words, &oci, &err), 4);
	cr_assert_str_eq(oci.root, "/r2");
	cr_assert_str_eq(oci.log, "/l2");
	cr_assert(oci.debug);
	split("");
	cr_assert_eq(oci_parse_global(n_words, words, &oci, &err), 0);
	cr_assert_str_eq(oci.root, "/run/sbx-oci");
	cr_assert_str_eq(oci.log_format, "text");
}

Test(oci_parse, wrong_before_the_verb)
{
	static const char *const lines[] = {"--log-format xml state x", "--nonsense state x",
					    "--root", "--root= state x"};
	struct oci oci;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		split(lines[i]);
		cr_assert_eq(oci_parse_global(n_words, words, &oci, &err), -EINVAL, "%s", lines[i]);
		cr_assert(err.msg[0] && !strchr(err.msg, '\n'));
	}
}

static int parse_create(const char *text, struct oci_launch_options *o)
{
	int first = -1, r;

	*o = (struct oci_launch_options){0};
	split(text);
	r = oci_parse(&oci_create_verb, n_words, words, o, 1, 1, &first, &err);
	return r < 0 ? r : first;
}

Test(oci_parse, create_as_conmon_calls_it)
{
	struct oci_launch_options o;
	int first = parse_create(
		"--bundle /b --pid-file /p --pidfd-socket /f --console-socket /s --no-pivot "
		"--no-new-keyring --preserve-fds 2 ctr",
		&o);

	cr_assert_str_eq(words[first], "ctr");
	cr_assert_str_eq(o.bundle, "/b");
	cr_assert_str_eq(o.pid_file, "/p");
	cr_assert_str_eq(o.console_socket, "/s");
	cr_assert_str_eq(o.pidfd_socket, "/f");
	cr_assert(o.no_pivot && o.no_new_keyring);
	cr_assert_eq(o.preserve_fds, 2);
}

Test(oci_parse, options_may_follow_the_container)
{
	struct oci_launch_options o;
	int first = parse_create("ctr -b /b", &o);

	cr_assert_str_eq(words[first], "ctr");
	cr_assert_str_eq(o.bundle, "/b");
}

Test(oci_parse, one_dash_will_do)
{
	struct oci_launch_options o;
	int first = parse_create("-bundle /b -pid-file=/p -no-pivot ctr", &o);

	cr_assert_str_eq(words[first], "ctr");
	cr_assert_str_eq(o.bundle, "/b");
	cr_assert_str_eq(o.pid_file, "/p");
	cr_assert(o.no_pivot);
}

Test(oci_parse, operands_are_counted)
{
	struct oci_launch_options o;

	cr_assert_eq(parse_create("-b /b", &o), -EINVAL);
	cr_assert(strstr(err.msg, "too few arguments"));
	cr_assert_eq(parse_create("a b", &o), -EINVAL);
	cr_assert(strstr(err.msg, "too many arguments"));
	cr_assert_eq(parse_create("--bundle", &o), -EINVAL);
	cr_assert_eq(parse_create("--detach x", &o), -EINVAL);
	cr_assert_eq(parse_create("--preserve-fds many x", &o), -EINVAL);
}

/* Nothing may depend on the rest of the table for a verb to be found and helped with. */
Test(oci_parse, every_verb_is_whole)
{
	static const struct oci_verb *const verbs[] = {
		&oci_create_verb, &oci_delete_verb, &oci_events_verb,   &oci_exec_verb,
		&oci_kill_verb,   &oci_list_verb,   &oci_features_verb, &oci_pause_verb,
		&oci_ps_verb,     &oci_resume_verb, &oci_run_verb,      &oci_spec_verb,
		&oci_start_verb,  &oci_state_verb,  &oci_update_verb,
	};

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		cr_assert(verbs[i]->name && verbs[i]->help && verbs[i]->run);
		cr_assert(strstr(verbs[i]->opts->usage, verbs[i]->name));
		cr_assert_eq(verbs[i]->failed, verbs[i] == &oci_exec_verb ? OCI_EXEC_FAILED : 0);
	}
}
