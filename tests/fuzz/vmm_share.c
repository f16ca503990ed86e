/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name half against a hostile data half: a sequence of requests on two small folders, one of them
 * read-only, which nothing may change or leave. The input is a list of records: an opcode, a node, a
 * name out of a few, four bytes of arguments.
 *
 * The answers are well-formed, open files lie beneath a root, and tables stay as small as they are.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io.h"
#include "common/log.h"
#include "vmm/fuse_proto.h"
#include "vmm/share.h"

#define MAX_REQUESTS 64
#define MAX_NODES    16

static char base[64];
static int base_fd;

static void make(const char *name, const char *text)
{
	int fd = openat(base_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0 || io_write_full(fd, text, strlen(text)) < 0)
		abort();
	close(fd);
}

static void remove_base(void)
{
	io_remove_tree(AT_FDCWD, base);
}

static void set_up(void)
{
	log_open(-1, LOG_ERROR, "fuzz");
	snprintf(base, sizeof(base), "/tmp/sbx-fuzz-share-XXXXXX");
	if (!mkdtemp(base))
		abort();
	atexit(remove_base);
	base_fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (base_fd < 0 || mkdirat(base_fd, "ro", 0755) < 0)
		abort();
	make("secret", "secret");
	make("ro/file", "content");
	if (symlinkat("../secret", base_fd, "ro/out") < 0 ||
	    mkfifoat(base_fd, "ro/fifo", 0644) < 0 || mkdirat(base_fd, "ro/dir", 0755) < 0)
		abort();
}

static void add_root(struct share *share, const char *name, bool readonly)
{
	const struct share_root_config config = {.name = name, .readonly = readonly};
	int fd = openat(base_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || share_add_root(share, &config, fd, NULL) < 0)
		abort();
}

/* Names that exist, names that do not, and names that are none. */
static const char *const names[] = {
	"ro", "rw", "file", "out",       "dir",    "fifo", "new", "a",
	"..", ".",  "a/b",  "../secret", "user.a", "",     "b",   "security.capability"};

struct session {
	struct share *share;
	uint64_t nodes[MAX_NODES];
	unsigned n_nodes;
	uint64_t fh;
};

static size_t put(uint8_t *buf, size_t at, const void *data, size_t n)
{
	memcpy(buf + at, data, n);
	return at + n;
}

/* What each request has behind its header: bytes of arguments, texts. */
static const struct shape {
	uint8_t opcode, args, texts;
} shapes[] = {
	{FUSE_LOOKUP, 0, 1},        {FUSE_GETATTR, 16, 0},     {FUSE_SETATTR, 88, 0},
	{FUSE_READLINK, 0, 0},      {FUSE_SYMLINK, 0, 2},      {FUSE_MKNOD, 16, 1},
	{FUSE_MKDIR, 8, 1},         {FUSE_UNLINK, 0, 1},       {FUSE_RMDIR, 0, 1},
	{FUSE_RENAME, 8, 2},        {FUSE_LINK, 8, 1},         {FUSE_OPEN, 8, 0},
	{FUSE_STATFS, 0, 0},        {FUSE_SETXATTR, 16, 2},    {FUSE_GETXATTR, 8, 1},
	{FUSE_LISTXATTR, 8, 0},     {FUSE_REMOVEXATTR, 0, 1},  {FUSE_INIT, 64, 0},
	{FUSE_OPENDIR, 8, 0},       {FUSE_READDIR, 40, 0},     {FUSE_RELEASEDIR, 24, 0},
	{FUSE_FSYNCDIR, 16, 0},     {FUSE_CREATE, 16, 1},      {FUSE_DESTROY, 0, 0},
	{FUSE_BATCH_FORGET, 24, 0}, {FUSE_READDIRPLUS, 40, 0}, {FUSE_RENAME2, 16, 2},
	{FUSE_TMPFILE, 16, 1},      {FUSE_STATX, 32, 0},       {FUSE_SYNCFS, 8, 0},
	{FUSE_FORGET, 8, 0},        {FUSE_READ, 40, 0},
};

/* Arguments whose first fields are often handles, nodes, flags: from what the session knows. */
static size_t build(const struct session *s, const uint8_t *in, uint8_t *buf)
{
	const struct shape *shape = &shapes[in[0] % (sizeof(shapes) / sizeof(shapes[0]))];
	uint64_t args[12] = {0};
	struct fuse_in_header h = {.opcode = shape->opcode, .unique = 1};
	size_t at = sizeof(h);

	h.nodeid = s->nodes[in[1] % s->n_nodes];
	args[0] = in[4] & 1 ? s->fh : in[4] & 2 ? s->nodes[in[5] % s->n_nodes] : in[5];
	args[1] = in[6];
	args[2] = (uint64_t)in[7] << 8;
	if (h.opcode == FUSE_INIT) {
		args[0] = 7 | (uint64_t)41 << 32;
		args[1] = args[2] = ~0ull;
	}
	if (h.opcode == FUSE_MKNOD)
		args[0] = (uint64_t)in[6] << 40 | (uint32_t)in[5] << 8;
	if (h.opcode == FUSE_SETXATTR)
		args[0] = strlen(names[in[6] & 15]) + 1;
	if (h.opcode == FUSE_BATCH_FORGET)
		args[0] = 1, args[1] = s->nodes[in[5] % s->n_nodes], args[2] = 1;
	at = put(buf, at, args, shape->args + (in[3] == 255 ? 8 : 0));
	if (shape->texts > 0)
		at = put(buf, at, names[in[2] & 15], strlen(names[in[2] & 15]) + 1);
	if (shape->texts > 1)
		at = put(buf, at, names[in[6] & 15], strlen(names[in[6] & 15]) + 1);
	h.len = (uint32_t)at;
	memcpy(buf, &h, sizeof(h));
	return at;
}

static void check_open_file(int fd)
{
	char link[64], path[512];
	struct stat st;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		abort();
	path[n] = '\0';
	if (strncmp(path, base, strlen(base)) != 0 || strstr(path, "secret"))
		abort();
	if (strstr(path, "/ro/") && (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY)
		abort();
	close(fd);
}

static void serve(struct session *s, const uint8_t *in)
{
	static uint8_t reply[FUSE_PROTO_MAX_REPLY];
	uint8_t buf[1024];
	struct fuse_out_header out;
	size_t len = build(s, in, buf), n;
	int fd;

	n = share_serve(s->share, buf, len, -1, reply, &fd);
	if (fd >= 0)
		check_open_file(fd);
	if (!n)
		return;
	memcpy(&out, reply, sizeof(out));
	if (n < sizeof(out) || out.len != n || out.error > 0 || out.error < -4095 ||
	    (out.error && n != sizeof(out)))
		abort();
	if (n < sizeof(out) + 8)
		return;
	/* The first word of an answer is a node or a handle, if it is one. */
	memcpy(&s->fh, reply + sizeof(out), 8);
	if (s->n_nodes < MAX_NODES)
		memcpy(&s->nodes[s->n_nodes++], reply + sizeof(out), 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct session s = {.nodes = {1}, .n_nodes = 1};

	if (!base[0])
		set_up();
	io_remove_tree(base_fd, "rw");
	if (mkdirat(base_fd, "rw", 0755) < 0 || share_create(&s.share) < 0)
		abort();
	add_root(s.share, "ro", true);
	add_root(s.share, "rw", false);
	for (unsigned i = 0; i < MAX_REQUESTS && size >= 8; i++, data += 8, size -= 8)
		serve(&s, data);
	share_destroy(s.share);
	if (faccessat(base_fd, "ro/file", F_OK, 0) < 0 ||
	    faccessat(base_fd, "ro/dir", F_OK, 0) < 0 || faccessat(base_fd, "secret", F_OK, 0) < 0)
		abort();
	return 0;
}
