/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "vmm/fuse_proto.h"

static uint8_t buf[4096 + 256];

/* Header, args (n bytes of zeroes), then the texts, each with its NUL. */
static size_t build(uint32_t opcode, size_t n_args, const char *texts, size_t n_texts)
{
	struct fuse_in_header h = {.opcode = opcode, .unique = 7, .nodeid = 9};

	memset(buf, 0, sizeof(buf));
	h.len = (uint32_t)(sizeof(h) + n_args + n_texts);
	memcpy(buf, &h, sizeof(h));
	memcpy(buf + sizeof(h) + n_args, texts, n_texts);
	return h.len;
}

static int decode(uint32_t opcode, size_t n_args, const char *texts, size_t n_texts)
{
	struct fuse_request req;
	size_t n = build(opcode, n_args, texts, n_texts);

	return fuse_decode(buf, n, &req);
}

Test(fuse_proto, takes_names)
{
	struct fuse_request req;
	size_t n = build(FUSE_RENAME2, sizeof(struct fuse_rename2_in), "old\0new", 8);

	cr_assert_eq(fuse_decode(buf, n, &req), 0);
	cr_assert_eq(req.h.nodeid, 9);
	cr_assert_str_eq(req.name, "old");
	cr_assert_str_eq(req.name2, "new");
	n = build(FUSE_SYMLINK, 0, "link\0../anything/at all", 24);
	cr_assert_eq(fuse_decode(buf, n, &req), 0);
	cr_assert_str_eq(req.name2, "../anything/at all");
}

Test(fuse_proto, refuses_what_is_no_name)
{
	static const struct {
		const char *text;
		size_t n;
	} bad[] = {{"", 1},
		   {".", 2},
		   {"..", 3},
		   {"a/b", 4},
		   {"/", 2},
		   {"unterminated", 12},
		   {"two\0parts", 10},
		   {"", 0}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert_eq(decode(FUSE_LOOKUP, 0, bad[i].text, bad[i].n), -EINVAL, "%zu", i);
		cr_assert_eq(
			decode(FUSE_MKDIR, sizeof(struct fuse_mkdir_in), bad[i].text, bad[i].n),
			-EINVAL, "%zu", i);
	}
	cr_assert_eq(decode(FUSE_RENAME, sizeof(struct fuse_rename_in), "a\0../b", 7), -EINVAL);
}

Test(fuse_proto, bounds_lengths)
{
	char name[300];

	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	cr_assert_eq(decode(FUSE_LOOKUP, 0, name, 256), 0);
	name[255] = 'n';
	name[256] = '\0';
	cr_assert_eq(decode(FUSE_LOOKUP, 0, name, 257), -ENAMETOOLONG);
	cr_assert_eq(decode(FUSE_GETXATTR, sizeof(struct fuse_getxattr_in), name, 257), -ERANGE);
}

Test(fuse_proto, wants_exactly_what_there_is)
{
	struct fuse_request req;
	size_t n = build(FUSE_OPEN, sizeof(struct fuse_open_in), "", 0);

	cr_assert_eq(fuse_decode(buf, n, &req), 0);
	cr_assert_eq(fuse_decode(buf, n - 1, &req), -EINVAL);
	cr_assert_eq(fuse_decode(buf, n + 1, &req), -EINVAL);
	cr_assert_eq(fuse_decode(buf, 39, &req), -EPROTO);
	n = build(FUSE_OPEN, sizeof(struct fuse_open_in) + 8, "", 0);
	cr_assert_eq(fuse_decode(buf, n, &req), -EINVAL);
	cr_assert_eq(decode(FUSE_IOCTL, 32, "", 0), -ENOSYS);
	cr_assert_eq(decode(9999, 0, "", 0), -ENOSYS);
}

Test(fuse_proto, a_value_is_as_long_as_it_says)
{
	struct fuse_request req;
	struct fuse_setxattr_in in = {.size = 5};
	size_t n = build(FUSE_SETXATTR, sizeof(in), "user.a\0value", 12);

	memcpy(buf + sizeof(struct fuse_in_header), &in, sizeof(in));
	cr_assert_eq(fuse_decode(buf, n, &req), 0);
	cr_assert_eq(req.data_len, 5);
	cr_assert_eq(memcmp(req.data, "value", 5), 0);
	in.size = 6;
	memcpy(buf + sizeof(struct fuse_in_header), &in, sizeof(in));
	cr_assert_eq(fuse_decode(buf, n, &req), -EINVAL);
	in.size = UINT32_MAX;
	memcpy(buf + sizeof(struct fuse_in_header), &in, sizeof(in));
	cr_assert_eq(fuse_decode(buf, n, &req), -E2BIG);
}

Test(fuse_proto, forgets_are_counted)
{
	struct fuse_forget_one ones[2] = {{.nodeid = 3, .nlookup = 4}, {.nodeid = 5, .nlookup = 6}};
	struct fuse_batch_forget_in in = {.count = 2};
	struct fuse_request req;
	size_t n = build(FUSE_BATCH_FORGET, sizeof(in), (const char *)ones, sizeof(ones));

	memcpy(buf + sizeof(struct fuse_in_header), &in, sizeof(in));
	cr_assert_eq(fuse_decode(buf, n, &req), 0);
	cr_assert_eq(fuse_forget_at(&req, 1).nodeid, 5);
	cr_assert(fuse_is_silent(req.h.opcode));
	in.count = 3;
	memcpy(buf + sizeof(struct fuse_in_header), &in, sizeof(in));
	cr_assert_eq(fuse_decode(buf, n, &req), -EINVAL);
}
