/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/program.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Returns 0: this one, or an errno. */
typedef int (*try_fn)(const struct process_plan *process, const char *file);

static int try_exec(const struct process_plan *process, const char *file)
{
	execve(file, process->argv, process->envp);
	return errno;
}

/* Nobody has entered the working directory yet. */
static int try_look(const struct process_plan *process, const char *file)
{
	char path[PATH_MAX];
	struct stat st;

	if ((size_t)snprintf(path, sizeof(path), "%s%s%s", file[0] == '/' ? "" : process->cwd,
			     file[0] == '/' ? "" : "/", file) >= sizeof(path))
		return ENAMETOOLONG;
	/* Root of a user namespace may not look everywhere that the process's user may. */
	if (stat(path, &st) < 0)
		return errno == EACCES ? 0 : errno;
	return S_ISREG(st.st_mode) && st.st_mode & 0111 ? 0 : EACCES;
}

static const char *search_path(const struct process_plan *process)
{
	const char *path = DEFAULT_PATH;

	for (char **var = process->envp; *var; var++) {
		if (!strncmp(*var, "PATH=", 5))
			path = *var + 5;
	}
	return path;
}

/* Like execvpe(3), but never handing a file without an interpreter to a shell. */
static int search(const struct process_plan *process, try_fn try)
{
	const char *name = process->argv[0];
	int best = ENOENT;

	if (strchr(name, '/'))
		return try(process, name);
	for (const char *path = search_path(process), *next; path; path = next) {
		size_t len = strcspn(path, ":");
		char file[PATH_MAX];
		int r;

		next = path[len] ? path + len + 1 : NULL;
		/* An empty entry would be the working directory: docker does not look there. */
		if (!len || (size_t)snprintf(file, sizeof(file), "%.*s/%s", (int)len, path, name) >=
				    sizeof(file))
			continue;
		r = try(process, file);
		if (r != ENOENT && r != ENOTDIR && r != EACCES)
			return r;
		/* A file that is there and may not be run is the better reason. */
		if (r == EACCES)
			best = EACCES;
	}
	return best;
}

int program_exec(const struct process_plan *process)
{
	return search(process, try_exec);
}

int program_find(const struct process_plan *process, struct err *err)
{
	int code = search(process, try_look);

	/* What else is wrong with it is said when it is run. */
	if (code == ENOTDIR)
		code = ENOENT;
	return code == ENOENT || code == EACCES ? program_err(err, process, code, "") : 0;
}

int program_err(struct err *err, const struct process_plan *process, int code, const char *suffix)
{
	const char *name = process->argv[0];

	return err_set(err, code, "exec: \"%.256s\": %s%s", name,
		       code == ENOENT && !strchr(name, '/') ? "executable file not found in $PATH"
		       : code == ENOENT                     ? "no such file or directory"
		       : code == EACCES                     ? "permission denied"
							    : strerror(code),
		       suffix);
}
