/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one table of the machine's devices: which there are, in which order, at which address, on
 * which interrupt line. Cold boot walks it; so will snapshot and restore. A guest is told of the
 * virtio ones on its command line.
 *
 *	serial   ports 0x3f8  line 4
 *	virtio   0xd0000000 + 4 KiB * i, the lowest lines that are free:  vsock, rng, disk slots 0, 1, …,
 *	         net slot, fs, balloon, mem
 *
 * Kinds to come find their place at the end of the table, so what is there keeps its address.
 */
#ifndef VMM_DEVICE_H
#define VMM_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "vmm/serial.h"
#include "vmm/throttle.h"

struct devices;
struct loop;
struct virtio_device;
struct vm;

#define DEVICE_MAX         20
#define DEVICE_SERIAL_PORT 0x3f8
#define DEVICE_SERIAL_GSI  4
#define DEVICE_MMIO_BASE   0xd0000000ull
#define DEVICE_MMIO_SIZE   0x1000ull
#define DEVICE_GSI_LAST    23

enum device_kind {
	DEVICE_SERIAL,
	DEVICE_VSOCK,
	DEVICE_RNG,
	DEVICE_BLK,
	DEVICE_NET,
	DEVICE_FS,
	DEVICE_BALLOON,
	DEVICE_MEM,
	DEVICE_KINDS
};

struct device_slot {
	enum device_kind kind;
	unsigned index; /* among its kind: the number of a disk slot */
	uint64_t base;  /* a port for serial, else a guest-physical address */
	unsigned gsi;
};

struct device_table {
	struct device_slot slots[DEVICE_MAX];
	unsigned n;
};

/* Which of the optional devices there are; disks is at most CONFIG_MAX_SLOTS. */
struct device_choice {
	bool vsock, net, share, mem;
	unsigned disks;
};

/* Pure. */
void device_table_plan(struct device_table *table, const struct device_choice *choice);

/* A bit for each interrupt line of the table. */
uint32_t device_table_lines(const struct device_table *table);

/* The virtio devices as kernel parameters, each with a blank before it. -ENOSPC, or the length. */
int device_table_cmdline(const struct device_table *table, char *buf, size_t size);

struct devices_config {
	const struct device_table *table;
	const struct serial_sink *console;
	int vsock_dirfd; /* borrowed, outlives the devices; or AT_FDCWD */
	unsigned cpus;   /* no device has more queues of a kind than would be used */
	struct rate disk_rate, net_rate; /* of each disk; of each way */
};

int devices_create(struct vm *vm, struct loop *loop, const struct devices_config *config,
		   struct devices **ret, struct err *err);
/* Starts the devices' threads. */
int devices_start(struct devices *devices, struct err *err);
/* The vCPU threads must have ended. */
void devices_destroy(struct devices *devices);
DEFINE_CLEANUP(struct devices, devices_destroy)

/* Lets every device finish or hold what it does; the vCPUs are paused. And go on. */
void devices_pause(struct devices *devices, bool on);

/* The virtio device of a slot, or NULL. */
struct virtio_device *devices_find(struct devices *devices, enum device_kind kind, unsigned index);

/* Calls fn for each counter of each device: "vsock.rx_packets", "blk0.read_bytes" … */
void devices_each_counter(struct devices *devices,
			  void (*fn)(void *data, const char *name, uint64_t value), void *data);

#endif
