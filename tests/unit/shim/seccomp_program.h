/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile's program, asked for its verdicts: by a small interpreter of classic BPF, so that nothing needs
 * to be loaded into a kernel.
 */
#ifndef TESTS_UNIT_SHIM_SECCOMP_PROGRAM_H
#define TESTS_UNIT_SHIM_SECCOMP_PROGRAM_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "shim/run_options.h"
#include "shim/run_seccomp.h"
#include "shim/spec.h"
#include "shim/spec_guest.h"

#define ERRNO(e) (SECCOMP_RET_ERRNO | (e))

static char profile_text[1 << 18];

static inline int compile(const char *profile, struct spec **ret_spec, Spec__Seccomp **ret,
			  struct err *err)
{
	Spec__Spec *guest;
	int r;

	cr_assert_lt(
		(size_t)snprintf(
			profile_text, sizeof(profile_text),
			"{\"ociVersion\":\"1.2.0\",\"process\":{\"cwd\":\"/\",\"args\":[\"a\"]},"
			"\"linux\":{\"seccomp\":%s}}",
			profile),
		sizeof(profile_text));
	r = spec_parse(profile_text, strlen(profile_text), ret_spec, err);
	if (r == 0)
		r = spec_guest_build(*ret_spec, &guest, err);
	if (r == 0)
		*ret = guest->linux->seccomp;
	return r;
}

static inline bool jumps(const struct sock_filter *in, uint32_t a)
{
	switch (BPF_OP(in->code)) {
	case BPF_JEQ:
		return a == in->k;
	case BPF_JGT:
		return a > in->k;
	case BPF_JGE:
		return a >= in->k;
	case BPF_JSET:
		return a & in->k;
	}
	cr_assert_fail("jump %#x", in->code);
	return false;
}

static inline uint32_t interpret(const ProtobufCBinaryData *program,
				 const struct seccomp_data *data)
{
	const struct sock_filter *insns = (const void *)program->data;
	size_t n = program->len / sizeof(*insns);
	uint32_t a = 0;

	for (size_t pc = 0; pc < n; pc++) {
		const struct sock_filter *in = &insns[pc];

		if (in->code == (BPF_LD | BPF_W | BPF_ABS))
			memcpy(&a, (const char *)data + in->k, sizeof(a));
		else if (in->code == (BPF_ALU | BPF_AND | BPF_K))
			a &= in->k;
		else if (in->code == (BPF_RET | BPF_K))
			return in->k;
		else if (in->code == (BPF_JMP | BPF_JA))
			pc += in->k;
		else if (BPF_CLASS(in->code) == BPF_JMP)
			pc += jumps(in, a) ? in->jt : in->jf;
		else
			cr_assert_fail("instruction %#x", in->code);
	}
	cr_assert_fail("no verdict");
	return 0;
}

static inline uint32_t ask(const ProtobufCBinaryData *program, int nr, uint64_t arg0)
{
	const struct seccomp_data data = {.nr = nr, .arch = AUDIT_ARCH_X86_64, .args = {arg0}};

	return interpret(program, &data);
}

/* What the profile says to system call nr with its first argument arg0. */
static inline uint32_t verdict(const char *profile, int nr, uint64_t arg0)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	Spec__Seccomp *seccomp = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(compile(profile, &spec, &seccomp, &err), 0, "%s", err.msg);
	return ask(&seccomp->program, nr, arg0);
}

static inline void refused(const char *profile, const char *message)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	Spec__Seccomp *seccomp = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(compile(profile, &spec, &seccomp, &err), -EINVAL, "%s", profile);
	cr_assert_str_eq(err.msg, message);
}

#endif
