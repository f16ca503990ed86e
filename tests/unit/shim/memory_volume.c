/* SPDX-License-Identifier: Apache-2.0 */
/* With real mounts, in a mount namespace of the test's own. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "shim/memory_volume.h"
#include "shim/mountinfo.h"
#include "shim/spec.h"
#include "shim/spec_guest.h"

#define CRI        "\"io.kubernetes.cri.container-type\":\"container\""
#define EMPTY_DIRS "pods/pod/volumes/kubernetes.io~empty-dir"

static char base[] = "/tmp/volume-XXXXXX";
static struct memory_volumes known;
static const char *annotations = CRI;
static struct spec *spec;
static struct err err = ERR_INIT;

static void make(const char *path, mode_t mode)
{
	char at[256];

	for (const char *p = path; p; p = strchr(p + 1, '/')) {
		const char *end = strchr(p + 1, '/');

		snprintf(at, sizeof(at), "%.*s", (int)(end ? end - path : (int)strlen(path)), path);
		mkdir(at, 0755);
	}
	cr_assert_eq(chmod(path, mode), 0, "%s", path);
}

static void mount_memory(const char *path, const char *options)
{
	make(path, 0755);
	cr_assert_eq(mount("m", path, "tmpfs", MS_NOSUID | MS_NODEV, options), 0, "%s", path);
}

static void setup(void)
{
	gid_t gid = getegid();
	char map[32];

	cr_assert_not_null(mkdtemp(base));
	snprintf(map, sizeof(map), "0 %u 1", geteuid());
	if (geteuid()) {
		cr_assert_eq(unshare(CLONE_NEWUSER), 0);
		cr_assert_eq(io_write_value(AT_FDCWD, "/proc/self/uid_map", map), 0);
		cr_assert_eq(io_write_value(AT_FDCWD, "/proc/self/setgroups", "deny"), 0);
		snprintf(map, sizeof(map), "0 %u 1", gid);
		cr_assert_eq(io_write_value(AT_FDCWD, "/proc/self/gid_map", map), 0);
	}
	cr_assert_eq(unshare(CLONE_NEWNS), 0);
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	/* All that is made goes with it. */
	cr_assert_eq(mount("base", base, "tmpfs", 0, NULL), 0);
	cr_assert_eq(chdir(base), 0);
}

static void teardown(void)
{
	spec_free(spec);
	memory_volumes_finish(&known);
	cr_assert_eq(chdir("/"), 0);
	cr_assert_eq(umount2(base, MNT_DETACH), 0);
	cr_assert_eq(rmdir(base), 0);
}

TestSuite(memory_volume, .init = setup, .fini = teardown);

/* What a container of CRI's that binds source, beneath base, at destination finds it to be; NULL: a folder of the host. */
static const struct spec_volume *of(const char *source, const char *destination)
{
	char text[1024];

	spec_free(TAKE_PTR(spec));
	snprintf(text, sizeof(text),
		 "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"r\"},\"process\":{\"cwd\":\"/"
		 "\",\"args\":[\"x\"]},"
		 "\"annotations\":{%s},"
		 "\"mounts\":[{\"destination\":\"%s\",\"type\":\"bind\",\"source\":\"%s/"
		 "%s\",\"options\":[\"rbind\"]}]}",
		 annotations, destination, base, source);
	cr_assert_eq(spec_parse(text, strlen(text), &spec, &err), 0, "%s", err.msg);
	cr_assert_eq(memory_volumes_mark(&known, spec, &err), 0, "%s", err.msg);
	return ((struct spec_mount *)spec->config.mounts.items)[0].volume;
}

static void has_options(const struct spec_volume *volume, const char *wanted)
{
	char all[256] = "";

	cr_assert_not_null(volume);
	for (size_t i = 0; i < volume->n_options; i++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s ", volume->options[i]);
	cr_assert_str_eq(all, wanted);
}

Test(memory_volume, shm)
{
	static const char *const engines[] = {
		"cri/sandboxes/0a/shm",
		"storage/overlay-containers/0a/userdata/shm",
		"docker/containers/0a/mounts/shm",
	};

	annotations = "";
	for (size_t i = 0; i < ARRAY_SIZE(engines); i++) {
		mount_memory(engines[i], "mode=1777,size=64m");
		has_options(of(engines[i], "/dev/shm"),
			    "nosuid nodev mode=1777 uid=0 gid=0 size=67108864 ");
		cr_assert_str_eq(of(engines[i], "/dev/shm/")->path, "/");
		cr_assert_null(of(engines[i], "/dev/shm2"));
		cr_assert_null(of(engines[i], "/mnt"));
	}
	mount_memory("srv/shm", "mode=1777");
	cr_assert_null(of("srv/shm", "/dev/shm"), "somebody's own");
	make("cri/sandboxes/0b/shm", 01777);
	cr_assert_null(of("cri/sandboxes/0b/shm", "/dev/shm"), "a directory of some tmpfs");
	cr_assert_null(of("cri/sandboxes/0c/shm", "/dev/shm"), "nothing");
}

Test(memory_volume, empty_dir)
{
	char name[64];

	mount_memory(EMPTY_DIRS "/cache", "mode=2770,size=1m");
	has_options(of(EMPTY_DIRS "/cache", "/cache"),
		    "nosuid nodev mode=2770 uid=0 gid=0 size=1048576 ");
	snprintf(name, sizeof(name), "%s", of(EMPTY_DIRS "/cache", "/cache")->name);
	cr_assert_str_eq(of(EMPTY_DIRS "/cache", "/elsewhere")->name, name, "it is the same");
	mount_memory(EMPTY_DIRS "/other", "size=0");
	has_options(of(EMPTY_DIRS "/other", "/cache"), "nosuid nodev mode=1777 uid=0 gid=0 ");
	cr_assert_str_neq(of(EMPTY_DIRS "/other", "/cache")->name, name);
	mount_memory(EMPTY_DIRS "/other/below", "");
	cr_assert_null(of(EMPTY_DIRS "/other/below", "/cache"), "it is none of the kubelet's");
	annotations = CRI ",\"io.kubernetes.cri.sandbox-uid\":\"pod\"";
	cr_assert_not_null(of(EMPTY_DIRS "/cache", "/cache"));
	annotations = CRI ",\"io.kubernetes.cri.sandbox-uid\":\"po\"";
	cr_assert_null(of(EMPTY_DIRS "/cache", "/cache"), "another pod's");
	annotations = "";
	cr_assert_null(of(EMPTY_DIRS "/cache", "/cache"), "nobody's pod");
}

static void put_file(const char *path)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);

	cr_assert_geq(fd, 0, "%s", path);
	close(fd);
}

/* What it is found to be first, it is for all of the pod's containers. */
Test(memory_volume, that_holds_files)
{
	mount_memory(EMPTY_DIRS "/restored", "");
	make(EMPTY_DIRS "/restored/of/somebody", 0755);
	put_file(EMPTY_DIRS "/restored/of/somebody/file");
	cr_assert_null(of(EMPTY_DIRS "/restored", "/x"));
	cr_assert_eq(unlink(EMPTY_DIRS "/restored/of/somebody/file"), 0);
	cr_assert_null(of(EMPTY_DIRS "/restored", "/x"));
	mount_memory(EMPTY_DIRS "/empty", "");
	make(EMPTY_DIRS "/empty/of/somebody", 0755);
	cr_assert_not_null(of(EMPTY_DIRS "/empty", "/x"));
	put_file(EMPTY_DIRS "/empty/of/somebody/file");
	cr_assert_not_null(of(EMPTY_DIRS "/empty", "/x"));
}

Test(memory_volume, that_is_gone)
{
	char *gone[MEMORY_VOLUMES_MAX];

	mount_memory(EMPTY_DIRS "/one", "");
	mount_memory(EMPTY_DIRS "/two", "");
	of(EMPTY_DIRS "/one", "/x");
	of(EMPTY_DIRS "/two", "/x");
	cr_assert_eq(memory_volumes_gone(&known, gone), 0);
	cr_assert_eq(umount(EMPTY_DIRS "/one"), 0);
	cr_assert_null(of(EMPTY_DIRS "/one", "/x"), "a folder of the host's disk");
	cr_assert_eq(memory_volumes_gone(&known, gone), 1);
	cr_assert_str_eq(gone[0], known.items[0].name);
	memory_volumes_forget(&known);
	cr_assert_eq(known.n, 1);
	cr_assert_str_eq(known.items[0].target + strlen(base), "/" EMPTY_DIRS "/two");
	cr_assert_eq(umount(EMPTY_DIRS "/two"), 0);
	usleep(50000); /* longer than a tick, of which two are made apart */
	mount_memory(EMPTY_DIRS "/two", "");
	cr_assert_not_null(of(EMPTY_DIRS "/two", "/x"));
	cr_assert_eq(memory_volumes_gone(&known, gone), 1, "another one, at the same place");
}

/* A name that the kubelet mounts elsewhere, or a mount that another one is bound over. */
Test(memory_volume, that_has_moved)
{
	char *gone[MEMORY_VOLUMES_MAX];

	mount_memory(EMPTY_DIRS "/one", "");
	of(EMPTY_DIRS "/one", "/x");
	make(EMPTY_DIRS "/two", 0755);
	cr_assert_eq(mount(EMPTY_DIRS "/one", EMPTY_DIRS "/two", NULL, MS_MOVE, NULL), 0);
	for (int i = 0; i < 2; i++) {
		cr_assert_not_null(of(EMPTY_DIRS "/two", "/x"));
		cr_assert_eq(known.n, 1, "it is the same");
		cr_assert_eq(memory_volumes_gone(&known, gone), 0);
		memory_volumes_forget(&known);
	}
}

Test(memory_volume, more_than_a_pod_may_have)
{
	char path[128];

	for (int i = 0; i <= MEMORY_VOLUMES_MAX; i++) {
		snprintf(path, sizeof(path), EMPTY_DIRS "/%d", i);
		mount_memory(path, "");
		cr_assert_eq(of(path, "/x") != NULL, i < MEMORY_VOLUMES_MAX, "%d", i);
	}
}

static void bind(const char *source, const char *at)
{
	make(at, 0755);
	cr_assert_eq(mount(source, at, NULL, MS_BIND, NULL), 0, "%s", at);
}

Test(memory_volume, sub_paths)
{
	const struct spec_volume *volume;
	char name[64];

	mount_memory(EMPTY_DIRS "/cache", "mode=1777");
	snprintf(name, sizeof(name), "%s", of(EMPTY_DIRS "/cache", "/cache")->name);
	make(EMPTY_DIRS "/cache/a b/c", 0751);
	bind(EMPTY_DIRS "/cache/a b/c", "pods/pod/volume-subpaths/cache/box/0");
	volume = of("pods/pod/volume-subpaths/cache/box/0", "/data");
	cr_assert_not_null(volume);
	cr_assert_str_eq(volume->name, name);
	cr_assert_str_eq(volume->path, "/a b/c");
	cr_assert_eq(volume->mode, 0751);
	mount_memory("pods/pod/volumes/kubernetes.io~secret/token", "");
	make("pods/pod/volumes/kubernetes.io~secret/token/of", 0755);
	bind("pods/pod/volumes/kubernetes.io~secret/token/of",
	     "pods/pod/volume-subpaths/token/box/0");
	cr_assert_null(of("pods/pod/volume-subpaths/token/box/0", "/data"), "of a secret");
	make("pods/pod/volume-subpaths/disk/box/0", 0755);
	cr_assert_null(of("pods/pod/volume-subpaths/disk/box/0", "/data"), "no mount");
}

Test(memory_volume, crosses_as_a_volume_and_not_as_a_share)
{
	Spec__Spec *guest;

	mount_memory(EMPTY_DIRS "/cache", "mode=700,size=1m");
	of(EMPTY_DIRS "/cache", "/cache");
	cr_assert_eq(spec_guest_build(spec, &guest, &err), 0, "%s", err.msg);
	cr_assert_eq(spec->shares.n, 0);
	cr_assert_eq(guest->n_mounts, 1);
	cr_assert_not_null(guest->mounts[0]->volume);
	cr_assert_str_eq(guest->mounts[0]->type, "bind");
	cr_assert_str_eq(guest->mounts[0]->source, "");
	cr_assert_str_eq(guest->mounts[0]->volume->path, "/");
	cr_assert_eq(guest->mounts[0]->volume->n_options, 6);
}

Test(mountinfo, lines)
{
	char line[] =
		"36 35 98:0 /mnt\\0401 /mnt\\1342\\011x rw,noatime master:1 - ext3 /dev/root rw\n";
	struct mountinfo info;

	cr_assert(mountinfo_parse(line, &info));
	cr_assert_eq(info.id, 36);
	cr_assert_eq(info.major, 98);
	cr_assert_eq(info.minor, 0);
	cr_assert_str_eq(info.root, "/mnt 1");
	cr_assert_str_eq(info.target, "/mnt\\2\tx");
}

Test(mountinfo, what_is_none)
{
	static const char *const lines[] = {
		"", "\n", "x", "36 35", "36 35 98", "36 35 98:0", "36 35 98:0 /", "a b c:d / /"};
	struct mountinfo info;
	char line[64], odd[] = "1 2 3:4 /\\ /\\04";

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		snprintf(line, sizeof(line), "%s", lines[i]);
		cr_assert_not(mountinfo_parse(line, &info), "%s", lines[i]);
	}
	cr_assert(mountinfo_parse(odd, &info), "what is no escape stays");
	cr_assert_str_eq(info.target, "/\\04");
}
