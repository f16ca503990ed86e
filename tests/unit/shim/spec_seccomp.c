/* SPDX-License-Identifier: Apache-2.0 */
/* linux.seccomp to BPF (spec_seccomp.c, seccomp_enosys.c). */
#include "tests/unit/shim/seccomp_program.h"

Test(seccomp, every_action)
{
	static const struct {
		const char *action;
		uint32_t verdict;
	} cases[] = {
		{"\"SCMP_ACT_KILL\"", SECCOMP_RET_KILL_THREAD},
		{"\"SCMP_ACT_KILL_THREAD\"", SECCOMP_RET_KILL_THREAD},
		{"\"SCMP_ACT_KILL_PROCESS\"", SECCOMP_RET_KILL_PROCESS},
		{"\"SCMP_ACT_TRAP\"", SECCOMP_RET_TRAP},
		{"\"SCMP_ACT_LOG\"", SECCOMP_RET_LOG},
		{"\"SCMP_ACT_ERRNO\"", ERRNO(EPERM)},
		{"\"SCMP_ACT_ERRNO\",\"errnoRet\":0", ERRNO(0)},
		{"\"SCMP_ACT_ERRNO\",\"errnoRet\":38", ERRNO(ENOSYS)},
		{"\"SCMP_ACT_TRACE\"", SECCOMP_RET_TRACE | EPERM},
		{"\"SCMP_ACT_TRACE\",\"errnoRet\":7", SECCOMP_RET_TRACE | 7},
		{"\"SCMP_ACT_ALLOW\"", SECCOMP_RET_ALLOW},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[512];

		snprintf(text, sizeof(text),
			 "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":["
			 "\"getpid\"],"
			 "\"action\":%s}]}",
			 cases[i].action);
		cr_assert_eq(verdict(text, SYS_getpid, 0), cases[i].verdict, "%s", text);
		cr_assert_eq(verdict(text, SYS_getuid, 0), SECCOMP_RET_ALLOW, "%s", text);
	}
	cr_assert_eq(
		verdict("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,"
			"\"syscalls\":[{\"names\":[\"getpid\"],\"action\":\"SCMP_ACT_ALLOW\"}]}",
			SYS_getuid, 0),
		ERRNO(ENOSYS));
}

Test(seccomp, every_operator)
{
	static const struct {
		const char *op;
		uint64_t value, two, matches, fails;
	} cases[] = {
		{"NE", 5, 0, 6, 5},
		{"LT", 5, 0, 4, 5},
		{"LE", 5, 0, 5, 6},
		{"EQ", 5, 0, 5, 0x100000005},
		{"GE", 5, 0, 5, 4},
		{"GT", 5, 0, 0x100000000, 5},
		{"MASKED_EQ", 0xf0, 0x20, 0x2f, 0x3f},
		{"EQ", 1ull << 40, 0, 1ull << 40, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[512];

		snprintf(text, sizeof(text),
			 "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":["
			 "\"socket\"],"
			 "\"action\":\"SCMP_ACT_ERRNO\",\"args\":[{\"index\":0,\"value\":%lu,"
			 "\"valueTwo\":%lu,\"op\":\"SCMP_CMP_%s\"}]}]}",
			 cases[i].value, cases[i].two, cases[i].op);
		cr_assert_eq(verdict(text, SYS_socket, cases[i].matches), ERRNO(EPERM), "%s", text);
		cr_assert_eq(verdict(text, SYS_socket, cases[i].fails), SECCOMP_RET_ALLOW, "%s",
			     text);
	}
}

Test(seccomp, two_conditions_on_an_argument_are_alternatives)
{
	static const char text[] =
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"socket\"],"
		"\"action\":\"SCMP_ACT_ERRNO\",\"args\":["
		"{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\"},"
		"{\"index\":0,\"value\":2,\"op\":\"SCMP_CMP_EQ\"}]}]}";

	cr_assert_eq(verdict(text, SYS_socket, 1), ERRNO(EPERM));
	cr_assert_eq(verdict(text, SYS_socket, 2), ERRNO(EPERM));
	cr_assert_eq(verdict(text, SYS_socket, 3), SECCOMP_RET_ALLOW);
}

Test(seccomp, unknown_calls_are_skipped_and_foreign_architectures_left_out)
{
	static const char text[] =
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86_64\","
		"\"SCMP_ARCH_X86\",\"SCMP_ARCH_AARCH64\",\"SCMP_ARCH_S390X\",\"SCMP_ARCH_X86\"],"
		"\"syscalls\":[{\"names\":[\"not_a_call\",\"getpid\",\"socketcall\"],"
		"\"action\":\"SCMP_ACT_ERRNO\"}]}";
	const struct seccomp_data i386 = {.nr = 102, .arch = AUDIT_ARCH_I386};
	const struct seccomp_data arm = {.nr = 1, .arch = AUDIT_ARCH_AARCH64};
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	Spec__Seccomp *seccomp = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(compile(text, &spec, &seccomp, &err), 0, "%s", err.msg);
	cr_assert_eq(ask(&seccomp->program, SYS_getpid, 0), ERRNO(EPERM));
	cr_assert_eq(interpret(&seccomp->program, &i386), ERRNO(EPERM));
	cr_assert_eq(interpret(&seccomp->program, &arm), SECCOMP_RET_KILL_THREAD);
}

/* --- calls that are newer than the profile ---------------------------------------------------- */

#define X32 0x40000000

static uint32_t ask_arch(const ProtobufCBinaryData *program, uint32_t arch, int nr)
{
	const struct seccomp_data data = {.nr = nr, .arch = arch};

	return interpret(program, &data);
}

/* Names up to clone3, 435 on all three; read is 0, 3 and 0; nobody knows not_a_call. */
#define OLD_NAMES                                                                                  \
	"\"syscalls\":[{\"names\":[\"read\",\"not_a_call\"],\"action\":\"SCMP_ACT_ALLOW\"},"       \
	"{\"names\":[\"clone3\"],\"action\":\"SCMP_ACT_ERRNO\"}]"

Test(seccomp, calls_newer_than_the_profile_are_not_there)
{
	static const char *const architectures[] = {
		"", "\"SCMP_ARCH_X86\"", "\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\",\"SCMP_ARCH_ARM\""};

	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++) {
		const uint32_t x86 = i > 0 ? ERRNO(ENOSYS) : SECCOMP_RET_KILL_THREAD;
		const uint32_t x32 = i > 1 ? ERRNO(ENOSYS) : SECCOMP_RET_KILL_THREAD;
		_cleanup_(spec_free_p) struct spec *spec = NULL;
		Spec__Seccomp *seccomp = NULL;
		struct err err = ERR_INIT;
		char text[512];

		snprintf(text, sizeof(text),
			 "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[%s]," OLD_NAMES
			 "}",
			 architectures[i]);
		cr_assert_eq(compile(text, &spec, &seccomp, &err), 0, "%s", err.msg);
		cr_assert_eq(ask(&seccomp->program, SYS_read, 0), SECCOMP_RET_ALLOW);
		cr_assert_eq(ask(&seccomp->program, SYS_getpid, 0), ERRNO(EPERM));
		cr_assert_eq(ask(&seccomp->program, 435, 0), ERRNO(EPERM));
		cr_assert_eq(ask(&seccomp->program, 436, 0), ERRNO(ENOSYS));
		cr_assert_eq(ask(&seccomp->program, X32 - 1, 0), ERRNO(ENOSYS));
		cr_assert_eq(ask_arch(&seccomp->program, AUDIT_ARCH_I386, 436), x86);
		cr_assert_eq(ask(&seccomp->program, X32 | 436, 0), x32);
		cr_assert_eq(ask_arch(&seccomp->program, AUDIT_ARCH_AARCH64, 436),
			     SECCOMP_RET_KILL_THREAD);
		if (i > 0)
			cr_assert_eq(ask_arch(&seccomp->program, AUDIT_ARCH_I386, 435),
				     ERRNO(EPERM));
		if (i > 1)
			cr_assert_eq(ask(&seccomp->program, X32 | 435, 0), ERRNO(EPERM));
	}
}

Test(seccomp, not_where_the_default_is_an_answer_to_new_calls)
{
	static const struct {
		const char *action;
		uint32_t verdict;
	} cases[] = {
		{"\"SCMP_ACT_ALLOW\"", SECCOMP_RET_ALLOW},
		{"\"SCMP_ACT_LOG\"", SECCOMP_RET_LOG},
		{"\"SCMP_ACT_TRACE\",\"defaultErrnoRet\":7", SECCOMP_RET_TRACE | 7},
		{"\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38", ERRNO(ENOSYS)},
		{"\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":22", ERRNO(ENOSYS)},
		{"\"SCMP_ACT_TRAP\"", ERRNO(ENOSYS)},
		{"\"SCMP_ACT_KILL_PROCESS\"", ERRNO(ENOSYS)},
	};
	char text[512];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(text, sizeof(text), "{\"defaultAction\":%s," OLD_NAMES "}",
			 cases[i].action);
		cr_assert_eq(verdict(text, 436, 0), cases[i].verdict, "%s", text);
	}
	/* And nobody can say what is newer than no names at all. */
	cr_assert_eq(verdict("{\"defaultAction\":\"SCMP_ACT_ERRNO\"}", 436, 0), ERRNO(EPERM));
}

/* libseccomp allows i386's socket by its own number, too. */
Test(seccomp, multiplexed_calls_have_numbers_of_their_own)
{
	static const char text[] =
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_X86\"],"
		"\"syscalls\":[{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ALLOW\"}]}";
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	Spec__Seccomp *seccomp = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(compile(text, &spec, &seccomp, &err), 0, "%s", err.msg);
	cr_assert_eq(ask_arch(&seccomp->program, AUDIT_ARCH_I386, 359), SECCOMP_RET_ALLOW);
	cr_assert_eq(ask_arch(&seccomp->program, AUDIT_ARCH_I386, 435), ERRNO(ENOSYS));
}

/* The kernel's limit is to all instructions: the most names that fit do, and no jump is lost. */
Test(seccomp, the_largest_program_is_whole)
{
	static char text[1 << 18];
	struct err err = ERR_INIT;
	int r = 0;

	for (unsigned long rules = 300; r == 0; rules += 100) {
		const unsigned long last = rules - 1;
		_cleanup_(spec_free_p) struct spec *spec = NULL;
		Spec__Seccomp *seccomp = NULL;
		size_t n =
			(size_t)snprintf(text, sizeof(text),
					 "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":["
					 "{\"names\":[\"clone3\"],\"action\":\"SCMP_ACT_ALLOW\"}");

		for (unsigned long k = 0; k < rules; k++)
			n += (size_t)snprintf(
				text + n, sizeof(text) - n,
				",{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\","
				"\"args\":[{\"index\":0,\"op\":\"SCMP_CMP_EQ\",\"value\":%lu},"
				"{\"index\":1,\"op\":\"SCMP_CMP_NE\",\"value\":%lu}]}",
				k << 32 | k, k + 1);
		snprintf(text + n, sizeof(text) - n, "]}");
		r = compile(text, &spec, &seccomp, &err);
		if (r < 0)
			break;
		cr_assert_leq(seccomp->program.len, 4096 * sizeof(struct sock_filter));
		cr_assert_eq(ask(&seccomp->program, SYS_read, last << 32 | last),
			     SECCOMP_RET_ALLOW);
		cr_assert_eq(ask(&seccomp->program, SYS_read, last), ERRNO(EPERM));
		cr_assert_eq(ask(&seccomp->program, 436, 0), ERRNO(ENOSYS));
		cr_assert_lt(n, sizeof(text) - 512, "the limit never came");
	}
	cr_assert(strstr(err.msg, "4096 instructions"), "%s", err.msg);
}

Test(seccomp, flags)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	Spec__Seccomp *seccomp = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(compile("{\"defaultAction\":\"SCMP_ACT_LOG\",\"flags\":["
			     "\"SECCOMP_FILTER_FLAG_LOG\",\"SECCOMP_FILTER_FLAG_SPEC_ALLOW\","
			     "\"SECCOMP_FILTER_FLAG_TSYNC\","
			     "\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"]}",
			     &spec, &seccomp, &err),
		     0, "%s", err.msg);
	cr_assert_eq(seccomp->flags, SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW |
					     SECCOMP_FILTER_FLAG_TSYNC);
}

Test(seccomp, refuses_by_name)
{
	refused("{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}",
		"config.json: linux.seccomp.defaultAction: SCMP_ACT_NOTIFY is not supported");
	refused("{\"defaultAction\":\"ALLOW\"}",
		"config.json: linux.seccomp.defaultAction: no such action: ALLOW");
	refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"defaultErrnoRet\":1}",
		"config.json: linux.seccomp.defaultAction: SCMP_ACT_ALLOW takes no errno");
	refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"X\"]}",
		"config.json: linux.seccomp.flags[0]: no such flag: X");
	refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"X\"]}",
		"config.json: linux.seccomp.architectures[0]: no such architecture: X");
	refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[],"
		"\"action\":\"SCMP_ACT_TRAP\"}]}",
		"config.json: linux.seccomp.syscalls[0].names: empty");
	refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],"
		"\"action\":\"SCMP_ACT_TRAP\",\"args\":[{\"index\":0,\"value\":1,\"op\":\"X\"}]}]}",
		"config.json: linux.seccomp.syscalls[0].args[0].op: no such operator: X");
	refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],"
		"\"action\":\"SCMP_ACT_TRAP\",\"args\":[{\"index\":6,\"value\":1,\"op\":\"X\"}]}]}",
		"config.json: linux.seccomp.syscalls[0].args[0].index: out of range");
	refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],"
		"\"action\":\"SCMP_ACT_TRAP\",\"args\":[{\"index\":0,\"op\":\"SCMP_CMP_EQ\","
		"\"value\":18446744073709551615}]}]}",
		"config.json: linux.seccomp.syscalls[0].args[0].value: too large to be read "
		"exactly");
	refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/x\"}",
		"config.json: linux.seccomp.listenerPath: no descriptor of the guest reaches a "
		"listener on the host");
}
