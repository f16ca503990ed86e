/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest kernel file asks for: which bytes go where, and where to enter. Pure: it judges the
 * first bytes of the file and the file's size; the loader (x86_boot.c) then reads the segments
 * straight into guest memory.
 *
 * Two forms: an ELF64 vmlinux, entered at e_entry, a physical address; and a bzImage, loaded at its
 * preferred address and entered 0x200 behind it. Both by the 64-bit boot protocol
 * (Documentation/arch/x86/boot.rst, 64-bit Boot Protocol), so an image without that entry is refused.
 */
#ifndef VMM_KERNEL_IMAGE_H
#define VMM_KERNEL_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* How much of the file's beginning the parser wants; a shorter file is given whole. */
#define KERNEL_IMAGE_HEAD 4096

/* Below lie the boot structures; above, the page tables we start with map nothing. */
#define KERNEL_MIN_GPA 0x100000ull
#define KERNEL_MAX_GPA 0x40000000ull

#define KERNEL_MAX_SEGMENTS 16

enum kernel_kind { KERNEL_ELF, KERNEL_BZIMAGE };

/* Bytes [offset, offset + file_size) of the file go to gpa; up to mem_size follow zeros. */
struct kernel_segment {
	uint64_t offset, file_size;
	uint64_t gpa, mem_size;
};

struct kernel_image {
	enum kernel_kind kind;
	uint64_t entry;
	/* The first address that the kernel does not use before it knows the memory map. */
	uint64_t end;
	uint64_t initrd_max;  /* the highest address an initramfs may end at, exclusive */
	uint32_t cmdline_max; /* bytes, without the NUL */
	/* The setup header for boot_params: the bzImage's own, all zero for ELF. */
	uint8_t setup_header[0x7f];
	size_t setup_header_size;
	unsigned n_segments;
	struct kernel_segment segments[KERNEL_MAX_SEGMENTS]; /* rising addresses, no overlap */
};

/* head: the file's first size bytes, KERNEL_IMAGE_HEAD where it has as many. 0 or -ENOEXEC. */
int kernel_image_parse(const void *head, size_t size, uint64_t file_size, struct kernel_image *ret,
		       struct err *err);

#endif
