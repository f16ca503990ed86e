/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/seccomp_ready.h"

#include <criterion/criterion.h>
#include <linux/filter.h>
#include <stdio.h>
#include <string.h>

#include "shim/spec.h"
#include "shim/spec_guest.h"

#define PROFILE                                                                                    \
	"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,"                            \
	"\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\"],"                              \
	"\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"],"                                                 \
	"\"syscalls\":[{\"names\":[\"read\",\"write\"],\"action\":\"SCMP_ACT_ALLOW\"},"            \
	"{\"names\":[\"mmap\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":1,"                      \
	"\"args\":[{\"index\":2,\"value\":4,\"valueTwo\":4,\"op\":\"SCMP_CMP_MASKED_EQ\"}]}]}"

static char config[4096];

static struct spec *parse(const char *profile)
{
	struct err err = ERR_INIT;
	struct spec *spec = NULL;

	snprintf(config, sizeof(config),
		 "{\"ociVersion\":\"1.2.0\",\"process\":{\"cwd\":\"/\",\"args\":[\"a\"]},"
		 "\"linux\":{\"seccomp\":%s}}",
		 profile);
	cr_assert_eq(spec_parse(config, strlen(config), &spec, &err), 0, "%s", err.msg);
	return spec;
}

static void header_of(const char *profile, uint8_t ret[SECCOMP_READY_HEADER])
{
	_cleanup_(spec_free_p) struct spec *spec = parse(profile);

	seccomp_ready_header(spec->config.linux->seccomp, ret);
}

/* Replaces the first from by to. */
static const char *change(const char *from, const char *to)
{
	static char text[2048];
	const char *at = strstr(PROFILE, from);

	cr_assert(at, "%s", from);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - PROFILE), PROFILE, to,
		 at + strlen(from));
	return text;
}

Test(seccomp_ready, every_part_of_a_profile_counts)
{
	static const char *const changes[][2] = {
		{"SCMP_ACT_ERRNO\",\"default", "SCMP_ACT_TRACE\",\"default"},
		{"38", "39"},
		{"\"defaultErrnoRet\":38,", ""},
		{"\"SCMP_ARCH_X86_64\",", ""},
		{"X86_64\",\"SCMP_ARCH_X86\"", "X86\",\"SCMP_ARCH_X86_64\""},
		{"FLAG_LOG", "FLAG_SPEC_ALLOW"},
		{"\"write\"", "\"writev\""},
		{"\"read\",\"write\"", "\"readwrite\""},
		{"ACT_ALLOW", "ACT_LOG"},
		{"\"errnoRet\":1", "\"errnoRet\":2"},
		{"\"index\":2", "\"index\":3"},
		{"\"value\":4", "\"value\":5"},
		{"\"valueTwo\":4", "\"valueTwo\":5"},
		{"MASKED_EQ", "EQ"},
	};
	uint8_t own[SECCOMP_READY_HEADER], other[SECCOMP_READY_HEADER];

	header_of(PROFILE, own);
	header_of(PROFILE, other);
	cr_assert_arr_eq(own, other, sizeof(own));
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		header_of(change(changes[i][0], changes[i][1]), other);
		cr_expect_arr_neq(own, other, sizeof(own), "%s", changes[i][0]);
	}
}

/* Not what PROFILE means, so that it is told apart from what would be compiled. */
static const struct sock_filter marker[] = {BPF_STMT(BPF_RET | BPF_K, 0x1234)};

static size_t ready_file(uint8_t file[64])
{
	header_of(PROFILE, file);
	memcpy(file + SECCOMP_READY_HEADER, marker, sizeof(marker));
	return SECCOMP_READY_HEADER + sizeof(marker);
}

static Spec__Seccomp *build(struct spec *spec, struct bytes ready)
{
	struct err err = ERR_INIT;
	Spec__Spec *guest;

	spec->ready_seccomp = ready;
	cr_assert_eq(spec_guest_build(spec, &guest, &err), 0, "%s", err.msg);
	return guest->linux->seccomp;
}

Test(seccomp_ready, its_profile_is_not_compiled)
{
	_cleanup_(spec_free_p) struct spec *spec = parse(PROFILE);
	uint8_t file[64];
	size_t size = ready_file(file);
	const Spec__Seccomp *seccomp;

	seccomp = build(spec, bytes_of(file, size));
	cr_expect_eq(seccomp->program.len, sizeof(marker));
	cr_expect_arr_eq(seccomp->program.data, marker, sizeof(marker));
	cr_expect_eq(seccomp->flags, 2, "they are not in the program");
}

Test(seccomp_ready, another_profile_is_compiled)
{
	_cleanup_(spec_free_p) struct spec *spec = parse(change("38", "39"));
	uint8_t file[64];
	size_t size;

	size = ready_file(file);
	cr_expect_gt(build(spec, bytes_of(file, size))->program.len, sizeof(marker));
}

Test(seccomp_ready, what_is_not_whole_is_not_there)
{
	_cleanup_(spec_free_p) struct spec *spec = parse(PROFILE);
	uint8_t file[64];
	size_t size = ready_file(file);

	for (size_t n = 0; n < size; n++)
		cr_expect_eq(
			seccomp_ready_find(bytes_of(file, n), spec->config.linux->seccomp).size, 0,
			"%zu bytes", n);
	file[0] ^= 1;
	cr_expect_eq(seccomp_ready_find(bytes_of(file, size), spec->config.linux->seccomp).size, 0);
}
