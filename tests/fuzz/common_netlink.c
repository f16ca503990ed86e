/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the kernel's, as bytes: every decoder on every message, whatever it claims to be. */
#include <stdlib.h>

#include "common/netlink_route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct nl_message message;

	while (nl_next(&in, &message) > 0) {
		struct net_neighbour neighbour;
		struct net_address address;
		struct net_route route;
		struct net_link link;
		struct nl_msg msg;
		uint16_t priority;

		if (net_decode_link(&message, &link) > 0 && link.name[NET_NAME_SIZE - 1])
			abort();
		/* What was read can be said again. */
		if (net_decode_address(&message, &address) > 0) {
			net_encode_address(&msg, &address);
			if (msg.failed)
				abort();
		}
		if (net_decode_route(&message, &route) > 0) {
			net_encode_route(&msg, &route);
			if (msg.failed)
				abort();
		}
		if (net_decode_neighbour(&message, &neighbour) > 0) {
			net_encode_neighbour(&msg, &neighbour);
			if (msg.failed)
				abort();
		}
		net_decode_filter(&message, &priority);
	}
	return 0;
}
