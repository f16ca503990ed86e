/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest asks the name half of the file server, which serves a temporary directory: rw_root may
 * be written to, ro_root is the same for reading only. The state is the including file's own.
 */
#ifndef TESTS_SHARE_GUEST_H
#define TESTS_SHARE_GUEST_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io.h"
#include "vmm/fuse_proto.h"
#include "vmm/share.h"

static char base[64];
static struct share *share;
static uint8_t reply[FUSE_PROTO_MAX_REPLY];
static size_t reply_len;
static int reply_fd = -1;
static uint64_t rw_root, ro_root;

#define BODY (reply + sizeof(struct fuse_out_header))

/* Serves one request; its answer's error, positive. Texts as in the request, each with its NUL. */
static inline int ask(uint32_t opcode, uint64_t nodeid, const void *args, size_t n_args,
		      const char *texts, size_t n_texts)
{
	static uint8_t buf[FUSE_PROTO_MAX_REQUEST];
	struct fuse_in_header h = {.opcode = opcode, .nodeid = nodeid, .unique = 77};
	struct fuse_out_header out;

	h.uid = geteuid();
	h.gid = getegid();
	h.len = (uint32_t)(sizeof(h) + n_args + n_texts);
	memcpy(buf, &h, sizeof(h));
	if (n_args)
		memcpy(buf + sizeof(h), args, n_args);
	if (n_texts)
		memcpy(buf + sizeof(h) + n_args, texts, n_texts);
	close_fd(&reply_fd);
	reply_len = share_serve(share, buf, h.len, -1, reply, &reply_fd);
	if (!reply_len)
		return 0;
	memcpy(&out, reply, sizeof(out));
	cr_assert_eq(out.len, reply_len);
	cr_assert_eq(out.unique, 77);
	return -out.error;
}

static inline int ask_name(uint32_t opcode, uint64_t nodeid, const char *name)
{
	return ask(opcode, nodeid, NULL, 0, name, strlen(name) + 1);
}

static inline struct fuse_entry_out entry(void)
{
	struct fuse_entry_out out;

	memcpy(&out, BODY, sizeof(out));
	return out;
}

static inline uint64_t lookup(uint64_t dir, const char *name)
{
	cr_assert_eq(ask_name(FUSE_LOOKUP, dir, name), 0, "%s", name);
	return entry().nodeid;
}

static inline void put_file(const char *name, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", base, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	cr_assert_geq(fd, 0);
	cr_assert_eq(io_write_full(fd, text, strlen(text)), 0);
	close(fd);
}

static inline void add_root(const char *name, bool readonly)
{
	const struct share_root_config config = {
		.name = name, .readonly = readonly, .cache_ns = 1500000000};
	int fd = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);

	cr_assert_eq(share_add_root(share, &config, fd, NULL), 0);
}

static inline void set_up(void)
{
	snprintf(base, sizeof(base), "/tmp/sbx-share-test-XXXXXX");
	cr_assert_not_null(mkdtemp(base));
	put_file("file", "content");
	cr_assert_eq(share_create(&share), 0);
	add_root("rw", false);
	add_root("ro", true);
	rw_root = lookup(1, "rw");
	ro_root = lookup(1, "ro");
}

static inline void tear_down(void)
{
	close_fd(&reply_fd);
	share_destroy(share);
	io_remove_tree(AT_FDCWD, base);
}

#endif
