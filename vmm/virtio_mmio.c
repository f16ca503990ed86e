/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: virtio-mmio version 2.
 *
 * Registers are read and written on vCPU threads, the device lives on the loop's thread, and
 * between them stands this file.
 *
 *  - What the driver writes (features, queue addresses, status) is staged in struct virtio_mmio
 * under its lock. The device sees it all at once, when DRIVER_OK is served.
 *  - What the driver reads comes from there too: the configuration space is a copy, renewed on the
 *    loop's thread when the device says so, together with the generation. No read waits for the
 * loop.
 *  - DRIVER_OK, the reset of a live device, the stop of a live queue and a configuration write are
 *    handed over: the vCPU thread sets pending, rings work_fd and sleeps on cond until served has
 *    moved on. One hand-over at a time; the lock is not held while it runs, and what it is to do is
 *    judged again when it runs, since another vCPU may have got in between.
 *  - Doorbells are ioeventfds and never enter user space on the vCPU thread. Interrupts are raised by
 * the device's thread itself (vm.h has why).
 *
 * Once a device is live its queue registers are frozen until reset. The edge-triggered line loses
 * nothing: the driver acknowledges before it looks at the rings, and every cause raises it.
 */
#include "vmm/virtio_mmio.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "common/loop.h"
#include "vmm/virtio_mmio_internal.h"
#include "vmm/vm.h"

/* --- the device's side: the loop's thread ------------------------------------------------- */

static void raise_interrupt(struct virtio_mmio *m, uint32_t cause)
{
	__atomic_or_fetch(&m->interrupt_status, cause, __ATOMIC_SEQ_CST);
	irq_raise(&m->irq);
}

static void notify_queue(struct virtio_device *dev, unsigned queue)
{
	raise_interrupt(dev->transport_data, VIRTIO_MMIO_INT_VRING);
}

/* Only reads of the device; under the lock. */
static void copy_config(struct virtio_mmio *m)
{
	if (m->dev->ops->config_size)
		m->dev->ops->config_read(m->dev, 0, m->config, m->dev->ops->config_size);
	m->features = m->dev->features;
	m->generation++;
}

static void renew_config(struct virtio_device *dev)
{
	struct virtio_mmio *m = dev->transport_data;

	pthread_mutex_lock(&m->lock);
	copy_config(m);
	pthread_mutex_unlock(&m->lock);
}

static void notify_config(struct virtio_device *dev)
{
	struct virtio_mmio *m = dev->transport_data;
	bool tell;

	pthread_mutex_lock(&m->lock);
	copy_config(m);
	tell = m->status & VIRTIO_CONFIG_S_DRIVER_OK;
	pthread_mutex_unlock(&m->lock);
	if (tell)
		raise_interrupt(m, VIRTIO_MMIO_INT_CONFIG);
}

static void needs_reset(struct virtio_device *dev)
{
	struct virtio_mmio *m = dev->transport_data;
	bool tell;

	pthread_mutex_lock(&m->lock);
	m->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	tell = m->status & VIRTIO_CONFIG_S_DRIVER_OK;
	pthread_mutex_unlock(&m->lock);
	if (tell)
		raise_interrupt(m, VIRTIO_MMIO_INT_CONFIG);
}

static const struct virtio_transport_ops transport_ops = {
	.notify_queue = notify_queue,
	.one_interrupt = true,
	.notify_config = notify_config,
	.renew_config = renew_config,
	.needs_reset = needs_reset,
};

static void on_kick(struct source *source, uint32_t events, void *data)
{
	struct mmio_queue *q = data;

	virtio_kick(q->mmio->dev, q->index);
}

/* Called and left with the lock held, dropped while the device works. */
static void serve_activate(struct virtio_mmio *m)
{
	if (m->live || !(m->status & VIRTIO_CONFIG_S_DRIVER_OK))
		return;
	m->live = true;
	m->dev->driver_features = m->driver_features;
	for (unsigned i = 0; i < m->n_queues; i++) {
		struct virtq *vq = &m->dev->queues[i];
		const struct mmio_queue *q = &m->queues[i];

		vq->size = (uint16_t)q->num;
		vq->desc_gpa = q->desc;
		vq->avail_gpa = q->avail;
		vq->used_gpa = q->used;
		vq->ready = q->ready;
	}
	pthread_mutex_unlock(&m->lock);
	virtio_activate(m->dev); /* a failure has become NEEDS_RESET */
	pthread_mutex_lock(&m->lock);
}

static void serve_reset(struct virtio_mmio *m)
{
	pthread_mutex_unlock(&m->lock);
	virtio_reset(m->dev);
	pthread_mutex_lock(&m->lock);
	virtio_mmio_clear(m);
	copy_config(m);
}

static void serve_config_write(struct virtio_mmio *m)
{
	const struct virtio_ops *ops = m->dev->ops;

	if (!ops->config_write)
		return;
	pthread_mutex_unlock(&m->lock);
	ops->config_write(m->dev, m->arg.offset, m->arg.data, m->arg.len);
	pthread_mutex_lock(&m->lock);
	copy_config(m);
}

void virtio_mmio_serve(struct virtio_mmio *m)
{
	switch (m->pending) {
	case HAND_NONE:
		return;
	case HAND_RESET:
		serve_reset(m);
		break;
	case HAND_ACTIVATE:
		serve_activate(m);
		break;
	case HAND_STOP_QUEUE:
		m->dev->queues[m->arg.queue].ready = false;
		break;
	case HAND_CONFIG_WRITE:
		serve_config_write(m);
		break;
	}
	m->pending = HAND_NONE;
	m->served++;
	pthread_cond_broadcast(&m->cond);
}

static void on_work(struct source *source, uint32_t events, void *data)
{
	struct virtio_mmio *m = data;

	pthread_mutex_lock(&m->lock);
	virtio_mmio_serve(m);
	pthread_mutex_unlock(&m->lock);
}

/* --- set-up -------------------------------------------------------------------------------- */

/* EPOLLET: each ring is one event, and nobody needs to read the counter down. */
static int add_bell(struct loop *loop, int *fd, loop_fn fn, void *data, struct source **source)
{
	*fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (*fd < 0)
		return -errno;
	return loop_add_io(loop, *fd, EPOLLIN | EPOLLET, fn, data, source);
}

static int add_queue(struct virtio_mmio *m, struct loop *loop)
{
	unsigned i = m->n_queues++;
	struct mmio_queue *q = &m->queues[i];

	*q = (struct mmio_queue){.mmio = m, .index = i, .kick_fd = -1};
	return add_bell(loop, &q->kick_fd, on_kick, q, &q->kick);
}

static int add_bells(struct virtio_mmio *m, struct loop *loop)
{
	int r = add_bell(loop, &m->work_fd, on_work, m, &m->work);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < m->dev->ops->n_queues; i++) {
		r = add_queue(m, loop);
		if (r < 0)
			return r;
	}
	return 0;
}

static void finish(struct virtio_mmio *m)
{
	for (unsigned i = 0; i < m->n_queues; i++) {
		source_remove(m->queues[i].kick);
		close_fd(&m->queues[i].kick_fd);
	}
	source_remove(m->work);
	close_fd(&m->work_fd);
	pthread_cond_destroy(&m->cond);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

int virtio_mmio_new(struct loop *loop, const struct memory *mem, const struct irq *irq,
		    struct virtio_device *dev, struct virtio_mmio **ret)
{
	struct virtio_mmio *m;
	int r;

	if (dev->ops->config_size > MMIO_CONFIG_MAX)
		return -EINVAL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->dev = dev;
	m->irq = *irq;
	m->work_fd = -1;
	m->loop_thread = pthread_self();
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->cond, NULL);
	r = add_bells(m, loop);
	if (r < 0) {
		finish(m);
		return r;
	}
	dev->transport = &transport_ops;
	dev->transport_data = m;
	dev->loop = loop;
	dev->mem = mem;
	copy_config(m);
	*ret = m;
	return 0;
}

static int wire(struct virtio_mmio *m, struct vm *vm, uint64_t base)
{
	int r = 0;

	for (unsigned i = 0; i < m->n_queues && r >= 0; i++)
		r = vm_add_ioeventfd(vm, base + VIRTIO_MMIO_QUEUE_NOTIFY, 4, true, i,
				     m->queues[i].kick_fd);
	if (r < 0)
		return r;
	/* Last: what is on the bus cannot be taken off it. */
	return bus_add(&vm->mmio, base, VIRTIO_MMIO_SIZE, &virtio_mmio_bus_ops, m);
}

int virtio_mmio_create(struct vm *vm, struct loop *loop, uint64_t base, unsigned line,
		       struct virtio_device *dev, struct virtio_mmio **ret)
{
	const struct irq irq = vm_irq(vm, line);
	struct virtio_mmio *m;
	int r = virtio_mmio_new(loop, &vm->mem, &irq, dev, &m);

	if (r < 0)
		return r;
	r = wire(m, vm, base);
	if (r < 0) {
		dev->transport = NULL;
		finish(m);
		return r;
	}
	*ret = m;
	return 0;
}

void virtio_mmio_destroy(struct virtio_mmio *m)
{
	if (!m)
		return;
	virtio_reset(m->dev);
	m->dev->ops->destroy(m->dev);
	finish(m);
}
