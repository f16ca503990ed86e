/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles in docker's form. */
#include "shim/run_seccomp.h"

#include "tests/unit/shim/seccomp_program.h"

static bool has_cap(const char *name, const void *data)
{
	return strcmp(name, data) == 0;
}

/* The profile for a container that has one capability, compiled. */
static uint32_t run_verdict(const char *text, const char *cap, int nr, uint64_t arg0)
{
	struct err err = ERR_INIT;
	json_t *profile = NULL;
	char *rule;
	uint32_t v;

	cr_assert_eq(run_seccomp_parse(text, strlen(text), has_cap, cap, true, &profile, &err), 0,
		     "%s", err.msg);
	rule = json_dumps(profile, 0);
	v = verdict(rule, nr, arg0);
	free(rule);
	json_decref(profile);
	return v;
}

Test(run_seccomp, our_own_profile)
{
	_cleanup_free_ char *text = NULL;
	size_t size;

	cr_assert_eq(
		io_read_file(AT_FDCWD, "shim/seccomp.json", RUN_SECCOMP_MAX_BYTES, &text, &size),
		0);
	cr_assert_eq(run_verdict(text, "", SYS_socket, 40), ERRNO(EAFNOSUPPORT));
	cr_assert_eq(run_verdict(text, "", SYS_socket, 2), SECCOMP_RET_ALLOW);
	cr_assert_eq(run_verdict(text, "", SYS_keyctl, 0), ERRNO(EPERM));
	cr_assert_eq(run_verdict(text, "", SYS_mount, 0), ERRNO(EPERM));
	cr_assert_eq(run_verdict(text, "CAP_SYS_ADMIN", SYS_mount, 0), SECCOMP_RET_ALLOW);
	cr_assert_eq(run_verdict(text, "", SYS_unshare, 0x10000000), ERRNO(EPERM));
	cr_assert_eq(run_verdict(text, "", SYS_unshare, 0x400), SECCOMP_RET_ALLOW);
	cr_assert_eq(run_verdict(text, "", SYS_clone, 0x20000000 | 17), ERRNO(EPERM));
	cr_assert_eq(run_verdict(text, "", SYS_clone, 0x3d0f00), SECCOMP_RET_ALLOW);
	cr_assert_eq(run_verdict(text, "", SYS_clone3, 0), ERRNO(ENOSYS));
	cr_assert_eq(run_verdict(text, "CAP_SYS_BOOT", SYS_kexec_load, 0), SECCOMP_RET_ALLOW);
	cr_assert_eq(run_verdict(text, "", SYS_kexec_load, 0), ERRNO(EPERM));
}

Test(run_seccomp, conditions)
{
	static const char text[] =
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"archMap\":[{\"architecture\":"
		"\"SCMP_ARCH_X86_64\",\"subArchitectures\":[\"SCMP_ARCH_X86\"]},{\"architecture\":"
		"\"SCMP_ARCH_AARCH64\",\"subArchitectures\":[\"SCMP_ARCH_ARM\"]}],\"syscalls\":["
		"{\"name\":\"getpid\",\"action\":\"SCMP_ACT_ALLOW\"},"
		"{\"names\":[\"getuid\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"caps\":["
		"\"A\"]}},"
		"{\"names\":[\"getgid\"],\"action\":\"SCMP_ACT_ALLOW\",\"excludes\":{\"caps\":["
		"\"A\"]}},"
		"{\"names\":[\"geteuid\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"arches\":"
		"[\"arm\"]}},"
		"{\"names\":[\"getegid\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"arches\":"
		"[\"amd64\"],\"minKernel\":\"4.8\"}},"
		"{\"names\":[\"gettid\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":"
		"\"99.1\"}},{\"names\":[\"clone3\"],\"action\":\"SCMP_ACT_ERRNO\"}]}";

	cr_assert_eq(run_verdict(text, "A", SYS_getpid, 0), SECCOMP_RET_ALLOW);
	cr_assert_eq(run_verdict(text, "A", SYS_getuid, 0), SECCOMP_RET_ALLOW);
	cr_assert_eq(run_verdict(text, "B", SYS_getuid, 0), ERRNO(EPERM));
	cr_assert_eq(run_verdict(text, "A", SYS_getgid, 0), ERRNO(EPERM));
	cr_assert_eq(run_verdict(text, "B", SYS_getgid, 0), SECCOMP_RET_ALLOW);
	cr_assert_eq(run_verdict(text, "B", SYS_geteuid, 0), ERRNO(EPERM));
	cr_assert_eq(run_verdict(text, "B", SYS_getegid, 0), SECCOMP_RET_ALLOW);
	cr_assert_eq(run_verdict(text, "B", SYS_gettid, 0), ERRNO(EPERM));
}

Test(run_seccomp, refuses_what_the_shim_would)
{
	static const char *const wrong[] = {
		"",
		"[]",
		"{}",
		"{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}",
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"surprise\":1}",
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],"
		"\"action\":\"SCMP_ACT_KILL\",\"Includes\":{\"caps\":[\"A\"]}}]}",
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[1]}",
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":{}}",
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86\"],"
		"\"archMap\":[{\"architecture\":\"SCMP_ARCH_X86_64\"}]}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct err err = ERR_INIT;
		json_t *profile = NULL;

		cr_assert_eq(run_seccomp_parse(wrong[i], strlen(wrong[i]), has_cap, "", true,
					       &profile, &err),
			     -EINVAL, "%s", wrong[i]);
		cr_assert(err.msg[0]);
	}
}
