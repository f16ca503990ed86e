/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests about what is in the two roots, whose numbers are asked for first: public advisories as they
 * would look here. Both roots are the folder of 90-hostile.sh, which has a file "file"; "ro" is read-only.
 * The good ones show that the others are refused for what is wrong with them and nothing else.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "fuse.h"

#define ESCAPE "GHSA-2gv2-cffp-j227: "
#define BYPASS "GHSA-g6ww-w5j2-r7x3: "

static const struct folder_attack {
	struct fuse_attack request;
	const char *folder; /* whose number is the request's node */
	bool file;          /* the number of its file instead */
	const char *other;  /* whose number is the first argument */
	bool other_file;    /* the number of its file instead */
	bool opened;        /* the first argument is the node's file, opened for reading */
	bool good;          /* has to be granted */
} attacks[] = {
#define IN(f) .folder = (f)
	/* A name that is a path, of the host or of the server's own root, where its open files are. */
	{{"good: a link", FUSE_SYMLINK, NAMES("made\0/etc")}, IN("r"), .good = true},
	{{"good: unlink it", FUSE_UNLINK, NAME("made")}, IN("r"), .good = true},
	{{ESCAPE "a link", FUSE_SYMLINK, NAMES("/tmp/escape\0/etc")}, IN("r")},
	{{ESCAPE "a link in the root", FUSE_SYMLINK, NAMES("/escape\0/etc")}, IN("r")},
	{{ESCAPE "a link in file 3", FUSE_SYMLINK, NAMES("/3/escape\0/etc")}, IN("r")},
	{{ESCAPE "a link in file 7", FUSE_SYMLINK, NAMES("/7/escape\0/etc")}, IN("r")},
	{{ESCAPE "a link upwards", FUSE_SYMLINK, NAMES("../escape\0/etc")}, IN("r")},
	{{ESCAPE "a link by way of .", FUSE_SYMLINK, NAMES("./escape\0/etc")}, IN("r")},
	{{ESCAPE "a folder", FUSE_MKDIR, ZEROS(8), NAME("/tmp/escape")}, IN("r")},
	{{ESCAPE "a file", FUSE_MKNOD, .args = {[1] = S_IFREG >> 8}, .n_args = 16,
	  NAME("/tmp/escape")},
	 IN("r")},
	{{ESCAPE "an open file", FUSE_CREATE, ZEROS(16), NAME("/tmp/escape")}, IN("r")},
	{{ESCAPE "a name of the file", FUSE_LINK, ZEROS(8), NAME("/tmp/escape")},
	 IN("r"),
	 .other = "r",
	 .other_file = true},
	{{ESCAPE "a new name", FUSE_RENAME, ZEROS(8), NAMES("file\0/tmp/escape")},
	 IN("r"),
	 .other = "r"},
	{{ESCAPE "unlink", FUSE_UNLINK, NAME("/tmp/secret")}, IN("r")},
	{{ESCAPE "look up", FUSE_LOOKUP, NAME("/etc/passwd")}, IN("r")},
	/* What the guest's own mount flags say is the guest's to change. */
	{{"good: open for reading", FUSE_OPEN, ZEROS(8)}, IN("ro"), .file = true, .good = true},
	{{BYPASS "open for writing", FUSE_OPEN, .args = {O_RDWR}, .n_args = 8},
	 IN("ro"),
	 .file = true},
	{{BYPASS "open and cut", FUSE_OPEN, .args = {0, O_TRUNC >> 8}, .n_args = 8,
	  .tolerated = true},
	 IN("ro"),
	 .file = true},
	{{BYPASS "write to what is open", FUSE_WRITE, .args = {[16] = 4}, .n_args = 40,
	  BARE("over")},
	 IN("ro"),
	 .file = true,
	 .opened = true},
	{{BYPASS "allocate in what is open", FUSE_FALLOCATE, .args = {[17] = 16}, .n_args = 32},
	 IN("ro"),
	 .file = true,
	 .opened = true},
	{{BYPASS "cut", FUSE_SETATTR, .args = {FATTR_SIZE}, .n_args = 88}, IN("ro"), .file = true},
	{{BYPASS "a mode", FUSE_SETATTR, .args = {FATTR_MODE}, .n_args = 88},
	 IN("ro"),
	 .file = true},
	{{BYPASS "an owner", FUSE_SETATTR, .args = {FATTR_UID}, .n_args = 88},
	 IN("ro"),
	 .file = true},
	{{BYPASS "times", FUSE_SETATTR, .args = {FATTR_MTIME}, .n_args = 88},
	 IN("ro"),
	 .file = true},
	{{BYPASS "an attribute", FUSE_SETXATTR, .args = {5}, .n_args = 16, NAMES("user.x\0value")},
	 IN("ro"),
	 .file = true},
	{{BYPASS "a new file", FUSE_CREATE, .args = {O_RDWR}, .n_args = 16, NAME("new")}, IN("ro")},
	{{BYPASS "a nameless file", FUSE_TMPFILE, .args = {O_RDWR}, .n_args = 16, NAME("new")},
	 IN("ro")},
	{{BYPASS "a node", FUSE_MKNOD, .args = {[1] = S_IFREG >> 8}, .n_args = 16, NAME("new")},
	 IN("ro")},
	{{BYPASS "a folder", FUSE_MKDIR, ZEROS(8), NAME("new")}, IN("ro")},
	{{BYPASS "a link", FUSE_SYMLINK, NAMES("new\0/etc")}, IN("ro")},
	{{BYPASS "unlink", FUSE_UNLINK, NAME("file")}, IN("ro")},
	{{BYPASS "rename", FUSE_RENAME, ZEROS(8), NAMES("file\0other")}, IN("ro"), .other = "ro"},
	{{BYPASS "a name where it can be written", FUSE_LINK, ZEROS(8), NAME("new")},
	 IN("r"),
	 .other = "ro",
	 .other_file = true},
	{{BYPASS "move it where it can be written", FUSE_RENAME, ZEROS(8), NAMES("file\0new")},
	 IN("ro"),
	 .other = "r"},
	{{BYPASS "move something over it", FUSE_RENAME, ZEROS(8), NAMES("file\0new")},
	 IN("r"),
	 .other = "ro"},
};

static uint64_t reply_number(void)
{
	/* A lookup's node and an open's handle come first in their answers. */
	return *(volatile uint64_t *)(REPLY + sizeof(struct fuse_out_header));
}

static bool look_up(struct device *dev, const char *folder, bool file, uint64_t *ret)
{
	struct fuse_attack lookup = {.opcode = FUSE_LOOKUP, .node = ROOT, NAME(folder)};

	if (!fuse_ask(dev, &lookup))
		return false;
	*ret = reply_number();
	if (!file)
		return true;
	lookup = (struct fuse_attack){.opcode = FUSE_LOOKUP, .node = *ret, NAME("file")};
	if (!fuse_ask(dev, &lookup))
		return false;
	*ret = reply_number();
	return true;
}

static bool open_file(struct device *dev, uint64_t node, uint64_t *ret)
{
	const struct fuse_attack open = {.opcode = FUSE_OPEN, .node = node, ZEROS(8)};

	if (!fuse_ask(dev, &open))
		return false;
	*ret = reply_number();
	return true;
}

static enum outcome run(struct device *dev, const struct folder_attack *a)
{
	struct fuse_attack request = a->request;
	uint64_t argument;

	if (!fuse_begin(dev) || !look_up(dev, a->folder, a->file, &request.node))
		return OUTCOME_WRONG;
	if (a->other && !look_up(dev, a->other, a->other_file, &argument))
		return OUTCOME_WRONG;
	if (a->opened && !open_file(dev, request.node, &argument))
		return OUTCOME_WRONG;
	if (a->other || a->opened)
		memcpy(request.args, &argument, sizeof(argument));
	if (a->good)
		return fuse_ask(dev, &request) ? OUTCOME_SAFE : OUTCOME_WRONG;
	fuse_send(dev, &request);
	return fuse_judge(dev, &request);
}

void attack_folders(struct device *dev)
{
	for (unsigned i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
		attack_begin(dev, "folder", attacks[i].request.name);
		attack_end(dev, OUTCOME_SAFE, run(dev, &attacks[i]));
	}
}
