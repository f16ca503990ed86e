// SPDX-License-Identifier: Apache-2.0
/* Brings the devices of the table to life, in its order, and takes them down in reverse. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/slots.h"
#include "vmm/blk_io.h"
#include "vmm/device.h"
#include "vmm/i8042.h"
#include "vmm/ioapic.h"
#include "vmm/virtio.h"
#include "vmm/virtio_balloon.h"
#include "vmm/virtio_blk.h"
#include "vmm/virtio_fs.h"
#include "vmm/virtio_mem.h"
#include "vmm/virtio_mmio.h"
#include "vmm/virtio_net.h"
#include "vmm/virtio_rng.h"
#include "vmm/virtio_vsock.h"
#include "vmm/vm.h"
#include "vmm/x86_tables.h"

/* Each VM's sockets are its own, so each guest may have the first address there is. */
#define GUEST_CID 3

static const char *const device_names[] = {
	[DEVICE_SERIAL] = "serial",   [DEVICE_VSOCK] = "vsock", [DEVICE_RNG] = "rng",
	[DEVICE_BLK] = "blk",         [DEVICE_NET] = "net",     [DEVICE_FS] = "fs",
	[DEVICE_BALLOON] = "balloon", [DEVICE_MEM] = "mem",
};
static_assert(ARRAY_SIZE(device_names) == DEVICE_KINDS, "a name for each kind");

struct device {
	struct device_slot slot;
	struct virtio_device *virtio; /* owned by its transport */
	struct virtio_mmio *transport;
};

struct devices {
	struct vm *vm;
	struct loop *loop;
	const struct devices_config *config; /* while they are created */
	struct ioapic *ioapic;
	struct serial *serial;
	struct blk_io *blk_io; /* one thread for all disks, none without */
	unsigned n;
	struct device devices[DEVICE_MAX];
};

static void on_message(unsigned pin, const struct ioapic_message *message, void *data)
{
	vm_set_message(data, pin, message);
}

/* With no more pins than lines: a kernel saves and restores each. */
static int create_ioapic(struct devices *devices)
{
	uint32_t lines = device_table_lines(devices->config->table);
	struct vm *vm = devices->vm;
	int r;

	r = ioapic_create(32 - (unsigned)__builtin_clz(lines), on_message, vm, &devices->ioapic);
	if (r < 0)
		return r;
	return bus_add(&vm->mmio, X86_IOAPIC_GPA, IOAPIC_SIZE, &ioapic_ops, devices->ioapic);
}

static int create_serial(struct devices *devices)
{
	struct vm *vm = devices->vm;
	const struct irq irq = vm_irq(vm, DEVICE_SERIAL_GSI);
	int r = serial_create(devices->config->console, &irq, &devices->serial);

	if (r < 0)
		return r;
	r = bus_add(&vm->pio, DEVICE_SERIAL_PORT, SERIAL_PORTS, &serial_ops, devices->serial);
	if (r < 0)
		return r;
	return bus_add(&vm->pio, I8042_COMMAND_PORT, 1, &i8042_ops, vm);
}

static int create_blk(struct devices *devices, unsigned slot, struct virtio_device **ret)
{
	int r;

	if (!devices->blk_io) {
		r = blk_io_create(devices->loop, &devices->blk_io);
		if (r < 0)
			return r;
	}
	return virtio_blk_create(slot, devices->blk_io, &devices->config->disk_rate, ret);
}

static int create_net(struct devices *devices, unsigned slot, struct virtio_device **ret)
{
	unsigned cpus = devices->config->cpus;

	return virtio_net_create(devices->loop, slot, cpus < NET_MAX_PAIRS ? cpus : NET_MAX_PAIRS,
				 &devices->config->net_rate, ret);
}

static int open_memory(void *data, uint64_t size)
{
	return vm_open_memory(data, size);
}

static int create_mem(struct devices *devices, struct virtio_device **ret)
{
	const struct memory *mem = &devices->vm->mem;
	const struct memory_region *region = &mem->regions[mem->n_regions - 1];
	const struct virtio_mem_space space = {
		.gpa = region->gpa,
		.size = region->reserved,
		.granule = devices->vm->granule,
		.open = open_memory,
		.data = devices->vm,
	};

	return virtio_mem_create(&space, ret);
}

static int create_virtio(struct devices *devices, const struct device_slot *slot,
			 struct virtio_device **ret)
{
	switch (slot->kind) {
	case DEVICE_VSOCK:
		return virtio_vsock_create(devices->config->vsock_dirfd, GUEST_CID, devices->loop,
					   ret);
	case DEVICE_RNG:
		return virtio_rng_create(ret);
	case DEVICE_BLK:
		return create_blk(devices, slot->index, ret);
	case DEVICE_NET:
		return create_net(devices, slot->index, ret);
	case DEVICE_FS:
		return virtio_fs_create(devices->loop, ret);
	case DEVICE_BALLOON:
		return virtio_balloon_create(ret);
	case DEVICE_MEM:
		return create_mem(devices, ret);
	default:
		return -EINVAL;
	}
}

static int create_device(struct devices *devices, struct device *device)
{
	const struct device_slot *slot = &device->slot;
	struct virtio_device *virtio;
	int r;

	if (slot->kind == DEVICE_SERIAL)
		return create_serial(devices);
	r = create_virtio(devices, slot, &virtio);
	if (r < 0)
		return r;
	r = virtio_mmio_create(devices->vm, devices->loop, slot->base, slot->gsi, virtio,
			       &device->transport);
	if (r < 0) {
		virtio->ops->destroy(virtio);
		return r;
	}
	device->virtio = virtio;
	return 0;
}

int devices_create(struct vm *vm, struct loop *loop, const struct devices_config *config,
		   struct devices **ret, struct err *err)
{
	struct devices *devices = calloc(1, sizeof(*devices));
	int r = 0;

	if (!devices)
		return err_set(err, ENOMEM, "devices: out of memory");
	devices->vm = vm;
	devices->loop = loop;
	devices->config = config;
	r = create_ioapic(devices);
	if (r < 0) {
		devices_destroy(devices);
		return err_set_errno(err, -r, "ioapic");
	}
	for (unsigned i = 0; i < config->table->n && r >= 0; i++) {
		struct device *device = &devices->devices[devices->n++];

		device->slot = config->table->slots[i];
		r = create_device(devices, device);
	}
	if (r < 0) {
		const struct device_slot *slot = &devices->devices[devices->n - 1].slot;

		r = err_set_errno(err, -r, "device %s%u", device_names[slot->kind], slot->index);
		devices_destroy(devices);
		return r;
	}
	devices->config = NULL;
	*ret = devices;
	return 0;
}

int devices_start(struct devices *devices, struct err *err)
{
	int r = devices->blk_io ? blk_io_start(devices->blk_io) : 0;

	for (unsigned i = 0; i < devices->n && r >= 0; i++) {
		struct virtio_device *virtio = devices->devices[i].virtio;

		if (virtio && virtio->ops->start)
			r = virtio->ops->start(virtio);
	}
	return r < 0 ? err_set_errno(err, -r, "devices: cannot start a thread") : 0;
}

void devices_destroy(struct devices *devices)
{
	if (!devices)
		return;
	for (unsigned i = devices->n; i-- > 0;)
		virtio_mmio_destroy(devices->devices[i].transport);
	blk_io_destroy(devices->blk_io);
	serial_destroy(devices->serial);
	ioapic_destroy(devices->ioapic);
	free(devices);
}

void devices_pause(struct devices *devices, bool on)
{
	for (unsigned i = 0; i < devices->n; i++) {
		struct virtio_device *virtio = devices->devices[i].virtio;

		if (virtio)
			virtio_pause(virtio, on);
	}
}

struct virtio_device *devices_find(struct devices *devices, enum device_kind kind, unsigned index)
{
	for (unsigned i = 0; i < devices->n; i++) {
		const struct device *device = &devices->devices[i];

		if (device->slot.kind == kind && device->slot.index == index)
			return device->virtio;
	}
	return NULL;
}

void devices_each_counter(struct devices *devices,
			  void (*fn)(void *data, const char *name, uint64_t value), void *data)
{
	char name[32];

	for (unsigned i = 0; i < devices->n; i++) {
		const struct device *device = &devices->devices[i];
		const struct virtio_device *virtio = device->virtio;

		for (unsigned k = 0; virtio && k < virtio->ops->n_counters; k++) {
			snprintf(name, sizeof(name), "%s.%s", virtio->name,
				 virtio->ops->counters[k].name);
			fn(data, name, virtio_counter(virtio, k));
		}
	}
}
