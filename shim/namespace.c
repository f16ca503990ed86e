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

bool namespace_is_of(pid_t pid, const char *type, const char *path)
{
	for (size_t i = 0; pid > 0 && i < ARRAY_SIZE(files); i++) {
		char own[64];

		snprintf(own, sizeof(own), "/proc/%d/ns/%s", pid, files[i].file);
		if (strcmp(type, files[i].type) == 0 && strcmp(path, own) == 0)
			return true;
	}
	return false;
}

int namespace_resolve(const char *type, const char *path, const char **ret, void *data,
		      struct err *err)
{
	/* A network namespace of the host is what the pod's network is joined to (shim_create.c). */
	if (strcmp(type, "network") == 0 || namespace_is_of(*(const pid_t *)data, type, path)) {
		*ret = "";
		return 0;
	}
	return err_set(err, EINVAL, "%.128s is the host's, not this pod's", path);
}
