/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest finds out by itself, when the container starts. But engines tell a program that is not there
 * or that may not be run from one that fails by the error of `create`, which is where runc looks for it.
 */
#include "shim/oci_program.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "shim/group.h"

bool oci_program_is_the_guests(const struct spec *spec, const char *path)
{
	const struct spec_mount *mounts = spec->config.mounts.items;

	for (size_t i = 0; i < spec->config.mounts.n; i++) {
		const char *at = mounts[i].destination;
		size_t n = at ? strlen(at) : 0;

		while (n && at[n - 1] == '/')
			n--;
		if (n && strncmp(path, at, n) == 0 && path[n] == '/' &&
		    !spec_mount_is_bind(&mounts[i]))
			return true;
	}
	return false;
}

/* 0: it may well run. -ENOENT; -EACCES for what nobody may run. A link counts: where it leads may be the guest's. */
static int look_at(const struct spec *spec, const char *path)
{
	struct stat st;

	if (oci_program_is_the_guests(spec, path))
		return 0;
	if (lstat(path, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? -ENOENT : 0;
	return S_ISLNK(st.st_mode) || (S_ISREG(st.st_mode) && st.st_mode & 0111) ? 0 : -EACCES;
}

static const char *search_path(const struct spec_process *process)
{
	const char *const *env = process->env.items;
	const char *path = NULL;

	for (size_t i = 0; i < process->env.n; i++)
		if (strncmp(env[i], "PATH=", 5) == 0)
			path = env[i] + 5;
	return path;
}

int oci_program_find(const struct spec *spec, struct err *err)
{
	const struct spec_process *process = spec->config.process;
	const char *const *args = process ? process->args.items : NULL;
	const char *search = process ? search_path(process) : NULL;
	const char *cwd = process && process->cwd ? process->cwd : "/";
	char path[PATH_MAX];
	int r;

	/* A sandbox container runs nothing, whatever it names. */
	if (!process || !process->args.n || !args[0][0] || group_is_sandbox(spec))
		return 0;
	if (strchr(args[0], '/')) {
		snprintf(path, sizeof(path), "%s%s%s", args[0][0] == '/' ? "" : cwd,
			 args[0][0] == '/' ? "" : "/", args[0]);
		r = look_at(spec, path);
		return r == 0 ? 0
			      : err_set(err, -r, "exec: \"%.200s\": %s", args[0],
					r == -EACCES ? "permission denied"
						     : "no such file or directory");
	}
	/* Without a PATH the guest has its own idea of one. */
	if (!search)
		return 0;
	for (const char *at = search; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
		int n = (int)strcspn(at, ":");

		snprintf(path, sizeof(path), "%.*s/%s", n ? n : (int)strlen(cwd), n ? at : cwd,
			 args[0]);
		if (path[0] != '/' || look_at(spec, path) != -ENOENT)
			return 0;
	}
	return err_set(err, ENOENT, "exec: \"%.200s\": executable file not found in $PATH",
		       args[0]);
}
