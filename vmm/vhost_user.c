/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a vhost-user session.
 *
 * The front end's messages set the queues up one by one; a device (virtio.h) is activated as a whole.
 * So this file keeps what it was told per queue, and after each message asks whether the set is
 * complete: memory is known and every queue has its addresses and a doorbell and is enabled. Then the
 * device runs. When one queue is stopped (GET_VRING_BASE) or changed, the device is held: its queues
 * are not ready, its connections stay. When the set is complete again, the device goes on if every
 * queue begins where it was stopped - the VM was only paused - and is reset otherwise, because a
 * driver that has begun anew knows nothing of the old connections.
 *
 * Memory is mapped from the descriptors that come with SET_MEM_TABLE, after a look at their size. A
 * front end that shrinks its file afterwards gets its own back end killed by SIGBUS, and nothing
 * else. Device code runs only in this thread and never between a message and its end, so that maps
 * change while nobody looks.
 */
#include "vmm/vhost_user.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/loop.h"
#include "vmm/vhost_user_internal.h"

#define MESSAGES_PER_TURN 16
#define PROTOCOL_FEATURES                                                                          \
	(VHOST_USER_PROTOCOL_F_MQ | VHOST_USER_PROTOCOL_F_REPLY_ACK | VHOST_USER_PROTOCOL_F_CONFIG)

static void on_kick(struct source *source, uint32_t events, void *data)
{
	struct queue *q = data;

	virtio_kick(q->vu->dev, q->index);
}

/* --- messages ------------------------------------------------------------------------------ */

static int reply(struct vhost_user *vu, const void *payload, uint32_t size)
{
	uint8_t buf[sizeof(vu->buf)];
	ssize_t n;

	vhost_user_encode_header(vu->header.request, size, buf);
	memcpy(buf + VHOST_USER_HEADER_SIZE, payload, size);
	/* Replies are few and small: a front end that leaves them until the socket is full is ill. */
	n = sock_send(vu->fd, buf, VHOST_USER_HEADER_SIZE + size, NULL, 0, MSG_DONTWAIT);
	return n == (ssize_t)(VHOST_USER_HEADER_SIZE + size) ? 0 : n < 0 ? (int)n : -EPIPE;
}

static int reply_u64(struct vhost_user *vu, uint64_t value)
{
	value = htole64(value);
	return reply(vu, &value, sizeof(value));
}

static int set_memory(struct vhost_user *vu, const struct vhost_user_message *msg)
{
	int r = 0;

	vhost_user_hold(vu);
	vhost_user_unmap(vu);
	for (unsigned i = 0; i < msg->n_regions && !r; i++)
		r = vhost_user_map(vu, &msg->regions[i], vu->fds[i]);
	return r;
}

static int get_config(struct vhost_user *vu, const struct vhost_user_message *msg)
{
	const struct virtio_ops *ops = vu->dev->ops;
	uint32_t head[3] = {htole32(msg->config_offset), htole32(msg->config_size), 0};
	uint8_t payload[sizeof(head) + VHOST_USER_MAX_CONFIG] = {0};
	uint32_t size = msg->config_size;

	memcpy(payload, head, sizeof(head));
	/* The front end asks for more than there is: the rest reads as zero. */
	if (msg->config_offset < ops->config_size) {
		if (size > ops->config_size - msg->config_offset)
			size = (uint32_t)(ops->config_size - msg->config_offset);
		ops->config_read(vu->dev, msg->config_offset, payload + sizeof(head), size);
	}
	return reply(vu, payload, (uint32_t)sizeof(head) + msg->config_size);
}

static int set_bell(struct vhost_user *vu, const struct vhost_user_message *msg, int *fd)
{
	close_fd(fd);
	if (msg->no_fd)
		return 0;
	*fd = TAKE_FD(vu->fds[0]);
	return io_set_nonblock(*fd, true);
}

static int set_kick(struct vhost_user *vu, struct queue *q, const struct vhost_user_message *msg)
{
	int r;

	vhost_user_hold(vu);
	source_remove(q->kick);
	q->kick = NULL;
	r = set_bell(vu, msg, &q->kick_fd);
	if (r < 0 || q->kick_fd < 0)
		return r;
	/* Edge-triggered: each ring is one event, and nobody needs to read the counter down. */
	return loop_add_io(vu->dev->loop, q->kick_fd, EPOLLIN | EPOLLET, on_kick, q, &q->kick);
}

static int get_base(struct vhost_user *vu, struct queue *q)
{
	uint32_t state[2] = {htole32(q->index)};

	vhost_user_hold(vu);
	state[1] = htole32(q->base);
	/* The queue stops, and starts again with a new doorbell. */
	source_remove(q->kick);
	q->kick = NULL;
	close_fd(&q->kick_fd);
	return reply(vu, state, sizeof(state));
}

static int handle_queue(struct vhost_user *vu, const struct vhost_user_message *msg)
{
	struct queue *q;

	if (msg->index >= vu->n_queues)
		return -EPROTO;
	q = &vu->queues[msg->index];
	switch (msg->request) {
	case VHOST_USER_SET_VRING_NUM:
		vhost_user_hold(vu);
		q->num = msg->number;
		return 0;
	case VHOST_USER_SET_VRING_BASE:
		vhost_user_hold(vu);
		q->base = (uint16_t)msg->number;
		return 0;
	case VHOST_USER_GET_VRING_BASE:
		return get_base(vu, q);
	case VHOST_USER_SET_VRING_ENABLE:
		if (!msg->number)
			vhost_user_hold(vu);
		q->enabled = msg->number;
		return 0;
	case VHOST_USER_SET_VRING_ADDR:
		vhost_user_hold(vu);
		q->desc = msg->desc;
		q->used = msg->used;
		q->avail = msg->avail;
		q->has_addr = true;
		return 0;
	case VHOST_USER_SET_VRING_KICK:
		return set_kick(vu, q, msg);
	case VHOST_USER_SET_VRING_CALL:
		return set_bell(vu, msg, &q->call_fd);
	default:
		return set_bell(vu, msg, &q->err_fd);
	}
}

static int set_features(struct vhost_user *vu, uint64_t features)
{
	vu->features = features;
	/* Without the protocol's own features there is no ENABLE message. */
	if (!(features & VHOST_USER_F_PROTOCOL_FEATURES))
		for (unsigned i = 0; i < vu->n_queues; i++)
			vu->queues[i].enabled = true;
	return 0;
}

static int handle(struct vhost_user *vu, const struct vhost_user_message *msg)
{
	switch (msg->request) {
	case VHOST_USER_GET_FEATURES:
		return reply_u64(vu, vu->dev->features | VHOST_USER_F_PROTOCOL_FEATURES);
	case VHOST_USER_SET_FEATURES:
		return set_features(vu, msg->value);
	case VHOST_USER_GET_PROTOCOL_FEATURES:
		return reply_u64(vu, PROTOCOL_FEATURES);
	case VHOST_USER_SET_PROTOCOL_FEATURES:
		vu->protocol_features = msg->value & PROTOCOL_FEATURES;
		return 0;
	case VHOST_USER_GET_QUEUE_NUM:
		return reply_u64(vu, vu->n_queues);
	case VHOST_USER_SET_OWNER:
		return 0;
	case VHOST_USER_RESET_OWNER:
		vhost_user_reset(vu);
		return 0;
	case VHOST_USER_SET_MEM_TABLE:
		return set_memory(vu, msg);
	case VHOST_USER_GET_CONFIG:
		return get_config(vu, msg);
	case VHOST_USER_SET_CONFIG:
		return 0; /* none of our fields can be written */
	default:
		return handle_queue(vu, msg);
	}
}

static bool answers(uint32_t request)
{
	switch (request) {
	case VHOST_USER_GET_FEATURES:
	case VHOST_USER_GET_PROTOCOL_FEATURES:
	case VHOST_USER_GET_QUEUE_NUM:
	case VHOST_USER_GET_VRING_BASE:
	case VHOST_USER_GET_CONFIG:
		return true;
	default:
		return false;
	}
}

/* Whether a set of queues may be complete now that was not before. */
static bool completes(uint32_t request)
{
	switch (request) {
	case VHOST_USER_SET_FEATURES:
	case VHOST_USER_SET_MEM_TABLE:
	case VHOST_USER_SET_VRING_NUM:
	case VHOST_USER_SET_VRING_ADDR:
	case VHOST_USER_SET_VRING_BASE:
	case VHOST_USER_SET_VRING_KICK:
	case VHOST_USER_SET_VRING_ENABLE:
		return true;
	default:
		return false;
	}
}

static int handle_message(struct vhost_user *vu)
{
	struct vhost_user_message msg;
	bool ack = vu->header.need_reply &&
		   (vu->protocol_features & VHOST_USER_PROTOCOL_F_REPLY_ACK) &&
		   !answers(vu->header.request);
	int r;

	r = vhost_user_decode(&vu->header, vu->buf + VHOST_USER_HEADER_SIZE, vu->n_fds, &msg);
	if (r == -EOPNOTSUPP)
		return ack ? reply_u64(vu, 1) : 0;
	if (!r)
		r = handle(vu, &msg);
	if (r < 0)
		return r;
	if (ack)
		r = reply_u64(vu, 0);
	if (completes(msg.request))
		vhost_user_start_if_complete(vu);
	return r;
}

/* --- the socket ---------------------------------------------------------------------------- */

static void drop_fds(struct vhost_user *vu)
{
	for (size_t i = 0; i < vu->n_fds; i++)
		close_fd(&vu->fds[i]);
	vu->n_fds = 0;
}

/* Reads up to want bytes of the message in all. 1: they are there; 0: not yet; or -errno. */
static int read_up_to(struct vhost_user *vu, size_t want)
{
	while (vu->have < want) {
		int fds[IO_MAX_FDS];
		size_t n_fds = 0;
		ssize_t n = sock_recv(vu->fd, vu->buf + vu->have, want - vu->have, fds, &n_fds,
				      MSG_DONTWAIT);

		if (n == -EAGAIN)
			return 0;
		if (n <= 0)
			return n < 0 ? (int)n : -ENODATA;
		vu->have += (size_t)n;
		if (n_fds && vu->n_fds) {
			for (size_t i = 0; i < n_fds; i++)
				close(fds[i]);
			return -EPROTO;
		}
		memcpy(vu->fds + vu->n_fds, fds, n_fds * sizeof(*fds));
		vu->n_fds += n_fds;
	}
	return 1;
}

static int read_message(struct vhost_user *vu)
{
	int r = read_up_to(vu, VHOST_USER_HEADER_SIZE);

	if (r <= 0)
		return r;
	r = vhost_user_decode_header(vu->buf, &vu->header);
	if (r < 0)
		return r;
	r = read_up_to(vu, VHOST_USER_HEADER_SIZE + vu->header.size);
	if (r <= 0)
		return r;
	r = handle_message(vu);
	drop_fds(vu);
	vu->have = 0;
	return r < 0 ? r : 1;
}

static void on_socket(struct source *source, uint32_t events, void *data)
{
	struct vhost_user *vu = data;

	for (unsigned i = 0; i < MESSAGES_PER_TURN; i++) {
		int r = read_message(vu);

		if (!r)
			return;
		if (r < 0) {
			source_remove(vu->source);
			vu->source = NULL;
			vu->on_close(r == -ENODATA && !vu->have ? 0 : r, vu->data);
			return;
		}
	}
}

int vhost_user_create(struct loop *loop, int fd, struct virtio_device *dev, unsigned n_queues,
		      void (*on_close)(int why, void *data), void *data, struct vhost_user **ret)
{
	_cleanup_close_ int owned = fd;
	struct vhost_user *vu;
	int r;

	if (n_queues > dev->ops->n_queues)
		return -EINVAL;
	vu = calloc(1, sizeof(*vu));
	if (!vu)
		return -ENOMEM;
	r = loop_add_io(loop, fd, EPOLLIN, on_socket, vu, &vu->source);
	if (r < 0) {
		free(vu);
		return r;
	}
	vu->fd = TAKE_FD(owned);
	vu->dev = dev;
	vu->n_queues = n_queues;
	vu->on_close = on_close;
	vu->data = data;
	for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++)
		vu->queues[i] = (struct queue){
			.vu = vu,
			.index = i,
			.kick_fd = -1,
			.call_fd = -1,
			.err_fd = -1,
		};
	/* The front end, not the device, has told the driver how long queues may be. */
	for (unsigned i = 0; i < n_queues; i++)
		dev->queues[i].max_size = VIRTQ_MAX_SIZE;
	dev->transport = &vhost_user_transport_ops;
	dev->transport_data = vu;
	dev->loop = loop;
	dev->mem = &vu->mem;
	*ret = vu;
	return 0;
}

void vhost_user_destroy(struct vhost_user *vu)
{
	if (!vu)
		return;
	vhost_user_reset(vu);
	vu->dev->ops->destroy(vu->dev);
	for (unsigned i = 0; i < vu->n_queues; i++) {
		struct queue *q = &vu->queues[i];

		source_remove(q->kick);
		close_fd(&q->kick_fd);
		close_fd(&q->call_fd);
		close_fd(&q->err_fd);
	}
	source_remove(vu->source);
	close_fd(&vu->fd);
	drop_fds(vu);
	vhost_user_unmap(vu);
	free(vu);
}
