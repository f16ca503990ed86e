/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/seccomp.h>

#include "agent/seccomp.h"

static int parse(size_t len, uint32_t flags, struct seccomp *ret)
{
	static struct sock_filter insns[BPF_MAXINSNS + 1];
	Spec__Seccomp spec = SPEC__SECCOMP__INIT;
	struct err err = ERR_INIT;
	int r;

	spec.program.data = (uint8_t *)insns;
	spec.program.len = len;
	spec.flags = flags;
	r = seccomp_parse(&spec, ret, &err);
	cr_assert(r == 0 || (err.code == -r && err.msg[0]));
	return r;
}

Test(seccomp, takes_whole_programs_of_a_bounded_length)
{
	struct seccomp seccomp;

	cr_assert_eq(parse(8, 0, &seccomp), 0);
	cr_assert_eq(seccomp.n, 1);
	cr_assert_eq(parse(BPF_MAXINSNS * 8, SECCOMP_FILTER_FLAG_LOG, &seccomp), 0);
	cr_assert_eq(seccomp.n, BPF_MAXINSNS);
	cr_assert_eq(seccomp.flags, SECCOMP_FILTER_FLAG_LOG);
	cr_assert_eq(parse(0, 0, &seccomp), -EINVAL);
	cr_assert_eq(parse(7, 0, &seccomp), -EINVAL);
	cr_assert_eq(parse(12, 0, &seccomp), -EINVAL);
	cr_assert_eq(parse((BPF_MAXINSNS + 1) * 8, 0, &seccomp), -EINVAL);
}

Test(seccomp, refuses_flags_that_return_descriptors)
{
	struct seccomp seccomp;

	cr_assert_eq(parse(8, SECCOMP_FILTER_FLAG_NEW_LISTENER, &seccomp), -EINVAL);
	cr_assert_eq(parse(8, 1u << 31, &seccomp), -EINVAL);
}

Test(seccomp, no_filter_is_none)
{
	struct seccomp seccomp, copy;

	cr_assert_eq(seccomp_parse(NULL, &seccomp, NULL), 0);
	cr_assert_eq(seccomp.n, 0);
	cr_assert_eq(seccomp_copy(&seccomp, &copy), 0);
	seccomp_finish(&copy);
}
