/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/config.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define PARSE(config, err, ...)                                                                    \
	({                                                                                         \
		const char *argv[] = {__VA_ARGS__, NULL};                                          \
		config_parse((int)(sizeof(argv) / sizeof(argv[0])) - 1, (char **)argv, config,     \
			     err);                                                                 \
	})

Test(config, has_defaults_for_all_but_the_kernel)
{
	struct config config;
	struct err err = ERR_INIT;

	cr_assert_eq(PARSE(&config, &err, "--kernel", "vmlinux"), 0, "%s", err.msg);
	cr_assert_eq(config.memory, 256ull << 20);
	cr_assert_eq(config.cpus, 1);
	cr_assert_eq(config.max_cpus, 1);
	cr_assert_eq(config.max_memory, 256ull << 20);
	cr_assert_eq(config.slots, 4);
	cr_assert_eq(config.n_disks, 0);
	cr_assert_str_eq(config.cmdline, "console=ttyS0");
	cr_assert(config.kernel.given);
	cr_assert_eq(config.kernel.fd, -1);
	cr_assert_eq(config.kernel.path_len, 7);
	cr_assert_not(config.initrd.given);
	cr_assert_not(config.control.given);
	cr_assert_str_eq(config.kvm.path, "/dev/kvm");
}

Test(config, takes_what_an_owner_passes)
{
	struct config config;
	struct err err = ERR_INIT;
	int r = PARSE(&config, &err, "--kvm=fd:3", "--kernel=fd:4", "--initrd", "fd:5", "--memory",
		      "2G", "--cpus", "32", "--disk", "fd:6,ro", "--disk=/a,b,ro", "--disk", "c,",
		      "--slots", "12", "--vsock-dir", "fd:7", "--control", "fd:8", "--console-ring",
		      "fd:9", "--console-file", "/x", "--console-stdout", "--cmdline", "quiet",
		      "--no-net");

	cr_assert_eq(r, 0, "%s", err.msg);
	cr_assert_eq(config.kvm.fd, 3);
	cr_assert_eq(config.kernel.fd, 4);
	cr_assert_eq(config.memory, 2ull << 30);
	cr_assert_eq(config.cpus, 32);
	cr_assert_eq(config.max_cpus, 32, "as many as there are");
	cr_assert_eq(config.slots, 12);
	cr_assert(config.no_net);
	cr_assert_not(config.no_share);
	cr_assert_eq(config.n_disks, 3);
	cr_assert_eq(config.disks[0].file.fd, 6);
	cr_assert(config.disks[0].readonly);
	cr_assert_eq(config.disks[1].file.path_len, 4, "only the last ,ro is an option");
	cr_assert(config.disks[1].readonly);
	cr_assert_eq(config.disks[2].file.path_len, 2);
	cr_assert_not(config.disks[2].readonly);
	cr_assert_eq(config.console_ring.fd, 9);
	cr_assert(config.console_stdout);
}

Test(config, rates)
{
	struct config config;

	cr_assert_eq(PARSE(&config, NULL, "--kernel", "k"), 0);
	cr_assert(!config.disk_rate.bytes && !config.disk_rate.ops && !config.net_rate.bytes);
	cr_assert_eq(config.console_rate, 128u << 10);
	cr_assert_eq(PARSE(&config, NULL, "--kernel", "k", "--disk-rate=10M", "--disk-ops=100",
			   "--net-rate=1M", "--console-rate=0"),
		     0);
	cr_assert_eq(config.disk_rate.bytes, 10u << 20);
	cr_assert_eq(config.disk_rate.ops, 100);
	cr_assert_eq(config.net_rate.bytes, 1u << 20);
	cr_assert_eq(config.console_rate, 0);
}

Test(config, help_and_version_need_nothing_else)
{
	struct config config;

	cr_assert_eq(PARSE(&config, NULL, "--help"), 0);
	cr_assert(config.help);
	cr_assert_eq(PARSE(&config, NULL, "--version"), 0);
	cr_assert(config.version);
}

/* Each is refused with one line that names what is wrong. */
static const struct {
	const char *args[6];
	const char *names;
} bad[] = {
	{{NULL}, "--kernel"},
	{{"--kernel", "k", "operand"}, "operand"},
	{{"--kernel", "k", "--cpus=4", "--max-cpus=3"}, "--max-cpus"},
	{{"--kernel", "k", "--max-cpus=33"}, "--max-cpus"},
	{{"--kernel", "k", "--memory=1G", "--max-memory=512M"}, "--max-memory"},
	{{"--kernel", ""}, "--kernel"},
	{{"--kernel", "fd:"}, "--kernel"},
	{{"--kernel", "fd:2"}, "--kernel"},
	{{"--kernel", "fd:-3"}, "--kernel"},
	{{"--kernel", "fd:3x"}, "--kernel"},
	{{"--kernel", "fd:65536"}, "--kernel"},
	{{"--kernel", "fd:99999999999999999999999"}, "--kernel"},
	{{"--kernel", "k", "--memory", "1"}, "memory"},
	{{"--kernel", "k", "--memory", "99999999T"}, "memory"},
	{{"--kernel", "k", "--memory", "33554433"}, "memory"},
	{{"--kernel", "k", "--cpus", "0"}, "cpus"},
	{{"--kernel", "k", "--cpus", "33"}, "cpus"},
	{{"--kernel", "k", "--slots", "13"}, "slots"},
	{{"--kernel", "k", "--slots", "0", "--disk", "a"}, "--slots"},
	{{"--kernel", "k", "--disk", ""}, "--disk"},
	{{"--kernel", "k", "--disk", "fd:x,ro"}, "--disk"},
	{{"--kernel", "fd:5", "--disk", "fd:5,ro"}, "fd:5"},
	{{"--kernel", "k", "--disk-rate", "1"}, "disk-rate"},
	{{"--kernel", "k", "--disk-ops", "0"}, "disk-ops"},
	{{"--kernel", "k", "--net-rate", "2T"}, "net-rate"},
	{{"--kernel", "k", "--console-rate", "-1"}, "console-rate"},
	{{"--kernel", "k", "--nonsense"}, "nonsense"},
};

Test(config, refuses_with_one_line_that_names_the_option)
{
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct config config = {.cpus = 77};
		struct err err = ERR_INIT;
		char *argv[7] = {NULL};
		int argc = 0;

		for (; argc < 6 && bad[i].args[argc]; argc++)
			argv[argc] = (char *)bad[i].args[argc];
		cr_assert_eq(config_parse(argc, argv, &config, &err), -EINVAL, "case %u", i);
		cr_assert_not_null(strstr(err.msg, bad[i].names), "case %u: %s", i, err.msg);
		cr_assert_null(strchr(err.msg, '\n'));
		cr_assert_eq(config.cpus, 77, "outputs are untouched on failure");
	}
}

Test(config, no_more_disks_than_slots)
{
	const char *argv[64] = {"--kernel", "k", "--slots", "12"};
	struct err err = ERR_INIT;
	struct config config;
	int argc = 4;

	for (unsigned i = 0; i < CONFIG_MAX_SLOTS; i++)
		argv[argc++] = "--disk=d";
	cr_assert_eq(config_parse(argc, (char **)argv, &config, &err), 0, "%s", err.msg);
	cr_assert_eq(config.n_disks, CONFIG_MAX_SLOTS);
	argv[argc++] = "--disk=d";
	cr_assert_eq(config_parse(argc, (char **)argv, &config, &err), -EINVAL);
}
