/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the block device of a disk slot. May wait: never called in the agent's event loop. */
#ifndef AGENT_DISK_H
#define AGENT_DISK_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define DISK_TIMEOUT_MS 5000

/*
 * Writes the path of slot's device ("/dev/vda") once it has a size; -ETIMEDOUT where that does not
 * come, -ENOENT where there is no such slot.
 */
int disk_find(uint32_t slot, char *path, size_t size, struct err *err);

#endif
