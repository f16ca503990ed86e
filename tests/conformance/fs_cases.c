/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a file system answers: several hundred named cases, one line each, "name: what came of it".
 * Run on two file systems, the outputs are compared. Static and without anything of the project's, so
 * that it runs on a host and in a guest alike.
 *
 *	fs_cases DIR	DIR must be empty; as root; it is left empty
 *
 * Each family of cases begins in an empty directory of its own. Answers are errno's names, modes,
 * sizes and the like: nothing that two runs on one file system would tell differently.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fs_cases.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

void say(const char *what, const char *fmt, ...)
{
	va_list ap;

	printf("%s: ", what);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

const char *result(long r)
{
	return r >= 0 ? "ok" : strerrorname_np(errno);
}

void make_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		say("SETUP", "%s: %s", name, strerror(errno));
	close(fd);
}

void clean(const char *name)
{
	DIR *dir = opendir(name);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		char path[PATH_MAX];
		struct stat st;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s/%s", name, entry->d_name);
		if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
			clean(path);
			rmdir(path);
		} else {
			unlink(path);
		}
	}
	closedir(dir);
}

/* --- objects of each kind -------------------------------------------------------------------- */

static const char *const kinds[] = {"missing", "file",     "empty-dir", "full-dir",
				    "link",    "dangling", "fifo",      "loop"};

/* Makes name an object of that kind. */
static void make(const char *name, const char *kind)
{
	char inner[300];

	if (!strcmp(kind, "file"))
		make_file(name, "content");
	if (!strcmp(kind, "empty-dir") || !strcmp(kind, "full-dir"))
		mkdir(name, 0755);
	snprintf(inner, sizeof(inner), "%s/inner", name);
	if (!strcmp(kind, "full-dir"))
		make_file(inner, "inner");
	if (!strcmp(kind, "link")) {
		make_file("pointed", "pointed");
		symlink("pointed", name);
	}
	if (!strcmp(kind, "dangling"))
		symlink("nowhere", name);
	if (!strcmp(kind, "fifo"))
		mkfifo(name, 0644);
	if (!strcmp(kind, "loop"))
		symlink(name, name);
}

static const char *kind_of(const char *name)
{
	static char text[64];
	struct stat st;

	if (lstat(name, &st) < 0)
		return strerrorname_np(errno);
	snprintf(text, sizeof(text), "%06o/%lu", st.st_mode,
		 S_ISDIR(st.st_mode) ? 0 : (unsigned long)st.st_nlink);
	return text;
}

static void test_open(void)
{
	static const struct {
		const char *name;
		int flags;
	} ways[] = {
		{"plain", 0},
		{"creat", O_CREAT},
		{"excl", O_CREAT | O_EXCL},
		{"trunc", O_TRUNC},
		{"append", O_APPEND},
		{"directory", O_DIRECTORY},
		{"nofollow", O_NOFOLLOW},
		{"creat-trunc", O_CREAT | O_TRUNC},
		{"path", O_PATH},
	};
	static const char *const modes[] = {"r", "w", "rw"};

	for (size_t k = 0; k < COUNT(kinds); k++)
		for (size_t w = 0; w < COUNT(ways); w++)
			for (int m = 0; m < 3; m++) {
				char what[100];
				struct stat st = {0};
				int fd;

				make("x", kinds[k]);
				fd = open("x", ways[w].flags | m | O_NONBLOCK, 0640);
				snprintf(what, sizeof(what), "open %s %s %s", kinds[k],
					 ways[w].name, modes[m]);
				if (fd >= 0)
					fstat(fd, &st);
				say(what, "%s %06o %ld", result(fd), st.st_mode,
				    S_ISDIR(st.st_mode) ? 0 : (long)st.st_size);
				if (fd >= 0)
					close(fd);
				clean(".");
			}
}

static void test_rename(void)
{
	static const struct {
		const char *name;
		unsigned int flags;
	} ways[] = {{"", 0}, {"noreplace", RENAME_NOREPLACE}, {"exchange", RENAME_EXCHANGE}};

	for (size_t a = 0; a < 6; a++)
		for (size_t b = 0; b < 6; b++)
			for (size_t w = 0; w < COUNT(ways); w++) {
				char what[100];
				long r;

				make("a", kinds[a]);
				make("b", kinds[b]);
				r = syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b",
					    ways[w].flags);
				snprintf(what, sizeof(what), "rename %s over %s %s", kinds[a],
					 kinds[b], ways[w].name);
				say(what, "%s %s", result(r), kind_of("a"));
				say(what, "then %s", kind_of("b"));
				clean(".");
			}
}

static void test_names(void)
{
	for (size_t k = 0; k < COUNT(kinds); k++) {
		static const char *const ops[] = {"unlink",   "rmdir",   "mkdir", "mkfifo",
						  "symlink",  "link-to", "link",  "mknod",
						  "truncate", "chmod",   "chown", "readlink"};

		for (size_t o = 0; o < COUNT(ops); o++) {
			char what[100], buf[100];
			long r = -1;

			make("x", kinds[k]);
			make_file("other", "other");
			switch (o) {
			case 0:
				r = unlink("x");
				break;
			case 1:
				r = rmdir("x");
				break;
			case 2:
				r = mkdir("x", 0751);
				break;
			case 3:
				r = mkfifo("x", 0644);
				break;
			case 4:
				r = symlink("target", "x");
				break;
			case 5:
				r = link("other", "x");
				break;
			case 6:
				r = link("x", "y");
				break;
			case 7:
				r = mknod("x", S_IFREG | 0604, 0);
				break;
			case 8:
				r = truncate("x", 3);
				break;
			case 9:
				r = chmod("x", 0711);
				break;
			case 10:
				r = lchown("x", 5, 6);
				break;
			case 11:
				r = readlink("x", buf, sizeof(buf));
				break;
			}
			snprintf(what, sizeof(what), "%s %s", ops[o], kinds[k]);
			say(what, "%s %s", result(r), kind_of("x"));
			clean(".");
		}
	}
}

/* --- as somebody else ------------------------------------------------------------------------ */

/* Runs fn(arg) as uid, gid, with the supplementary group if not 0; its result's name is said. */
static void as_user(const char *what, unsigned uid, unsigned gid, unsigned group,
		    long (*fn)(const char *), const char *arg)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		gid_t groups[] = {group};
		long r;

		if (syscall(SYS_setgroups, group ? 1 : 0, groups) < 0 ||
		    syscall(SYS_setresgid, gid, gid, gid) < 0 ||
		    syscall(SYS_setresuid, uid, uid, uid) < 0)
			_exit(1);
		r = fn(arg);
		say(what, "%s", result(r));
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static long try_read(const char *name)
{
	int fd = open(name, O_RDONLY);

	return fd < 0 ? fd : close(fd);
}

static long try_write(const char *name)
{
	int fd = open(name, O_WRONLY);
	long r = fd < 0 ? fd : write(fd, "x", 1);

	if (fd >= 0)
		close(fd);
	return r;
}

static long try_run(const char *name)
{
	return access(name, X_OK);
}

static long try_chmod(const char *name)
{
	return chmod(name, 0777);
}

static long try_chown(const char *name)
{
	return chown(name, (uid_t)-1, 7000);
}

static long try_create(const char *dir)
{
	char path[100];
	int fd;

	snprintf(path, sizeof(path), "%s/new", dir);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0666);
	if (fd < 0)
		return fd;
	close(fd);
	return unlink(path);
}

static long try_unlink(const char *dir)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/theirs", dir);
	return unlink(path);
}

static long try_list(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY);

	return fd < 0 ? fd : close(fd);
}

static void test_permissions(void)
{
	static const mode_t modes[] = {0,    0400, 0200, 0100, 0040, 0020,  0010,
				       0004, 0002, 0001, 0640, 0755, 01777, 02775};
	static const struct {
		const char *name;
		unsigned uid, gid, group;
	} users[] = {{"owner", 1000, 1000, 0},
		     {"group", 2000, 1000, 0},
		     {"member", 2000, 2000, 1000},
		     {"other", 2000, 2000, 0}};
	static const struct {
		const char *name;
		bool dir;
		long (*fn)(const char *);
	} ops[] = {{"read", false, try_read},         {"write", false, try_write},
		   {"run", false, try_run},           {"chmod", false, try_chmod},
		   {"chgrp", false, try_chown},       {"create-in", true, try_create},
		   {"remove-from", true, try_unlink}, {"list", true, try_list}};

	chmod(".", 0755);
	for (size_t m = 0; m < COUNT(modes); m++)
		for (size_t u = 0; u < COUNT(users); u++)
			for (size_t o = 0; o < COUNT(ops); o++) {
				char what[100];

				if (ops[o].dir) {
					mkdir("x", 0755);
					make_file("x/theirs", "theirs");
					chown("x/theirs", 3000, 3000);
				} else {
					make_file("x", "content");
				}
				chown("x", 1000, 1000);
				chmod("x", modes[m]);
				snprintf(what, sizeof(what), "as %s: %s mode %o", users[u].name,
					 ops[o].name, modes[m]);
				as_user(what, users[u].uid, users[u].gid, users[u].group, ops[o].fn,
					"x");
				chmod("x", 0755);
				clean(".");
			}
}

static long write_there(const char *name)
{
	int fd = open(name, O_WRONLY);
	long r = fd < 0 ? fd : pwrite(fd, "!", 1, 0);

	if (fd >= 0)
		close(fd);
	return r;
}

static long truncate_there(const char *name)
{
	return truncate(name, 1);
}

static long chown_there(const char *name)
{
	return chown(name, 1000, 1000);
}

/* Which bits survive a write, a truncation, a change of owner: by root and by others. */
static void test_suid(void)
{
	static const mode_t modes[] = {04755, 02755, 06755, 02745, 06777, 01755};
	static const struct {
		const char *name;
		long (*fn)(const char *);
	} ops[] = {{"write", write_there}, {"truncate", truncate_there}, {"chown", chown_there}};

	for (size_t m = 0; m < COUNT(modes); m++)
		for (size_t o = 0; o < COUNT(ops); o++)
			for (unsigned uid = 0; uid <= 1000; uid += 1000) {
				char what[100];
				struct stat st = {0};

				make_file("x", "content");
				chown("x", 1000, 1000);
				chmod("x", modes[m] | 0002);
				snprintf(what, sizeof(what), "bits %o after %s by %u", modes[m],
					 ops[o].name, uid);
				as_user(what, uid, uid, 0, ops[o].fn, "x");
				stat("x", &st);
				say(what, "%o", st.st_mode & 07777);
				clean(".");
			}
}

static long make_in(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY, 02777);

	umask(022);
	return fd < 0 ? fd : close(fd);
}

static void test_ownership(void)
{
	struct stat st = {0};

	chmod(".", 0777);
	mkdir("sgid", 0777);
	chown("sgid", 0, 4000);
	chmod("sgid", 02777);
	as_user("create as a user", 1000, 1001, 0, make_in, "mine");
	stat("mine", &st);
	say("owner of it", "%u:%u %o", st.st_uid, st.st_gid, st.st_mode & 07777);
	as_user("create in a setgid directory", 1000, 1001, 0, make_in, "sgid/f");
	stat("sgid/f", &st);
	say("owner of it there", "%u:%u %o", st.st_uid, st.st_gid, st.st_mode & 07777);
	as_user("the same as a member", 1000, 1001, 4000, make_in, "sgid/g");
	stat("sgid/g", &st);
	say("owner of it as a member", "%u:%u %o", st.st_uid, st.st_gid, st.st_mode & 07777);
	mkdir("sgid/d", 0755);
	stat("sgid/d", &st);
	say("a directory there", "%u:%u %o", st.st_uid, st.st_gid, st.st_mode & 07777);
	umask(027);
	mkdir("masked", 0777);
	stat("masked", &st);
	say("a masked directory", "%o", st.st_mode & 07777);
	mknod("node", S_IFREG | 0666, 0);
	stat("node", &st);
	say("a masked node", "%o", st.st_mode & 07777);
	umask(022);
	clean(".");
}

static const struct {
	const char *name;
	void (*fn)(void);
} families[] = {
	{"open", test_open},
	{"rename", test_rename},
	{"names", test_names},
	{"permissions", test_permissions},
	{"suid", test_suid},
	{"ownership", test_ownership},
	{"limits", test_limits},
	{"data", test_data},
	{"sparse", test_sparse},
	{"xattr", test_xattr},
	{"locks", test_locks},
	{"mmap", test_mmap},
	{"times", test_times},
	{"unlinked", test_unlinked},
	{"directories", test_directories},
	{"races", test_races},
};

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) < 0) {
		fprintf(stderr, "fs_cases DIR\n");
		return 2;
	}
	umask(022);
	for (size_t i = 0; i < COUNT(families); i++) {
		if (mkdir(families[i].name, 0777) < 0 || chdir(families[i].name) < 0) {
			perror(families[i].name);
			return 2;
		}
		families[i].fn();
		clean(".");
		if (chdir("..") < 0 || rmdir(families[i].name) < 0)
			say(families[i].name, "is not empty");
	}
	return 0;
}
