/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/options.h"

#include <string.h>
#include <sys/mount.h>

#include "common/cleanup.h"

/* MS_* of the old API: glibc's <sys/mount.h> has them as an enum, and the new API takes them. */

static const struct {
	const char *name;
	uint64_t set, clr;
} attributes[] = {
	{"ro", MOUNT_ATTR_RDONLY, 0},
	{"rw", 0, MOUNT_ATTR_RDONLY},
	{"nosuid", MOUNT_ATTR_NOSUID, 0},
	{"suid", 0, MOUNT_ATTR_NOSUID},
	{"nodev", MOUNT_ATTR_NODEV, 0},
	{"dev", 0, MOUNT_ATTR_NODEV},
	{"noexec", MOUNT_ATTR_NOEXEC, 0},
	{"exec", 0, MOUNT_ATTR_NOEXEC},
	{"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
	{"diratime", 0, MOUNT_ATTR_NODIRATIME},
	{"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
	{"symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW},
	/* One field of several values: setting any of them clears the field first. */
	{"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
	{"norelatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
	{"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
	{"atime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
	{"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
	{"nostrictatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
};

static const struct {
	const char *name;
	uint64_t flag;
} propagations[] = {
	{"shared", MS_SHARED},
	{"slave", MS_SLAVE},
	{"private", MS_PRIVATE},
	{"unbindable", MS_UNBINDABLE},
};

/* The first three would be another system call's; the last, another kernel's. */
static const char *const unsupported[] = {"remount", "rremount", "move", "iversion", "noiversion"};
/* They say how much the kernel shall say. */
static const char *const ignored[] = {"defaults", "silent", "loud"};

int options_propagation(const char *name, uint64_t *ret_flag, bool *ret_recursive)
{
	bool recursive = name[0] == 'r';

	if (!name[0]) {
		*ret_flag = 0;
		*ret_recursive = false;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(propagations); i++) {
		if (strcmp(propagations[i].name, name + recursive) != 0)
			continue;
		*ret_flag = propagations[i].flag;
		*ret_recursive = recursive;
		return 0;
	}
	return -EINVAL;
}

static bool parse_attribute(const char *name, struct mount_options *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		uint64_t set = attributes[i].set, clr = attributes[i].clr;

		if (!strcmp(name, attributes[i].name)) {
			out->attr_set = (out->attr_set & ~clr) | set;
			out->attr_clr = (out->attr_clr & ~set) | clr;
			return true;
		}
		/* "rro", "rnosuid" …: recursive; "r" + "o" is no such name, as "ro" matched above. */
		if (name[0] == 'r' && !strcmp(name + 1, attributes[i].name)) {
			out->rec_set = (out->rec_set & ~clr) | set;
			out->rec_clr = (out->rec_clr & ~set) | clr;
			return true;
		}
	}
	return false;
}

static int parse_one(const char *name, struct mount_options *out, struct err *err)
{
	uint64_t flag;
	bool recursive;

	for (size_t i = 0; i < ARRAY_SIZE(unsupported); i++) {
		if (!strcmp(name, unsupported[i]))
			return err_set(err, ENOSYS, "mount option \"%s\" is not supported", name);
	}
	/* crun's form, with the maps in it; the runtime-spec has them beside the options. */
	if (!strncmp(name, "idmap=", 6) || !strncmp(name, "ridmap=", 7))
		return err_set(err, ENOSYS, "mount option \"%.64s\" is not supported", name);
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++) {
		if (!strcmp(name, ignored[i]))
			return 0;
	}
	if (parse_attribute(name, out))
		return 0;
	if (!strcmp(name, "bind") || !strcmp(name, "rbind")) {
		out->bind = true;
		out->rbind = name[0] == 'r';
		return 0;
	}
	if (!strcmp(name, "tmpcopyup")) {
		out->copyup = true;
		return 0;
	}
	if (!strcmp(name, "idmap") || !strcmp(name, "ridmap")) {
		out->idmap = true;
		out->idmap_rec = name[0] == 'r';
		return 0;
	}
	if (options_propagation(name, &flag, &recursive) == 0) {
		out->propagation = flag;
		out->propagation_rec = recursive;
		return 0;
	}
	if (out->n_data == OPTIONS_MAX_DATA)
		return err_set(err, E2BIG, "more than %d mount options", OPTIONS_MAX_DATA);
	out->data[out->n_data++] = name;
	return 0;
}

int options_parse(char *const *options, size_t n, struct mount_options *ret, struct err *err)
{
	struct mount_options out = {0};

	for (size_t i = 0; i < n; i++) {
		int r;

		if (!options[i][0] || options[i][0] == '=' || strlen(options[i]) > OPTIONS_MAX_LEN)
			return err_set(err, EINVAL, "mount option %zu is empty or too long", i);
		r = parse_one(options[i], &out, err);
		if (r < 0)
			return r;
	}
	*ret = out;
	return 0;
}

/* What a file system is as a whole, of which a bind mount is a part: mount(2) does not heed it there either. */
const char *options_not_of_bind(const struct mount_options *options)
{
	static const char *const of_superblock[] = {
		"async", "sync",   "dirsync", "lazytime", "nolazytime",
		"mand",  "nomand", "silent",  "loud",
	};

	for (size_t i = 0; i < options->n_data; i++) {
		size_t k = 0;

		while (k < ARRAY_SIZE(of_superblock) &&
		       strcmp(options->data[i], of_superblock[k]) != 0)
			k++;
		if (k == ARRAY_SIZE(of_superblock))
			return options->data[i];
	}
	return NULL;
}
