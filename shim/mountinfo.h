/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of /proc/PID/mountinfo, see proc(5). Pure. */
#ifndef SHIM_MOUNTINFO_H
#define SHIM_MOUNTINFO_H

#include <stdbool.h>
#include <stdint.h>

struct mountinfo {
	uint64_t id;
	unsigned major, minor;
	const char *root, *target; /* within the file system; in the mount namespace */
};

/* Takes line apart, which ret then points into. false: it is none. */
bool mountinfo_parse(char *line, struct mountinfo *ret);

#endif
