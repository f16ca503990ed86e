/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver gone wild on the registers of a virtio-rng: each five bytes of the input are an access,
 * the first 4 KiB behind them guest memory. What is handed over is served at once, this being the
 * loop's own thread.
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/loop.h"
#include "vmm/virtio_mmio_internal.h"
#include "vmm/virtio_rng.h"

#define RAM_SIZE     8192
#define MAX_ACCESSES 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory mem = {.n_regions = 1};
	struct virtio_device *dev;
	struct virtio_mmio *mmio;
	struct loop *loop;
	size_t n = size / 5 < MAX_ACCESSES ? size / 5 : MAX_ACCESSES;
	uint8_t *ram = calloc(1, RAM_SIZE);

	log_open(-1, LOG_ERROR, "fuzz");
	memcpy(ram, data, size < RAM_SIZE ? size : RAM_SIZE);
	mem.regions[0] = (struct memory_region){.gpa = 0, .size = RAM_SIZE, .host = ram};
	if (loop_create(&loop) < 0 || virtio_rng_create(&dev) < 0 ||
	    virtio_mmio_new(loop, &mem, &(struct irq){0}, dev, &mmio) < 0)
		abort();
	for (size_t i = 0; i < n; i++, data += 5) {
		unsigned len = 1u << (data[0] >> 6);
		uint64_t offset = data[0] & 0x3f, value = 0;

		/* Mostly whole registers, now and then anything. */
		if (len == 4)
			offset *= 4;
		memcpy(&value, data + 1, 4);
		if (data[4] & 0x80)
			virtio_mmio_bus_ops.read(mmio, offset, &value, len);
		else
			virtio_mmio_bus_ops.write(mmio, offset, &value, len);
		if ((i & 7) == 7)
			loop_turn(loop, 0);
	}
	virtio_mmio_destroy(mmio);
	loop_destroy(loop);
	free(ram);
	return 0;
}
