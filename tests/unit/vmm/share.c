/* SPDX-License-Identifier: Apache-2.0 */
/* The name half of the file server: names, roots and what they may do. */
#include "tests/unit/vmm/share_guest.h"

TestSuite(share, .init = set_up, .fini = tear_down);

Test(share, finds_files_and_says_how_long_that_holds)
{
	uint64_t id = lookup(rw_root, "file");

	cr_assert_eq(entry().attr.size, 7);
	cr_assert_eq(entry().entry_valid, 1);
	cr_assert_eq(entry().entry_valid_nsec, 500000000);
	cr_assert_eq(lookup(rw_root, "file"), id);
	cr_assert_neq(lookup(ro_root, "file"), id, "roots are apart");
	cr_assert_eq(ask_name(FUSE_LOOKUP, rw_root, "none"), ENOENT);
	cr_assert_eq(ask_name(FUSE_LOOKUP, 1, "none"), ENOENT);
	cr_assert_eq(ask_name(FUSE_LOOKUP, id, "x"), ENOTDIR);
	cr_assert_eq(ask_name(FUSE_LOOKUP, 12345, "x"), ESTALE);
}

Test(share, names_do_not_leave_their_directory)
{
	static const char *const bad[] = {"..", ".", "../file", "a/b", ""};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert_eq(ask_name(FUSE_LOOKUP, rw_root, bad[i]), EINVAL);
		cr_assert_eq(ask_name(FUSE_UNLINK, rw_root, bad[i]), EINVAL);
	}
}

Test(share, a_link_is_a_link)
{
	struct fuse_open_in in = {.flags = O_RDONLY};
	char path[128];
	uint64_t id;

	snprintf(path, sizeof(path), "%s/link", base);
	cr_assert_eq(symlink("/etc/passwd", path), 0);
	id = lookup(rw_root, "link");
	cr_assert(S_ISLNK(entry().attr.mode));
	cr_assert_eq(ask(FUSE_READLINK, id, NULL, 0, NULL, 0), 0);
	cr_assert_eq(reply_len - sizeof(struct fuse_out_header), 11);
	cr_assert_eq(ask(FUSE_OPEN, id, &in, sizeof(in), NULL, 0), EPERM);
	cr_assert_lt(reply_fd, 0);
	cr_assert_eq(ask_name(FUSE_LOOKUP, id, "passwd"), ENOTDIR);
}

Test(share, only_regular_files_are_opened)
{
	struct fuse_open_in in = {.flags = O_RDWR};
	char path[128];

	snprintf(path, sizeof(path), "%s/fifo", base);
	cr_assert_eq(mkfifo(path, 0666), 0);
	cr_assert_eq(ask(FUSE_OPEN, lookup(rw_root, "fifo"), &in, sizeof(in), NULL, 0), EPERM);
	cr_assert_eq(ask(FUSE_OPEN, rw_root, &in, sizeof(in), NULL, 0), EISDIR);
	cr_assert_eq(ask(FUSE_OPEN, lookup(rw_root, "file"), &in, sizeof(in), NULL, 0), 0);
	cr_assert_eq(fcntl(reply_fd, F_GETFL) & O_ACCMODE, O_RDWR);
	in.flags = O_WRONLY | O_APPEND;
	cr_assert_eq(ask(FUSE_OPEN, lookup(rw_root, "file"), &in, sizeof(in), NULL, 0), 0);
	cr_assert_not(fcntl(reply_fd, F_GETFL) & O_APPEND);
}

Test(share, a_read_only_root_is_not_changed)
{
	struct fuse_create_in create = {.flags = O_RDONLY | O_CREAT, .mode = S_IFREG | 0644};
	struct fuse_setattr_in setattr = {.valid = FATTR_MODE, .mode = 0777};
	struct fuse_open_in in = {.flags = O_RDWR};
	struct fuse_mkdir_in mkdir_in = {.mode = 0755};
	struct fuse_rename_in rename_in = {.newdir = ro_root};
	struct fuse_link_in link_in = {.oldnodeid = lookup(ro_root, "file")};
	uint64_t id = link_in.oldnodeid;

	cr_assert_eq(ask(FUSE_OPEN, id, &in, sizeof(in), NULL, 0), EROFS);
	cr_assert_eq(ask(FUSE_SETATTR, id, &setattr, sizeof(setattr), NULL, 0), EROFS);
	cr_assert_eq(ask_name(FUSE_UNLINK, ro_root, "file"), EROFS);
	cr_assert_eq(ask(FUSE_MKDIR, ro_root, &mkdir_in, sizeof(mkdir_in), "d", 2), EROFS);
	cr_assert_eq(ask(FUSE_RENAME, ro_root, &rename_in, sizeof(rename_in), "file\0f2", 8),
		     EROFS);
	cr_assert_eq(ask(FUSE_LINK, ro_root, &link_in, sizeof(link_in), "l", 2), EROFS);
	cr_assert_eq(ask(FUSE_SYMLINK, ro_root, NULL, 0, "l\0t", 4), EROFS);
	cr_assert_eq(ask(FUSE_CREATE, ro_root, &create, sizeof(create), "new", 4), EROFS,
		     "also for reading");
	/* Neither by way of the root that may be written to. */
	cr_assert_eq(ask(FUSE_LINK, rw_root, &link_in, sizeof(link_in), "l", 2), EXDEV);
	cr_assert_eq(ask(FUSE_RENAME, rw_root, &rename_in, sizeof(rename_in), "file\0f2", 8),
		     EXDEV);
	in.flags = O_RDONLY;
	cr_assert_eq(ask(FUSE_OPEN, id, &in, sizeof(in), NULL, 0), 0);
}

Test(share, the_directory_of_roots_is_made_up)
{
	struct fuse_mkdir_in mkdir_in = {.mode = 0755};
	struct fuse_open_in in = {0};
	struct fuse_open_out open_out;
	struct fuse_read_in read = {.size = 4096};

	cr_assert_eq(ask(FUSE_MKDIR, 1, &mkdir_in, sizeof(mkdir_in), "d", 2), EROFS);
	cr_assert_eq(ask(FUSE_OPENDIR, 1, &in, sizeof(in), NULL, 0), 0);
	memcpy(&open_out, BODY, sizeof(open_out));
	read.fh = open_out.fh;
	cr_assert_eq(ask(FUSE_READDIR, 1, &read, sizeof(read), NULL, 0), 0);
	cr_assert_eq(reply_len - sizeof(struct fuse_out_header), 4 * 32, ". .. rw ro");
	read.offset = 3;
	cr_assert_eq(ask(FUSE_READDIR, 1, &read, sizeof(read), NULL, 0), 0);
	cr_assert_eq(reply_len - sizeof(struct fuse_out_header), 32, "ro alone");
}

Test(share, no_device_node_is_made)
{
	struct fuse_mknod_in in = {.mode = S_IFCHR | 0666, .rdev = 1 << 8 | 3};

	cr_assert_eq(ask(FUSE_MKNOD, rw_root, &in, sizeof(in), "null", 5), EPERM);
	in.mode = S_IFBLK | 0666;
	cr_assert_eq(ask(FUSE_MKNOD, rw_root, &in, sizeof(in), "disk", 5), EPERM);
	in.mode = S_IFIFO | 0666;
	cr_assert_eq(ask(FUSE_MKNOD, rw_root, &in, sizeof(in), "fifo", 5), 0);
}

Test(share, open_directories_are_bounded)
{
	struct fuse_open_in in = {0};
	int r = 0, n = 0;

	while (n < 5000 && (r = ask(FUSE_OPENDIR, rw_root, &in, sizeof(in), NULL, 0)) == 0)
		n++;
	cr_assert_eq(r, ENFILE);
	cr_assert_leq(n, 1024);
	/* A guest that begins anew has closed them. */
	cr_assert_eq(ask(FUSE_DESTROY, 0, NULL, 0, NULL, 0), 0);
	rw_root = lookup(1, "rw");
	cr_assert_eq(ask(FUSE_OPENDIR, rw_root, &in, sizeof(in), NULL, 0), 0);
}

Test(share, what_is_forgotten_is_gone)
{
	struct fuse_forget_in in = {.nlookup = 2};
	struct fuse_getattr_in getattr = {0};
	uint64_t id = lookup(rw_root, "file");

	cr_assert_eq(lookup(rw_root, "file"), id);
	cr_assert_eq(ask(FUSE_GETATTR, id, &getattr, sizeof(getattr), NULL, 0), 0);
	ask(FUSE_FORGET, id, &in, sizeof(in), NULL, 0);
	cr_assert_eq(reply_len, 0);
	cr_assert_eq(ask(FUSE_GETATTR, id, &getattr, sizeof(getattr), NULL, 0), ESTALE);
	in.nlookup = UINT64_MAX;
	ask(FUSE_FORGET, rw_root, &in, sizeof(in), NULL, 0);
	rw_root = lookup(1, "rw");
	cr_assert_neq(lookup(rw_root, "file"), id, "a number is not used twice");
}

Test(share, a_removed_root_is_stale)
{
	struct fuse_getattr_in getattr = {0};
	uint64_t id = lookup(rw_root, "file"), other = lookup(ro_root, "file");

	cr_assert_eq(share_remove_root(share, "rw", NULL), 0);
	cr_assert_eq(share_remove_root(share, "rw", NULL), -ENOENT);
	cr_assert_eq(ask(FUSE_GETATTR, id, &getattr, sizeof(getattr), NULL, 0), ESTALE);
	cr_assert_eq(ask_name(FUSE_LOOKUP, rw_root, "file"), ESTALE);
	cr_assert_eq(ask_name(FUSE_LOOKUP, 1, "rw"), ENOENT);
	cr_assert_eq(ask(FUSE_GETATTR, other, &getattr, sizeof(getattr), NULL, 0), 0);
}

Test(share, the_same_added_twice_is_one_root_of_two_names)
{
	struct fuse_getattr_in getattr = {0};
	uint64_t id = lookup(rw_root, "file"), again;

	add_root("again", false);
	again = lookup(1, "again");
	cr_assert_eq(again, rw_root);
	cr_assert_eq(lookup(again, "file"), id);
	cr_assert_eq(share_remove_root(share, "rw", NULL), 0);
	cr_assert_eq(ask_name(FUSE_LOOKUP, 1, "rw"), ENOENT);
	cr_assert_eq(ask(FUSE_GETATTR, id, &getattr, sizeof(getattr), NULL, 0), 0);
	cr_assert_eq(lookup(again, "file"), id);
	cr_assert_eq(share_remove_root(share, "again", NULL), 0);
	cr_assert_eq(ask(FUSE_GETATTR, id, &getattr, sizeof(getattr), NULL, 0), ESTALE);
}

Test(share, what_is_for_another_use_is_another_root)
{
	struct share_root_config config = {
		.name = "deep", .submounts = true, .cache_ns = 1500000000};

	cr_assert_eq(share_add_root(share, &config, open(base, O_PATH | O_CLOEXEC), NULL), 0);
	cr_assert_neq(lookup(1, "deep"), rw_root);
	config = (struct share_root_config){.name = "quick", .cache_ns = 1};
	cr_assert_eq(share_add_root(share, &config, open(base, O_PATH | O_CLOEXEC), NULL), 0);
	cr_assert_neq(lookup(1, "quick"), rw_root);
}

Test(share, a_file_may_be_a_root)
{
	const struct share_root_config config = {.name = "one"};
	struct fuse_open_in in = {.flags = O_RDWR};
	char path[128];

	snprintf(path, sizeof(path), "%s/file", base);
	cr_assert_eq(share_add_root(share, &config, open(path, O_PATH | O_CLOEXEC), NULL), 0);
	cr_assert_eq(ask(FUSE_OPEN, lookup(1, "one"), &in, sizeof(in), NULL, 0), 0);
	cr_assert_geq(reply_fd, 0);
}

Test(share, refuses_bad_roots)
{
	struct err err = ERR_INIT;
	struct share_root_config config = {.name = "a/b"};

	cr_assert_eq(share_add_root(share, &config, open(base, O_PATH | O_CLOEXEC), &err), -EINVAL);
	config.name = "rw";
	cr_assert_eq(share_add_root(share, &config, open(base, O_PATH | O_CLOEXEC), &err), -EEXIST);
	config.name = "x";
	cr_assert_eq(share_add_root(share, &config, open(base, O_RDONLY | O_CLOEXEC), &err),
		     -EINVAL);
	cr_assert_eq(share_add_root(share, &config, open("/dev/null", O_PATH | O_CLOEXEC), &err),
		     -EINVAL);
}

Test(share, what_was_made_meanwhile_is_not_opened_unasked)
{
	struct fuse_create_in create = {.flags = O_RDWR | O_CREAT | O_TRUNC, .mode = 0644};
	struct stat st;
	char path[128];

	/* The guest has looked, found nothing, and so asks nobody whether it may open it. */
	cr_assert_eq(ask(FUSE_CREATE, rw_root, &create, sizeof(create), "file", 5), ESTALE);
	create.flags |= O_EXCL;
	cr_assert_eq(ask(FUSE_CREATE, rw_root, &create, sizeof(create), "file", 5), EEXIST);
	snprintf(path, sizeof(path), "%s/file", base);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_size, 7);
}

static uint32_t read_directory(uint64_t dir, uint64_t fh, uint64_t offset)
{
	struct fuse_read_in in = {.fh = fh, .offset = offset, .size = 4096};

	cr_assert_eq(ask(FUSE_READDIR, dir, &in, sizeof(in), NULL, 0), 0);
	return (uint32_t)(reply_len - sizeof(struct fuse_out_header));
}

/* In memory: ext4 itself shows nothing there. */
Test(share, a_directory_is_read_again_after_its_end)
{
	const struct share_root_config config = {.name = "memory"};
	struct fuse_open_in open_in = {.flags = O_RDONLY | O_DIRECTORY};
	char memory[] = "/dev/shm/sbx-share-test-XXXXXX";
	struct fuse_open_out opened;
	uint64_t root, end = 0;
	int fd;

	cr_assert_not_null(mkdtemp(memory));
	fd = open(memory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(mkdirat(fd, "d", 0755), 0);
	cr_assert_eq(share_add_root(share, &config, fd, NULL), 0);
	root = lookup(1, "memory");
	cr_assert_eq(ask(FUSE_OPENDIR, root, &open_in, sizeof(open_in), NULL, 0), 0);
	memcpy(&opened, BODY, sizeof(opened));
	for (uint32_t n; (n = read_directory(root, opened.fh, end)) > 0;) {
		for (uint32_t at = 0; at < n;) {
			struct fuse_dirent head;

			memcpy(&head, BODY + at, sizeof(head));
			end = head.off;
			at += (uint32_t)FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + head.namelen);
		}
	}
	/* At once at its end, and then at its beginning. */
	cr_assert_eq(ask(FUSE_OPENDIR, root, &open_in, sizeof(open_in), NULL, 0), 0);
	memcpy(&opened, BODY, sizeof(opened));
	cr_assert_eq(read_directory(root, opened.fh, end), 0);
	cr_assert_gt(read_directory(root, opened.fh, 0), 0);
	io_remove_tree(AT_FDCWD, memory);
}
