/* SPDX-License-Identifier: Apache-2.0 */
/* The files that a guest has looked up: the same ones later, and few descriptors for many of them. */
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "tests/unit/vmm/share_guest.h"
#include "vmm/share_internal.h"

TestSuite(share_inode, .init = set_up, .fini = tear_down);

static unsigned open_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 65536; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

Test(share_inode, looked_up_files_hold_no_descriptors)
{
	unsigned before = open_fds();
	struct fuse_getattr_in getattr = {0};
	uint64_t ids[300];
	char name[32];

	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		put_file(name, "x");
		ids[i] = lookup(rw_root, name);
	}
	cr_assert_leq(open_fds(), before + 1);
	for (int i = 0; i < 300; i++)
		cr_assert_eq(ask(FUSE_GETATTR, ids[i], &getattr, sizeof(getattr), NULL, 0), 0);
}

/* With few descriptors to keep, each is closed and opened again by its name, wherever that is now. */
Test(share_inode, files_are_found_again_by_their_names)
{
	struct rlimit files = {.rlim_cur = 500, .rlim_max = 500};
	struct fuse_getattr_in getattr = {0};
	struct fuse_mkdir_in mkdir_in = {.mode = 0755};
	struct fuse_rename_in rename_in = {0};
	uint64_t dir, ids[200];
	char name[128], other[128];

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	share_destroy(share);
	cr_assert_eq(share_create(&share), 0);
	add_root("rw", false);
	rename_in.newdir = rw_root = lookup(1, "rw");
	cr_assert_eq(ask(FUSE_MKDIR, rw_root, &mkdir_in, sizeof(mkdir_in), "d", 2), 0);
	dir = entry().nodeid;
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "d/f%d", i);
		put_file(name, "x");
		ids[i] = lookup(dir, name + 2);
		cr_assert_eq(ask(FUSE_GETATTR, ids[i], &getattr, sizeof(getattr), NULL, 0), 0);
	}
	cr_assert_eq(ask(FUSE_RENAME, rw_root, &rename_in, sizeof(rename_in), "d\0e", 4), 0);
	for (int i = 0; i < 200; i++)
		cr_assert_eq(ask(FUSE_GETATTR, ids[i], &getattr, sizeof(getattr), NULL, 0), 0);
	/* Behind our back: what is found there is another file. */
	put_file("other", "another");
	snprintf(name, sizeof(name), "%s/e/f0", base);
	snprintf(other, sizeof(other), "%s/other", base);
	cr_assert_eq(rename(other, name), 0);
	cr_assert_eq(ask(FUSE_GETATTR, ids[0], &getattr, sizeof(getattr), NULL, 0), ESTALE);
}

Test(share_inode, an_unlinked_file_is_still_itself)
{
	struct fuse_getattr_in getattr = {0};
	struct fuse_attr_out out;
	uint64_t id = lookup(rw_root, "file");

	cr_assert_eq(ask_name(FUSE_UNLINK, rw_root, "file"), 0);
	put_file("file", "another one");
	cr_assert_eq(ask(FUSE_GETATTR, id, &getattr, sizeof(getattr), NULL, 0), 0);
	memcpy(&out, BODY, sizeof(out));
	cr_assert_eq(out.attr.nlink, 0);
	cr_assert_eq(out.attr.size, 7);
	cr_assert_neq(lookup(rw_root, "file"), id);
}

/* As many files as an archive has, each renamed once: their descriptors are wanted for others. */
Test(share_inode, what_was_moved_needs_no_descriptor_of_its_own)
{
	struct rlimit files = {.rlim_cur = 500, .rlim_max = 500};
	struct fuse_getattr_in getattr = {0};
	struct fuse_rename_in rename_in = {0};
	char names[64];
	uint64_t id;

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	share_destroy(share);
	cr_assert_eq(share_create(&share), 0);
	add_root("rw", false);
	rename_in.newdir = rw_root = lookup(1, "rw");
	for (int i = 0; i < 600; i++) {
		int n = snprintf(names, sizeof(names), "f%d.new", i) + 1;

		put_file(names, "x");
		lookup(rw_root, names);
		n += snprintf(names + n, sizeof(names) - (size_t)n, "f%d", i) + 1;
		cr_assert_eq(
			ask(FUSE_RENAME, rw_root, &rename_in, sizeof(rename_in), names, (size_t)n),
			0);
	}
	/* One that is open and has no name any more is still itself, and stays so. */
	id = lookup(rw_root, "file");
	cr_assert_eq(ask_name(FUSE_UNLINK, rw_root, "file"), 0);
	for (int i = 0; i < 600; i++) {
		snprintf(names, sizeof(names), "f%d", i);
		cr_assert_eq(ask(FUSE_GETATTR, lookup(rw_root, names), &getattr, sizeof(getattr),
				 NULL, 0),
			     0);
	}
	cr_assert_eq(ask(FUSE_GETATTR, id, &getattr, sizeof(getattr), NULL, 0), 0);
}

/* Numbers of two file systems never meet, however many of them there have been. */
Test(share_inode, file_systems_have_places_while_they_are_known)
{
	struct share_root root = {.refs = 1};
	struct share_inode *kept = NULL, *inode;
	struct share_inodes table;
	unsigned place;

	cr_assert_eq(share_inodes_init(&table, 16), 0);
	for (dev_t dev = 1; dev <= 2 * SHARE_MAX_DEVS; dev++) {
		struct stat st = {.st_dev = dev, .st_ino = 5, .st_mode = S_IFREG};

		cr_assert_eq(share_inode_get(&table, &root, NULL, NULL, &st, &inode), 0);
		place = share_inodes_place(&table, dev);
		cr_assert_lt(place, SHARE_MAX_DEVS, "it is told apart");
		if (dev == 1) {
			kept = inode;
			continue;
		}
		cr_assert_neq(place, share_inodes_place(&table, 1));
		share_inode_forget(&table, inode, 1);
	}
	cr_assert_eq(share_inodes_next(&table, NULL), kept);
	cr_assert_null(share_inodes_next(&table, kept));
	share_inode_forget(&table, kept, 1);
	share_inodes_finish(&table);
}

static dev_t synced[8];
static unsigned n_synced;

/* The library's, for the whole of the tests. */
int syncfs(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && n_synced < ARRAY_SIZE(synced))
		synced[n_synced++] = st.st_dev;
	return 0;
}

static dev_t dev_of(const char *name)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", base, name);
	cr_assert_eq(stat(path, &st), 0);
	return st.st_dev;
}

/* What is mounted goes with the test. */
static void own_mounts(void)
{
	cr_assert_eq(unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS), 0);
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
}

static void add_mounted_root(const char *name, const char *path)
{
	const struct share_root_config config = {.name = name, .submounts = true};

	cr_assert_eq(
		share_add_root(share, &config, open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), NULL),
		0);
}

Test(share_inode, what_is_mounted_in_a_folder_is_synced_with_it)
{
	struct fuse_syncfs_in in = {0};
	char path[128];
	uint64_t all;

	own_mounts();
	snprintf(path, sizeof(path), "%s/other", base);
	cr_assert_eq(mkdir(path, 0755), 0);
	cr_assert_eq(mount("other", path, "tmpfs", 0, NULL), 0);
	put_file("other/file", "x");
	add_mounted_root("all", base);
	all = lookup(1, "all");
	lookup(lookup(all, "other"), "file");
	cr_assert_eq(ask(FUSE_SYNCFS, all, &in, sizeof(in), NULL, 0), 0);
	cr_assert_eq(n_synced, 2);
	cr_assert_eq(synced[0], dev_of("."));
	cr_assert_eq(synced[1], dev_of("other"));
	cr_assert_eq(umount2(path, MNT_DETACH), 0);
}

/* An image's file of several links, which overlayfs copies at the first write. */
Test(share_inode, a_file_that_is_copied_up_is_the_same)
{
	static const char *const dirs[] = {"lower", "upper", "work", "merged"};
	struct fuse_open_in open_in = {.flags = O_RDWR};
	struct fuse_getattr_in getattr = {0};
	char options[512], path[128], other[192];
	uint64_t merged, id;
	struct stat st;

	own_mounts();
	cr_assert_eq(mount("layers", base, "tmpfs", 0, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(path, sizeof(path), "%s/%s", base, dirs[i]);
		cr_assert_eq(mkdir(path, 0755), 0);
	}
	put_file("lower/file", "content");
	snprintf(options, sizeof(options), "%s/lower/file", base);
	snprintf(other, sizeof(other), "%s/lower/link", base);
	cr_assert_eq(link(options, other), 0);
	snprintf(options, sizeof(options), "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work",
		 base, base, base);
	cr_assert_eq(mount("o", path, "overlay", 0, options), 0, "%s", options);
	add_mounted_root("merged", path);
	merged = lookup(1, "merged");
	id = lookup(merged, "file");
	cr_assert_eq(ask(FUSE_OPEN, id, &open_in, sizeof(open_in), NULL, 0), 0);
	cr_assert_eq(lookup(merged, "file"), id);
	snprintf(other, sizeof(other), "%s/file", path);
	cr_assert_eq(stat(other, &st), 0);
	cr_assert_eq(st.st_nlink, 1, "it was copied");
	cr_assert_eq(ask(FUSE_GETATTR, id, &getattr, sizeof(getattr), NULL, 0), 0);
	close_fd(&reply_fd);
	share_destroy(TAKE_PTR(share));
	cr_assert_eq(umount2(path, MNT_DETACH), 0);
	cr_assert_eq(umount2(base, MNT_DETACH), 0);
}
