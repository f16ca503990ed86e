/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The I/O APIC (Intel 82093AA), as far as edge-triggered lines need it: a register file that says
 * to which message each line's interrupt is turned. Who raises a line never comes here; a change of a
 * line's message is told to a callback, and that message is what KVM sends (vm.h).
 *
 * KVM's own would have 24 pins and the PIC beside it, and a kernel writes and reads each of them several
 * times at its boot: 626 exits. This one has the pins that there are lines for, and comes without a PIC.
 */
#ifndef VMM_IOAPIC_H
#define VMM_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "vmm/bus.h"

#define IOAPIC_MAX_PINS 24
#define IOAPIC_SIZE     0x1000

struct ioapic;

/* What an interrupt becomes: a write of data to address. Nothing where the line is masked. */
struct ioapic_message {
	bool enabled;
	uint32_t address, data;
};

/* Called on the vCPU's thread that wrote, one call at a time. */
typedef void (*ioapic_changed)(unsigned pin, const struct ioapic_message *message, void *data);

/* pins is 1 to IOAPIC_MAX_PINS; all are masked. -ENOMEM. */
int ioapic_create(unsigned pins, ioapic_changed fn, void *data, struct ioapic **ret);
void ioapic_destroy(struct ioapic *ioapic);
DEFINE_CLEANUP(struct ioapic, ioapic_destroy)

/* For the bus; the data is the struct ioapic. */
extern const struct bus_ops ioapic_ops;

#endif
