/* SPDX-License-Identifier: Apache-2.0 */
/* The parser of vhost-user's messages. */
#include "vmm/vhost_user_proto.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "common/cleanup.h"

static int decode(uint32_t request, const void *payload, uint32_t size, size_t n_fds)
{
	struct vhost_user_header header = {.request = request, .size = size};
	struct vhost_user_message msg;

	return vhost_user_decode(&header, payload, n_fds, &msg);
}

Test(vhost_user_proto, headers_are_judged)
{
	static const struct {
		uint32_t words[3];
		int r;
	} cases[] = {
		{{1, 1, 0}, 0},
		{{1, 1 | 8, 512}, 0},
		{{1, 0, 0}, -EPROTO},
		{{1, 2, 0}, -EPROTO},
		{{1, 1 | 4, 0}, -EPROTO},
		{{1, 1, 513}, -EPROTO},
		{{1, 1, UINT32_MAX}, -EPROTO},
	};
	struct vhost_user_header header;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_eq(vhost_user_decode_header((const uint8_t *)cases[i].words, &header),
			     cases[i].r, "case %zu", i);
}

Test(vhost_user_proto, sizes_and_descriptors_must_fit_the_request)
{
	static const uint8_t zeroes[512];

	cr_expect_eq(decode(VHOST_USER_SET_FEATURES, zeroes, 8, 0), 0);
	cr_expect_eq(decode(VHOST_USER_SET_FEATURES, zeroes, 7, 0), -EPROTO);
	cr_expect_eq(decode(VHOST_USER_SET_FEATURES, zeroes, 9, 0), -EPROTO);
	cr_expect_eq(decode(VHOST_USER_SET_FEATURES, zeroes, 8, 1), -EPROTO);
	cr_expect_eq(decode(VHOST_USER_SET_VRING_KICK, zeroes, 8, 1), 0);
	cr_expect_eq(decode(VHOST_USER_SET_VRING_KICK, zeroes, 8, 0), -EPROTO);
	cr_expect_eq(decode(VHOST_USER_SET_VRING_KICK, zeroes, 8, 2), -EPROTO);
	cr_expect_eq(decode(VHOST_USER_SET_MEM_TABLE, zeroes, 8, 0), -EPROTO);
	cr_expect_eq(decode(VHOST_USER_GET_FEATURES, zeroes, 0, 0), 0);
	cr_expect_eq(decode(1234, zeroes, 0, 0), -EOPNOTSUPP);
}

static int decode_regions(const uint64_t (*regions)[4], uint32_t n)
{
	uint8_t buf[512] = {0};

	memcpy(buf, &n, sizeof(n));
	memcpy(buf + 8, regions, n * 32);
	return decode(VHOST_USER_SET_MEM_TABLE, buf, 8 + n * 32, n);
}

Test(vhost_user_proto, memory_regions_must_make_sense)
{
	const uint64_t good[][4] = {{0, 4096, 1 << 20, 0}, {8192, 4096, 2 << 20, 4096}};
	const uint64_t bad[][2][4] = {
		{{0, 0, 0, 0}, {8192, 4096, 2 << 20, 0}},
		{{0, 4096, 1 << 20, 0}, {4095, 4096, 2 << 20, 0}},
		{{0, 4096, 1 << 20, 0}, {8192, 4096, (1 << 20) + 1, 0}},
		{{UINT64_MAX, 4096, 0, 0}, {8192, 4096, 2 << 20, 0}},
		{{0, 4096, UINT64_MAX - 1, 0}, {8192, 4096, 2 << 20, 0}},
		{{0, 4096, 0, INT64_MAX}, {8192, 4096, 2 << 20, 0}},
		{{0, UINT64_MAX, 0, 0}, {8192, 4096, 2 << 20, 0}},
	};

	cr_expect_eq(decode_regions(good, 2), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_eq(decode_regions(bad[i], 2), -EPROTO, "case %zu", i);
}

Test(vhost_user_proto, configuration_is_bounded)
{
	uint32_t words[3 + 64] = {0, 8, 0};

	cr_expect_eq(decode(VHOST_USER_GET_CONFIG, words, 20, 0), 0);
	cr_expect_eq(decode(VHOST_USER_GET_CONFIG, words, 19, 0), -EPROTO);
	words[0] = 249;
	cr_expect_eq(decode(VHOST_USER_GET_CONFIG, words, 20, 0), -EPROTO);
	words[0] = UINT32_MAX;
	cr_expect_eq(decode(VHOST_USER_GET_CONFIG, words, 20, 0), -EPROTO);
	words[0] = 0;
	words[1] = 257;
	cr_expect_eq(decode(VHOST_USER_GET_CONFIG, words, 12 + 256, 0), -EPROTO);
}
