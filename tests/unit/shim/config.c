/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/config.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/io.h"
#include "shim/spec.h"

static struct config config;
static struct err err;

static void setup(void)
{
	config = (struct config){0};
	err = (struct err)ERR_INIT;
}

static void teardown(void)
{
	config_finish(&config);
}

TestSuite(config, .init = setup, .fini = teardown);

static int parse(const char *text)
{
	err = (struct err)ERR_INIT;
	return config_parse(text, strlen(text), "F", &config, &err);
}

Test(config, every_key)
{
	cr_assert_eq(parse("# a comment\n[vm]\nhypervisor = qemu\nemulation = yes\nkernel=/boot/k\n"
			   "debug = true ; a comment\nmemory = 1G\ncpus = 4\ndisk-rate = 1M\n"
			   "max-memory = 8G\nmax-cpus = 6\n"
			   "disk-ops = 7\nnet-rate = 4k\n[pods]\nannotations = "
			   "a.b c\n"),
		     0, "%s", err.msg);
	cr_expect_str_eq(config.hypervisor, "qemu");
	cr_expect(config.emulation && config.debug);
	cr_expect_str_eq(config.kernel, "/boot/k");
	cr_expect_eq(config.memory, 1ull << 30);
	cr_expect_eq(config.max_memory, 8ull << 30);
	cr_expect_eq(config.max_cpus, 6);
	cr_expect_eq(config.cpus, 4);
	cr_expect_eq(config.rates.disk, 1u << 20);
	cr_expect_eq(config.rates.disk_ops, 7);
	cr_expect_eq(config.rates.net, 4096);
	cr_expect_str_eq(config.annotations, "a.b c");
}

Test(config, a_later_text_wins_and_keeps_the_rest)
{
	cr_assert_eq(parse("[vm]\nmemory = 1G\nkernel = /a\n"), 0);
	cr_assert_eq(parse("[vm]\nkernel = /b\n"), 0);
	cr_expect_str_eq(config.kernel, "/b");
	cr_expect_eq(config.memory, 1ull << 30);
	cr_assert_eq(parse(""), 0);
}

Test(config, one_clear_line_for_what_is_wrong)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"[vm]\nmemory = lots\n", "F:2: memory: not a size from 32M to 1T"},
		{"[vm]\nmemory = 1M\n", "F:2: memory: not a size"},
		{"[vm]\nmax-memory = 2T\n", "F:2: max-memory: not a size from 32M to 1T"},
		{"[vm]\nmax-cpus = 33\n", "F:2: max-cpus: not a number from 1 to 32"},
		{"[vm]\n\ncpus = 33\n", "F:3: cpus: not a number from 1 to 32"},
		{"[vm]\ndisk-rate = 1\n", "F:2: disk-rate: not a size from 4K"},
		{"[vm]\ndisk-ops = 0\n", "F:2: disk-ops: not a number"},
		{"[vm]\ncpus = 0\n", "F:2: cpus: not a number"},
		{"[vm]\nkernel = vmlinux\n", "F:2: kernel: not an absolute path"},
		{"[vm]\nhypervisor = xen\n", "F:2: hypervisor: not vmm or qemu"},
		{"[vm]\nemulation = 1\n", "F:2: emulation: not yes or no"},
		{"[vm]\ncpus = 1\ncpus = 2\n", "F:3: cpus: twice"},
		{"[vm]\nmomery = 1G\n", "F:2: [vm] momery: not known"},
		{"memory = 1G\n", "F:1: [] memory: not known"},
		{"[vm]\nwhat\n", "F:2: neither a section nor a key"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_expect_lt(parse(cases[i].text), 0, "%s", cases[i].text);
		cr_expect_eq(strncmp(err.msg, cases[i].says, strlen(cases[i].says)), 0, "%s: %s",
			     cases[i].text, err.msg);
	}
}

Test(config, a_line_that_the_parser_would_cut)
{
	char text[512] = "[vm]\nkernel = /";

	memset(text + strlen(text), 'x', 300);
	cr_expect_eq(parse(text), -EINVAL);
	cr_expect_str_eq(err.msg, "F:2: longer than 198 characters");
	cr_expect_eq(config_parse("[vm]\n\0", 6, "F", &config, &err), -EINVAL);
}

static void write_file(const char *dir, const char *name, const char *text, mode_t mode)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	cr_assert_geq(fd, 0);
	fchmod(fd, mode);
	cr_assert_eq(io_write_full(fd, text, strlen(text)), 0);
	close(fd);
}

Test(config, files_and_drop_ins)
{
	char dir[] = "/tmp/sbx-config-XXXXXX", path[256];

	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/c.conf", dir);
	cr_expect_eq(config_load(path, &config, &err), -ENOENT);
	write_file(dir, "c.conf", "[vm]\ncpus = 1\nmemory = 64M\n", 0644);
	snprintf(path, sizeof(path), "%s/c.conf.d", dir);
	cr_assert_eq(mkdir(path, 0755), 0);
	write_file(path, "20-b.conf", "[vm]\ncpus = 3\n", 0644);
	write_file(path, "10-a.conf", "[vm]\ncpus = 2\nkernel = /k\n", 0644);
	write_file(path, "30-c.other", "[vm]\ncpus = 4\n", 0644);
	snprintf(path, sizeof(path), "%s/c.conf", dir);
	err = (struct err)ERR_INIT;
	cr_assert_eq(config_load(path, &config, &err), 0, "%s", err.msg);
	cr_expect_eq(config.cpus, 3);
	cr_expect_eq(config.memory, 64ull << 20);
	cr_expect_str_eq(config.kernel, "/k");
	config_finish(&config);
	write_file(dir, "c.conf.d/20-b.conf", "[vm]\ncpus = 3\n", 0666);
	err = (struct err)ERR_INIT;
	cr_expect_eq(config_load(path, &config, &err), -EPERM);
	cr_expect(strstr(err.msg, "20-b.conf: others than its owner"), "%s", err.msg);
	io_remove_tree(AT_FDCWD, dir);
}

/* Of the default place, which may be empty. */
Test(config, no_file_at_all)
{
	char dir[] = "/tmp/sbx-config-XXXXXX", etc[64];

	cr_assert(mkdtemp(dir));
	setenv("SBX_ROOT", dir, 1);
	cr_expect_eq(config_load(NULL, &config, &err), 0, "%s", err.msg);
	cr_expect_null(config.hypervisor);
	snprintf(etc, sizeof(etc), "%s/etc", dir);
	mkdir(etc, 0755);
	write_file(etc, "sbx.conf", "[vm]\ncpus = 7\n", 0644);
	cr_expect_eq(config_load(NULL, &config, &err), 0, "%s", err.msg);
	cr_expect_eq(config.cpus, 7);
	io_remove_tree(AT_FDCWD, dir);
}

static int check(const char *list, const char *annotation)
{
	char text[512];
	struct spec *spec;
	int r;

	setup();
	snprintf(text, sizeof(text),
		 "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"r\"},\"annotations\":{\"%s\":"
		 "\"1\"}}",
		 annotation);
	cr_assert_eq(spec_parse(text, strlen(text), &spec, &err), 0, "%s", err.msg);
	config.annotations = (char *)(uintptr_t)list;
	r = config_check_annotations(&config, spec, &err);
	config.annotations = NULL;
	spec_free(spec);
	return r;
}

Test(config, annotations_that_are_allowed)
{
	cr_expect_eq(check(NULL, "sbx.memory"), 0);
	cr_expect_eq(check(NULL, "sbx.cpus"), 0);
	cr_expect_eq(check(NULL, "sbx.kernel"), -EPERM);
	cr_expect(strstr(err.msg, "sbx.kernel"), "%s", err.msg);
	cr_expect_eq(check(NULL, "sbx.hypervisor"), -EPERM);
	cr_expect_eq(check(NULL, "sbx.debug"), -EPERM);
	cr_expect_eq(check("", "sbx.memory"), -EPERM);
	cr_expect_eq(check("sbx.kernels  sbx.kerne", "sbx.kernel"), -EPERM);
	cr_expect_eq(check("sbx.cpus\tsbx.kernel", "sbx.kernel"), 0);
	cr_expect_eq(check(NULL, "somebody.elses"), 0);
}
