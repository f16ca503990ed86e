/* SPDX-License-Identifier: Apache-2.0 */
/* The first page of a kernel file; what the parser lets pass must be safe to load and to place. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/kernel_image.h"
#include "vmm/memory.h"
#include "vmm/x86_tables.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_segments(const struct kernel_image *image, uint64_t file_size)
{
	uint64_t last = KERNEL_MIN_GPA;

	if (!image->n_segments || image->n_segments > KERNEL_MAX_SEGMENTS)
		abort();
	for (unsigned i = 0; i < image->n_segments; i++) {
		const struct kernel_segment *seg = &image->segments[i];

		if (seg->gpa < last || seg->gpa > KERNEL_MAX_GPA ||
		    seg->mem_size > KERNEL_MAX_GPA - seg->gpa || seg->file_size > seg->mem_size ||
		    seg->offset > file_size || seg->file_size > file_size - seg->offset)
			abort();
		last = seg->gpa + seg->mem_size;
	}
	if (image->end != last || image->entry < KERNEL_MIN_GPA || image->entry >= last)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct x86_initrd initrd = {.size = 5000};
	struct kernel_image image;
	struct boot_params params;
	struct memory mem;
	uint64_t file_size;

	if (size < 4 || size > KERNEL_IMAGE_HEAD + 4)
		return 0;
	/* The file's size is data too, but never less than what was read of it. */
	file_size = (uint64_t)(data[0] | data[1] << 8 | data[2] << 16) << (data[3] % 20);
	data += 4;
	size -= 4;
	if (file_size < size)
		file_size = size;
	if (kernel_image_parse(data, size, file_size, &image, NULL) < 0)
		return 0;
	check_segments(&image, file_size);
	memory_plan(&mem, 5ull << 30);
	initrd.addr = x86_plan_initrd(&mem, &image, initrd.size);
	if (initrd.addr && (initrd.addr < image.end || initrd.addr + 5000 > image.initrd_max))
		abort();
	x86_encode_boot_params(&params, &mem, &image, &initrd);
	return 0;
}
