// SPDX-License-Identifier: Apache-2.0
#include "vmm/kernel_image.h"

#include <asm/bootparam.h>
#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/bytes.h"

/* Offsets within the file of a bzImage (boot.rst, "The Real-Mode Kernel Header"). */
#define SETUP_HEADER   0x1f1
#define SETUP_JUMP_LEN 0x201 /* the byte that says where the header ends, from 0x202 on */
#define SECTOR         512u

#define BZ_MAGIC       0x53726448 /* "HdrS" */
#define BZ_MIN_VERSION 0x020c     /* the first with xloadflags */
#define BZ_ENTRY_64    0x200

/* What Linux of the last decade takes; an ELF file does not say. */
#define ELF_INITRD_MAX  0x7fffffffull
#define ELF_CMDLINE_MAX 2047

static_assert(sizeof(struct setup_header) <= sizeof(((struct kernel_image *)0)->setup_header),
	      "setup_header fits");

static int bad(struct err *err, const char *what)
{
	return err_set(err, ENOEXEC, "kernel: %s", what);
}

/* Appends a segment after judging that file and addresses can hold it. */
static int add_segment(struct kernel_image *image, const struct kernel_segment *seg,
		       uint64_t file_size, struct err *err)
{
	if (seg->file_size > seg->mem_size)
		return bad(err, "a segment is larger in the file than in memory");
	if (seg->offset > file_size || seg->file_size > file_size - seg->offset)
		return bad(err, "the file is cut short");
	if (seg->gpa < KERNEL_MIN_GPA || seg->gpa >= KERNEL_MAX_GPA ||
	    seg->mem_size > KERNEL_MAX_GPA - seg->gpa)
		return bad(err, "a segment lies outside of 1 MiB to 1 GiB");
	if (image->n_segments && seg->gpa < image->end)
		return bad(err, "segments overlap or do not rise");
	if (image->n_segments == KERNEL_MAX_SEGMENTS)
		return bad(err, "more than 16 segments");
	image->segments[image->n_segments++] = *seg;
	image->end = seg->gpa + seg->mem_size;
	return 0;
}

static bool entry_is_loaded(const struct kernel_image *image)
{
	for (unsigned i = 0; i < image->n_segments; i++) {
		const struct kernel_segment *seg = &image->segments[i];

		if (image->entry >= seg->gpa && image->entry - seg->gpa < seg->file_size)
			return true;
	}
	return false;
}

static int parse_elf(const uint8_t *head, size_t size, uint64_t file_size,
		     struct kernel_image *image, struct err *err)
{
	Elf64_Ehdr eh;
	int r;

	if (size < sizeof(eh))
		return bad(err, "the file is cut short");
	memcpy(&eh, head, sizeof(eh));
	if (eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_ident[EI_DATA] != ELFDATA2LSB ||
	    eh.e_machine != EM_X86_64 || eh.e_type != ET_EXEC)
		return bad(err, "not an x86-64 vmlinux (ELF64, executable)");
	if (eh.e_phentsize != sizeof(Elf64_Phdr) || eh.e_phoff > size ||
	    eh.e_phnum > (size - eh.e_phoff) / sizeof(Elf64_Phdr))
		return bad(err, "the ELF program headers are not at the file's beginning");

	image->kind = KERNEL_ELF;
	image->entry = eh.e_entry;
	image->initrd_max = ELF_INITRD_MAX;
	image->cmdline_max = ELF_CMDLINE_MAX;
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		Elf64_Phdr ph;

		memcpy(&ph, head + eh.e_phoff + i * sizeof(ph), sizeof(ph));
		if (ph.p_type != PT_LOAD || !ph.p_memsz)
			continue;
		r = add_segment(image,
				&(struct kernel_segment){.offset = ph.p_offset,
							 .file_size = ph.p_filesz,
							 .gpa = ph.p_paddr,
							 .mem_size = ph.p_memsz},
				file_size, err);
		if (r < 0)
			return r;
	}
	if (!entry_is_loaded(image))
		return bad(err, "the entry point is in no segment");
	return 0;
}

static int parse_bzimage(const uint8_t *head, size_t size, uint64_t file_size,
			 struct kernel_image *image, struct err *err)
{
	struct setup_header hdr = {0};
	struct kernel_segment seg;
	size_t hdr_end;
	int r;

	/* The header is as long as its version made it: it says so itself. */
	hdr_end = (size_t)SETUP_JUMP_LEN + 1 + head[SETUP_JUMP_LEN];
	if (hdr_end > SETUP_HEADER + sizeof(hdr))
		hdr_end = SETUP_HEADER + sizeof(hdr);
	if (hdr_end > size)
		return bad(err, "the file is cut short");
	memcpy(&hdr, head + SETUP_HEADER, hdr_end - SETUP_HEADER);
	if (hdr.version < BZ_MIN_VERSION || !(hdr.xloadflags & XLF_KERNEL_64) ||
	    !(hdr.loadflags & LOADED_HIGH))
		return bad(err, "bzImage without a 64-bit entry point");

	/* setup_sects 0 means 4, for historical reasons; the boot sector comes on top. */
	seg.offset = ((hdr.setup_sects ? hdr.setup_sects : 4) + 1ull) * SECTOR;
	if (seg.offset >= file_size)
		return bad(err, "the file is cut short");
	seg.file_size = (uint64_t)hdr.syssize * 16;
	/* syssize rounds up, signatures may follow it: whatever is there of it is loaded. */
	if (seg.file_size > file_size - seg.offset + 15)
		return bad(err, "the file is cut short");
	if (seg.file_size > file_size - seg.offset)
		seg.file_size = file_size - seg.offset;
	seg.gpa = hdr.pref_address;
	seg.mem_size = hdr.init_size;
	r = add_segment(image, &seg, file_size, err);
	if (r < 0)
		return r;

	image->kind = KERNEL_BZIMAGE;
	image->entry = seg.gpa + BZ_ENTRY_64;
	image->initrd_max = (uint64_t)hdr.initrd_addr_max + 1;
	image->cmdline_max = hdr.cmdline_size;
	image->setup_header_size = hdr_end - SETUP_HEADER;
	memcpy(image->setup_header, &hdr, image->setup_header_size);
	if (!entry_is_loaded(image))
		return bad(err, "the entry point is in no segment");
	return 0;
}

int kernel_image_parse(const void *head, size_t size, uint64_t file_size, struct kernel_image *ret,
		       struct err *err)
{
	struct kernel_image image = {0};
	const uint8_t *p = head;
	struct bytes magic;
	int r;

	if (size >= SELFMAG && !memcmp(p, ELFMAG, SELFMAG)) {
		r = parse_elf(p, size, file_size, &image, err);
	} else if (size > SETUP_HEADER + 0x15) {
		magic = bytes_of(p + 0x202, 4);
		if (bytes_le32(&magic) != BZ_MAGIC)
			return bad(err, "neither an ELF vmlinux nor a bzImage");
		r = parse_bzimage(p, size, file_size, &image, err);
	} else {
		return bad(err, "neither an ELF vmlinux nor a bzImage");
	}
	if (r < 0)
		return r;
	*ret = image;
	return 0;
}
