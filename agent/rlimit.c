/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/rlimit.h"

#include <string.h>
#include <sys/resource.h>

#include "common/cleanup.h"

static const struct {
	const char *name;
	int resource;
} limits[] = {
	{"AS", RLIMIT_AS},
	{"CORE", RLIMIT_CORE},
	{"CPU", RLIMIT_CPU},
	{"DATA", RLIMIT_DATA},
	{"FSIZE", RLIMIT_FSIZE},
	{"LOCKS", RLIMIT_LOCKS},
	{"MEMLOCK", RLIMIT_MEMLOCK},
	{"MSGQUEUE", RLIMIT_MSGQUEUE},
	{"NICE", RLIMIT_NICE},
	{"NOFILE", RLIMIT_NOFILE},
	{"NPROC", RLIMIT_NPROC},
	{"RSS", RLIMIT_RSS},
	{"RTPRIO", RLIMIT_RTPRIO},
	{"RTTIME", RLIMIT_RTTIME},
	{"SIGPENDING", RLIMIT_SIGPENDING},
	{"STACK", RLIMIT_STACK},
};

_Static_assert(ARRAY_SIZE(limits) == RLIM_NLIMITS, "a limit has no name");

int rlimit_parse(const char *name)
{
	if (strncmp(name, "RLIMIT_", 7) != 0)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		if (!strcmp(name + 7, limits[i].name))
			return limits[i].resource;
	}
	return -EINVAL;
}
