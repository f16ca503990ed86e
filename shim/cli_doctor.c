/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sbx doctor: can this machine run sandboxes, and what would make it run them better? One line a
 * check: ok, warn (something is slower or missing) or fail (nothing runs), what was found, and what
 * to do about it. Exit code 0: a sandbox can run, on KVM or in emulation; 1: none can. With --probe
 * nothing is printed, and 0 means that KVM is usable.
 *
 * A check changes nothing but for making the directories that the first run would make.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "shim/cli.h"
#include "shim/image_store.h"
#include "shim/image_tool.h"
#include "shim/image_userns.h"
#include "shim/kvm_probe.h"
#include "shim/places.h"

#define MEMORY_LOW ((uint64_t)512 << 20)
#define SPACE_LOW  ((uint64_t)1 << 30)

enum status { CHECK_OK, CHECK_WARN, CHECK_FAIL };

static const char *const status_names[] = {
	[CHECK_OK] = "ok",
	[CHECK_WARN] = "warn",
	[CHECK_FAIL] = "fail",
};

struct options {
	bool json, probe, help;
};

static const struct opt rows[] = {
	CLI_OPT(options, 0, "json", FLAG, json, NULL, "print JSON"),
	CLI_OPT(options, 0, "probe", FLAG, probe, NULL,
		"print nothing; exit with 0 where KVM is usable, else 1"),
	CLI_OPT(options, 'h', "help", FLAG, help, NULL, "this text"),
};

static const struct opts_spec spec = CLI_OPTS("sbx doctor [--json | --probe]", rows);

struct doctor {
	json_t *checks; /* NULL: print lines */
	bool kvm, vmm, qemu, share, broken;
};

static void report(struct doctor *doctor, enum status status, const char *name, const char *advice,
		   const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void report(struct doctor *doctor, enum status status, const char *name, const char *advice,
		   const char *fmt, ...)
{
	char text[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (doctor->checks)
		json_array_append_new(doctor->checks,
				      json_pack("{s:s, s:s, s:s, s:s?}", "name", name, "status",
						status_names[status], "text", text, "advice",
						advice));
	else
		printf("%-4s  %-10s  %s%s%s\n", status_names[status], name, text,
		       advice ? "; " : "", advice ? advice : "");
}

/* --- what runs guests ------------------------------------------------------------------------ */

static void check_kvm(struct doctor *doctor)
{
	const char *advice = "sandboxes run in software emulation (qemu), slower and less isolated";
	struct kvm_probe probe;

	kvm_probe_run(&probe);
	doctor->kvm = kvm_probe_is_usable(&probe);
	if (doctor->kvm) {
		report(doctor, CHECK_OK, "kvm", NULL, "%s (probed in %.1f ms)", probe.reason,
		       probe.microseconds / 1e3);
		return;
	}
	if (probe.code == KVM_PROBE_MISSING)
		advice = "enable virtualization in the firmware or hypervisor, modprobe kvm_intel "
			 "or kvm_amd; until then sandboxes run in software emulation (qemu)";
	else if (probe.code == KVM_PROBE_FORBIDDEN)
		advice =
			"as root: usermod -aG kvm USER, and log in again; until then sandboxes run "
			"in software emulation (qemu)";
	report(doctor, CHECK_WARN, "kvm", advice, "not usable, %s: %s (probed in %.1f ms)",
	       kvm_probe_code_name(probe.code), probe.reason, probe.microseconds / 1e3);
}

static void check_qemu(struct doctor *doctor)
{
	bool needed = !doctor->kvm;

	doctor->qemu = image_tool_exists("qemu-system-x86_64");
	if (doctor->qemu)
		report(doctor, CHECK_OK, "qemu", NULL, "qemu-system-x86_64 is installed%s",
		       needed ? "" : "; not needed with KVM");
	else
		report(doctor, needed ? CHECK_FAIL : CHECK_OK, "qemu",
		       needed ? "install the package qemu-system-x86" : NULL,
		       "qemu-system-x86_64 is not installed%s",
		       needed ? "" : "; not needed with KVM");
}

static bool check_program(struct doctor *doctor, const char *name)
{
	_cleanup_free_ char *path = NULL;
	struct err err = ERR_INIT;

	if (places_find_program(name, &path, &err) < 0) {
		report(doctor, CHECK_FAIL, "program", "run make, or make install", "%s", err.msg);
		return false;
	}
	report(doctor, CHECK_OK, "program", NULL, "%s", path);
	return true;
}

static void check_programs(struct doctor *doctor)
{
	doctor->broken |= !check_program(doctor, "containerd-shim-sbx-v2");
	doctor->vmm = check_program(doctor, "sbx-vmm");
	doctor->share = check_program(doctor, "sbx-share");
}

static void check_guest(struct doctor *doctor)
{
	static const char *const files[] = {"vmlinux", "initramfs.cpio", "builtin.erofs"};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *path = NULL;
		struct err err = ERR_INIT;

		if (places_find_share(files[i], &path, &err) == 0) {
			report(doctor, CHECK_OK, "guest", NULL, "%s", path);
			continue;
		}
		/* Other images do without the built-in one. */
		doctor->broken |= i < 2;
		report(doctor, i < 2 ? CHECK_FAIL : CHECK_WARN, "guest", NULL, "%s", err.msg);
	}
}

/* --- the host -------------------------------------------------------------------------------- */

static void check_memory(struct doctor *doctor)
{
	_cleanup_free_ char *text = NULL;
	const char *line;
	uint64_t kib = 0;

	if (io_read_file(AT_FDCWD, "/proc/meminfo", 1 << 16, &text, NULL) == 0) {
		line = strstr(text, "MemAvailable:");
		if (line)
			kib = strtoull(line + strlen("MemAvailable:"), NULL, 10);
	}
	if (kib << 10 < MEMORY_LOW)
		report(doctor, CHECK_WARN, "memory", "end something, or give sandboxes less (-m)",
		       "%" PRIu64 " MiB are available", kib >> 10);
	else
		report(doctor, CHECK_OK, "memory", NULL, "%" PRIu64 " MiB are available",
		       kib >> 10);
}

static void check_cgroups(struct doctor *doctor)
{
	_cleanup_free_ char *text = NULL;
	struct statfs st;

	if (statfs("/sys/fs/cgroup", &st) < 0) {
		report(doctor, CHECK_WARN, "cgroups", "mount cgroup2 at /sys/fs/cgroup",
		       "not mounted: the host's side of a sandbox is not limited");
		return;
	}
	if (st.f_type != CGROUP2_SUPER_MAGIC) {
		report(doctor, CHECK_OK, "cgroups", NULL, "version 1 or hybrid");
		return;
	}
	if (io_read_file(AT_FDCWD, "/sys/fs/cgroup/cgroup.controllers", 4096, &text, NULL) < 0 ||
	    !strstr(text, "memory") || !strstr(text, "cpu") || !strstr(text, "pids"))
		report(doctor, CHECK_WARN, "cgroups",
		       "enable the controllers on the kernel's command line",
		       "version 2 without all of cpu, memory and pids");
	else
		report(doctor, CHECK_OK, "cgroups", NULL, "version 2 with cpu, memory and pids");
}

static void check_helpers(struct doctor *doctor)
{
	static const struct {
		const char *tool, *advice;
	} helpers[] = {
		{"umoci", "install the package umoci to use OCI images"},
		{"mkfs.erofs", "install the package erofs-utils to use images"},
		{"skopeo", "install the package skopeo to use archives and registries"},
		{"passt", "install the package passt to give sandboxes a network"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++) {
		if (image_tool_exists(helpers[i].tool))
			report(doctor, CHECK_OK, "helper", NULL, "%s is installed",
			       helpers[i].tool);
		else
			report(doctor, CHECK_WARN, "helper", helpers[i].advice,
			       "%s is not installed", helpers[i].tool);
	}
}

/* A sysctl that is there and says "0". */
static bool is_zero(const char *path)
{
	_cleanup_free_ char *text = NULL;

	return io_read_file(AT_FDCWD, path, 64, &text, NULL) == 0 && strcmp(text, "0\n") == 0;
}

static void check_user(struct doctor *doctor)
{
	struct image_userns ns;
	struct err err = ERR_INIT;

	if (geteuid() == 0)
		return;
	if (is_zero("/proc/sys/user/max_user_namespaces") ||
	    is_zero("/proc/sys/kernel/unprivileged_userns_clone"))
		report(doctor, CHECK_WARN, "user",
		       "as root: sysctl user.max_user_namespaces=10000 "
		       "kernel.unprivileged_userns_clone=1",
		       "users may not make namespaces, which building images needs");
	else if (image_userns_find(&ns, &err) < 0)
		report(doctor, CHECK_WARN, "user", NULL, "%s", err.msg);
	else
		report(doctor, CHECK_OK, "user", NULL, "%u subordinate user ids, %u group ids",
		       ns.sub_uids.count, ns.sub_gids.count);
}

static void check_state(struct doctor *doctor)
{
	_cleanup_image_store_ struct image_store store = IMAGE_STORE_INIT;
	_cleanup_free_ char *run = NULL;
	struct err err = ERR_INIT;
	struct statvfs st;
	uint64_t left;

	if (places_run_dir(&run, &err) < 0 || access(run, W_OK) < 0) {
		doctor->broken = true;
		report(doctor, CHECK_FAIL, "state", "make it writable, or set SBX_ROOT", "%s",
		       run ? run : err.msg);
	} else {
		report(doctor, CHECK_OK, "state", NULL, "%s", run);
	}
	if (image_store_open(&store, &err) < 0 || access(store.path, W_OK) < 0 ||
	    fstatvfs(store.dirfd, &st) < 0) {
		report(doctor, CHECK_WARN, "images",
		       "make it writable, or set SBX_ROOT; the built-in image works without", "%s",
		       store.path ? store.path : err.msg);
		return;
	}
	left = (uint64_t)st.f_bavail * st.f_frsize;
	if (left < SPACE_LOW)
		report(doctor, CHECK_WARN, "images", "sbx images prune", "%s: %" PRIu64 " MiB left",
		       store.path, left >> 20);
	else
		report(doctor, CHECK_OK, "images", NULL, "%s: %" PRIu64 " GiB left", store.path,
		       left >> 30);
}

/* --- the verdict ----------------------------------------------------------------------------- */

/* The first two decide what the others say. */
static void (*const checks[])(struct doctor *) = {
	check_kvm,     check_qemu,    check_programs, check_guest, check_memory,
	check_cgroups, check_helpers, check_user,     check_state,
};

/* The driver that a run would choose; NULL: none. */
static const char *choose_driver(const struct doctor *doctor)
{
	if (doctor->broken)
		return NULL;
	if (doctor->kvm && doctor->vmm)
		return "vmm";
	return doctor->qemu && doctor->share ? "qemu" : NULL;
}

static void print_verdict(const struct doctor *doctor, const char *driver)
{
	if (doctor->checks) {
		json_auto_t *root = json_pack("{s:b, s:s?, s:O}", "ok", driver != NULL, "driver",
					      driver, "checks", doctor->checks);

		json_dumpf(root, stdout, JSON_INDENT(2));
		printf("\n");
	} else if (!driver) {
		printf("sandboxes cannot run here\n");
	} else {
		printf("sandboxes can run here%s\n",
		       strcmp(driver, "vmm") == 0 ? ", on KVM" : ", in software emulation");
	}
}

int cli_doctor(int argc, char **argv)
{
	struct options options = {0};
	struct doctor doctor = {0};
	struct kvm_probe probe;
	struct err err = ERR_INIT;
	const char *driver;
	int first = opts_parse(&spec, argc, argv, &options, NULL, &err);

	if (first >= 0 && first < argc)
		err_set(&err, EINVAL, "%.64s: no argument is expected", argv[first]);
	if (err.code)
		return cli_fail("doctor", &err);
	if (options.help) {
		opts_help(&spec);
		return 0;
	}
	if (options.probe) {
		kvm_probe_run(&probe);
		return kvm_probe_is_usable(&probe) ? 0 : 1;
	}
	if (options.json)
		doctor.checks = json_array();
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		checks[i](&doctor);
	driver = choose_driver(&doctor);
	print_verdict(&doctor, driver);
	json_decref(doctor.checks);
	return driver ? 0 : 1;
}
