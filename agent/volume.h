/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders in the pod's memory: tmpfs's of the agent's, each beneath VOLUME_WORK by the name that the host
 * chose, which containers bind. One is made when a container is the first to name it, and lasts until the
 * host says that it is gone, or as long as the pod: a container that starts anew finds there what was left.
 */
#ifndef AGENT_VOLUME_H
#define AGENT_VOLUME_H

#include "agent/plan.h"

#define VOLUME_WORK "/run/memory"
#define VOLUMES_MAX 64

struct agent;

/* Makes those of plan that are not there. In the agent: it touches nothing that a container can reach. */
int volumes_make(struct agent *agent, const struct plan *plan, struct err *err);
/* Forgets n of them: what is in one goes with the last container that has it. */
void volumes_drop(struct agent *agent, char *const *names, size_t n);

/*
 * Opens its directory, O_PATH, which is made where it is missing. Not in the agent: containers may be at
 * the same directories, and hold them.
 */
int volume_open(const struct plan_volume *volume, struct err *err);

#endif
