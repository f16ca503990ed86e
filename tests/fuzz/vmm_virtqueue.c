/* SPDX-License-Identifier: Apache-2.0 */
/* Guest memory is the input: rings, descriptors, indirect tables; the device pops what it finds. */
#include <stdlib.h>
#include <string.h>

#include "vmm/virtio.h"

#define RAM_SIZE 8192

static struct virtq_chain chain;

static void check(const uint8_t *ram)
{
	uint64_t out = 0, in = 0;

	if (chain.n_out + chain.n_in > VIRTQ_MAX_CHAIN)
		abort();
	for (unsigned i = 0; i < chain.n_out + chain.n_in; i++) {
		const uint8_t *p = chain.iov[i].iov_base;

		if (p < ram || p + chain.iov[i].iov_len > ram + RAM_SIZE || !chain.iov[i].iov_len)
			abort();
		*(i < chain.n_out ? &out : &in) += chain.iov[i].iov_len;
	}
	if (out != chain.out_len || in != chain.in_len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory mem = {.n_regions = 1};
	struct virtq vq = {.max_size = 256};
	uint8_t *ram, config[8], buf[64];

	if (size < sizeof(config))
		return 0;
	memcpy(config, data, sizeof(config));
	data += sizeof(config);
	size -= sizeof(config);
	ram = calloc(1, RAM_SIZE);
	memcpy(ram, data, size < RAM_SIZE ? size : RAM_SIZE);
	mem.regions[0] = (struct memory_region){.gpa = 0x1000, .size = RAM_SIZE, .host = ram};
	vq.size = (uint16_t)(1u << config[0] % 9);
	vq.desc_gpa = 0x1000 + config[1] * 32u;
	vq.avail_gpa = 0x1000 + config[2] * 32u;
	vq.used_gpa = 0x1000 + config[3] * 32u;
	vq.next_avail = vq.next_used = (uint16_t)(config[4] << 8 | config[5]);
	if (virtq_start(&vq, &mem, config[6] & 1) == 0) {
		for (unsigned i = 0; i < 64 && virtq_pop(&vq, &chain) > 0; i++) {
			check(ram);
			chain_read(&chain, config[7], buf, sizeof(buf));
			chain_write(&chain, config[7], buf, sizeof(buf));
			virtq_push(&vq, chain.head, chain.in_len);
			virtq_should_notify(&vq);
			virtq_enable_notify(&vq);
		}
	}
	free(ram);
	return 0;
}
