/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/namespace.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"

/* The kernel's names for what the runtime-spec calls otherwise. */
static const struct {
	const char *type, *file;
} files[] = {
	{"pid", "pid"}, {"network", "net"}, {"ipc", "ipc"}, {"uts", "uts"}, {"time", "time"},
};

pid_t namespace_owner(const char *type, const char *path)
{
	const char *file = NULL;
	char own[64];
	int pid = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (strcmp(type, files[i].type) == 0)
			file = files[i].file;
	if (!file || sscanf(path, "/proc/%9d/", &pid) != 1 || pid <= 0)
		return 0;
	snprintf(own, sizeof(own), "/proc/%d/ns/%s", pid, file);
	return strcmp(path, own) == 0 ? pid : 0;
}

/* As find of the scope, for the pod's own process too. */
static const char *find_container(const struct namespace_scope *scope, const char *type,
				  const char *path)
{
	pid_t pid = namespace_owner(type, path);

	if (pid == 0)
		return NULL;
	if (pid == scope->pod)
		return "";
	return scope->find ? scope->find(pid, scope->data) : NULL;
}

bool namespace_is_in(const struct namespace_scope *scope, const char *type, const char *path)
{
	return find_container(scope, type, path) != NULL;
}

int namespace_resolve(const char *type, const char *path, const char **ret, void *data,
		      struct err *err)
{
	const char *id = find_container(data, type, path);

	/* A network namespace of the host is what the pod's network is joined to (shim_create.c). */
	if (!id && strcmp(type, "network") == 0)
		id = "";
	if (!id)
		return err_set(err, EINVAL, "%.128s is the host's, not this pod's", path);
	*ret = id;
	return 0;
}
