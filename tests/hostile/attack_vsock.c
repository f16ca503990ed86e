/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that no guest should send: virtio 1.2, 5.10.6. */
#include <linux/virtio_vsock.h>

#include "attack.h"

#define HOST   2
#define GUEST  3
#define STREAM 1
#define OP(op) VIRTIO_VSOCK_OP_##op
#define HEADER 44

static const struct packet_attack {
	const char *name;
	struct virtio_vsock_hdr hdr;
	uint32_t sent, payload; /* bytes of header and data that are really there */
	unsigned times;
} packets[] = {
	{"from somebody else", {77, HOST, 1, 9, 0, STREAM, OP(REQUEST), 0, 65536, 0}, HEADER, 0, 1},
	{"to somebody else", {GUEST, 77, 1, 9, 0, STREAM, OP(REQUEST), 0, 65536, 0}, HEADER, 0, 1},
	{"to itself", {GUEST, GUEST, 1, 9, 0, STREAM, OP(REQUEST), 0, 65536, 0}, HEADER, 0, 1},
	{"from the host to itself",
	 {HOST, HOST, 1, 9, 0, STREAM, OP(REQUEST), 0, 65536, 0},
	 HEADER,
	 0,
	 1},
	{"an address of 64 bits",
	 {GUEST | 1ull << 32, HOST, 1, 9, 0, STREAM, OP(REQUEST), 0, 65536, 0},
	 HEADER,
	 0,
	 1},
	{"an operation that is none", {GUEST, HOST, 1, 9, 0, STREAM, 0, 0, 65536, 0}, HEADER, 0, 1},
	{"an operation that nobody knows",
	 {GUEST, HOST, 1, 9, 0, STREAM, 65535, 0, 65536, 0},
	 HEADER,
	 0,
	 1},
	{"a type that nobody knows",
	 {GUEST, HOST, 1, 9, 0, 65535, OP(REQUEST), 0, 65536, 0},
	 HEADER,
	 0,
	 1},
	{"half a header", {GUEST, HOST, 1, 9, 0, STREAM, OP(REQUEST), 0, 65536, 0}, 20, 0, 1},
	{"one byte", {GUEST, HOST, 1, 9, 0, STREAM, OP(REQUEST), 0, 65536, 0}, 1, 0, 1},
	{"more data promised than sent",
	 {GUEST, HOST, 1, 9, 65536, STREAM, OP(RW), 0, 65536, 0},
	 HEADER,
	 16,
	 1},
	{"4 GiB of data promised",
	 {GUEST, HOST, 1, 9, 0xffffffff, STREAM, OP(RW), 0, 65536, 0},
	 HEADER,
	 16,
	 1},
	{"more data sent than promised",
	 {GUEST, HOST, 1, 9, 1, STREAM, OP(RW), 0, 65536, 0},
	 HEADER,
	 4096,
	 1},
	{"data for no connection",
	 {GUEST, HOST, 1, 9, 4096, STREAM, OP(RW), 0, 65536, 0},
	 HEADER,
	 4096,
	 100},
	{"an answer that nobody asked for",
	 {GUEST, HOST, 1, 9, 0, STREAM, OP(RESPONSE), 0, 65536, 0},
	 HEADER,
	 0,
	 100},
	{"a reset of nothing",
	 {GUEST, HOST, 1, 9, 0, STREAM, OP(RST), 0, 65536, 0},
	 HEADER,
	 0,
	 100},
	{"a shutdown of nothing",
	 {GUEST, HOST, 1, 9, 0, STREAM, OP(SHUTDOWN), 3, 65536, 0},
	 HEADER,
	 0,
	 100},
	{"a shutdown with flags that nobody knows",
	 {GUEST, HOST, 1, 9, 0, STREAM, OP(SHUTDOWN), 0xffffffff, 65536, 0},
	 HEADER,
	 0,
	 1},
	{"credit for no connection",
	 {GUEST, HOST, 1, 9, 0, STREAM, OP(CREDIT_UPDATE), 0, 0xffffffff, 0xffffffff},
	 HEADER,
	 0,
	 100},
	{"a question about credit for no connection",
	 {GUEST, HOST, 1, 9, 0, STREAM, OP(CREDIT_REQUEST), 0, 0, 0},
	 HEADER,
	 0,
	 100},
	{"a connection to a port where nobody is",
	 {GUEST, HOST, 1, 9, 0, STREAM, OP(REQUEST), 0, 65536, 0},
	 HEADER,
	 0,
	 100},
	{"a connection to the last port",
	 {GUEST, HOST, 1, 0xffffffff, 0, STREAM, OP(REQUEST), 0, 65536, 0},
	 HEADER,
	 0,
	 1},
	{"a connection without credit",
	 {GUEST, HOST, 1, 7, 0, STREAM, OP(REQUEST), 0, 0, 0},
	 HEADER,
	 0,
	 1},
	{"a connection with all the credit there can be",
	 {GUEST, HOST, 1, 7, 0, STREAM, OP(REQUEST), 0, 0xffffffff, 0xffffffff},
	 HEADER,
	 0,
	 1},
	{"the same connection again and again",
	 {GUEST, HOST, 1, 7, 0, STREAM, OP(REQUEST), 0, 65536, 0},
	 HEADER,
	 0,
	 100},
};

/* False: the device does not take it, as it may where it has no room for its own answers. */
static bool send(struct device *dev, const struct virtio_vsock_hdr *hdr, uint32_t sent,
		 uint32_t payload)
{
	struct segment segments[] = {{BUFFER, sent, false}, {BUFFER + 0x1000, payload, false}};

	memcpy((void *)BUFFER, hdr, sizeof(*hdr));
	return device_request(dev, segments, payload ? 2 : 1);
}

/* Many connections, each from another port; nobody answers, or reads what comes back. */
static void flood(struct device *dev)
{
	struct virtio_vsock_hdr hdr = {GUEST, HOST, 0, 7, 0, STREAM, OP(REQUEST), 0, 65536, 0};

	attack_begin(dev, "packet", "2000 connections, and no room for an answer");
	do
		hdr.src_port++;
	while (hdr.src_port < 2000 && send(dev, &hdr, HEADER, 0));
	attack_end(dev, OUTCOME_SAFE, OUTCOME_SAFE);
}

void attack_vsock(struct device *dev)
{
	for (unsigned i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		const struct packet_attack *a = &packets[i];

		attack_begin(dev, "packet", a->name);
		for (unsigned n = 0; n < a->times; n++)
			if (!send(dev, &a->hdr, a->sent, a->payload))
				break;
		attack_end(dev, OUTCOME_SAFE, OUTCOME_SAFE);
	}
	flood(dev);
}
