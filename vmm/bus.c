// SPDX-License-Identifier: Apache-2.0
/* The address map of one space: devices sorted by base, found by bisection. */
#include "vmm/bus.h"

#include <errno.h>
#include <string.h>

/* The first device whose end lies above addr, or n_devices. */
static unsigned search(const struct bus *bus, uint64_t addr)
{
	unsigned lo = 0, hi = bus->n_devices;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		const struct bus_device *dev = &bus->devices[mid];

		if (dev->base + (dev->size - 1) < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int bus_add(struct bus *bus, uint64_t base, uint64_t size, const struct bus_ops *ops, void *data)
{
	unsigned at;

	if (!size || base + (size - 1) < base)
		return -EINVAL;
	if (bus->n_devices == BUS_MAX_DEVICES)
		return -ENOSPC;
	at = search(bus, base);
	if (at < bus->n_devices && bus->devices[at].base <= base + (size - 1))
		return -EEXIST;
	memmove(&bus->devices[at + 1], &bus->devices[at],
		(bus->n_devices - at) * sizeof(bus->devices[0]));
	bus->devices[at] =
		(struct bus_device){.base = base, .size = size, .ops = ops, .data = data};
	bus->n_devices++;
	return 0;
}

/* The device that holds all of [addr, addr + len), or NULL. */
static const struct bus_device *find(const struct bus *bus, uint64_t addr, unsigned len)
{
	unsigned at = search(bus, addr);
	const struct bus_device *dev = &bus->devices[at];

	if (at == bus->n_devices || addr < dev->base || len > dev->size ||
	    addr - dev->base > dev->size - len)
		return NULL;
	return dev;
}

void bus_read(const struct bus *bus, uint64_t addr, void *buf, unsigned len)
{
	const struct bus_device *dev = find(bus, addr, len);

	memset(buf, 0xff, len);
	if (dev)
		dev->ops->read(dev->data, addr - dev->base, buf, len);
}

void bus_write(const struct bus *bus, uint64_t addr, const void *buf, unsigned len)
{
	const struct bus_device *dev = find(bus, addr, len);

	if (dev)
		dev->ops->write(dev->data, addr - dev->base, buf, len);
}
