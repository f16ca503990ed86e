/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FUSE requests that no kernel would send: virtio 1.2, 5.11, and linux/fuse.h. The file server has two
 * roots, "r" and the read-only "ro", of the same folder.
 */
#include "fuse.h"

#define NOBODY 0x1234567890ull

#define ONES8   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
#define ONES(n) .args = {ONES8, ONES8, ONES8, ONES8, ONES8}, .n_args = (n)

static const struct fuse_attack requests[] = {
	{"a request shorter than its header says", FUSE_LOOKUP, ROOT, .len = 4096, NAME("r")},
	{"a request longer than its header says", FUSE_LOOKUP, ROOT, .len = 41, NAME("r")},
	{"a request of 4 GiB", FUSE_LOOKUP, ROOT, .len = 0xffffffff, NAME("r")},
	{"a request of no length", FUSE_LOOKUP, ROOT, .len = 1, NAME("r")},
	{"operation 0", 0, ROOT, ZEROS(0)},
	{"an operation that nobody knows", 0xffffffff, ROOT, ZEROS(0)},
	{"CUSE", 4096, ROOT, ZEROS(0)},
	{"an ioctl", FUSE_IOCTL, ROOT, ONES(32)},
	{"DAX of a file that is not open", FUSE_SETUPMAPPING, ROOT, ONES(40)},
	{"look up nothing", FUSE_LOOKUP, ROOT, NAME("")},
	{"look up .", FUSE_LOOKUP, ROOT, NAME(".")},
	{"look up ..", FUSE_LOOKUP, ROOT, NAME("..")},
	{"look up a path", FUSE_LOOKUP, ROOT, NAME("r/x")},
	{"look up a path upwards", FUSE_LOOKUP, ROOT, NAME("../etc")},
	{"look up an absolute path", FUSE_LOOKUP, ROOT, NAME("/etc/passwd")},
	{"look up a slash", FUSE_LOOKUP, ROOT, NAME("/")},
	{"look up a name without an end", FUSE_LOOKUP, ROOT, BARE("r")},
	{"look up a name with a NUL inside", FUSE_LOOKUP, ROOT, NAMES("r\0x")},
	{"look up in nothing", FUSE_LOOKUP, 0, NAME("r")},
	{"look up in what was never given out", FUSE_LOOKUP, NOBODY, NAME("r")},
	{"look up in the last number", FUSE_LOOKUP, ~0ull, NAME("r")},
	{"look up without a name", FUSE_LOOKUP, ROOT, ZEROS(0)},
	{"attributes of nobody", FUSE_GETATTR, NOBODY, ZEROS(16)},
	{"attributes, cut short", FUSE_GETATTR, ROOT, ZEROS(3)},
	{"every attribute set to ones", FUSE_SETATTR, ROOT, ONES(88)},
	{"a device among the roots", FUSE_MKNOD, ROOT, ONES(16), NAME("d")},
	{"a folder among the roots", FUSE_MKDIR, ROOT, ZEROS(8), NAME("d")},
	{"a folder upwards", FUSE_MKDIR, ROOT, ZEROS(8), NAME("../d")},
	{"a link among the roots", FUSE_SYMLINK, ROOT, NAMES("l\0/etc")},
	{"a link without a target", FUSE_SYMLINK, ROOT, BARE("l\0/etc")},
	{"a link with a slash in its name", FUSE_SYMLINK, ROOT, NAMES("l/l\0/etc")},
	{"a hard link of nobody", FUSE_LINK, ROOT, ONES(8), NAME("h")},
	{"unlink a root", FUSE_UNLINK, ROOT, NAME("r")},
	{"unlink ..", FUSE_UNLINK, ROOT, NAME("..")},
	{"remove a root", FUSE_RMDIR, ROOT, NAME("r")},
	{"remove .", FUSE_RMDIR, ROOT, NAME(".")},
	{"rename a root", FUSE_RENAME, ROOT, .args = {ROOT}, .n_args = 8, NAMES("r\0s")},
	{"rename a root upwards", FUSE_RENAME, ROOT, .args = {ROOT}, .n_args = 8, NAMES("r\0../s")},
	{"rename to a folder of nobody", FUSE_RENAME2, ROOT, ONES(16), NAMES("r\0s")},
	{"rename with one name", FUSE_RENAME, ROOT, .args = {ROOT}, .n_args = 8, NAME("r")},
	{"create among the roots", FUSE_CREATE, ROOT, ZEROS(16), NAME("f")},
	{"create upwards", FUSE_CREATE, ROOT, ZEROS(16), NAME("../f")},
	{"a file without a name among the roots", FUSE_TMPFILE, ROOT, ZEROS(16), NAME("t")},
	{"open nobody", FUSE_OPEN, NOBODY, ZEROS(8)},
	{"open with every flag", FUSE_OPEN, ROOT, ONES(8)},
	{"open nobody as a folder", FUSE_OPENDIR, NOBODY, ZEROS(8)},
	{"read what is not open", FUSE_READ, ROOT, ONES(40)},
	{"write to what is not open", FUSE_WRITE, ROOT, ONES(40)},
	{"write to file 0, with the size of nothing", FUSE_WRITE, ROOT, ZEROS(40)},
	{"list what is not open", FUSE_READDIR, ROOT, ONES(40)},
	{"list what is not open, and look up", FUSE_READDIRPLUS, ROOT, ONES(40)},
	{"release what is not open", FUSE_RELEASE, ROOT, ONES(24), .tolerated = true},
	{"release a folder that is not open", FUSE_RELEASEDIR, ROOT, ONES(24), .tolerated = true},
	{"flush what is not open", FUSE_FLUSH, ROOT, ONES(24), .tolerated = true},
	{"synchronise what is not open", FUSE_FSYNC, ROOT, ONES(16)},
	{"allocate in what is not open", FUSE_FALLOCATE, ROOT, ONES(32)},
	{"seek in what is not open", FUSE_LSEEK, ROOT, ONES(24)},
	{"copy what is not open", FUSE_COPY_FILE_RANGE, ROOT, ONES(56)},
	{"forget more than was ever known", FUSE_FORGET, ROOT, ONES(8), .tolerated = true},
	{"forget nobody", FUSE_FORGET, NOBODY, ONES(8), .tolerated = true},
	{"forget 4 billion at once", FUSE_BATCH_FORGET, 0, ONES(8), .tolerated = true},
	{"an attribute of 4 GiB", FUSE_SETXATTR, ROOT, ONES(16), NAMES("user.x\0value")},
	{"an attribute without a name", FUSE_SETXATTR, ROOT, ZEROS(16)},
	{"ask for an attribute of 4 GiB", FUSE_GETXATTR, ROOT, ONES(8), NAME("user.x")},
	{"ask for an attribute without an end", FUSE_GETXATTR, ROOT, ZEROS(8), BARE("user.x")},
	{"ask for 4 GiB of attributes' names", FUSE_LISTXATTR, ROOT, ONES(8), .tolerated = true},
	{"interrupt everything", FUSE_INTERRUPT, 0, ONES(8), .tolerated = true},
	{"hands shaken with version 0", FUSE_INIT, 0, ZEROS(64), .tolerated = true},
	{"hands shaken with every flag", FUSE_INIT, 0,
	 .args = {7, 0, 0, 0, 99, 0, 0, 0, ONES8, ONES8, ONES8}, .n_args = 64, .tolerated = true},
	{"the end, and then a question", FUSE_DESTROY, 0, .tolerated = true},
	{"a reply without room", FUSE_GETATTR, ROOT, ZEROS(16), .room = 1},
	{"a reply with room for half a header", FUSE_GETATTR, ROOT, ZEROS(16), .room = 8},
	{"a reply with room for its header alone", FUSE_GETATTR, ROOT, ZEROS(16), .room = 16},
	{"a status in every field", FUSE_STATX, ROOT, ONES(24), .tolerated = true},
};

uint32_t fuse_fill(const struct fuse_attack *a)
{
	struct fuse_in_header *header = (struct fuse_in_header *)REQUEST;
	uint32_t n_text = !a->text ? 0 : a->n_text ? a->n_text : (uint32_t)strlen(a->text) + 1;
	uint32_t len = (uint32_t)sizeof(*header) + a->n_args + n_text;

	memset((void *)REQUEST, 0, 4096);
	*header = (struct fuse_in_header){
		.len = a->len ? a->len : len,
		.opcode = a->opcode,
		.unique = 77,
		.nodeid = a->node,
	};
	/* Longer arguments than there is room for in the table go on as they began. */
	for (uint32_t i = 0; i < a->n_args; i++)
		((uint8_t *)(header + 1))[i] = a->args[i % sizeof(a->args)];
	if (n_text)
		memcpy((uint8_t *)(header + 1) + a->n_args, a->text, n_text);
	return len;
}

void fuse_send(struct device *dev, const struct fuse_attack *a)
{
	struct segment segments[] = {{REQUEST, fuse_fill(a), false},
				     {REPLY, a->room ? a->room : 4096, true}};

	memset((void *)REPLY, 0, 64);
	device_request(dev, segments, 2);
}

bool fuse_ask(struct device *dev, const struct fuse_attack *a)
{
	volatile struct fuse_out_header *reply = (struct fuse_out_header *)REPLY;

	fuse_send(dev, a);
	return reply->unique == 77 && reply->error == 0;
}

bool fuse_begin(struct device *dev)
{
	const struct fuse_attack init = {.opcode = FUSE_INIT,
					 .args = {7, [4] = 38, [12] = 0xff, 0xff, 0xff, 0xff},
					 .n_args = 64};

	return fuse_ask(dev, &init);
}

static bool looks_up(struct device *dev, const char *name)
{
	return fuse_ask(dev,
			&(struct fuse_attack){.opcode = FUSE_LOOKUP, .node = ROOT, NAME(name)});
}

bool fs_serves(struct device *dev)
{
	return fuse_begin(dev) && looks_up(dev, "r") && looks_up(dev, "ro");
}

enum outcome fuse_judge(const struct device *dev, const struct fuse_attack *a)
{
	volatile struct fuse_out_header *reply = (struct fuse_out_header *)REPLY;

	/* Unanswered, which the reset mends; or refused in so many words. */
	if (a->tolerated || device_is_broken(dev) || !reply->len)
		return OUTCOME_SAFE;
	return reply->error < 0 && reply->error > -4096 ? OUTCOME_SAFE : OUTCOME_WRONG;
}

static void run(struct device *dev, const struct fuse_attack *a)
{
	attack_begin(dev, "FUSE", a->name);
	fuse_begin(dev);
	/* What needs no answer gets none, and is used all the same. */
	fuse_send(dev, a);
	attack_end(dev, OUTCOME_SAFE, fuse_judge(dev, a));
}

/* A name as long as the chain can be, and one byte a segment. */
static void long_names(struct device *dev)
{
	static const uint32_t lengths[] = {255, 256, 4095, 4096, 65535};
	static const char *const names[] = {"a name of 255 bytes", "a name of 256 bytes",
					    "a name of 4095 bytes", "a name of 4096 bytes",
					    "a name of 65535 bytes"};

	for (unsigned i = 0; i < 5; i++) {
		const struct fuse_attack lookup = {.opcode = FUSE_LOOKUP, .node = ROOT};
		struct segment segments[] = {{REQUEST, 40 + lengths[i] + 1, false},
					     {REPLY, 4096, true}};

		attack_begin(dev, "FUSE", names[i]);
		fuse_begin(dev);
		memset((void *)REPLY, 0, 64);
		fuse_fill(&lookup);
		((struct fuse_in_header *)REQUEST)->len = segments[0].len;
		memset((uint8_t *)REQUEST + 40, 'n', lengths[i]);
		((uint8_t *)REQUEST)[40 + lengths[i]] = 0;
		device_request(dev, segments, 2);
		attack_end(dev, OUTCOME_SAFE, fuse_judge(dev, &lookup));
	}
}

static void in_pieces(struct device *dev)
{
	const struct fuse_attack lookup = {.opcode = FUSE_LOOKUP, .node = ROOT, NAME("..")};
	struct segment segments[QUEUE_SIZE];
	uint32_t len;

	attack_begin(dev, "FUSE", "look up .. in pieces of three bytes");
	fuse_begin(dev);
	memset((void *)REPLY, 0, 64);
	len = fuse_fill(&lookup);
	for (unsigned i = 0; i < QUEUE_SIZE - 1; i++)
		segments[i] = (struct segment){REQUEST + i * 3, i * 3 + 3 <= len ? 3 : len - i * 3,
					       false};
	segments[QUEUE_SIZE - 1] = (struct segment){REPLY, 4096, true};
	device_request(dev, segments, QUEUE_SIZE);
	attack_end(dev, OUTCOME_SAFE, fuse_judge(dev, &lookup));
}

void attack_fs(struct device *dev)
{
	for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		run(dev, &requests[i]);
	long_names(dev);
	in_pieces(dev);
}
