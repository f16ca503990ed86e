/* SPDX-License-Identifier: Apache-2.0 */
#include "common/netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/cleanup.h"

#define REPLY_SIZE 32768u /* the kernel's dumps come in parts of at most this */

/* --- building ------------------------------------------------------------------------------- */

/* Room for n bytes at the next multiple of 4, zeroed with its padding; NULL where it is full. */
static uint8_t *room(struct nl_msg *msg, size_t n)
{
	size_t at = NLMSG_ALIGN(msg->len);

	if (msg->failed || n > sizeof(msg->buf) || NLMSG_ALIGN(n) > sizeof(msg->buf) - at) {
		msg->failed = true;
		return NULL;
	}
	memset(msg->buf + msg->len, 0, at + NLMSG_ALIGN(n) - msg->len);
	msg->len = at + n;
	return msg->buf + at;
}

static void set_length(struct nl_msg *msg)
{
	uint32_t length = (uint32_t)NLMSG_ALIGN(msg->len);

	memcpy(msg->buf, &length, sizeof(length));
}

void nl_begin(struct nl_msg *msg, uint16_t type, uint16_t flags, const void *fixed, size_t size)
{
	const struct nlmsghdr header = {
		.nlmsg_type = type,
		.nlmsg_flags = flags | NLM_F_REQUEST,
	};
	uint8_t *at;

	msg->len = 0;
	msg->failed = false;
	at = room(msg, sizeof(header));
	memcpy(at, &header, sizeof(header));
	at = room(msg, size);
	if (at)
		memcpy(at, fixed, size);
	set_length(msg);
}

void nl_put(struct nl_msg *msg, uint16_t attr, const void *value, size_t size)
{
	struct nlattr head = {.nla_type = attr};
	uint8_t *at = size < NL_MSG_MAX ? room(msg, sizeof(head) + size) : NULL;

	if (!at) {
		msg->failed = true;
		return;
	}
	head.nla_len = (uint16_t)(sizeof(head) + size);
	memcpy(at, &head, sizeof(head));
	if (size)
		memcpy(at + sizeof(head), value, size);
	set_length(msg);
}

void nl_put_u8(struct nl_msg *msg, uint16_t attr, uint8_t value)
{
	nl_put(msg, attr, &value, sizeof(value));
}

void nl_put_u32(struct nl_msg *msg, uint16_t attr, uint32_t value)
{
	nl_put(msg, attr, &value, sizeof(value));
}

void nl_put_string(struct nl_msg *msg, uint16_t attr, const char *value)
{
	nl_put(msg, attr, value, strlen(value) + 1);
}

size_t nl_nest(struct nl_msg *msg, uint16_t attr)
{
	size_t at = NLMSG_ALIGN(msg->len);

	nl_put(msg, attr | NLA_F_NESTED, NULL, 0);
	return at;
}

void nl_nest_end(struct nl_msg *msg, size_t nest)
{
	uint16_t length = (uint16_t)(NLMSG_ALIGN(msg->len) - nest);

	if (!msg->failed)
		memcpy(msg->buf + nest, &length, sizeof(length));
}

/* --- parsing -------------------------------------------------------------------------------- */

/* Skips what aligns a part of size bytes; the last one may go without. */
static void skip_padding(struct bytes *in, size_t size)
{
	size_t pad = NLMSG_ALIGN(size) - size;

	bytes_take(in, pad < bytes_left(in) ? pad : bytes_left(in));
}

int nl_next(struct bytes *in, struct nl_message *ret)
{
	struct nlmsghdr header;

	if (in->failed || !bytes_left(in))
		return in->failed ? -EPROTO : 0;
	if (!bytes_copy(in, &header, sizeof(header)))
		return -EPROTO;
	if (header.nlmsg_len < sizeof(header) || header.nlmsg_len - sizeof(header) > bytes_left(in))
		return -EPROTO;
	ret->type = header.nlmsg_type;
	ret->flags = header.nlmsg_flags;
	ret->seq = header.nlmsg_seq;
	ret->body = bytes_of(in->data + in->at, header.nlmsg_len - sizeof(header));
	bytes_take(in, header.nlmsg_len - sizeof(header));
	skip_padding(in, header.nlmsg_len);
	return 1;
}

int nl_next_attr(struct bytes *in, struct nl_attr *ret)
{
	struct nlattr head;

	if (in->failed || !bytes_left(in))
		return in->failed ? -EPROTO : 0;
	if (!bytes_copy(in, &head, sizeof(head)))
		return -EPROTO;
	if (head.nla_len < sizeof(head) || head.nla_len - sizeof(head) > bytes_left(in))
		return -EPROTO;
	ret->type = head.nla_type & NLA_TYPE_MASK;
	ret->value = bytes_of(in->data + in->at, head.nla_len - sizeof(head));
	bytes_take(in, head.nla_len - sizeof(head));
	skip_padding(in, head.nla_len);
	return 1;
}

int nl_take_fixed(struct bytes *body, void *fixed, size_t size)
{
	if (!bytes_copy(body, fixed, size))
		return -EPROTO;
	skip_padding(body, size);
	return 0;
}

int nl_get(const struct nl_attr *attr, void *value, size_t size)
{
	if (attr->value.size != size)
		return -EPROTO;
	memcpy(value, attr->value.data, size);
	return 0;
}

int nl_get_u32(const struct nl_attr *attr, uint32_t *ret)
{
	return nl_get(attr, ret, sizeof(*ret));
}

void nl_get_string(const struct nl_attr *attr, char *buf, size_t size)
{
	size_t n = strnlen((const char *)attr->value.data, attr->value.size);

	if (n >= size)
		n = size - 1;
	memcpy(buf, attr->value.data, n);
	buf[n] = '\0';
}

/* --- the socket ----------------------------------------------------------------------------- */

int nl_open(void)
{
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	const int on = 1;

	if (fd < 0)
		return -errno;
	/* Without it a dump ignores a filter in the request. Older kernels filter nothing. */
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return TAKE_FD(fd);
}

static int send_msg(int fd, struct nl_msg *msg, uint16_t flags, uint32_t *ret_seq)
{
	static uint32_t seq;
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct nlmsghdr header;
	ssize_t n;

	if (msg->failed)
		return -EMSGSIZE;
	memcpy(&header, msg->buf, sizeof(header));
	header.nlmsg_flags |= flags;
	*ret_seq = header.nlmsg_seq = ++seq;
	memcpy(msg->buf, &header, sizeof(header));
	do
		n = sendto(fd, msg->buf, header.nlmsg_len, 0, (struct sockaddr *)&kernel,
			   sizeof(kernel));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* One datagram of the kernel's. */
static int receive(int fd, uint8_t *buf, size_t size, struct bytes *ret)
{
	struct sockaddr_nl from = {0};
	socklen_t len;
	ssize_t n;

	do {
		len = sizeof(from);
		n = recvfrom(fd, buf, size, MSG_TRUNC, (struct sockaddr *)&from, &len);
	} while ((n < 0 && errno == EINTR) || (n >= 0 && from.nl_pid != 0));
	if (n < 0)
		return -errno;
	if ((size_t)n > size)
		return -EMSGSIZE;
	*ret = bytes_of(buf, (size_t)n);
	return 0;
}

/* 0 or -errno of an error message, of which 0 is the acknowledgement. */
static int error_of(struct nl_message *message)
{
	struct nlmsgerr error;

	if (nl_take_fixed(&message->body, &error, sizeof(error)) < 0)
		return -EPROTO;
	return error.error > 0 ? -EPROTO : error.error;
}

int nl_request(int fd, struct nl_msg *msg)
{
	_Alignas(4) uint8_t buf[4096];
	struct nl_message message;
	struct bytes in;
	uint32_t seq;
	int r = send_msg(fd, msg, NLM_F_ACK, &seq);

	while (r >= 0) {
		r = receive(fd, buf, sizeof(buf), &in);
		while (r >= 0 && (r = nl_next(&in, &message)) > 0)
			if (message.seq == seq && message.type == NLMSG_ERROR)
				return error_of(&message);
	}
	return r;
}

/* The answers in one datagram. 1: there are more to come; 0: that was all; or -errno. */
static int dump_part(struct bytes *in, uint32_t seq,
		     int (*fn)(const struct nl_message *message, void *data), void *data)
{
	struct nl_message message;
	int r;

	while ((r = nl_next(in, &message)) > 0) {
		if (message.seq != seq)
			continue;
		if (message.flags & NLM_F_DUMP_INTR)
			return -EAGAIN;
		if (message.type == NLMSG_DONE)
			return 0;
		if (message.type == NLMSG_ERROR)
			return error_of(&message);
		r = fn(&message, data);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : 1;
}

int nl_dump(int fd, struct nl_msg *msg, int (*fn)(const struct nl_message *message, void *data),
	    void *data)
{
	_cleanup_free_ uint8_t *buf = malloc(REPLY_SIZE);
	struct bytes in = {0};
	uint32_t seq;
	int r = buf ? send_msg(fd, msg, NLM_F_DUMP, &seq) : -ENOMEM;

	if (r < 0)
		return r;
	do {
		r = receive(fd, buf, REPLY_SIZE, &in);
		if (r >= 0)
			r = dump_part(&in, seq, fn, data);
	} while (r > 0);
	return r;
}
