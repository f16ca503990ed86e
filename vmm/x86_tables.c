// SPDX-License-Identifier: Apache-2.0
#include "vmm/x86_tables.h"

#include <assert.h>
#include <string.h>

#include "common/bytes.h"

#define PAGE 4096ull

void x86_encode_gdt(uint64_t gdt[X86_GDT_ENTRIES])
{
	gdt[0] = 0;
	gdt[1] = 0;
	gdt[2] = 0x00af9b000000ffff; /* 0x10: 64-bit code, present, accessed */
	gdt[3] = 0x00cf93000000ffff; /* 0x18: data, present, accessed */
}

void x86_encode_page_tables(uint64_t tables[3 * 512])
{
	const uint64_t present_rw = 0x3, accessed_dirty = 0x60, large = 0x80;

	memset(tables, 0, 3 * PAGE);
	tables[0] = (X86_PAGE_TABLES_GPA + PAGE) | present_rw;
	tables[512] = (X86_PAGE_TABLES_GPA + 2 * PAGE) | present_rw;
	for (uint64_t i = 0; i < 512; i++)
		tables[1024 + i] = i << 21 | present_rw | accessed_dirty | large;
}

/* --- MP table ------------------------------------------------------------------------------ */

#define MP_FLOATING_SIZE 16
#define MP_HEADER_SIZE   44
#define MP_VERSION_1_4   4

enum mp_entry { MP_PROCESSOR, MP_BUS, MP_IOAPIC, MP_INTSRC, MP_LINTSRC };
enum mp_int { MP_INT, MP_NMI, MP_SMI, MP_EXTINT };

#define X86_LINES 32 /* as many as a mask names */

#define MP_ISA_BUS    0
#define MP_LAPIC_VER  0x14
#define MP_IOAPIC_VER 0x11
#define MP_ENABLED    1
#define MP_BOOT_CPU   2
#define MP_ALL_LAPICS 0xff

static_assert(MP_FLOATING_SIZE + MP_HEADER_SIZE + 20 * X86_MAX_CPUS + 8 + 8 + 8 * X86_LINES + 8 <=
		      X86_MP_TABLE_SIZE,
	      "the MP table holds every CPU and pin");

static uint8_t checksum(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	while (n--)
		sum += *p++;
	return -sum;
}

static void put_bytes(struct bytes_out *out, const void *data, size_t n)
{
	uint8_t *p = bytes_room(out, n);

	if (p)
		memcpy(p, data, n);
}

static void put_processor(struct bytes_out *out, unsigned cpu)
{
	bytes_put_u8(out, MP_PROCESSOR);
	bytes_put_u8(out, cpu); /* APIC id */
	bytes_put_u8(out, MP_LAPIC_VER);
	bytes_put_u8(out, MP_ENABLED | (cpu ? 0 : MP_BOOT_CPU));
	bytes_put_le32(out, 0x600); /* signature and features: what CPUID says counts */
	bytes_put_le32(out, 0x201); /* APIC, FPU */
	bytes_put_le64(out, 0);
}

/* Entries 3 and 4 differ in their type only. Flags 0: polarity and trigger as the bus has them. */
static void put_interrupt(struct bytes_out *out, enum mp_entry entry, enum mp_int type,
			  unsigned irq, unsigned apic, unsigned pin)
{
	bytes_put_u8(out, entry);
	bytes_put_u8(out, type);
	bytes_put_le16(out, 0);
	bytes_put_u8(out, MP_ISA_BUS);
	bytes_put_u8(out, irq);
	bytes_put_u8(out, apic);
	bytes_put_u8(out, pin);
}

static unsigned put_entries(struct bytes_out *out, unsigned cpus, uint32_t lines)
{
	const unsigned ioapic = cpus; /* ids of processors and IOAPICs share one space */

	for (unsigned i = 0; i < cpus; i++)
		put_processor(out, i);

	bytes_put_u8(out, MP_BUS);
	bytes_put_u8(out, MP_ISA_BUS);
	put_bytes(out, "ISA   ", 6);

	bytes_put_u8(out, MP_IOAPIC);
	bytes_put_u8(out, ioapic);
	bytes_put_u8(out, MP_IOAPIC_VER);
	bytes_put_u8(out, MP_ENABLED);
	bytes_put_le32(out, X86_IOAPIC_GPA);

	for (unsigned i = 0; i < X86_LINES; i++)
		if (lines & 1u << i)
			put_interrupt(out, MP_INTSRC, MP_INT, i, ioapic, i);
	put_interrupt(out, MP_LINTSRC, MP_NMI, 0, MP_ALL_LAPICS, 1);
	return cpus + 2 + (unsigned)__builtin_popcount(lines) + 1;
}

void x86_encode_mp_table(uint8_t table[X86_MP_TABLE_SIZE], unsigned cpus, uint32_t lines)
{
	uint8_t *header = table + MP_FLOATING_SIZE;
	struct bytes_out out = bytes_out_of(header + MP_HEADER_SIZE,
					    X86_MP_TABLE_SIZE - MP_FLOATING_SIZE - MP_HEADER_SIZE);
	unsigned n_entries;
	size_t length;

	memset(table, 0, X86_MP_TABLE_SIZE);
	n_entries = put_entries(&out, cpus, lines);
	length = MP_HEADER_SIZE + out.at;

	out = bytes_out_of(header, MP_HEADER_SIZE);
	put_bytes(&out, "PCMP", 4);
	bytes_put_le16(&out, length);
	bytes_put_u8(&out, MP_VERSION_1_4);
	bytes_put_u8(&out, 0); /* checksum, below */
	put_bytes(&out, "SBX     ", 8);
	put_bytes(&out, "MICROVM     ", 12);
	bytes_put_le32(&out, 0); /* no OEM table */
	bytes_put_le16(&out, 0);
	bytes_put_le16(&out, n_entries);
	bytes_put_le32(&out, X86_LAPIC_GPA);
	header[7] = checksum(header, length);

	out = bytes_out_of(table, MP_FLOATING_SIZE);
	put_bytes(&out, "_MP_", 4);
	bytes_put_le32(&out, X86_MP_TABLE_GPA + MP_FLOATING_SIZE);
	bytes_put_u8(&out, 1); /* length in paragraphs */
	bytes_put_u8(&out, MP_VERSION_1_4);
	table[10] = checksum(table, MP_FLOATING_SIZE);
}

/* --- boot_params --------------------------------------------------------------------------- */

static_assert(sizeof(struct boot_params) == 4096, "the zero page is one page");
static_assert(offsetof(struct boot_params, hdr) == 0x1f1, "boot.rst");

#define BOOT_FLAG        0xaa55
#define HEADER_MAGIC     0x53726448
#define PROTOCOL_VERSION 0x020f
#define LOADER_UNDEFINED 0xff

#define E820_TYPE_RAM 1

static void add_e820(struct boot_params *params, uint64_t begin, uint64_t end)
{
	params->e820_table[params->e820_entries++] =
		(struct boot_e820_entry){.addr = begin, .size = end - begin, .type = E820_TYPE_RAM};
}

void x86_encode_boot_params(struct boot_params *params, const struct memory *mem,
			    const struct kernel_image *image, const struct x86_initrd *initrd)
{
	struct setup_header *hdr = &params->hdr;

	memset(params, 0, sizeof(*params));
	memcpy(hdr, image->setup_header, image->setup_header_size);
	hdr->boot_flag = BOOT_FLAG;
	hdr->header = HEADER_MAGIC;
	if (!hdr->version)
		hdr->version = PROTOCOL_VERSION;
	hdr->type_of_loader = LOADER_UNDEFINED;
	hdr->loadflags |= LOADED_HIGH;
	hdr->cmd_line_ptr = X86_CMDLINE_GPA;
	hdr->cmdline_size = image->cmdline_max;
	hdr->ramdisk_image = initrd->addr;
	hdr->ramdisk_size = initrd->size;

	/* Nothing for what is no memory: Linux goes through the map a thousand times and more. */
	add_e820(params, 0, X86_MP_TABLE_GPA);
	add_e820(params, X86_HIGH_MEMORY_GPA, mem->regions[0].size);
	/* What may become memory later is none to a kernel that boots: its driver will tell it. */
	for (unsigned i = 1; i < mem->n_regions && mem->regions[i].size; i++)
		add_e820(params, mem->regions[i].gpa, mem->regions[i].gpa + mem->regions[i].size);
}

uint64_t x86_plan_initrd(const struct memory *mem, const struct kernel_image *image, uint64_t size)
{
	uint64_t top = mem->regions[0].size, begin = (image->end + PAGE - 1) & ~(PAGE - 1);

	if (top > image->initrd_max)
		top = image->initrd_max;
	top &= ~(PAGE - 1);
	size = size > UINT32_MAX ? UINT64_MAX : (size + PAGE - 1) & ~(PAGE - 1);
	if (top < begin || size > top - begin)
		return 0;
	return begin;
}
