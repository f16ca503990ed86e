/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/places.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "prefix.h"

static int name_run_dir(char **ret, struct err *err)
{
	const char *root = getenv("SBX_ROOT"), *xdg = getenv("XDG_RUNTIME_DIR");
	int r;

	if (root && root[0] == '/')
		r = asprintf(ret, "%s/run", root);
	else if (root && root[0])
		return err_set(err, EINVAL, "SBX_ROOT=%s: not an absolute path", root);
	else if (geteuid() == 0)
		r = asprintf(ret, "/run/sbx");
	else if (xdg && xdg[0] == '/')
		r = asprintf(ret, "%s/sbx", xdg);
	else
		r = asprintf(ret, "/tmp/sbx-%u", geteuid());
	return r < 0 ? err_set(err, ENOMEM, "out of memory") : 0;
}

int places_run_dir(char **ret, struct err *err)
{
	_cleanup_free_ char *path = NULL;
	struct stat st;
	int r = name_run_dir(&path, err);

	if (r < 0 || !path)
		return r;
	r = io_mkdirs(path, 0700);
	if (r < 0)
		return err_set_errno(err, -r, "%s: cannot make the directory", path);
	/* Anybody can make a directory in /tmp first, or put a link there. */
	if (lstat(path, &st) < 0)
		return err_set_errno(err, errno, "%s", path);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 0022))
		return err_set(err, EPERM, "%s: not a directory that only this user can write",
			       path);
	*ret = TAKE_PTR(path);
	return 0;
}

int places_config(char **ret, struct err *err)
{
	const char *root = getenv("SBX_ROOT"), *xdg = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	int r;

	if (root && root[0] == '/')
		r = asprintf(ret, "%s/etc/sbx.conf", root);
	else if (geteuid() == 0)
		r = asprintf(ret, "/etc/sbx/sbx.conf");
	else if (xdg && xdg[0] == '/')
		r = asprintf(ret, "%s/sbx/sbx.conf", xdg);
	else
		r = asprintf(ret, "%s/.config/sbx/sbx.conf", home && home[0] == '/' ? home : "");
	return r < 0 ? err_set(err, ENOMEM, "out of memory") : 0;
}

/* The directory of the running program, without its last slash. */
static int own_dir(char dir[PATH_MAX], struct err *err)
{
	ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 1);
	char *slash;

	if (n < 0)
		return err_set_errno(err, errno, "/proc/self/exe");
	dir[n] = '\0';
	slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
	return 0;
}

static int find(const char *dir, const char *sub, const char *name, int mode, char **ret)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s%s/%s", dir, sub, name) < 0)
		return -ENOMEM;
	if (access(path, mode) < 0)
		return -errno;
	*ret = TAKE_PTR(path);
	return 0;
}

/* A copy of the shim may lie in /tmp, or in a directory there, in which anybody can put a program beside it. */
static bool is_safe(const char *dir, const char *sub)
{
	char path[PATH_MAX];
	struct stat st;

	return (size_t)snprintf(path, sizeof(path), "%s%s", dir, sub) < sizeof(path) &&
	       stat(path, &st) == 0 && !(st.st_mode & S_IWOTH);
}

int places_look_for_program(const char *dir, const char *prefix, const char *name, char **ret,
			    struct err *err)
{
	int r = is_safe(dir, "") ? find(dir, "", name, X_OK, ret) : -ENOENT;

	if (r == -ENOENT)
		r = find(prefix, "/bin", name, X_OK, ret) < 0 ? r : 0;
	if (r < 0)
		return err_set_errno(err, -r, "%s/%s: the program is not where it belongs", dir,
				     name);
	return 0;
}

int places_look_for_share(const char *dir, const char *prefix, const char *name, char **ret,
			  struct err *err)
{
	int r = -ENOENT;

	if (is_safe(dir, "/.."))
		r = find(dir, "/../share", name, R_OK, ret);
	if (r == -ENOENT && is_safe(dir, "/.."))
		r = find(dir, "/../share/sbx", name, R_OK, ret);
	if (r == -ENOENT)
		r = find(prefix, "/share/sbx", name, R_OK, ret);
	if (r < 0)
		return err_set_errno(err, -r, "%s: not found in %s/../share; run make", name, dir);
	return 0;
}

int places_find_program(const char *name, char **ret, struct err *err)
{
	char dir[PATH_MAX];
	int r = own_dir(dir, err);

	return r < 0 ? r : places_look_for_program(dir, SBX_PREFIX, name, ret, err);
}

int places_find_share(const char *name, char **ret, struct err *err)
{
	char dir[PATH_MAX];
	int r = own_dir(dir, err);

	return r < 0 ? r : places_look_for_share(dir, SBX_PREFIX, name, ret, err);
}
