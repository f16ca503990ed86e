/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A descriptor chain, one copied descriptor at a time: what is next, whether that may be, how much it
 * comes to. Pure, and blind to memory: virtqueue.c copies descriptors and looks addresses up. That
 * the walk ends, and that a chain's counts and sums stay within theirs, is proved (docs/proofs.md).
 */
#ifndef VMM_VIRTQ_WALK_H
#define VMM_VIRTQ_WALK_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define VIRTQ_MAX_SIZE  1024
#define VIRTQ_MAX_CHAIN 264 /* segments of one chain that are accepted: 256 pages and their heads */

struct virtq_walk {
	uint32_t n;     /* descriptors in the table: the queue's own, or an indirect one */
	uint32_t next;  /* the one to come */
	uint32_t steps; /* left */
	bool indirect;
	bool done;
};

/* One request, as copied out of the ring: device-readable segments first, then writable ones. */
struct virtq_chain {
	uint16_t head;
	unsigned n_out, n_in;     /* readable by the device; writable by the device */
	uint32_t out_len, in_len; /* sums; a chain of more than 4 GiB - 1 is refused */
	/* Out segments, then in segments: host addresses, checked. */
	struct iovec iov[VIRTQ_MAX_CHAIN];
};

/* What a descriptor calls for. */
enum virtq_step {
	VIRTQ_STEP_EMPTY,   /* nothing */
	VIRTQ_STEP_SEGMENT, /* its memory is the chain's last segment; the caller fills iov */
	VIRTQ_STEP_TABLE,   /* its memory is the table to go on in */
};

/*@ predicate chain_bounded(struct virtq_chain *chain) =
	\valid(chain) && chain->n_out + chain->n_in <= VIRTQ_MAX_CHAIN &&
	chain->out_len + chain->in_len <= 0xffffffff;
    predicate walk_bounded(struct virtq_walk *w) =
	\valid(w) && w->steps <= (w->indirect ? VIRTQ_MAX_CHAIN : VIRTQ_MAX_SIZE);
    // What falls with each descriptor: the steps left, an indirect table's ahead of them.
    logic integer walk_left{L}(struct virtq_walk *w) =
	w->steps + (w->indirect ? 0 : VIRTQ_MAX_CHAIN + 1);
 */

/* A walk of the queue's own table of n descriptors, from head on. */
/*@ requires \valid(w) && n <= VIRTQ_MAX_SIZE;
    assigns *w;
    ensures walk_bounded(w) && !w->done && w->n == n;
 */
void virtq_walk_begin(struct virtq_walk *w, uint32_t n, uint32_t head);

/* Where the next descriptor lies in the table; -EINVAL: outside, or the chain is a loop. */
/*@ requires walk_bounded(w);
    assigns w->steps;
    ensures walk_bounded(w);
    ensures \result < 0 || \result < w->n;
    ensures \result >= 0 ==> walk_left(w) < \old(walk_left(w));
 */
int64_t virtq_walk_next(struct virtq_walk *w);

/* Takes that descriptor, in the host's byte order. An enum virtq_step or -EINVAL. */
/*@ requires walk_bounded(w) && chain_bounded(chain) && \valid_read(d);
    requires \separated(w, chain, d);
    assigns *w, chain->n_out, chain->n_in, chain->out_len, chain->in_len;
    ensures walk_bounded(w) && chain_bounded(chain);
    ensures walk_left(w) <= \old(walk_left(w));
    ensures \result == VIRTQ_STEP_SEGMENT ==>
	d->len > 0 && chain->n_out + chain->n_in == \old(chain->n_out + chain->n_in) + 1;
    ensures \result != VIRTQ_STEP_SEGMENT ==> chain->n_out + chain->n_in == \old(chain->n_out + chain->n_in);
    ensures \result == VIRTQ_STEP_TABLE ==> w->n * sizeof(struct vring_desc) == d->len;
    ensures \result != VIRTQ_STEP_TABLE ==> w->n == \old(w->n);
 */
int virtq_walk_take(struct virtq_walk *w, const struct vring_desc *d, struct virtq_chain *chain);

#endif
