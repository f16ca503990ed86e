/* SPDX-License-Identifier: Apache-2.0 */
/* The families of fs_cases about contents: read, written, sparse, mapped, and without a name. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs_cases.h"

/* What a descriptor may do that its file's mode or name would not allow. */
static void data_of_descriptors(void)
{
	char buf[64] = {0};
	struct stat st = {0};
	int fd = open("ro", O_RDWR | O_CREAT | O_EXCL, 0444);

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
	close(other);
	close(fd);
	data_of_descriptors();
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
