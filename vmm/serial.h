/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A 16550A serial port, as far as a kernel's console needs it: everything is sent at once, nothing
 * is ever received. Output goes line by line to a sink.
 */
#ifndef VMM_SERIAL_H
#define VMM_SERIAL_H

#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "vmm/bus.h"
#include "vmm/irq.h"

struct serial;

#define SERIAL_PORTS 8

struct serial_sink {
	/* On a vCPU thread, one call at a time. At most SERIAL_LINE bytes. */
	void (*write)(void *data, const char *text, size_t n);
	void *data;
};

/* Text without a newline is handed over once it is this long. */
#define SERIAL_LINE 256

extern const struct bus_ops serial_ops; /* data: the struct serial */

/* Both are copied. -ENOMEM. */
int serial_create(const struct serial_sink *sink, const struct irq *irq, struct serial **ret);
/* Hands over what is left of the last line, then frees. */
void serial_destroy(struct serial *serial);
DEFINE_CLEANUP(struct serial, serial_destroy)

#endif
