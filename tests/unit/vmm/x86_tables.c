/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/x86_tables.h"

#include <criterion/criterion.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/x86_cpu.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

static uint8_t sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	while (n--)
		s += *p++;
	return s;
}

static uint16_t le16(const uint8_t *p)
{
	return p[0] | p[1] << 8;
}

Test(x86_tables, page_tables_map_the_first_gib_onto_itself)
{
	uint64_t *t = calloc(3, 4096);

	x86_encode_page_tables(t);
	cr_assert_eq(t[0], 0x4003);
	cr_assert_eq(t[512], 0x5003);
	for (uint64_t i = 0; i < 512; i++)
		cr_assert_eq(t[1024 + i], i * 2 * MIB | 0xe3);
	for (unsigned i = 1; i < 512; i++)
		cr_assert_eq(t[i] | t[512 + i], 0);
	free(t);
}

/* Walks the table as a kernel does and checks what it finds. */
static void check_mp_table(unsigned cpus, uint32_t lines)
{
	static const unsigned sizes[] = {20, 8, 8, 8, 8};
	unsigned seen[5] = {0}, boot_cpus = 0, length, at;
	uint32_t seen_lines = 0;
	uint8_t t[X86_MP_TABLE_SIZE], *mpc = t + 16;

	memset(t, 0xee, sizeof(t));
	x86_encode_mp_table(t, cpus, lines);
	cr_assert_arr_eq(t, "_MP_", 4);
	cr_assert_eq(sum(t, 16), 0);
	cr_assert_eq(t[8], 1);
	cr_assert_eq(le16(t + 4) | le16(t + 6) << 16, X86_MP_TABLE_GPA + 16);
	cr_assert_arr_eq(mpc, "PCMP", 4);
	length = le16(mpc + 4);
	cr_assert_leq(length, X86_MP_TABLE_SIZE - 16);
	cr_assert_eq(sum(mpc, length), 0);
	for (at = 44; at < length; at += sizes[mpc[at]]) {
		cr_assert_lt(mpc[at], 5);
		seen[mpc[at]]++;
		if (mpc[at] == 0) {
			cr_assert_eq(mpc[at + 1], seen[0] - 1, "APIC ids count up");
			cr_assert(mpc[at + 3] & 1, "enabled");
			boot_cpus += !!(mpc[at + 3] & 2);
		}
		if (mpc[at] == 3) {
			cr_assert_lt(mpc[at + 5], 32);
			seen_lines |= 1u << mpc[at + 5];
			cr_assert_eq(mpc[at + 7], mpc[at + 5], "line n is pin n");
			cr_assert_eq(mpc[at + 6], cpus, "of the IOAPIC, whose id no CPU has");
		}
	}
	cr_assert_eq(at, length);
	cr_assert_eq(boot_cpus, 1);
	cr_assert_eq(seen[0], cpus);
	cr_assert_eq(seen[1], 1);
	cr_assert_eq(seen[2], 1);
	cr_assert_eq(seen_lines, lines);
	cr_assert_eq(seen[3], (unsigned)__builtin_popcount(lines), "each line once");
	cr_assert_eq(seen[4], 1);
	cr_assert_eq(le16(mpc + 34), cpus + 1 + 1 + seen[3] + 1);
}

Test(x86_tables, mp_table_for_any_number_of_cpus)
{
	for (unsigned cpus = 1; cpus <= X86_MAX_CPUS; cpus++)
		check_mp_table(cpus, 0xf0);
}

Test(x86_tables, mp_table_for_any_lines)
{
	const uint32_t lines[] = {0, 1, 0x10, 0xf1, 0x800010, UINT32_MAX};

	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		check_mp_table(1, lines[i]);
		check_mp_table(X86_MAX_CPUS, lines[i]);
	}
}

static uint64_t ram_of(const struct boot_params *params)
{
	uint64_t ram = 0, last = 0;

	for (unsigned i = 0; i < params->e820_entries; i++) {
		const struct boot_e820_entry *e = &params->e820_table[i];

		cr_assert_geq(e->addr, last, "rising, no overlap");
		last = e->addr + e->size;
		ram += e->type == 1 ? e->size : 0;
	}
	return ram;
}

Test(x86_tables, the_memory_map_holds_all_memory_but_the_tables)
{
	const uint64_t sizes[] = {32 * MIB, 128 * MIB, 3 * GIB, 3 * GIB + 4096, 5 * GIB, 64 * GIB};
	const struct kernel_image image = {.cmdline_max = 2047};
	const struct x86_initrd initrd = {.addr = 0x7000000, .size = 12345};
	struct boot_params params;
	struct memory mem;

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memory_plan(&mem, sizes[i]);
		x86_encode_boot_params(&params, &mem, &image, &initrd);
		cr_assert_eq(ram_of(&params), sizes[i] - (X86_HIGH_MEMORY_GPA - X86_MP_TABLE_GPA));
	}
	cr_assert_eq(params.hdr.boot_flag, 0xaa55);
	cr_assert_eq(params.hdr.cmd_line_ptr, X86_CMDLINE_GPA);
	cr_assert_eq(params.hdr.ramdisk_image, 0x7000000);
	cr_assert_eq(params.hdr.ramdisk_size, 12345);
	cr_assert_eq(params.hdr.type_of_loader, 0xff);
	cr_assert_eq(params.sentinel, 0);
}

Test(x86_tables, the_memory_map_knows_nothing_of_memory_to_come)
{
	const struct kernel_image image = {.cmdline_max = 2047};
	const struct x86_initrd initrd = {0};
	struct boot_params with, without;
	struct memory mem;

	memory_plan(&mem, 5 * GIB);
	x86_encode_boot_params(&without, &mem, &image, &initrd);
	mem.regions[mem.n_regions++] = (struct memory_region){.gpa = 8 * GIB, .reserved = 4 * GIB};
	x86_encode_boot_params(&with, &mem, &image, &initrd);
	cr_assert_eq(memcmp(&with, &without, sizeof(with)), 0);
}

Test(x86_tables, the_initramfs_lies_behind_the_kernel)
{
	struct kernel_image image = {.end = 0x2345678, .initrd_max = 0x7fffffff};
	struct memory mem;

	memory_plan(&mem, 128 * MIB);
	cr_assert_eq(x86_plan_initrd(&mem, &image, 1), 0x2346000);
	cr_assert_eq(x86_plan_initrd(&mem, &image, 4097), 0x2346000);
	cr_assert_eq(x86_plan_initrd(&mem, &image, 128 * MIB - 0x2346000), 0x2346000);
	cr_assert_eq(x86_plan_initrd(&mem, &image, 128 * MIB - 0x2346000 + 1), 0);
	cr_assert_eq(x86_plan_initrd(&mem, &image, UINT64_MAX), 0);
	memory_plan(&mem, 8 * GIB);
	cr_assert_eq(x86_plan_initrd(&mem, &image, 4096), 0x2346000);
	cr_assert_eq(x86_plan_initrd(&mem, &image, 0x7fffe000 + 4096 - 0x2346000), 0x2346000);
	cr_assert_eq(x86_plan_initrd(&mem, &image, 0x7fffe000 + 4097 - 0x2346000), 0);
	image.initrd_max = 0;
	cr_assert_eq(x86_plan_initrd(&mem, &image, 4096), 0);
}

/* --- CPUID --------------------------------------------------------------------------------- */

static struct kvm_cpuid2 *host_cpuid(void)
{
	static const struct kvm_cpuid_entry2 entries[] = {
		{.function = 0, .eax = 0xd},
		{.function = 1, .ebx = 0x55aa0800, .ecx = 1u << 5 | 1u << 3, .edx = 1u << 9},
		{.function = 4, .index = 0, .eax = 0x1c004121, .flags = 1},
		{.function = 4, .index = 3, .eax = 0x1c03c163, .flags = 1},
		{.function = 0xa, .eax = 0x07300402},
		{.function = 0xb, .index = 0, .eax = 1, .ebx = 2, .flags = 1},
		{.function = 0xb, .index = 1, .eax = 9, .ebx = 99, .flags = 1},
		{.function = 0x1f, .index = 0, .eax = 1, .flags = 1},
		{.function = 0x40000000, .eax = 0x40000001, .ebx = 0x4b4d564b},
		{.function = 0x80000001, .ecx = 1u << 2 | 1u << 5},
		{.function = 0x80000008, .eax = 0x3028, .ecx = 0x700f},
		{.function = 0x8000001e, .eax = 5, .ebx = 0x102, .ecx = 0x300},
	};
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + X86_CPUID_MAX * sizeof(entries[0]));

	memcpy(cpuid->entries, entries, sizeof(entries));
	cpuid->nent = sizeof(entries) / sizeof(entries[0]);
	return cpuid;
}

static const struct kvm_cpuid_entry2 *leaf(const struct kvm_cpuid2 *cpuid, uint32_t function,
					   uint32_t index)
{
	const struct kvm_cpuid_entry2 *found = NULL;

	for (unsigned i = 0; i < cpuid->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

		if (e->function != function || e->index != index)
			continue;
		cr_assert_null(found, "leaf %#x.%u is there once", function, index);
		found = e;
	}
	return found;
}

static void check_cpuid(const struct kvm_cpuid2 *cpuid, unsigned cpu, unsigned n)
{
	unsigned bits = 0;

	while (1u << bits < n)
		bits++;
	cr_assert_eq(leaf(cpuid, 1, 0)->ebx >> 24, cpu);
	cr_assert_eq(leaf(cpuid, 1, 0)->ebx >> 16 & 0xff, n);
	cr_assert(leaf(cpuid, 1, 0)->ecx >> 31, "hypervisor");
	cr_assert_not(leaf(cpuid, 1, 0)->ecx & (1u << 5 | 1u << 3), "no VMX, no MONITOR");
	cr_assert_eq(leaf(cpuid, 1, 0)->edx >> 28 & 1, n > 1);
	cr_assert_eq(leaf(cpuid, 4, 0)->eax >> 14 & 0xfff, 0, "L1 is private");
	cr_assert_eq(leaf(cpuid, 4, 3)->eax >> 14 & 0xfff, (1u << bits) - 1, "L3 is shared");
	cr_assert_eq(leaf(cpuid, 4, 3)->eax & 0x3fff, 0xc163 & 0x3fff, "the rest is kept");
	cr_assert_eq(leaf(cpuid, 0xa, 0)->eax, 0);
	cr_assert_eq(leaf(cpuid, 0xb, 0)->eax, 0);
	cr_assert_eq(leaf(cpuid, 0xb, 0)->edx, cpu);
	cr_assert_eq(leaf(cpuid, 0xb, 1)->eax, bits);
	cr_assert_eq(leaf(cpuid, 0xb, 1)->ebx, n);
	cr_assert_eq(leaf(cpuid, 0xb, 1)->edx, cpu);
	cr_assert_null(leaf(cpuid, 0x1f, 0));
	cr_assert_eq(leaf(cpuid, 0x40000000, 0)->ebx, 0x4b4d564b, "KVM's leaf is kept");
	cr_assert_not(leaf(cpuid, 0x80000001, 0)->ecx & 1u << 2, "no SVM");
	cr_assert_eq(leaf(cpuid, 0x80000008, 0)->ecx & 0xff, n - 1);
	cr_assert_eq(leaf(cpuid, 0x8000001e, 0)->eax, cpu);
}

Test(x86_cpu, every_cpu_knows_its_place)
{
	static const unsigned counts[] = {1, 2, 3, 4, 31, 32};
	struct kvm_cpuid2 *cpuid = host_cpuid();

	/* The same list again and again, as the VM does it. */
	for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		for (unsigned cpu = 0; cpu < counts[i]; cpu++) {
			x86_cpuid_adapt(cpuid, cpu, counts[i]);
			check_cpuid(cpuid, cpu, counts[i]);
		}
	free(cpuid);
}

Test(x86_cpu, a_full_list_stays_within_its_room)
{
	struct kvm_cpuid2 *cpuid = host_cpuid();

	while (cpuid->nent < X86_CPUID_MAX)
		cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2){.function = 0x77};
	cpuid->entries[5].function = cpuid->entries[6].function = cpuid->entries[7].function = 0x77;
	x86_cpuid_adapt(cpuid, 0, 1);
	cr_assert_eq(cpuid->nent, X86_CPUID_MAX);
	free(cpuid);
}
