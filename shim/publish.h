/* SPDX-License-Identifier: Apache-2.0 */
/* Published ports, as --publish gives them: [ADDRESS:]HOST:GUEST[/tcp|/udp]. Pure. */
#ifndef SHIM_PUBLISH_H
#define SHIM_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

struct publish {
	char address[16]; /* of the host, IPv4; "": all */
	uint16_t host, guest;
	bool udp;
};

/* A whole string; -EINVAL. */
int publish_parse(const char *text, struct publish *ret);

#endif
