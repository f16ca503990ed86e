/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory as the devices see it: a few regions of guest-physical addresses mapped in our
 * address space. Every access names a length and is checked against one region; a range that
 * crosses a border or leaves memory yields NULL or -EFAULT. What the pointers point at changes
 * under our feet: copy once, then judge.
 */
#ifndef VMM_MEMORY_H
#define VMM_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#define MEMORY_MAX_REGIONS 16

struct memory_region {
	uint64_t gpa;
	uint64_t size;
	uint8_t *host;
};

struct memory {
	struct memory_region regions[MEMORY_MAX_REGIONS];
	unsigned n_regions;
};

/* The host address of [gpa, gpa + len), which must lie in one region; NULL otherwise. len may be 0. */
void *memory_at(const struct memory *mem, uint64_t gpa, uint64_t len);

/* Copies out of or into guest memory. 0 or -EFAULT. */
int memory_read(const struct memory *mem, uint64_t gpa, void *buf, size_t len);
int memory_write(const struct memory *mem, uint64_t gpa, const void *buf, size_t len);

#endif
