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

#include "common/err.h"

#define MEMORY_MAX_REGIONS 16

/* Where devices live instead of memory: what does not fit below continues at 4 GiB. */
#define MEMORY_HOLE_BEGIN 0xc0000000ull
#define MEMORY_HOLE_END   0x100000000ull

#define MEMORY_MIN_SIZE (32ull << 20)
#define MEMORY_MAX_SIZE (4ull << 40)

#define MEMORY_HUGE_PAGE (2ull << 20)

struct memory_region {
	uint64_t gpa;
	uint64_t size;
	uint8_t *host;
	uint64_t
		reserved; /* address space, of ours and the guest's, of which size bytes are memory */
};

struct memory {
	struct memory_region regions[MEMORY_MAX_REGIONS];
	unsigned n_regions;
};

/* Fills in where size bytes (whole pages) go, host addresses left NULL. Pure. */
void memory_plan(struct memory *mem, uint64_t size);

/*
 * Plans and maps. Nothing is reserved: the host gives pages as the guest touches them. Returns
 * -EINVAL for a size that is not whole pages or out of bounds.
 */
int memory_create(struct memory *mem, uint64_t size, struct err *err);
void memory_destroy(struct memory *mem);

/*
 * A region, the last, for memory that comes later: addresses for size bytes above all others, and above
 * the hole; its begin is a multiple of align, a power of two. None of it is memory, so nothing finds it.
 */
int memory_reserve(struct memory *mem, uint64_t size, uint64_t align, struct err *err);
/* The first size bytes of the region that was reserved are memory from now on. 0 or -errno. */
int memory_open(struct memory *mem, uint64_t size);

/* A hint: [gpa, gpa + size) will be used here and there only, and huge pages would be wasted on it. */
void memory_expect_sparse(const struct memory *mem, uint64_t gpa, uint64_t size);

/*@ predicate region_mapped(struct memory_region *r) =
	\valid(r->host + (0 .. r->size - 1));
    predicate memory_mapped(struct memory *mem) =
	\valid_read(mem) && mem->n_regions <= MEMORY_MAX_REGIONS &&
	\forall integer i; 0 <= i < mem->n_regions ==> region_mapped(&mem->regions[i]);
 */

/* The host address of [gpa, gpa + len), which must lie in one region; NULL otherwise. len may be 0. */
/*@ requires memory_mapped(mem);
    assigns \result \from *mem, gpa, len;
    ensures \result == \null || \valid(\result + (0 .. len - 1));
 */
uint8_t *memory_at(const struct memory *mem, uint64_t gpa, uint64_t len);

/* Copies out of or into guest memory. 0 or -EFAULT. */
int memory_read(const struct memory *mem, uint64_t gpa, void *buf, size_t len);
int memory_write(const struct memory *mem, uint64_t gpa, const void *buf, size_t len);

#endif
