/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/host_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/strbuf.h"

#define LOWER "lowerdir="

static const struct word {
	const char *name;
	unsigned long set, clear;
} words[] = {
	{"async", 0, MS_SYNCHRONOUS},   {"atime", 0, MS_NOATIME},
	{"bind", MS_BIND, 0},           {"defaults", 0, 0},
	{"dev", 0, MS_NODEV},           {"diratime", 0, MS_NODIRATIME},
	{"dirsync", MS_DIRSYNC, 0},     {"exec", 0, MS_NOEXEC},
	{"mand", MS_MANDLOCK, 0},       {"noatime", MS_NOATIME, 0},
	{"nodev", MS_NODEV, 0},         {"nodiratime", MS_NODIRATIME, 0},
	{"noexec", MS_NOEXEC, 0},       {"nomand", 0, MS_MANDLOCK},
	{"norelatime", 0, MS_RELATIME}, {"nostrictatime", 0, MS_STRICTATIME},
	{"nosuid", MS_NOSUID, 0},       {"rbind", MS_BIND | MS_REC, 0},
	{"relatime", MS_RELATIME, 0},   {"ro", MS_RDONLY, 0},
	{"rw", 0, MS_RDONLY},           {"strictatime", MS_STRICTATIME, 0},
	{"suid", 0, MS_NOSUID},         {"sync", MS_SYNCHRONOUS, 0},
};

static const struct word *find_word(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i].name, name) == 0)
			return &words[i];
	return NULL;
}

/* How many bytes of all of a list's paths are the same directory, its slash included; 0: none. */
static size_t common_directory(const char *list, size_t len)
{
	size_t same = strcspn(list, ":");

	if (list[0] != '/')
		return 0;
	for (size_t at = 0; at < len;) {
		size_t n = 0, end = at + strcspn(list + at, ":");

		while (n < same && at + n < end && list[at + n] == list[n])
			n++;
		same = n;
		at = end + 1;
	}
	while (same && list[same - 1] != '/')
		same--;
	return same;
}

/* Names the layers from the directory that they are all in. Returns whether that is possible. */
static bool shorten(char *data, struct host_mount_options *ret)
{
	char *list = strncmp(data, LOWER, strlen(LOWER)) == 0 ? data : strstr(data, "," LOWER), *to;
	size_t len, same;

	if (!list || strchr(data, '\\'))
		return false;
	list = strstr(list, LOWER) + strlen(LOWER);
	len = strcspn(list, ",");
	same = common_directory(list, len);
	if (!same || same >= sizeof(ret->cwd))
		return false;
	memcpy(ret->cwd, list, same);
	to = list;
	for (size_t at = 0; at < len;) {
		size_t n = strcspn(list + at, ":,") - same;

		memmove(to, list + at + same, n);
		to += n;
		at += same + n;
		if (at < len)
			*to++ = list[at++];
	}
	memmove(to, list + len, strlen(list + len) + 1);
	return true;
}

int host_mount_parse(char *const *options, size_t n, struct host_mount_options *ret,
		     struct err *err)
{
	_cleanup_strbuf_ struct strbuf data = {0};

	*ret = (struct host_mount_options){0};
	for (size_t i = 0; i < n; i++) {
		const struct word *word = find_word(options[i]);

		if (word)
			ret->flags = (ret->flags & ~word->clear) | word->set;
		else if (strbuf_addf(&data, "%s%s", data.len ? "," : "", options[i]) < 0)
			return err_set(err, ENOMEM, "out of memory");
	}
	if (!data.len)
		return 0;
	if ((data.len >= sizeof(ret->data) - 1 && !shorten(data.data, ret)) ||
	    strlen(data.data) >= sizeof(ret->data) - 1)
		return err_set(err, E2BIG, "rootfs: the mount options exceed a page");
	memcpy(ret->data, data.data, strlen(data.data));
	return 0;
}

/* mount(2), in the directory that the options want. */
static int mount_there(const Task__Mount *m, const char *target, unsigned long flags,
		       const struct host_mount_options *o)
{
	_cleanup_close_ int here = -1;
	int r;

	if (o->cwd[0]) {
		here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (here < 0 || chdir(o->cwd) < 0)
			return -errno;
	}
	r = mount(m->source, target, m->type, flags, o->data) < 0 ? -errno : 0;
	if (here >= 0 && fchdir(here) < 0)
		log_warn("the directory that we worked in has gone");
	return r;
}

static int mount_one(const Task__Mount *m, const char *target, struct err *err)
{
	struct host_mount_options o;
	unsigned long bind = MS_BIND | MS_REC;
	int r = host_mount_parse(m->options, m->n_options, &o, err);

	if (r < 0)
		return r;
	/* A bind takes no other flags until it is mounted. */
	r = mount_there(m, target, o.flags & MS_BIND ? o.flags & bind : o.flags, &o);
	if (r < 0)
		return err_set_errno(err, -r, "rootfs: mounting %.64s of type %.32s", m->source,
				     m->type);
	if (!(o.flags & MS_BIND) || !(o.flags & ~bind))
		return 0;
	if (mount(NULL, target, NULL, (o.flags & ~(unsigned long)MS_REC) | MS_REMOUNT, NULL) == 0)
		return 0;
	r = err_set_errno(err, errno, "rootfs: the flags of the bind of %.64s", m->source);
	umount2(target, MNT_DETACH);
	return r;
}

int host_mount_all(Task__Mount *const *mounts, size_t n, const char *target, struct err *err)
{
	if (mkdir(target, 0711) < 0 && errno != EEXIST)
		return err_set_errno(err, errno, "%s", target);
	for (size_t i = 0; i < n; i++) {
		int r = mount_one(mounts[i], target, err);

		if (r < 0) {
			host_mount_undo(i, target);
			return r;
		}
	}
	return 0;
}

void host_mount_undo(size_t n, const char *target)
{
	while (n--)
		umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW);
}
