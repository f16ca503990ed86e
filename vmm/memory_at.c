/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where a guest's address becomes ours. Proved for all memories and ranges (docs/proofs.md). */
#include "vmm/memory.h"

uint8_t *memory_at(const struct memory *mem, uint64_t gpa, uint64_t len)
{
	/*@ loop invariant 0 <= i <= mem->n_regions;
	    loop assigns i;
	    loop variant mem->n_regions - i;
	 */
	for (unsigned i = 0; i < mem->n_regions; i++) {
		const struct memory_region *region = &mem->regions[i];
		uint64_t offset = gpa - region->gpa;

		/* Below the region the difference wraps and is larger than any size. */
		if (offset < region->size)
			return len <= region->size - offset ? region->host + offset : NULL;
	}
	return NULL;
}
