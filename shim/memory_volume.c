/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: how one is told from other folders.
 *
 *	/dev/shm	a mount of a tmpfs named "shm", with nothing in it, and not the host's own: as
 *			containerd, CRI-O, podman and docker make it for whoever shares the IPC namespace
 *	emptyDir	a mount of a tmpfs at .../volumes/kubernetes.io~empty-dir/NAME
 *	its subPath	a mount of a directory of such a tmpfs, at .../volume-subpaths/...: /proc/self/mountinfo
 *			says of which and where in it. The kubelet has made that directory on the host; the guest
 *			makes it once more.
 *
 * Whatever does not fit is a folder of the host's, and shared as any other. A volume's name is the tmpfs's
 * device number with the time of its making, as the number is another's once it is gone.
 */
#include "shim/memory_volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "common/cleanup.h"
#include "shim/mountinfo.h"
#include "shim/spec.h"

#define EMPTY_DIR "/volumes/kubernetes.io~empty-dir/"
#define SUB_PATHS "/volume-subpaths/"

/* A mounted directory of a tmpfs. */
static bool is_tmpfs_mount(const char *path, struct statx *ret)
{
	struct statfs fs;

	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
		     STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, ret) == 0 &&
	       S_ISDIR(ret->stx_mode) && ret->stx_attributes & STATX_ATTR_MOUNT_ROOT &&
	       statfs(path, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	bool empty = dir;

	while (empty && (entry = readdir(dir)))
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	if (dir)
		closedir(dir);
	return empty;
}

static bool is_hosts_own(const struct statx *st)
{
	struct stat own;

	return stat("/dev/shm", &own) == 0 &&
	       own.st_dev == makedev(st->stx_dev_major, st->stx_dev_minor);
}

static bool is_shm(const struct spec_mount *mount, const struct statx *st)
{
	const char *at = mount->destination, *name = strrchr(mount->source, '/');

	return strncmp(at, "/dev/shm", 8) == 0 && !at[8 + strspn(at + 8, "/")] &&
	       strcmp(name, "/shm") == 0 && !is_hosts_own(st) && is_empty(mount->source);
}

/*
 * The volume that the directory is of, which is mounted by id: *ret_target is where, *ret_path which of its
 * directories; both the caller's.
 */
static int find_volume(const struct statx *st, char **ret_target, char **ret_path)
{
	_cleanup_free_ char *line = NULL, *target = NULL, *path = NULL;
	FILE *file = fopen("/proc/self/mountinfo", "re");
	struct mountinfo info;
	size_t size = 0;
	int r = 0;

	if (!file)
		return -errno;
	while (r == 0 && getline(&line, &size, file) > 0) {
		if (!mountinfo_parse(line, &info) || info.major != st->stx_dev_major ||
		    info.minor != st->stx_dev_minor)
			continue;
		if (info.id == st->stx_mnt_id && !path && !(path = strdup(info.root)))
			r = -ENOMEM;
		if (!target && strcmp(info.root, "/") == 0 && strstr(info.target, EMPTY_DIR) &&
		    !(target = strdup(info.target)))
			r = -ENOMEM;
	}
	fclose(file);
	if (r == 0 && (!path || !target))
		r = -ENOENT;
	if (r == 0) {
		*ret_target = TAKE_PTR(target);
		*ret_path = TAKE_PTR(path);
	}
	return r;
}

static char *say(struct spec *spec, const char *format, ...) __attribute__((format(printf, 2, 3)));
static char *say(struct spec *spec, const char *format, ...)
{
	char text[4096], *copy;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(text))
		return NULL;
	copy = json_doc_alloc(&spec->doc, (size_t)n + 1, 1);
	return copy ? memcpy(copy, text, (size_t)n + 1) : NULL;
}

/* The mount options of a tmpfs that is as the one at target. */
static int describe(struct spec *spec, struct spec_volume *volume, const char *target,
		    const struct statx *root)
{
	static const struct {
		unsigned long flag;
		const char *option;
	} flags[] = {{ST_NOSUID, "nosuid"}, {ST_NODEV, "nodev"}, {ST_NOEXEC, "noexec"}};
	char **options = volume->options;
	struct statvfs fs;

	if (statvfs(target, &fs) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (fs.f_flag & flags[i].flag)
			options[volume->n_options++] = say(spec, "%s", flags[i].option);
	options[volume->n_options++] = say(spec, "mode=%o", root->stx_mode & 07777u);
	options[volume->n_options++] = say(spec, "uid=%u", root->stx_uid);
	options[volume->n_options++] = say(spec, "gid=%u", root->stx_gid);
	/* None: it has no limit. */
	if (fs.f_blocks)
		options[volume->n_options++] =
			say(spec, "size=%" PRIu64, (uint64_t)fs.f_blocks * fs.f_frsize);
	volume->name = say(spec, "%x.%x.%llx.%x", root->stx_dev_major, root->stx_dev_minor,
			   (unsigned long long)root->stx_btime.tv_sec, root->stx_btime.tv_nsec);
	for (size_t i = 0; i < volume->n_options; i++)
		if (!options[i])
			return -ENOMEM;
	return volume->name ? 0 : -ENOMEM;
}

static int mark(struct spec *spec, struct spec_mount *mount, const struct statx *st,
		const char *target, const char *path)
{
	struct spec_volume *volume = json_doc_alloc(&spec->doc, 1, sizeof(*volume));
	struct statx root;
	int r;

	if (!volume)
		return -ENOMEM;
	/* It may go at any time; then the source is shared, and says so. */
	if (!is_tmpfs_mount(target, &root))
		return 0;
	r = describe(spec, volume, target, &root);
	volume->path = say(spec, "%s", path);
	if (r == 0 && !volume->path)
		r = -ENOMEM;
	volume->mode = st->stx_mode & 07777u;
	volume->uid = st->stx_uid;
	volume->gid = st->stx_gid;
	if (r == 0)
		mount->volume = volume;
	return r == -ENOMEM ? r : 0;
}

static int mark_sub_path(struct spec *spec, struct spec_mount *mount, const struct statx *st)
{
	_cleanup_free_ char *target = NULL, *path = NULL;
	int r = find_volume(st, &target, &path);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	return mark(spec, mount, st, target, path);
}

static int look_at(struct spec *spec, struct spec_mount *mount)
{
	const char *source = mount->source;
	struct statx st;

	if (!source || source[0] != '/' || !spec_mount_is_bind(mount))
		return 0;
	if (strstr(source, SUB_PATHS))
		return is_tmpfs_mount(source, &st) ? mark_sub_path(spec, mount, &st) : 0;
	if (strstr(source, EMPTY_DIR))
		return is_tmpfs_mount(source, &st) ? mark(spec, mount, &st, source, "/") : 0;
	if (strncmp(mount->destination, "/dev/shm", 8) == 0 && is_tmpfs_mount(source, &st) &&
	    is_shm(mount, &st))
		return mark(spec, mount, &st, source, "/");
	return 0;
}

int memory_volumes_mark(struct spec *spec, struct err *err)
{
	struct spec_mount *mounts = spec->config.mounts.items;

	for (size_t i = 0; i < spec->config.mounts.n; i++)
		if (look_at(spec, &mounts[i]) < 0)
			return err_set(err, ENOMEM, "out of memory");
	return 0;
}
