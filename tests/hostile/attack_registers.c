/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks on the register file of the transport: virtio 1.2, 4.2. */
#include "attack.h"

#define CONFIG VIRTIO_MMIO_CONFIG
#define PAGE   0x1000

static void set_status(struct device *dev, uint32_t status)
{
	reg_write(dev, VIRTIO_MMIO_STATUS, status);
}

/* A queue that is somewhere it cannot be, from a reset on, and then used all the same. */
static void place_queue(struct device *dev, const char *name, uint64_t at, uint32_t size)
{
	attack_begin(dev, "register", name);
	device_reset(dev);
	device_negotiate(dev);
	device_set_queue(dev, dev->attacked, (const struct queue *)at, size);
	set_status(dev, STATUS_RUNNING);
	device_notify(dev, dev->attacked);
	attack_end(dev, OUTCOME_SAFE, OUTCOME_SAFE);
}

static void attack_places(struct device *dev)
{
	uint64_t here = (uint64_t)dev->queues;

	place_queue(dev, "rings that are a device", MMIO, QUEUE_SIZE);
	place_queue(dev, "rings that are nothing", HOLE, QUEUE_SIZE);
	place_queue(dev, "rings across the end of memory", MEMORY_TOP - 64, QUEUE_SIZE);
	place_queue(dev, "rings behind memory", MEMORY_TOP, QUEUE_SIZE);
	place_queue(dev, "rings above 4 GiB", 1ull << 32, QUEUE_SIZE);
	place_queue(dev, "rings above all memory", 1ull << 33, QUEUE_SIZE);
	place_queue(dev, "rings at an address that wraps", ~0ull - 15, QUEUE_SIZE);
	place_queue(dev, "rings that are not aligned", here + 1, QUEUE_SIZE);
	place_queue(dev, "a queue of no entries", here, 0);
	place_queue(dev, "a queue of 3 entries", here, 3);
	place_queue(dev, "a queue of 65535 entries", here, 65535);
	place_queue(dev, "a queue of 4 GiB entries", here, 0xffffffff);
	place_queue(dev, "a queue of 32768 entries at the end of memory", MEMORY_TOP - 4096, 32768);
}

static void no_queue(struct device *dev)
{
	device_reset(dev);
	device_negotiate(dev);
	set_status(dev, STATUS_RUNNING);
	device_notify(dev, dev->attacked);
}

static void ready_without_addresses(struct device *dev)
{
	device_reset(dev);
	device_negotiate(dev);
	reg_write(dev, VIRTIO_MMIO_QUEUE_SEL, dev->attacked);
	reg_write(dev, VIRTIO_MMIO_QUEUE_READY, 1);
	set_status(dev, STATUS_RUNNING);
	device_notify(dev, dev->attacked);
}

static void selected_far_away(struct device *dev)
{
	for (uint32_t sel = 1; sel; sel <<= 1) {
		reg_write(dev, VIRTIO_MMIO_QUEUE_SEL, sel | 0x10);
		for (unsigned reg = VIRTIO_MMIO_QUEUE_NUM_MAX; reg < 0xb0; reg += 4) {
			reg_write(dev, reg, 0xffffffff);
			reg_read(dev, reg);
		}
	}
}

static void moved_while_ready(struct device *dev)
{
	device_set_queue(dev, dev->attacked, (const struct queue *)MMIO, 1);
	device_notify(dev, dev->attacked);
}

static void ready_and_not(struct device *dev)
{
	for (unsigned i = 0; i < 100; i++) {
		reg_write(dev, VIRTIO_MMIO_QUEUE_SEL, dev->attacked);
		reg_write(dev, VIRTIO_MMIO_QUEUE_READY, i & 1);
		device_notify(dev, dev->attacked);
	}
}

static void ok_without_features(struct device *dev)
{
	device_reset(dev);
	set_status(dev, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_DRIVER_OK);
	device_notify(dev, dev->attacked);
}

static void all_features(struct device *dev)
{
	device_reset(dev);
	set_status(dev, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	for (uint32_t half = 0; half < 4; half++) {
		reg_write(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
		reg_write(dev, VIRTIO_MMIO_DRIVER_FEATURES, 0xffffffff);
	}
	set_status(dev, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
	set_status(dev, STATUS_RUNNING);
}

static void features_while_running(struct device *dev)
{
	reg_write(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	reg_write(dev, VIRTIO_MMIO_DRIVER_FEATURES, 0);
	reg_write(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0xffffffff);
	reg_write(dev, VIRTIO_MMIO_DRIVER_FEATURES, 0xffffffff);
	reg_write(dev, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0xffffffff);
	reg_read(dev, VIRTIO_MMIO_DEVICE_FEATURES);
}

static void every_status(struct device *dev)
{
	for (uint32_t status = 1; status < 256; status++)
		set_status(dev, status);
	set_status(dev, 0xffffffff);
}

static void status_taken_back(struct device *dev)
{
	for (uint32_t status = STATUS_RUNNING; status; status >>= 1)
		set_status(dev, status);
}

static void every_register(struct device *dev)
{
	for (unsigned reg = 0; reg < PAGE; reg += 4)
		reg_read(dev, reg);
	/* Not the doorbell, and not the status, which have attacks of their own. */
	for (unsigned reg = 0; reg < PAGE; reg += 4)
		if (reg != VIRTIO_MMIO_QUEUE_NOTIFY && reg != VIRTIO_MMIO_STATUS)
			reg_write(dev, reg, 0xffffffff);
}

static void odd_reads(struct device *dev)
{
	for (uint64_t at = dev->base; at < dev->base + PAGE; at += 3) {
		(void)*(volatile uint8_t *)at;
		(void)*(volatile uint16_t *)at;
		(void)*(volatile uint64_t *)at;
	}
}

static void odd_writes(struct device *dev)
{
	for (uint64_t at = dev->base + CONFIG; at < dev->base + PAGE - 8; at += 5) {
		*(volatile uint8_t *)at = 0xff;
		*(volatile uint16_t *)at = 0xffff;
		*(volatile uint64_t *)at = ~0ull;
	}
}

static void configuration(struct device *dev)
{
	for (unsigned reg = CONFIG; reg < PAGE; reg += 4) {
		reg_write(dev, reg, ~reg_read(dev, reg));
		reg_read(dev, VIRTIO_MMIO_CONFIG_GENERATION);
	}
}

static void strange_doorbells(struct device *dev)
{
	for (uint32_t v = 1; v; v <<= 1)
		device_notify(dev, v | 0x20);
	device_notify(dev, 0xffffffff);
}

static void doorbell_storm(struct device *dev)
{
	for (unsigned i = 0; i < 2000; i++)
		device_notify(dev, i % MAX_QUEUES);
}

static void doorbells_before_ok(struct device *dev)
{
	device_reset(dev);
	for (unsigned i = 0; i < MAX_QUEUES; i++)
		device_notify(dev, i);
	device_negotiate(dev);
	for (unsigned i = 0; i < MAX_QUEUES; i++)
		device_notify(dev, i);
}

static void acknowledged_all(struct device *dev)
{
	for (unsigned i = 0; i < 100; i++)
		reg_write(dev, VIRTIO_MMIO_INTERRUPT_ACK, 0xffffffff);
}

static void reset_in_the_middle(struct device *dev)
{
	struct segment segments[] = {{BUFFER, 16, false}, {BUFFER + 512, 4096, true}};

	for (unsigned i = 0; i < 50; i++) {
		device_send(dev, dev->attacked, segments, 2);
		set_status(dev, 0);
		device_start(dev);
	}
}

static void reset_and_leave(struct device *dev)
{
	struct segment segments[] = {{BUFFER, 16, false}, {BUFFER + 512, 4096, true}};

	device_send(dev, dev->attacked, segments, 2);
	set_status(dev, 0);
	memset(dev->queues, 0xff, sizeof(struct queue) * MAX_QUEUES);
}

static void ok_twice(struct device *dev)
{
	for (unsigned i = 0; i < 100; i++)
		set_status(dev, STATUS_RUNNING);
}

static void ok_after_broken(struct device *dev)
{
	struct queue *q = device_queue(dev);

	q->avail.idx += 1000;
	device_notify(dev, dev->attacked);
	for (unsigned i = 0; i < 100; i++) {
		set_status(dev, STATUS_RUNNING);
		device_notify(dev, dev->attacked);
	}
}

static void shared_memory(struct device *dev)
{
	for (uint32_t id = 0; id < 300; id += 5) {
		reg_write(dev, VIRTIO_MMIO_SHM_SEL, id);
		for (unsigned reg = VIRTIO_MMIO_SHM_LEN_LOW; reg <= VIRTIO_MMIO_SHM_BASE_HIGH;
		     reg += 4)
			reg_write(dev, reg, ~reg_read(dev, reg));
	}
}

static const struct {
	const char *name;
	void (*run)(struct device *dev);
} attacks[] = {
	{"a doorbell without a queue", no_queue},
	{"a queue without addresses", ready_without_addresses},
	{"registers of queues that are not there", selected_far_away},
	{"a queue that moves while it is used", moved_while_ready},
	{"a queue that comes and goes", ready_and_not},
	{"driver-ok without features", ok_without_features},
	{"every feature there is", all_features},
	{"features while it runs", features_while_running},
	{"every status", every_status},
	{"a status that is taken back bit by bit", status_taken_back},
	{"every register, read and written", every_register},
	{"reads of 1, 2 and 8 bytes anywhere", odd_reads},
	{"writes of 1, 2 and 8 bytes into the configuration", odd_writes},
	{"all of the configuration turned over", configuration},
	{"doorbells of queues that are not there", strange_doorbells},
	{"a storm of doorbells", doorbell_storm},
	{"doorbells before driver-ok", doorbells_before_ok},
	{"interrupts acknowledged that never were", acknowledged_all},
	{"resets in the middle of requests", reset_in_the_middle},
	{"a reset in the middle, and the rings ruined", reset_and_leave},
	{"driver-ok a hundred times", ok_twice},
	{"driver-ok of a device that is broken", ok_after_broken},
	{"shared memory that is not there", shared_memory},
};

void attack_registers(struct device *dev)
{
	attack_places(dev);
	for (unsigned i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
		attack_begin(dev, "register", attacks[i].name);
		attacks[i].run(dev);
		attack_end(dev, OUTCOME_SAFE, OUTCOME_SAFE);
	}
}
