/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts a kernel, its initramfs, its command line and the tables of x86_tables.h into guest memory.
 */
#ifndef VMM_X86_BOOT_H
#define VMM_X86_BOOT_H

#include <stdint.h>

#include "common/err.h"
#include "vmm/memory.h"

/*
 * What every guest of this machine must be told: to reset through the i8042, with the mark by which
 * i8042.c tells a panic from a power-off, and to do so at once after a panic.
 */
#define X86_CMDLINE "reboot=k,panic_warm panic=-1"
/*
 * One of several CPUs is to start after the other: when all of them spin for their turn, a host with fewer
 * CPUs than the guest gets nowhere (40 s and more for 32 on 2, and Linux gives up on a CPU after 10).
 */
#define X86_CMDLINE_SMP " cpuhp.parallel=0"
/* Of all that the MP table has; the others are there, offline. */
#define X86_CMDLINE_ONLINE " maxcpus=%u"

struct x86_boot {
	int kernel_fd; /* a regular file or memfd, borrowed */
	int initrd_fd; /* the same, or -1 */
	const char *cmdline;
	unsigned cpus;  /* in all */
	uint32_t lines; /* a bit for each interrupt line in use */
};

/* *ret_entry is where x86_cpu_set_entry() is to start the boot processor. */
int x86_boot_load(const struct memory *mem, const struct x86_boot *boot, uint64_t *ret_entry,
		  struct err *err);

#endif
