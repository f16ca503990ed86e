/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables that an x86 kernel finds in low memory, encoded into buffers. Pure.
 *
 *	0x00500   GDT
 *	0x01000   boot_params, the "zero page"
 *	0x02000   command line
 *	0x03000   PML4, PDPT, PD: the first GiB, identity mapped in 2 MiB pages
 *	0x9fc00   MP table; from here to 1 MiB the memory map has nothing
 *	1 MiB     kernel …
 *
 * Nothing describes the machine but these: there is no firmware, no ACPI and no PCI.
 */
#ifndef VMM_X86_TABLES_H
#define VMM_X86_TABLES_H

#include <asm/bootparam.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/kernel_image.h"
#include "vmm/memory.h"

#define X86_GDT_GPA         0x500ull
#define X86_BOOT_PARAMS_GPA 0x1000ull
#define X86_CMDLINE_GPA     0x2000ull
#define X86_CMDLINE_SIZE    0x1000u
#define X86_PAGE_TABLES_GPA 0x3000ull
#define X86_MP_TABLE_GPA    0x9fc00ull
#define X86_MP_TABLE_SIZE   1024u
#define X86_HIGH_MEMORY_GPA 0x100000ull

#define X86_IOAPIC_GPA 0xfec00000ull
#define X86_LAPIC_GPA  0xfee00000ull

/* As many as fit into the kilobyte of the MP table that a kernel searches. */
#define X86_MAX_CPUS 32

#define X86_GDT_ENTRIES 4
#define X86_CS          0x10 /* __BOOT_CS of the 64-bit boot protocol */
#define X86_DS          0x18

void x86_encode_gdt(uint64_t gdt[X86_GDT_ENTRIES]);

/* Three pages for X86_PAGE_TABLES_GPA; the PML4 comes first. */
void x86_encode_page_tables(uint64_t tables[3 * 512]);

/*
 * MultiProcessor Specification 1.4: cpus processors with APIC ids 0.., and one IOAPIC, of whose pins those
 * in the mask lines are ISA lines of the same number, edge triggered: a kernel prepares each line that it
 * is told of. cpus is at most X86_MAX_CPUS.
 */
void x86_encode_mp_table(uint8_t table[X86_MP_TABLE_SIZE], unsigned cpus, uint32_t lines);

/* An initramfs's place: addr, 0 where size is 0. */
struct x86_initrd {
	uint64_t addr, size;
};

void x86_encode_boot_params(struct boot_params *params, const struct memory *mem,
			    const struct kernel_image *image, const struct x86_initrd *initrd);

/*
 * The page-aligned place for size bytes right behind the kernel, below its limit; 0 where there is none.
 * Not at the top, as other loaders have it: there it would be the only use of a huge page of the host's.
 */
uint64_t x86_plan_initrd(const struct memory *mem, const struct kernel_image *image, uint64_t size);

#endif
