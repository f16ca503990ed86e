/* SPDX-License-Identifier: Apache-2.0 */
/* The names of resource limits, as setrlimit(2) and the runtime-spec write them. Pure. */
#ifndef AGENT_RLIMIT_H
#define AGENT_RLIMIT_H

/* "RLIMIT_NOFILE" to its number; -EINVAL for no such name. */
int rlimit_parse(const char *name);

#endif
