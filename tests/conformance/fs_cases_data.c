/* SPDX-License-Identifier: Apache-2.0 */
/* The families of fs_cases about contents, attributes, locks and large directories. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fs_cases.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void fill_name(char *to, size_t n)
{
	memset(to, 'n', n);
	to[n] = '\0';
}

void test_limits(void)
{
	static const size_t lengths[] = {1, 100, 254, 255, 256, 300};
	static const size_t targets[] = {1, 255, 1000, 4000, 4095, 4096};
	static const char *const names[] = {"\xc3\xa4\xc3\xb6\xc3\xbc",
					    "\xe6\x97\xa5\xe6\x9c\xac",
					    "\xf0\x9f\x90\x8b",
					    "\xff\xfe",
					    " ",
					    "a b",
					    "-rf",
					    "*",
					    "new\nline",
					    "tab\t",
					    "...",
					    ".hidden",
					    "a\\b"};
	char name[400], what[100];
	static char text[5000];
	struct stat st;

	for (size_t i = 0; i < COUNT(lengths); i++) {
		fill_name(name, lengths[i]);
		snprintf(what, sizeof(what), "a name of %zu bytes", lengths[i]);
		say(what, "creat %s", result(creat(name, 0644)));
		say(what, "stat %s", result(stat(name, &st)));
		say(what, "mkdir %s", result(mkdir(name, 0755)));
		say(what, "unlink %s", result(unlink(name)));
	}
	for (size_t i = 0; i < COUNT(targets); i++) {
		memset(text, 't', targets[i]);
		text[targets[i]] = '\0';
		snprintf(what, sizeof(what), "a link to %zu bytes", targets[i]);
		say(what, "symlink %s", result(symlink(text, "l")));
		say(what, "readlink %zd", readlink("l", text, sizeof(text)));
		unlink("l");
	}
	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(what, sizeof(what), "name %zu", i);
		say(what, "creat %s", result(creat(names[i], 0644)));
		say(what, "rename %s", result(rename(names[i], "plain")));
		say(what, "back %s", result(rename("plain", names[i])));
		say(what, "unlink %s", result(unlink(names[i])));
	}
	for (int i = 0; i < 40; i++)
		if (mkdir("deeper", 0755) < 0 || chdir("deeper") < 0)
			say("deep", "%d %s", i, strerrorname_np(errno));
	say("forty deep", "%s", result(creat("bottom", 0644)));
	for (int i = 0; i < 40; i++)
		if (chdir("..") < 0)
			say("up", "%d %s", i, strerrorname_np(errno));
}

void test_data(void)
{
	char buf[64] = {0};
	struct stat st = {0};
	int fd = open("f", O_RDWR | O_CREAT, 0644), other;

	say("write", "%zd", write(fd, "0123456789", 10));
	say("pread across the end", "%zd", pread(fd, buf, 20, 5));
	say("pread behind the end", "%zd", pread(fd, buf, 20, 50));
	say("pwrite behind the end", "%zd", pwrite(fd, "x", 1, 99));
	fstat(fd, &st);
	say("size", "%ld", (long)st.st_size);
	say("a hole reads as", "%zd %d", pread(fd, buf, 1, 50), buf[0]);
	say("negative offset", "%s", result(pwrite(fd, "x", 1, -1)));
	say("shrink", "%s", result(ftruncate(fd, 5)));
	say("read it", "%zd %.5s", pread(fd, buf, 20, 0), buf);
	say("grow", "%s", result(ftruncate(fd, 20)));
	say("read the growth", "%zd %d", pread(fd, buf, 20, 0), buf[10]);
	say("negative size", "%s", result(ftruncate(fd, -1)));
	other = open("f", O_WRONLY | O_APPEND);
	say("append", "%zd", write(other, "end", 3));
	say("append again", "%zd", write(other, "END", 3));
	say("pwrite of an appender", "%zd", pwrite(other, "!", 1, 0));
	fstat(other, &st);
	say("size after appending", "%ld", (long)st.st_size);
	say("no longer appending", "%s", result(fcntl(other, F_SETFL, 0)));
	say("then pwrite", "%zd", pwrite(other, "?", 1, 0));
	say("and read", "%zd %.27s", pread(fd, buf, 40, 0), buf);
	say("read a writer", "%s", result(read(other, buf, 1)));
	close(other);
	other = open("f", O_RDONLY);
	say("write a reader", "%s", result(write(other, buf, 1)));
	say("truncate a reader", "%s", result(ftruncate(other, 1)));
	say("fsync", "%s", result(fsync(other)));
	say("fdatasync", "%s", result(fdatasync(fd)));
	say("syncfs", "%s", result(syncfs(fd)));
	close(other);
	other = open("g", O_RDWR | O_CREAT, 0644);
	say("copy_file_range", "%zd", copy_file_range(fd, &(off_t){0}, other, &(off_t){3}, 100, 0));
	fstat(other, &st);
	say("size of the copy", "%ld", (long)st.st_size);
	say("O_DIRECT reads", "%s", result(open("f", O_RDONLY | O_DIRECT)) ? "open" : "");
	close(other);
	close(fd);
	fd = open("ro", O_RDWR | O_CREAT | O_EXCL, 0444);
	say("write to what was made read-only", "%zd", write(fd, "abc", 3));
	say("truncate it by its descriptor", "%s", result(ftruncate(fd, 1)));
	close(fd);
	fd = open(".", O_TMPFILE | O_RDWR, 0640);
	say("O_TMPFILE", "%s", result(fd));
	say("write to it", "%zd", write(fd, "tmp", 3));
	fstat(fd, &st);
	say("it has", "%lu links, mode %o", (unsigned long)st.st_nlink, st.st_mode & 07777);
	snprintf(buf, sizeof(buf), "/proc/self/fd/%d", fd);
	say("give it a name", "%s",
	    result(linkat(AT_FDCWD, buf, AT_FDCWD, "named", AT_SYMLINK_FOLLOW)));
	say("the name has", "%s %ld", result(stat("named", &st)), (long)st.st_size);
	close(fd);
	fd = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0640);
	snprintf(buf, sizeof(buf), "/proc/self/fd/%d", fd);
	say("name an exclusive one", "%s",
	    result(linkat(AT_FDCWD, buf, AT_FDCWD, "never", AT_SYMLINK_FOLLOW)));
	close(fd);
}

void test_sparse(void)
{
	static const struct {
		const char *name;
		int mode;
		off_t offset, len;
	} calls[] = {
		{"allocate", 0, 0, 65536},
		{"allocate beyond", 0, 1 << 20, 4096},
		{"keep size", FALLOC_FL_KEEP_SIZE, 2 << 20, 4096},
		{"punch", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 8192},
		{"punch without keep", FALLOC_FL_PUNCH_HOLE, 4096, 8192},
		{"zero", FALLOC_FL_ZERO_RANGE, 16384, 4096},
		{"nothing", 0, 0, 0},
		{"negative", 0, -1, 4096},
	};
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	static char block[65536], back[65536];
	struct stat st = {0};

	memset(block, 'b', sizeof(block));
	for (size_t i = 0; i < COUNT(calls); i++) {
		pwrite(fd, block, sizeof(block), 0);
		say(calls[i].name, "%s",
		    result(fallocate(fd, calls[i].mode, calls[i].offset, calls[i].len)));
		fstat(fd, &st);
		say(calls[i].name, "size %ld", (long)st.st_size);
		pread(fd, back, sizeof(back), 0);
		say(calls[i].name, "reads %d %d %d", back[0], back[5000], back[17000]);
	}
	close(fd);
	fd = open("holes", O_RDWR | O_CREAT, 0644);
	ftruncate(fd, 8 << 20);
	pwrite(fd, block, 65536, 4 << 20);
	fsync(fd);
	say("first data", "%ld", (long)lseek(fd, 0, SEEK_DATA));
	say("first hole", "%ld", (long)lseek(fd, 0, SEEK_HOLE));
	say("hole after the data", "%ld", (long)lseek(fd, 4 << 20, SEEK_HOLE));
	say("data after the data", "%s", result(lseek(fd, 5 << 20, SEEK_DATA)));
	say("data behind the end", "%s", result(lseek(fd, 9 << 20, SEEK_DATA)));
	say("seek to the end", "%ld", (long)lseek(fd, 0, SEEK_END));
	fstat(fd, &st);
	say("it is sparse", "%d", st.st_blocks < 1024);
	close(fd);
}

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

/* --- locks ------------------------------------------------------------------------------------ */

static long lock(int fd, int cmd, short type, off_t start, off_t len)
{
	struct flock fl = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

	return fcntl(fd, cmd, &fl);
}

/* What another process gets while this one holds what it holds. */
static void other_process(const char *what, int how, short type, off_t start, off_t len)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		int fd = open("f", O_RDWR);

		if (how == 0)
			say(what, "%s", result(lock(fd, F_SETLK, type, start, len)));
		else if (how == 1)
			say(what, "%s", result(lock(fd, F_OFD_SETLK, type, start, len)));
		else
			say(what, "%s", result(flock(fd, type | LOCK_NB)));
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

void test_locks(void)
{
	static const short types[] = {F_RDLCK, F_WRLCK};
	static const char *const names[] = {"read", "write"};
	char what[100];

	make_file("f", "0123456789");
	for (int mine = 0; mine < 2; mine++)
		for (int theirs = 0; theirs < 2; theirs++)
			for (int how = 0; how < 2; how++) {
				int fd = open("f", O_RDWR);
				int cmd = how ? F_OFD_SETLK : F_SETLK;

				snprintf(what, sizeof(what), "%s lock %s against %s",
					 how ? "OFD" : "POSIX", names[theirs], names[mine]);
				say(what, "mine %s", result(lock(fd, cmd, types[mine], 0, 5)));
				other_process(what, how, types[theirs], 0, 5);
				other_process(what, how, types[theirs], 5, 5);
				other_process(what, how, types[theirs], 4, 0);
				lock(fd, cmd, F_UNLCK, 0, 0);
				other_process(what, how, types[theirs], 0, 0);
				close(fd);
			}
	for (int mine = 0; mine < 2; mine++)
		for (int theirs = 0; theirs < 2; theirs++) {
			static const short flocks[] = {LOCK_SH, LOCK_EX};
			int fd = open("f", O_RDWR);

			snprintf(what, sizeof(what), "flock %s against %s", names[theirs],
				 names[mine]);
			say(what, "mine %s", result(flock(fd, flocks[mine])));
			other_process(what, 2, flocks[theirs], 0, 0);
			flock(fd, LOCK_UN);
			other_process(what, 2, flocks[theirs], 0, 0);
			close(fd);
		}
}

/* --- memory ------------------------------------------------------------------------------------ */

void test_mmap(void)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644), ro;
	char buf[8] = {0}, *shared, *again, *private;

	ftruncate(fd, 8192);
	shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	say("map shared", "%d", shared != MAP_FAILED);
	again = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	private = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (shared == MAP_FAILED || again == MAP_FAILED || private == MAP_FAILED)
		return;
	memcpy(shared, "mapped", 6);
	say("seen by read", "%zd %.6s", pread(fd, buf, 6, 0), buf);
	say("seen by the other map", "%.6s", again);
	pwrite(fd, "WROTE", 5, 4096);
	say("a write is seen in the map", "%.5s", again + 4096);
	memcpy(private, "mine!!", 6);
	say("a private change is not seen", "%zd %.6s", pread(fd, buf, 6, 0), buf);
	say("msync", "%s", result(msync(shared, 8192, MS_SYNC)));
	say("invalidate", "%s", result(msync(shared, 8192, MS_INVALIDATE)));
	munmap(shared, 8192);
	say("seen after unmapping", "%zd %.6s", pread(fd, buf, 6, 0), buf);
	if (fork() == 0) {
		char *child = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		memcpy(child, "child!", 6);
		_exit(0);
	}
	wait(NULL);
	say("seen from a child", "%.6s", again);
	ro = open("f", O_RDONLY);
	say("writable map of a reader", "%d",
	    mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, ro, 0) == MAP_FAILED && errno == EACCES);
	unlink("f");
	say("an unlinked file's map", "%.6s", again);
	close(ro);
	close(fd);
	say("after closing it", "%.6s", again);
	munmap(again, 8192);
	munmap(private, 8192);
	fd = open("a", O_RDWR | O_CREAT | O_APPEND, 0644);
	write(fd, "0123456789", 10);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memcpy(shared, "map", 3);
	munmap(shared, 4096);
	close(fd);
	fd = open("a", O_RDONLY);
	say("a map of an appender", "%zd %.8s", pread(fd, buf, 8, 0), buf);
	say("and its size", "%ld", (long)lseek(fd, 0, SEEK_END));
	close(fd);
}

/* --- times -------------------------------------------------------------------------------------- */

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

void test_unlinked(void)
{
	char buf[8] = {0};
	struct stat st = {0};
	int fd = open("f", O_RDWR | O_CREAT, 0644), dir;

	write(fd, "still", 5);
	say("unlink", "%s", result(unlink("f")));
	say("stat by name", "%s", result(stat("f", &st)));
	say("fstat", "%s %lu", result(fstat(fd, &st)), (unsigned long)st.st_nlink);
	say("read", "%zd %.5s", pread(fd, buf, 5, 0), buf);
	say("write", "%zd", pwrite(fd, "more", 4, 5));
	say("truncate", "%s", result(ftruncate(fd, 3)));
	say("chmod", "%s", result(fchmod(fd, 0600)));
	fstat(fd, &st);
	say("it is", "%ld %o", (long)st.st_size, st.st_mode & 07777);
	make_file("f", "another");
	say("another of that name", "%zd %.3s", pread(fd, buf, 5, 0), buf);
	close(fd);
	fd = open("f", O_RDONLY);
	rename("f", "moved");
	say("after a rename", "%zd %.5s", pread(fd, buf, 5, 0), buf);
	make_file("over", "over");
	rename("over", "moved");
	say("after being replaced", "%zd %.5s", pread(fd, buf, 5, 0), buf);
	fstat(fd, &st);
	say("its links", "%lu", (unsigned long)st.st_nlink);
	close(fd);
	mkdir("d", 0755);
	dir = open("d", O_RDONLY | O_DIRECTORY);
	say("rmdir while open", "%s", result(rmdir("d")));
	say("create in it", "%s", result(openat(dir, "x", O_CREAT | O_WRONLY, 0644)));
	say("fstat of it", "%s", result(fstat(dir, &st)));
	close(dir);
	make_file("a", "linked");
	link("a", "b");
	fd = open("b", O_RDWR);
	unlink("b");
	say("the other name", "%s", result(stat("a", &st)));
	say("and its links", "%lu", (unsigned long)st.st_nlink);
	pwrite(fd, "LINKED", 6, 0);
	close(fd);
	fd = open("a", O_RDONLY);
	say("has the change", "%zd %.6s", read(fd, buf, 6), buf);
	close(fd);
}

/* --- directories --------------------------------------------------------------------------------- */

static int count(const char *name)
{
	DIR *dir = opendir(name);
	int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

static int files_of(void)
{
	const char *text = getenv("FS_CASES_FILES");

	return text ? atoi(text) : 10000;
}

void test_directories(void)
{
	int n = files_of(), seen = 0;
	struct dirent *entry;
	struct stat st;
	char name[300];
	DIR *dir;
	long at = 0;

	mkdir("many", 0755);
	for (int i = 0; i < n; i++) {
		int fd;

		snprintf(name, sizeof(name), "many/file-%06d", i);
		fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
		if (fd < 0)
			say("creating many", "%d %s", i, strerrorname_np(errno));
		close(fd);
	}
	say("many are listed", "%d", count("many") - n);
	dir = opendir("many");
	for (int i = 0; i < n / 2 && (entry = readdir(dir)); i++)
		at = telldir(dir);
	entry = readdir(dir);
	snprintf(name, sizeof(name), "%s", entry ? entry->d_name : "");
	seekdir(dir, at);
	entry = readdir(dir);
	say("seekdir finds its place", "%d", entry && !strcmp(name, entry->d_name));
	rewinddir(dir);
	while (readdir(dir))
		seen++;
	say("again from the start", "%d", seen - n);
	rewinddir(dir);
	seen = 0;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] == 'f' && unlinkat(dirfd(dir), entry->d_name, 0) == 0)
			seen++;
	closedir(dir);
	say("removed while reading", "%d", seen - n);
	say("is empty", "%d %s", count("many"), result(rmdir("many")));
	mkdir("l", 0755);
	stat("l", &st);
	say("a new directory's links", "%lu", (unsigned long)st.st_nlink);
	say("ninety names of one file", "%s", result(creat("f", 0644)));
	for (int i = 0; i < 90; i++) {
		snprintf(name, sizeof(name), "l/%d", i);
		if (link("f", name) < 0)
			say("link", "%d %s", i, strerrorname_np(errno));
	}
	stat("f", &st);
	say("its links", "%lu", (unsigned long)st.st_nlink);
	say("rename into itself", "%s", result(rename("l", "l/inner")));
	say("link a directory", "%s", result(link("l", "m")));
	say("a file as directory", "%s", result(stat("f/x", &st)));
	say("a slash at the end", "%s", result(stat("f/", &st)));
	say("rmdir of .", "%s", result(rmdir("l/.")));
	say("rmdir of ..", "%s", result(rmdir("l/..")));
	say("unlink of ..", "%s", result(unlink("l/..")));
}

/* Two processes at one thing: of each pair of attempts one succeeds, whoever it is. */
static int race(long (*fn)(int i), int rounds)
{
	int pipes[2], won = 0, mine = 0, theirs = 0;
	pid_t pid;

	if (pipe(pipes) < 0)
		return -1;
	fflush(stdout);
	pid = fork();
	for (int i = 0; i < rounds; i++)
		won += fn(i) >= 0;
	if (pid == 0) {
		write(pipes[1], &won, sizeof(won));
		_exit(0);
	}
	mine = won;
	if (read(pipes[0], &theirs, sizeof(theirs)) != sizeof(theirs))
		return -1;
	waitpid(pid, NULL, 0);
	close(pipes[0]);
	close(pipes[1]);
	return mine + theirs;
}

static long race_create(int i)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "c%d", i);
	fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
	return fd < 0 ? fd : close(fd);
}

static long race_unlink(int i)
{
	char name[32];

	snprintf(name, sizeof(name), "c%d", i);
	return unlink(name);
}

static long race_mkdir(int i)
{
	char name[32];

	snprintf(name, sizeof(name), "d%d", i);
	return mkdir(name, 0755);
}

static long race_rename(int i)
{
	char name[32];

	snprintf(name, sizeof(name), "d%d", i);
	return rename(name, "moved") < 0 ? -1 : rmdir("moved");
}

static long race_append(int i)
{
	int fd = open("log", O_CREAT | O_WRONLY | O_APPEND, 0644);
	long r = fd < 0 ? fd : write(fd, "0123456789", 10);

	close(fd);
	return r;
}

void test_races(void)
{
	struct stat st = {0};

	say("create", "%d of 200", race(race_create, 200));
	say("unlink", "%d of 200", race(race_unlink, 200));
	say("mkdir", "%d of 200", race(race_mkdir, 200));
	say("rename and rmdir", "%d at most", race(race_rename, 200) <= 400);
	say("append", "%d of 400", race(race_append, 200));
	stat("log", &st);
	say("nothing of it is lost", "%ld", (long)st.st_size);
}
