/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the device's side of a split virtqueue (virtio 1.2, 2.7).
 *
 * The three rings lie in memory that the driver writes at any moment. Four rules keep it harmless:
 *
 *  1. The rings' addresses are checked, with their lengths, once, in virtq_start(); memory never
 * moves or shrinks, so the host addresses stay good.
 *  2. Whatever is read of a ring is read once, into a local variable, behind a compiler barrier;
 *     only the local is judged and used. An index is masked or bounded before it is used.
 *  3. A chain walk takes at most as many steps as there are descriptors (queue size) or segments
 * that we accept (VIRTQ_MAX_CHAIN), whatever the next fields say: a loop is a chain too long.
 *  4. Every segment is checked against memory with its length and becomes a host address; nobody
 * looks at its descriptor again.
 *
 * Barriers: the acquire load of avail->idx pairs with the driver's release; the release store of
 * used->idx with its acquire. With EVENT_IDX each side publishes (an index, a wish) and then looks
 * at the other's, hence the full barriers in virtq_should_notify() and virtq_enable_notify().
 */
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "vmm/iov.h"
#include "vmm/virtio.h"

static_assert(sizeof(struct vring_desc) == 16, "virtio 1.2, 2.7.5");
static_assert(sizeof(struct vring_used_elem) == 8, "virtio 1.2, 2.7.8");

#define AVAIL_SIZE(n) (6u + 2u * (n)) /* flags, idx, ring[n], used_event */
#define USED_SIZE(n)  (6u + 8u * (n)) /* flags, idx, ring[n], avail_event */

static uint16_t load16(const void *p)
{
	return le16toh(__atomic_load_n((const uint16_t *)p, __ATOMIC_RELAXED));
}

static uint16_t load16_acquire(const void *p)
{
	return le16toh(__atomic_load_n((const uint16_t *)p, __ATOMIC_ACQUIRE));
}

static void store16(void *p, uint16_t v)
{
	__atomic_store_n((uint16_t *)p, htole16(v), __ATOMIC_RELAXED);
}

static uint16_t avail_idx(const struct virtq *vq)
{
	return load16_acquire((const uint8_t *)vq->avail + 2);
}

static uint16_t used_event(const struct virtq *vq)
{
	return load16((const uint8_t *)vq->avail + 4 + 2 * vq->size);
}

/* The barrier keeps the compiler from reading guest memory again where it wants the copy. */
static void copy_once(void *to, const void *from, size_t n)
{
	memcpy(to, from, n);
	__asm__ volatile("" ::: "memory");
}

int virtq_start(struct virtq *vq, const struct memory *mem, bool event_idx)
{
	unsigned n = vq->size;
	const void *desc, *avail;
	void *used;

	if (!n || n > vq->max_size || n > VIRTQ_MAX_SIZE || (n & (n - 1)))
		return -EINVAL;
	if (vq->desc_gpa % 16 || vq->avail_gpa % 2 || vq->used_gpa % 4)
		return -EINVAL;
	desc = memory_at(mem, vq->desc_gpa, sizeof(struct vring_desc) * n);
	avail = memory_at(mem, vq->avail_gpa, AVAIL_SIZE(n));
	used = memory_at(mem, vq->used_gpa, USED_SIZE(n));
	if (!desc || !avail || !used)
		return -EFAULT;
	vq->mem = mem;
	vq->desc = desc;
	vq->avail = avail;
	vq->used = used;
	vq->event_idx = event_idx;
	vq->signalled = vq->next_used;
	vq->ready = true;
	return 0;
}

void virtq_reset(struct virtq *vq)
{
	*vq = (struct virtq){.max_size = vq->max_size};
}

static struct vring_desc get_desc(const uint8_t *table, uint32_t i)
{
	struct vring_desc raw;

	copy_once(&raw, table + sizeof(raw) * i, sizeof(raw));
	return (struct vring_desc){
		.addr = le64toh(raw.addr),
		.len = le32toh(raw.len),
		.flags = le16toh(raw.flags),
		.next = le16toh(raw.next),
	};
}

static int walk_chain(struct virtq *vq, struct virtq_chain *chain)
{
	const uint8_t *table = vq->desc;
	struct virtq_walk w;

	virtq_walk_begin(&w, vq->size, chain->head);
	while (!w.done) {
		int64_t i = virtq_walk_next(&w);
		struct vring_desc d;
		void *p;
		int r;

		if (i < 0)
			return -EINVAL;
		d = get_desc(table, (uint32_t)i);
		r = virtq_walk_take(&w, &d, chain);
		if (r < 0)
			return r;
		if (r == VIRTQ_STEP_EMPTY)
			continue;
		p = memory_at(vq->mem, d.addr, d.len);
		if (!p)
			return -EFAULT;
		if (r == VIRTQ_STEP_TABLE)
			table = p;
		else
			chain->iov[chain->n_out + chain->n_in - 1] =
				(struct iovec){.iov_base = p, .iov_len = d.len};
	}
	return 0;
}

int virtq_pop(struct virtq *vq, struct virtq_chain *chain)
{
	uint16_t pending, head;
	int r;

	if (!vq->ready)
		return 0;
	pending = avail_idx(vq) - vq->next_avail;
	if (!pending)
		return 0;
	if (pending > vq->size)
		return -EINVAL;
	head = load16((const uint8_t *)vq->avail + 4 + 2 * (vq->next_avail & (vq->size - 1)));
	if (head >= vq->size)
		return -EINVAL;
	chain->head = head;
	chain->n_out = chain->n_in = 0;
	chain->out_len = chain->in_len = 0;
	r = walk_chain(vq, chain);
	if (r < 0)
		return r;
	vq->next_avail++;
	return 1;
}

void virtq_unpop(struct virtq *vq)
{
	vq->next_avail--;
}

void virtq_push_all(struct virtq *vq, const struct virtq_used *used, unsigned n)
{
	if (!vq->ready)
		return;
	for (unsigned i = 0; i < n; i++) {
		struct vring_used_elem elem = {.id = htole32(used[i].head),
					       .len = htole32(used[i].written)};

		memcpy((uint8_t *)vq->used + 4 + sizeof(elem) * (vq->next_used & (vq->size - 1)),
		       &elem, sizeof(elem));
		vq->next_used++;
	}
	__atomic_store_n((uint16_t *)((uint8_t *)vq->used + 2), htole16(vq->next_used),
			 __ATOMIC_RELEASE);
}

void virtq_push(struct virtq *vq, uint16_t head, uint32_t written)
{
	virtq_push_all(vq, &(struct virtq_used){.head = head, .written = written}, 1);
}

bool virtq_should_notify(struct virtq *vq)
{
	uint16_t old = vq->signalled;

	if (!vq->ready || old == vq->next_used)
		return false;
	vq->signalled = vq->next_used;
	/* used->idx must be out before the driver's wish is read; its peer does the reverse. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!vq->event_idx)
		return !(load16(vq->avail) & VRING_AVAIL_F_NO_INTERRUPT);
	return vring_need_event(used_event(vq), vq->next_used, old);
}

bool virtq_enable_notify(struct virtq *vq)
{
	if (!vq->ready)
		return false;
	if (vq->event_idx)
		store16((uint8_t *)vq->used + 4 + 8 * vq->size, vq->next_avail);
	else
		store16(vq->used, 0);
	/* The wish must be out before avail->idx is read, or a kick could be missed. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return avail_idx(vq) != vq->next_avail;
}

void virtq_disable_notify(struct virtq *vq)
{
	/* With EVENT_IDX the event index stays behind, which is as good. */
	if (vq->ready && !vq->event_idx)
		store16(vq->used, VRING_USED_F_NO_NOTIFY);
}

size_t chain_read(const struct virtq_chain *chain, size_t offset, void *buf, size_t len)
{
	return iov_copy_out(chain->iov, chain->n_out, offset, buf, len);
}

size_t chain_write(const struct virtq_chain *chain, size_t offset, const void *buf, size_t len)
{
	return iov_copy_in(chain->iov + chain->n_out, chain->n_in, offset, buf, len);
}
