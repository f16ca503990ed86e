/* SPDX-License-Identifier: Apache-2.0 */
/* The families of fs_cases about names: what each call makes of each kind of object; directories. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fs_cases.h"

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

void test_open(void)
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

void test_rename(void)
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

void test_names(void)
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

/* --- lengths and letters --------------------------------------------------------------------- */

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

/* --- directories ----------------------------------------------------------------------------- */

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
