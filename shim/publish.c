/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/publish.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "common/opts.h"

/* A port of n characters. */
static int parse_port(const char *text, size_t n, uint16_t *ret)
{
	char buf[8];
	uint64_t v;

	if (n >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, text, n);
	buf[n] = '\0';
	if (parse_uint(buf, &v) < 0 || !v || v > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)v;
	return 0;
}

/* What is before the last colon of text[0, *n), which becomes the text after it. */
static const char *split_last(const char **text, size_t *n, size_t *ret_n)
{
	const char *begin = *text, *colon = memrchr(begin, ':', *n);

	if (!colon)
		return NULL;
	*ret_n = (size_t)(colon - begin);
	*text = colon + 1;
	*n -= *ret_n + 1;
	return begin;
}

int publish_parse(const char *text, struct publish *ret)
{
	const char *slash = strchrnul(text, '/'), *guest = text, *host, *address;
	size_t guest_n = (size_t)(slash - text), host_n, address_n;
	struct publish publish = {.udp = strcmp(slash, "/udp") == 0};
	struct in_addr in;

	if (*slash && !publish.udp && strcmp(slash, "/tcp") != 0)
		return -EINVAL;
	host = split_last(&guest, &guest_n, &host_n);
	if (!host)
		return -EINVAL;
	address = split_last(&host, &host_n, &address_n);
	if (address) {
		if (address_n >= sizeof(publish.address))
			return -EINVAL;
		memcpy(publish.address, address, address_n);
		if (inet_pton(AF_INET, publish.address, &in) != 1)
			return -EINVAL;
	}
	if (parse_port(host, host_n, &publish.host) < 0 ||
	    parse_port(guest, guest_n, &publish.guest) < 0)
		return -EINVAL;
	*ret = publish;
	return 0;
}
