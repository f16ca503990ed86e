/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the last 64 KiB of a guest's console, in a memfd that the owner of a VM
 * creates and hands to the VM monitor. The owner reads it whenever it wants, also after the
 * monitor's death. Layout: a uint64 count of all bytes ever written, then at CONSOLE_RING_DATA the
 * bytes, byte i at i modulo the size. There is one writer. The reader copies out once and bounds
 * everything by the constant size: a broken writer can show it garbage, nothing more.
 */
#ifndef COMMON_CONSOLE_RING_H
#define COMMON_CONSOLE_RING_H

#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"

#define CONSOLE_RING_SIZE 65536u
#define CONSOLE_RING_DATA 64u

struct console_ring;

/* A new memfd for a ring: sealed against growing and shrinking. Returns the fd. */
int console_ring_memfd(void);
/* Maps the ring in fd (borrowed, size checked). */
int console_ring_open(int fd, struct console_ring **ret);
void console_ring_close(struct console_ring *ring);
DEFINE_CLEANUP(struct console_ring, console_ring_close)

void console_ring_write(struct console_ring *ring, const void *data, size_t n);
/* Copies at most max of the newest bytes to buf, oldest first. Returns how many. */
size_t console_ring_tail(const struct console_ring *ring, char *buf, size_t max);

#endif
