// SPDX-License-Identifier: Apache-2.0
/*
 * Guest memory: one private anonymous mapping per region, the whole of which is memory, or what has been
 * opened of it so far. It is left out of core dumps (it is the
 * guest's, and large), is not inherited by a fork, and has guard pages around it, so that an
 * overrun by a broken device faults instead of reaching the monitor's own memory.
 */
#include "vmm/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE       4096ull
#define GUARD_SIZE MEMORY_HUGE_PAGE

void memory_plan(struct memory *mem, uint64_t size)
{
	uint64_t low = size < MEMORY_HOLE_BEGIN ? size : MEMORY_HOLE_BEGIN;

	*mem = (struct memory){.n_regions = 1};
	mem->regions[0] = (struct memory_region){.gpa = 0, .size = low};
	if (size > low)
		mem->regions[mem->n_regions++] =
			(struct memory_region){.gpa = MEMORY_HOLE_END, .size = size - low};
}

/* Guard, slack to reach a 2 MiB boundary (only so can huge pages be used), memory, guard. */
static int map_region(struct memory_region *region, int prot)
{
	uint64_t total = region->reserved + 2 * GUARD_SIZE + MEMORY_HUGE_PAGE;
	uintptr_t base;
	void *p, *m;

	p = mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	base = ((uintptr_t)p + GUARD_SIZE + MEMORY_HUGE_PAGE - 1) &
	       ~(uintptr_t)(MEMORY_HUGE_PAGE - 1);
	m = mmap((void *)base, region->reserved, prot,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	if (m == MAP_FAILED) {
		int r = -errno;

		munmap(p, total);
		return r;
	}
	/* Trim to exactly one guard on each side, so that destroy can find the ends. */
	if (base - GUARD_SIZE > (uintptr_t)p)
		munmap(p, base - GUARD_SIZE - (uintptr_t)p);
	munmap((void *)(base + region->reserved + GUARD_SIZE),
	       (uintptr_t)p + total - (base + region->reserved + GUARD_SIZE));

	/* Hints: a kernel without them still runs the guest. */
	madvise(m, region->reserved, MADV_HUGEPAGE);
	madvise(m, region->reserved, MADV_DONTDUMP);
	madvise(m, region->reserved, MADV_DONTFORK);
	region->host = m;
	return 0;
}

int memory_create(struct memory *mem, uint64_t size, struct err *err)
{
	struct memory plan;

	if (size % PAGE || size < MEMORY_MIN_SIZE || size > MEMORY_MAX_SIZE)
		return err_set(err, EINVAL,
			       "memory: %llu bytes is not a whole number of pages between 32 MiB "
			       "and 4 TiB",
			       (unsigned long long)size);
	memory_plan(&plan, size);
	for (unsigned i = 0; i < plan.n_regions; i++) {
		int r;

		plan.regions[i].reserved = plan.regions[i].size;
		r = map_region(&plan.regions[i], PROT_READ | PROT_WRITE);

		if (r < 0) {
			memory_destroy(&plan);
			return err_set_errno(err, -r, "memory: cannot map %llu bytes",
					     (unsigned long long)plan.regions[i].size);
		}
	}
	*mem = plan;
	return 0;
}

void memory_destroy(struct memory *mem)
{
	for (unsigned i = 0; i < mem->n_regions; i++) {
		struct memory_region *region = &mem->regions[i];

		if (region->host)
			munmap(region->host - GUARD_SIZE, region->reserved + 2 * GUARD_SIZE);
	}
	*mem = (struct memory){0};
}

int memory_reserve(struct memory *mem, uint64_t size, uint64_t align, struct err *err)
{
	const struct memory_region *last = &mem->regions[mem->n_regions - 1];
	uint64_t end = last->gpa + last->size;
	struct memory_region region = {.reserved = size};
	int r;

	if (mem->n_regions == MEMORY_MAX_REGIONS || !size || size % PAGE || size > MEMORY_MAX_SIZE)
		return err_set(err, EINVAL, "memory: cannot reserve %llu bytes",
			       (unsigned long long)size);
	if (end < MEMORY_HOLE_END)
		end = MEMORY_HOLE_END;
	region.gpa = (end + align - 1) & ~(align - 1);
	r = map_region(&region, PROT_NONE);
	if (r < 0)
		return err_set_errno(err, -r, "memory: cannot reserve %llu bytes",
				     (unsigned long long)size);
	mem->regions[mem->n_regions++] = region;
	return 0;
}

int memory_open(struct memory *mem, uint64_t size)
{
	struct memory_region *region = &mem->regions[mem->n_regions - 1];

	if (size < region->size || size > region->reserved || size % PAGE)
		return -EINVAL;
	/* Only now does it count as ours where the host keeps book of what it has promised. */
	if (mprotect(region->host, size, PROT_READ | PROT_WRITE) < 0)
		return -errno;
	region->size = size;
	return 0;
}

void memory_expect_sparse(const struct memory *mem, uint64_t gpa, uint64_t size)
{
	void *p = memory_at(mem, gpa, size);

	if (p)
		madvise(p, size, MADV_NOHUGEPAGE);
}

int memory_read(const struct memory *mem, uint64_t gpa, void *buf, size_t len)
{
	const void *p = memory_at(mem, gpa, len);

	if (!p)
		return -EFAULT;
	memcpy(buf, p, len);
	return 0;
}

int memory_write(const struct memory *mem, uint64_t gpa, const void *buf, size_t len)
{
	void *p = memory_at(mem, gpa, len);

	if (!p)
		return -EFAULT;
	memcpy(p, buf, len);
	return 0;
}
