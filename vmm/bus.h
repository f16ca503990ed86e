/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest-physical MMIO and port spaces: which device answers an address. Filled before the
 * first vCPU runs and read-only from then on, so vCPU threads look up without a lock. A device's
 * callbacks run on the vCPU thread that exited and do their own locking.
 */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include <stdint.h>

#define BUS_MAX_DEVICES 48

/* offset is within the device; len is 1, 2, 4 or 8 and offset + len is within its size. */
struct bus_ops {
	void (*read)(void *data, uint64_t offset, void *buf, unsigned len);
	void (*write)(void *data, uint64_t offset, const void *buf, unsigned len);
};

struct bus_device {
	uint64_t base, size;
	const struct bus_ops *ops;
	void *data;
};

struct bus {
	struct bus_device devices[BUS_MAX_DEVICES];
	unsigned n_devices;
};

/* -EEXIST where the range overlaps another device, -ENOSPC where the bus is full. */
int bus_add(struct bus *bus, uint64_t base, uint64_t size, const struct bus_ops *ops, void *data);

/* Nobody there: reads give all ones, writes are ignored, as on hardware. */
void bus_read(const struct bus *bus, uint64_t addr, void *buf, unsigned len);
void bus_write(const struct bus *bus, uint64_t addr, const void *buf, unsigned len);

#endif
