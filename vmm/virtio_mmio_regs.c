/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register file of the virtio-mmio transport, as vCPU threads see it. Everything here runs
 * under the device's lock; see virtio_mmio.c.
 */
#include <assert.h>
#include <endian.h>
#include <string.h>

#include "vmm/virtio_mmio_internal.h"

#define MAGIC  0x74726976 /* "virt" */
#define VENDOR 0x20786273 /* "sbx " */
#define STATUS_DRIVER_BITS                                                                         \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_DRIVER_OK |        \
	 VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_FAILED)

static_assert(VIRTIO_MMIO_CONFIG + MMIO_CONFIG_MAX <= VIRTIO_MMIO_SIZE, "fits its page");

void virtio_mmio_clear(struct virtio_mmio *m)
{
	m->status = 0;
	m->live = false;
	m->driver_features = 0;
	m->device_features_sel = m->driver_features_sel = m->queue_sel = 0;
	for (unsigned i = 0; i < m->n_queues; i++) {
		struct mmio_queue *q = &m->queues[i];

		q->num = 0;
		q->ready = false;
		q->desc = q->avail = q->used = 0;
	}
	__atomic_store_n(&m->interrupt_status, 0, __ATOMIC_SEQ_CST);
}

/* One at a time: waits for its turn. The caller then fills arg and calls hand_over(). */
static void await_turn(struct virtio_mmio *m)
{
	while (m->pending != HAND_NONE)
		pthread_cond_wait(&m->cond, &m->lock);
}

static void hand_over(struct virtio_mmio *m, enum handover what)
{
	uint64_t before = m->served;

	m->pending = what;
	/* It need not wait for itself, where the loop's own thread writes registers. */
	if (pthread_equal(pthread_self(), m->loop_thread))
		virtio_mmio_serve(m);
	else
		ring_bell(m->work_fd);
	while (m->served == before)
		pthread_cond_wait(&m->cond, &m->lock);
}

static bool features_fit(const struct virtio_mmio *m)
{
	return !(m->driver_features & ~m->features) &&
	       (m->driver_features & (1ull << VIRTIO_F_VERSION_1));
}

static void write_status(struct virtio_mmio *m, uint32_t value)
{
	uint32_t added = value & ~m->status & STATUS_DRIVER_BITS;

	if (!value) {
		await_turn(m);
		if (m->live)
			hand_over(m, HAND_RESET);
		else
			virtio_mmio_clear(m);
		return;
	}
	if ((added & VIRTIO_CONFIG_S_FEATURES_OK) && !features_fit(m))
		added &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	if (!((m->status | added) & VIRTIO_CONFIG_S_FEATURES_OK))
		added &= ~VIRTIO_CONFIG_S_DRIVER_OK;
	m->status |= added;
	if (added & VIRTIO_CONFIG_S_DRIVER_OK) {
		await_turn(m);
		hand_over(m, HAND_ACTIVATE);
	}
}

static void write_ready(struct virtio_mmio *m, struct mmio_queue *q, uint32_t value)
{
	if (!m->live) {
		q->ready = value & 1;
	} else if (!(value & 1) && q->ready) {
		q->ready = false;
		await_turn(m);
		m->arg.queue = q->index;
		hand_over(m, HAND_STOP_QUEUE);
	}
}

static void set_half(uint64_t *reg, bool high, uint32_t value)
{
	unsigned shift = high ? 32 : 0;

	*reg = (*reg & ~(0xffffffffull << shift)) | (uint64_t)value << shift;
}

static void write_queue_register(struct virtio_mmio *m, uint64_t offset, uint32_t value)
{
	struct mmio_queue *q;

	if (m->queue_sel >= m->n_queues)
		return;
	q = &m->queues[m->queue_sel];
	if (offset == VIRTIO_MMIO_QUEUE_READY) {
		write_ready(m, q, value);
		return;
	}
	if (m->live || q->ready)
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		/* Cut, not wrapped: a value too large stays one, for virtq_start() to refuse. */
		q->num = value > UINT16_MAX ? UINT16_MAX : value;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_half(&q->desc, offset == VIRTIO_MMIO_QUEUE_DESC_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_half(&q->avail, offset == VIRTIO_MMIO_QUEUE_AVAIL_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_half(&q->used, offset == VIRTIO_MMIO_QUEUE_USED_HIGH, value);
		break;
	}
}

static void write_register(struct virtio_mmio *m, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		m->device_features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		m->driver_features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		if (m->driver_features_sel < 2 && !(m->status & VIRTIO_CONFIG_S_FEATURES_OK))
			set_half(&m->driver_features, m->driver_features_sel, value);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		m->queue_sel = value;
		break;
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		/* Only where the kernel did not match it, for example because of its width. */
		if (value < m->n_queues)
			ring_bell(m->queues[value].kick_fd);
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		__atomic_and_fetch(&m->interrupt_status, ~value, __ATOMIC_SEQ_CST);
		break;
	case VIRTIO_MMIO_STATUS:
		write_status(m, value);
		break;
	default:
		write_queue_register(m, offset, value);
	}
}

static uint32_t read_register(struct virtio_mmio *m, uint64_t offset)
{
	bool queue = m->queue_sel < m->n_queues;

	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MAGIC;
	case VIRTIO_MMIO_VERSION:
		return 2;
	case VIRTIO_MMIO_DEVICE_ID:
		return m->dev->ops->id;
	case VIRTIO_MMIO_VENDOR_ID:
		return VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		if (m->device_features_sel > 1)
			return 0;
		return (uint32_t)(m->features >> 32 * m->device_features_sel);
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return queue ? m->dev->ops->queue_size : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return queue ? m->queues[m->queue_sel].ready : 0;
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return __atomic_load_n(&m->interrupt_status, __ATOMIC_SEQ_CST);
	case VIRTIO_MMIO_STATUS:
		return m->status;
	case VIRTIO_MMIO_CONFIG_GENERATION:
		return m->generation;
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
		return UINT32_MAX; /* no such region */
	default:
		return 0;
	}
}

/* --- the bus ------------------------------------------------------------------------------- */

static bool in_config(const struct virtio_mmio *m, uint64_t offset, unsigned len)
{
	return offset >= VIRTIO_MMIO_CONFIG &&
	       offset - VIRTIO_MMIO_CONFIG + len <= m->dev->ops->config_size;
}

static void bus_on_read(void *data, uint64_t offset, void *buf, unsigned len)
{
	struct virtio_mmio *m = data;
	uint32_t value = 0;

	memset(buf, 0, len);
	pthread_mutex_lock(&m->lock);
	if (in_config(m, offset, len)) {
		memcpy(buf, m->config + offset - VIRTIO_MMIO_CONFIG, len);
	} else if (offset < VIRTIO_MMIO_CONFIG && len == sizeof(value)) {
		value = htole32(read_register(m, offset));
		memcpy(buf, &value, sizeof(value));
	}
	pthread_mutex_unlock(&m->lock);
}

static void bus_on_write(void *data, uint64_t offset, const void *buf, unsigned len)
{
	struct virtio_mmio *m = data;
	uint32_t value;

	pthread_mutex_lock(&m->lock);
	if (in_config(m, offset, len)) {
		if (m->dev->ops->config_write) {
			await_turn(m);
			m->arg.offset = offset - VIRTIO_MMIO_CONFIG;
			m->arg.len = len;
			memcpy(m->arg.data, buf, len);
			hand_over(m, HAND_CONFIG_WRITE);
		}
	} else if (offset < VIRTIO_MMIO_CONFIG && len == sizeof(value)) {
		memcpy(&value, buf, sizeof(value));
		write_register(m, offset, le32toh(value));
	}
	pthread_mutex_unlock(&m->lock);
}

const struct bus_ops virtio_mmio_bus_ops = {.read = bus_on_read, .write = bus_on_write};
