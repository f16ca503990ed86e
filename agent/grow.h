/* SPDX-License-Identifier: Apache-2.0 */
/* What the guest has of processors and memory, and bringing more of it online. */
#ifndef AGENT_GROW_H
#define AGENT_GROW_H

#include <stdint.h>

/* Brings parked vCPUs online until want are; 0: all. Those that do not come up are seen by their absence. */
void grow_cpus(uint32_t want);

uint32_t grow_cpus_online(void);

/* All that the kernel manages; without what it keeps for itself. */
uint64_t grow_memory_bytes(void);

#endif
