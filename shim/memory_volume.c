/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: how one is told from other folders.
 *
 *	/dev/shm	the mount of a tmpfs by the name that containerd, CRI-O, podman and docker give to what they
 *			make for whoever shares the IPC namespace
 *	emptyDir	the mount of a tmpfs at .../volumes/kubernetes.io~empty-dir/NAME, of a pod of CRI's
 *	its subPath	a mount of a directory of such a tmpfs, at .../volume-subpaths/...: /proc/self/mountinfo
 *			says of which and where in it. The kubelet has made that directory on the host; the guest
 *			makes it once more.
 *
 * Whatever does not fit is a folder of the host's, and shared as any other. So is one that holds a file when the
 * pod first names it, as somebody put that there for the pod to find; what it was found to be then, it
 * stays. A volume's name is the tmpfs's device number with the time of its making, as the number is
 * another's once it is gone.
 */
#include "shim/memory_volume.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <ftw.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "common/cleanup.h"
#include "shim/group.h"
#include "shim/mountinfo.h"
#include "shim/spec.h"

#define EMPTY_DIR "/volumes/kubernetes.io~empty-dir/"
#define SUB_PATHS "/volume-subpaths/"
#define SHM       "/dev/shm"

/* A directory of a tmpfs that is mounted there. */
static bool is_tmpfs_mount(const char *path, struct statx *ret)
{
	struct statfs fs;

	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
		     STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, ret) == 0 &&
	       ret->stx_mask & STATX_BTIME && S_ISDIR(ret->stx_mode) &&
	       ret->stx_attributes & STATX_ATTR_MOUNT_ROOT && statfs(path, &fs) == 0 &&
	       fs.f_type == TMPFS_MAGIC;
}

/* A user's own folder at /dev/shm has no such name. */
static bool is_engines_shm(const struct spec_mount *mount)
{
	static const char *const patterns[] = {
		"*/sandboxes/*/shm",
		"*-containers/*/userdata/shm",
		"*/containers/*/mounts/shm",
	};
	const char *at = mount->destination;

	if (strncmp(at, SHM, strlen(SHM)) != 0 || at[strlen(SHM) + strspn(at + strlen(SHM), "/")])
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		if (fnmatch(patterns[i], mount->source, 0) == 0)
			return true;
	return false;
}

/* A pod may bind what is another one's, which is not its own to have in memory. */
static bool is_pods_own(const struct spec *spec, const char *path)
{
	const char *uid = spec_annotation(spec, "io.kubernetes.cri.sandbox-uid");
	_cleanup_free_ char *part = NULL;

	if (!group_is_cri(spec))
		return false;
	if (!uid || !uid[0])
		return true;
	return asprintf(&part, "/pods/%s/", uid) > 0 && strstr(path, part);
}

static bool is_empty_dir(const char *path)
{
	const char *name = strstr(path, EMPTY_DIR);

	return name && !strchr(name + strlen(EMPTY_DIR), '/');
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
		if (!target && strcmp(info.root, "/") == 0 && is_empty_dir(info.target) &&
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

/* --- those that are known -------------------------------------------------------------------- */

static int format_name(const struct statx *root, char **ret)
{
	return asprintf(ret, "%x.%x.%llx.%x", root->stx_dev_major, root->stx_dev_minor,
			(unsigned long long)root->stx_btime.tv_sec, root->stx_btime.tv_nsec) < 0
		       ? -ENOMEM
		       : 0;
}

static int is_file(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return type != FTW_D;
}

static struct memory_volume *lookup(struct memory_volumes *known, const char *name)
{
	for (size_t i = 0; i < known->n; i++)
		if (strcmp(known->items[i].name, name) == 0)
			return &known->items[i];
	return NULL;
}

/* *ret NULL: the pod has enough of them. */
static int get(struct memory_volumes *known, const char *target, const struct statx *root,
	       struct memory_volume **ret)
{
	_cleanup_free_ char *name = NULL, *at = NULL;

	if (format_name(root, &name) < 0)
		return -ENOMEM;
	*ret = lookup(known, name);
	if (*ret ? !(*ret)->gone : known->n == MEMORY_VOLUMES_MAX)
		return 0;
	at = strdup(target);
	if (!at)
		return -ENOMEM;
	if (*ret) {
		/* It is gone from there, but not gone. */
		free((*ret)->target);
		(*ret)->target = TAKE_PTR(at);
		(*ret)->gone = false;
		return 0;
	}
	*ret = &known->items[known->n++];
	**ret = (struct memory_volume){
		.name = TAKE_PTR(name),
		.target = TAKE_PTR(at),
		.shared = nftw(target, is_file, 16, FTW_PHYS | FTW_MOUNT) != 0,
	};
	return 0;
}

static void find_gone(struct memory_volumes *known)
{
	for (size_t i = 0; i < known->n; i++) {
		_cleanup_free_ char *name = NULL;
		struct statx root;

		known->items[i].gone =
			!is_tmpfs_mount(known->items[i].target, &root) ||
			(format_name(&root, &name) == 0 && strcmp(name, known->items[i].name) != 0);
	}
}

size_t memory_volumes_gone(const struct memory_volumes *known, char *ret[MEMORY_VOLUMES_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < known->n; i++)
		if (known->items[i].gone && !known->items[i].shared)
			ret[n++] = known->items[i].name;
	return n;
}

static void free_item(struct memory_volume *item)
{
	free(item->name);
	free(item->target);
}

void memory_volumes_forget(struct memory_volumes *known)
{
	size_t n = 0;

	for (size_t i = 0; i < known->n; i++) {
		if (known->items[i].gone)
			free_item(&known->items[i]);
		else
			known->items[n++] = known->items[i];
	}
	known->n = n;
}

void memory_volumes_finish(struct memory_volumes *known)
{
	for (size_t i = 0; i < known->n; i++)
		free_item(&known->items[i]);
	known->n = 0;
}

/* --- what the guest is told ------------------------------------------------------------------ */

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
	for (size_t i = 0; i < volume->n_options; i++)
		if (!options[i])
			return -ENOMEM;
	return 0;
}

static int mark(struct memory_volumes *known, struct spec *spec, struct spec_mount *mount,
		const struct statx *st, const char *target, const char *path)
{
	struct spec_volume *volume = json_doc_alloc(&spec->doc, 1, sizeof(*volume));
	struct memory_volume *item;
	struct statx root;
	int r;

	if (!volume)
		return -ENOMEM;
	/* It may be gone by now, or lie below another mount: then the source is shared, and says so. */
	if (!is_tmpfs_mount(target, &root) || root.stx_dev_major != st->stx_dev_major ||
	    root.stx_dev_minor != st->stx_dev_minor)
		return 0;
	r = get(known, target, &root, &item);
	if (r < 0 || !item || item->shared)
		return r;
	r = describe(spec, volume, target, &root);
	if (r < 0)
		return r;
	volume->name = say(spec, "%s", item->name);
	volume->path = say(spec, "%s", path);
	if (!volume->name || !volume->path)
		return -ENOMEM;
	volume->mode = st->stx_mode & 07777u;
	volume->uid = st->stx_uid;
	volume->gid = st->stx_gid;
	mount->volume = volume;
	return 0;
}

static int look_at(struct memory_volumes *known, struct spec *spec, struct spec_mount *mount)
{
	_cleanup_free_ char *target = NULL, *path = NULL;
	const char *source = mount->source;
	struct statx st;
	int r;

	if (!source || source[0] != '/' || !spec_mount_is_bind(mount))
		return 0;
	if (is_engines_shm(mount) || (is_empty_dir(source) && is_pods_own(spec, source)))
		return is_tmpfs_mount(source, &st) ? mark(known, spec, mount, &st, source, "/") : 0;
	if (!strstr(source, SUB_PATHS) || !is_pods_own(spec, source) ||
	    !is_tmpfs_mount(source, &st))
		return 0;
	r = find_volume(&st, &target, &path);
	return target ? mark(known, spec, mount, &st, target, path) : r;
}

int memory_volumes_mark(struct memory_volumes *known, struct spec *spec, struct err *err)
{
	struct spec_mount *mounts = spec->config.mounts.items;

	find_gone(known);
	/* What else may be wrong with one, is said when it is shared. */
	for (size_t i = 0; i < spec->config.mounts.n; i++)
		if (look_at(known, spec, &mounts[i]) == -ENOMEM)
			return err_set(err, ENOMEM, "out of memory");
	return 0;
}
