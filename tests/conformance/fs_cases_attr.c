/* SPDX-License-Identifier: Apache-2.0 */
/* The families of fs_cases about attributes: rights, mode bits, owners, xattrs, times. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fs_cases.h"

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

void test_permissions(void)
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
void test_suid(void)
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

void test_ownership(void)
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

/* --- extended attributes, times -------------------------------------------------------------- */

void test_xattr(void)
{
	static const char *const names[] = {"user.a", "user.", "user", "nonsense.a",
					    "user.\xc3\xa4"};
	static char big[70000], back[70000];
	char name[300], what[60];

	make_file("f", "f");
	mkdir("d", 0755);
	symlink("f", "l");
	mkfifo("p", 0644);
	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(what, sizeof(what), "xattr %zu", i);
		say(what, "set %s", result(setxattr("f", names[i], "value", 5, 0)));
		say(what, "get %zd", getxattr("f", names[i], back, sizeof(back)));
		say(what, "remove %s", result(removexattr("f", names[i])));
	}
	say("create", "%s", result(setxattr("f", "user.x", "1", 1, XATTR_CREATE)));
	say("create again", "%s", result(setxattr("f", "user.x", "1", 1, XATTR_CREATE)));
	say("replace", "%s", result(setxattr("f", "user.x", "12", 2, XATTR_REPLACE)));
	say("replace what is not there", "%s",
	    result(setxattr("f", "user.y", "1", 1, XATTR_REPLACE)));
	say("size alone", "%zd", getxattr("f", "user.x", NULL, 0));
	say("too small a buffer", "%s", result(getxattr("f", "user.x", back, 1)));
	say("what is not there", "%s", result(getxattr("f", "user.none", back, 10)));
	say("remove what is not there", "%s", result(removexattr("f", "user.none")));
	say("an empty value", "%s", result(setxattr("f", "user.e", "", 0, 0)));
	say("get an empty value", "%zd", getxattr("f", "user.e", back, 10));
	say("of a directory", "%s", result(setxattr("d", "user.d", "1", 1, 0)));
	say("of a link", "%s", result(lsetxattr("l", "user.l", "1", 1, 0)));
	say("through a link", "%s", result(setxattr("l", "user.t", "1", 1, 0)));
	say("of a fifo", "%s", result(setxattr("p", "user.p", "1", 1, 0)));
	memset(name, 'n', sizeof(name));
	memcpy(name, "user.", 5);
	name[255] = '\0';
	say("a long name", "%s", result(setxattr("f", name, "1", 1, 0)));
	name[255] = 'n';
	name[256] = '\0';
	say("too long a name", "%s", result(setxattr("f", name, "1", 1, 0)));
	say("a value of 2000", "%s", result(setxattr("f", "user.big", big, 2000, 0)));
	say("too large a value", "%s", result(setxattr("f", "user.big", big, 65537, 0)));
	say("is there a list", "%d", listxattr("f", back, sizeof(back)) > 0);
	say("the list's size alone", "%d", listxattr("f", NULL, 0) > 0);
	say("too small a list", "%s", result(listxattr("f", back, 1)));
}

static void say_times(const char *what, const char *name)
{
	struct stat st = {0};

	lstat(name, &st);
	say(what, "%ld.%09ld %ld.%09ld", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
	    (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

void test_times(void)
{
	static const struct timespec both[] = {{1000000000, 123456789}, {1100000000, 987654321}};
	static const struct timespec first[] = {{1200000000, 0}, {0, UTIME_OMIT}};
	static const struct timespec second[] = {{0, UTIME_OMIT}, {1300000000, 1}};
	static const struct timespec old[] = {{-1, 0}, {-100, 5}};
	static const struct timespec bad[] = {{0, 2000000000}, {0, 0}};
	struct stat a, b;

	make_file("f", "f");
	symlink("f", "l");
	mkdir("d", 0755);
	say("set both", "%s", result(utimensat(AT_FDCWD, "f", both, 0)));
	say_times("both", "f");
	say("set the first", "%s", result(utimensat(AT_FDCWD, "f", first, 0)));
	say_times("the first", "f");
	say("set the second", "%s", result(utimensat(AT_FDCWD, "f", second, 0)));
	say_times("the second", "f");
	say("before 1970", "%s", result(utimensat(AT_FDCWD, "f", old, 0)));
	say_times("old", "f");
	say("no such time", "%s", result(utimensat(AT_FDCWD, "f", bad, 0)));
	say("of a link", "%s", result(utimensat(AT_FDCWD, "l", both, AT_SYMLINK_NOFOLLOW)));
	say_times("the link's", "l");
	say("of a directory", "%s", result(utimensat(AT_FDCWD, "d", both, 0)));
	say_times("the directory's", "d");
	make_file("d/x", "x");
	stat("d", &a);
	say("a new entry changes it", "%d", a.st_mtim.tv_sec != both[1].tv_sec);
	stat("f", &a);
	usleep(20000);
	chmod("f", 0600);
	stat("f", &b);
	say("chmod changes ctime", "%d",
	    a.st_ctim.tv_sec != b.st_ctim.tv_sec || a.st_ctim.tv_nsec != b.st_ctim.tv_nsec);
	say("and not mtime", "%d", a.st_mtim.tv_nsec == b.st_mtim.tv_nsec);
	usleep(20000);
	make_file("f", "changed");
	stat("f", &a);
	say("a write changes mtime", "%d", a.st_mtim.tv_sec > b.st_mtim.tv_sec);
}
