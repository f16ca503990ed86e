/* SPDX-License-Identifier: Apache-2.0 */
/* User namespaces that hold nothing but the id maps of an idmapped mount. */
#ifndef AGENT_IDMAP_H
#define AGENT_IDMAP_H

#include <stddef.h>
#include <sys/types.h>

#include "agent/plan.h"

/* Writes the maps of process pid, as the agent's own /proc counts it. */
int idmap_write(pid_t pid, const struct idmaps *maps, struct err *err);

/* A new user namespace with these maps. Returns its descriptor. */
int idmap_open(const struct idmaps *maps, struct err *err);

#endif
