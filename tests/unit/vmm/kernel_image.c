/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/kernel_image.h"

#include <asm/bootparam.h>
#include <criterion/criterion.h>
#include <elf.h>
#include <errno.h>
#include <string.h>

/* The first page of a file, made by hand. */
struct elf {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[20];
};

#define FILE_SIZE 0x400000ull

static struct elf good_elf(void)
{
	struct elf elf = {
		.eh = {.e_type = ET_EXEC,
		       .e_machine = EM_X86_64,
		       .e_entry = 0x1000040,
		       .e_phoff = sizeof(Elf64_Ehdr),
		       .e_phentsize = sizeof(Elf64_Phdr),
		       .e_phnum = 3},
		.ph = {{.p_type = PT_LOAD,
			.p_offset = 0x1000,
			.p_paddr = 0x1000000,
			.p_filesz = 0x10000,
			.p_memsz = 0x10000},
		       {.p_type = PT_NOTE, .p_offset = UINT64_MAX},
		       {.p_type = PT_LOAD,
			.p_offset = 0x20000,
			.p_paddr = 0x1010000,
			.p_filesz = 0x100,
			.p_memsz = 0x5000}},
	};

	memcpy(elf.eh.e_ident, ELFMAG, SELFMAG);
	elf.eh.e_ident[EI_CLASS] = ELFCLASS64;
	elf.eh.e_ident[EI_DATA] = ELFDATA2LSB;
	return elf;
}

static int parse_elf(const struct elf *elf, struct kernel_image *image, struct err *err)
{
	return kernel_image_parse(elf, sizeof(*elf), FILE_SIZE, image, err);
}

Test(kernel_image, takes_a_vmlinux)
{
	struct elf elf = good_elf();
	struct kernel_image image;
	struct err err = ERR_INIT;

	cr_assert_eq(parse_elf(&elf, &image, &err), 0, "%s", err.msg);
	cr_assert_eq(image.kind, KERNEL_ELF);
	cr_assert_eq(image.entry, 0x1000040);
	cr_assert_eq(image.n_segments, 2);
	cr_assert_eq(image.segments[1].gpa, 0x1010000);
	cr_assert_eq(image.segments[1].file_size, 0x100);
	cr_assert_eq(image.end, 0x1015000, "zeros behind the file's bytes count");
	cr_assert_eq(image.setup_header_size, 0);
}

/* One change each turns the good file into one that must be refused. */
#define REFUSES(change)                                                                            \
	do {                                                                                       \
		struct elf elf = good_elf();                                                       \
		struct kernel_image image = {.entry = 77};                                         \
		struct err err = ERR_INIT;                                                         \
                                                                                                   \
		change;                                                                            \
		cr_assert_eq(parse_elf(&elf, &image, &err), -ENOEXEC, "%s", #change);              \
		cr_assert_eq(image.entry, 77, "outputs are untouched on failure");                 \
		cr_assert_eq(strncmp(err.msg, "kernel: ", 8), 0);                                  \
	} while (0)

Test(kernel_image, refuses_a_vmlinux_that_lies)
{
	REFUSES(elf.eh.e_ident[EI_CLASS] = ELFCLASS32);
	REFUSES(elf.eh.e_ident[EI_DATA] = ELFDATA2MSB);
	REFUSES(elf.eh.e_machine = EM_AARCH64);
	REFUSES(elf.eh.e_type = ET_DYN);
	REFUSES(elf.eh.e_phentsize = 32);
	REFUSES(elf.eh.e_phoff = sizeof(elf) + 1);
	REFUSES(elf.eh.e_phoff = UINT64_MAX);
	REFUSES(elf.eh.e_phnum = 21);
	REFUSES(elf.eh.e_phnum = UINT16_MAX);
	REFUSES(elf.eh.e_phnum = 0);
	REFUSES(elf.eh.e_entry = 0x100);
	REFUSES(elf.eh.e_entry = 0x1011000); /* in the zeros */
	REFUSES(elf.ph[0].p_filesz = 0x10001);
	REFUSES(elf.ph[0].p_offset = FILE_SIZE - 0xffff);
	REFUSES(elf.ph[0].p_offset = UINT64_MAX - 0xff);
	REFUSES(elf.ph[0].p_paddr = KERNEL_MIN_GPA - 1);
	REFUSES(elf.ph[0].p_paddr = 0);
	REFUSES(elf.ph[2].p_paddr = 0x100ffff); /* overlaps the first */
	REFUSES(elf.ph[2].p_paddr = KERNEL_MAX_GPA - 0x4fff);
	REFUSES(elf.ph[2].p_paddr = UINT64_MAX);
	REFUSES(elf.ph[2].p_memsz = UINT64_MAX);
	REFUSES(elf.ph[2].p_filesz = UINT64_MAX; elf.ph[2].p_memsz = UINT64_MAX);
}

Test(kernel_image, refuses_too_many_segments)
{
	struct elf elf = good_elf();
	struct kernel_image image;

	elf.eh.e_phnum = KERNEL_MAX_SEGMENTS + 1;
	for (unsigned i = 0; i <= KERNEL_MAX_SEGMENTS; i++) {
		elf.ph[i] = elf.ph[0];
		elf.ph[i].p_paddr = 0x1000000 + i * 0x10000;
	}
	cr_assert_eq(parse_elf(&elf, &image, NULL), -ENOEXEC);
	elf.eh.e_phnum = KERNEL_MAX_SEGMENTS;
	cr_assert_eq(parse_elf(&elf, &image, NULL), 0);
}

Test(kernel_image, refuses_every_short_beginning)
{
	struct elf elf = good_elf();
	struct kernel_image image;
	uint8_t *copy;

	/* Each in a block of its own, so that a sanitizer sees a read past its end. */
	for (size_t n = 0; n < sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr); n++) {
		copy = malloc(n ? n : 1);
		memcpy(copy, &elf, n);
		cr_assert_eq(kernel_image_parse(copy, n, FILE_SIZE, &image, NULL), -ENOEXEC);
		free(copy);
	}
}

static void put_header(uint8_t page[KERNEL_IMAGE_HEAD], const struct setup_header *hdr)
{
	memset(page, 0, KERNEL_IMAGE_HEAD);
	memcpy(page + 0x1f1, hdr, sizeof(*hdr));
}

static struct setup_header good_bzimage(void)
{
	return (struct setup_header){
		.setup_sects = 27,
		.syssize = 0x10000,
		.boot_flag = 0xaa55,
		.jump = 0x6aeb, /* the second byte is the header's length from 0x202 on */
		.header = 0x53726448,
		.version = 0x20f,
		.loadflags = LOADED_HIGH,
		.initrd_addr_max = 0x7fffffff,
		.xloadflags = XLF_KERNEL_64,
		.cmdline_size = 2047,
		.pref_address = 0x1000000,
		.init_size = 0x2000000,
	};
}

Test(kernel_image, takes_a_bzimage)
{
	struct setup_header hdr = good_bzimage();
	uint8_t page[KERNEL_IMAGE_HEAD];
	struct kernel_image image;
	struct err err = ERR_INIT;

	put_header(page, &hdr);
	cr_assert_eq(kernel_image_parse(page, sizeof(page), FILE_SIZE, &image, &err), 0, "%s",
		     err.msg);
	cr_assert_eq(image.kind, KERNEL_BZIMAGE);
	cr_assert_eq(image.entry, 0x1000200);
	cr_assert_eq(image.n_segments, 1);
	cr_assert_eq(image.segments[0].offset, 28 * 512);
	cr_assert_eq(image.segments[0].file_size, 0x100000);
	cr_assert_eq(image.end, 0x3000000);
	cr_assert_eq(image.cmdline_max, 2047);
	cr_assert_eq(image.initrd_max, 0x80000000);
	cr_assert_eq(image.setup_header_size, 0x202 + 0x6a - 0x1f1);
}

#define REFUSES_BZ(change)                                                                         \
	do {                                                                                       \
		struct setup_header hdr = good_bzimage();                                          \
		struct kernel_image image;                                                         \
		uint8_t page[KERNEL_IMAGE_HEAD];                                                   \
                                                                                                   \
		change;                                                                            \
		put_header(page, &hdr);                                                            \
		cr_assert_eq(kernel_image_parse(page, sizeof(page), FILE_SIZE, &image, NULL),      \
			     -ENOEXEC, "%s", #change);                                             \
	} while (0)

Test(kernel_image, refuses_a_bzimage_that_cannot_start_here)
{
	REFUSES_BZ(hdr.header = 0);
	REFUSES_BZ(hdr.version = 0x20b);
	REFUSES_BZ(hdr.xloadflags = 0);
	REFUSES_BZ(hdr.loadflags = 0);
	REFUSES_BZ(hdr.jump = 0x10eb); /* a header that ends before the fields we need */
	REFUSES_BZ(hdr.syssize = UINT32_MAX);
	REFUSES_BZ(hdr.syssize = 0);
	REFUSES_BZ(hdr.pref_address = 0);
	REFUSES_BZ(hdr.pref_address = UINT64_MAX);
	REFUSES_BZ(hdr.pref_address = KERNEL_MAX_GPA);
	REFUSES_BZ(hdr.init_size = 0);
	REFUSES_BZ(hdr.init_size = UINT32_MAX);
	REFUSES_BZ(hdr.init_size = 0x1000); /* less than the file */
}

Test(kernel_image, refuses_other_files)
{
	struct kernel_image image;
	struct err err = ERR_INIT;

	cr_assert_eq(kernel_image_parse("", 0, 0, &image, &err), -ENOEXEC);
	cr_assert_eq(kernel_image_parse("#!/bin/sh\n", 10, 10, &image, &err), -ENOEXEC);
	cr_assert_not_null(strstr(err.msg, "neither"));
}
