// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of Operation
 *
 * A Linux guest without ACPI cannot power off, it would halt its CPUs for good; but it can reboot.
 * With reboot=k it pulses the reset line through this controller, and we take that for the end of
 * the VM: the agent syncs, then calls reboot(RB_AUTOBOOT).
 *
 * A panic with panic=-1 takes the same way. The two are told apart by the word at 0x472, where Linux
 * leaves what a BIOS is to do: 0 (cold) for an ordinary reboot, 0x1234 (warm) where the panic's
 * own reboot mode says so, which reboot=panic_warm sets. X86_CMDLINE in x86_boot.c holds the
 * options. The word is the guest's and proves nothing: it only chooses between two ways to end.
 */
#include "vmm/i8042.h"

#include <stdint.h>
#include <string.h>

#include "vmm/vm.h"

#define PULSE_RESET    0xfe
#define BOOT_FLAG_GPA  0x472
#define BOOT_FLAG_WARM 0x1234

/* Status: both buffers empty, the controller is ready for a command. */
static void on_read(void *data, uint64_t offset, void *buf, unsigned len)
{
	memset(buf, 0, len);
}

static void on_write(void *data, uint64_t offset, const void *buf, unsigned len)
{
	struct vm *vm = data;
	uint16_t flag = 0;

	if (*(const uint8_t *)buf != PULSE_RESET)
		return;
	memory_read(&vm->mem, BOOT_FLAG_GPA, &flag, sizeof(flag));
	if (flag == BOOT_FLAG_WARM)
		vm_end(vm, VM_END_CRASH, "the guest's kernel panicked");
	else
		vm_end(vm, VM_END_GUEST, "the guest powered off");
}

const struct bus_ops i8042_ops = {.read = on_read, .write = on_write};
