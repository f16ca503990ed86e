/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/virtq_walk.h"

#include <errno.h>

void virtq_walk_begin(struct virtq_walk *w, uint32_t n, uint32_t head)
{
	*w = (struct virtq_walk){.n = n, .next = head, .steps = n};
}

int64_t virtq_walk_next(struct virtq_walk *w)
{
	if (w->next >= w->n || !w->steps)
		return -EINVAL;
	w->steps--;
	return w->next;
}

/*@ requires walk_bounded(w) && \valid_read(d) && \separated(w, d);
    assigns *w;
    ensures walk_bounded(w) && walk_left(w) <= \old(walk_left(w));
    ensures \result == VIRTQ_STEP_TABLE || \result == -EINVAL;
    ensures \result == VIRTQ_STEP_TABLE ==> w->n * sizeof(struct vring_desc) == d->len;
    ensures \result != VIRTQ_STEP_TABLE ==> w->n == \old(w->n);
 */
static int enter_indirect(struct virtq_walk *w, const struct vring_desc *d)
{
	if (w->indirect || (d->flags & VRING_DESC_F_NEXT) || !d->len ||
	    d->len % sizeof(struct vring_desc))
		return -EINVAL;
	w->n = d->len / sizeof(struct vring_desc);
	w->next = 0;
	/* Longer than the queue is allowed here in practice (Linux does so), not longer than we take. */
	w->steps = VIRTQ_MAX_CHAIN;
	w->indirect = true;
	return VIRTQ_STEP_TABLE;
}

/*@ requires chain_bounded(chain) && \valid_read(d) && \separated(chain, d);
    assigns chain->n_out, chain->n_in, chain->out_len, chain->in_len;
    ensures chain_bounded(chain);
    ensures \result == VIRTQ_STEP_SEGMENT || \result == VIRTQ_STEP_EMPTY || \result == -EINVAL;
    ensures \result == VIRTQ_STEP_SEGMENT ==>
	d->len > 0 && chain->n_out + chain->n_in == \old(chain->n_out + chain->n_in) + 1;
    ensures \result != VIRTQ_STEP_SEGMENT ==> chain->n_out + chain->n_in == \old(chain->n_out + chain->n_in);
 */
static int add_segment(struct virtq_chain *chain, const struct vring_desc *d)
{
	bool in = d->flags & VRING_DESC_F_WRITE;

	if (!in && chain->n_in)
		return -EINVAL;
	if (!d->len)
		return VIRTQ_STEP_EMPTY;
	if (chain->n_out + chain->n_in == VIRTQ_MAX_CHAIN ||
	    d->len > UINT32_MAX - chain->out_len - chain->in_len)
		return -EINVAL;
	if (in) {
		chain->n_in++;
		chain->in_len += d->len;
	} else {
		chain->n_out++;
		chain->out_len += d->len;
	}
	return VIRTQ_STEP_SEGMENT;
}

int virtq_walk_take(struct virtq_walk *w, const struct vring_desc *d, struct virtq_chain *chain)
{
	int r;

	if (d->flags & VRING_DESC_F_INDIRECT)
		return enter_indirect(w, d);
	r = add_segment(chain, d);
	if (r < 0)
		return r;
	w->done = !(d->flags & VRING_DESC_F_NEXT);
	w->next = d->next;
	return r;
}
