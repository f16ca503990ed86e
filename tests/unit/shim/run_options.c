/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "shim/run_options.h"

static struct run_options o;
static struct err err;
static char line[512];
static char *words[64];

/* Splits text at spaces and parses it. */
static int parse(const char *text)
{
	int n = 0;

	snprintf(line, sizeof(line), "%s", text);
	for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
		words[n++] = word;
	err = (struct err)ERR_INIT;
	return run_options_parse(n, words, &o, &err);
}

Test(run_options, defaults)
{
	cr_assert_eq(parse(""), 0);
	cr_assert_str_eq(o.image, "builtin");
	cr_assert_eq(o.n_command, 0);
	cr_assert_eq(o.memory, 256ull << 20);
	cr_assert_eq(o.cpus, 1);
	cr_assert_eq(o.disk_size, 128ull << 20);
	cr_assert_eq(o.timeout_ns, 0);
}

Test(run_options, image_and_command)
{
	cr_assert_eq(parse("-it --rm oci:x:y sh -c --rm"), 0);
	cr_assert(o.interactive && o.tty && o.remove);
	cr_assert_str_eq(o.image, "oci:x:y");
	cr_assert_eq(o.n_command, 3);
	cr_assert_str_eq(o.command[2], "--rm");
}

Test(run_options, dashes_mean_the_builtin_image)
{
	cr_assert_eq(parse("-m 1g -- sh -c x"), 0);
	cr_assert_str_eq(o.image, "builtin");
	cr_assert_eq(o.n_command, 3);
	cr_assert_str_eq(o.command[0], "sh");
	cr_assert_eq(o.memory, 1ull << 30);
	cr_assert_eq(parse("img -- sh"), 0);
	cr_assert_str_eq(o.image, "img");
	cr_assert_str_eq(o.command[0], "--");
}

Test(run_options, every_option)
{
	cr_assert_eq(
		parse("-m 512m --cpus 4 --timeout 1.5s -e A=1 --env B --env-file f -w /w -u a:b "
		      "--name n.1 -d --entrypoint e --hostname h-1 --read-only --tmpfs /t:size=1m "
		      "--disk-size 1g --ulimit nofile=1:2 --cap-add ALL --cap-drop net_raw "
		      "--kernel k --hypervisor vmm --debug i c"),
		0, "%s", err.msg);
	cr_assert_eq(o.timeout_ns, 1500000000);
	cr_assert_eq(o.env.n, 2);
	cr_assert_eq(o.disk_size, 1ull << 30);
	cr_assert_str_eq(o.tmpfs.items[0], "/t:size=1m");
	cr_assert(o.read_only && o.detach && o.debug);
}

Test(run_options, refuses_in_one_line)
{
	static const char *const wrong[] = {
		"--nope",
		"-m",
		"-m 1",
		"-m 63m",
		"-m 2048g",
		"-m x",
		"--cpus 0",
		"--cpus 33",
		"--cpus -1",
		"--timeout 0",
		"--timeout soon",
		"--env =x",
		"-w here",
		"--name -x",
		"--name a..b",
		"--name a/b",
		"--hostname a_b",
		"--hostname 0123456789012345678901234567890123456789012345678901234567890123",
		"--tmpfs t",
		"--ulimit nofile",
		"--ulimit nofile=2:1",
		"--ulimit nofile=x",
		"--ulimit files=1",
		"--ulimit nofile=1:",
		"--cap-add NET",
		"--cap-drop CAP_",
		"--hypervisor xen",
		"-d -t",
		"-di",
		"-d --explain",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		cr_assert_eq(parse(wrong[i]), -EINVAL, "%s", wrong[i]);
		cr_assert_neq(err.msg[0], '\0', "%s", wrong[i]);
		cr_assert_null(strchr(err.msg, '\n'), "%s", wrong[i]);
	}
}

Test(run_options, ulimits)
{
	struct run_ulimit u;

	cr_assert_eq(run_options_parse_ulimit("nofile=10", &u), 0);
	cr_assert_str_eq(u.type, "RLIMIT_NOFILE");
	cr_assert(u.soft == 10 && u.hard == 10);
	cr_assert_eq(run_options_parse_ulimit("CORE=0:unlimited", &u), 0);
	cr_assert(u.soft == 0 && u.hard == UINT64_MAX);
	cr_assert_eq(run_options_parse_ulimit("core=-1", &u), 0);
	cr_assert_eq(u.soft, UINT64_MAX);
}

Test(run_options, capabilities)
{
	cr_assert_eq(run_options_find_capability("chown"), 0);
	cr_assert_eq(run_options_find_capability("CAP_CHECKPOINT_RESTORE"), 40);
	cr_assert_eq(run_options_find_capability("cap_net_raw"), 13);
	cr_assert_lt(run_options_find_capability("CAP_CAP_CHOWN"), 0);
}

Test(run_options, security)
{
	cr_assert_eq(parse("--security-opt seccomp=/p --security-opt no-new-privileges"), 0);
	cr_assert_str_eq(o.seccomp, "/p");
	cr_assert(o.no_new_privileges);
	cr_assert_eq(parse("--security-opt no-new-privileges:false"), 0);
	cr_assert_null(o.seccomp);
	cr_assert_not(o.no_new_privileges);
	cr_assert_eq(parse("--security-opt label=disable"), -EINVAL);
	cr_assert_eq(parse("--security-opt seccomp="), -EINVAL);
	cr_assert_eq(parse("--security-opt no-new-privileges:maybe"), -EINVAL);
}
