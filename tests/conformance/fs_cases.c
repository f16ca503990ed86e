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
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs_cases.h"

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
