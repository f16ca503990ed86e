/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Token buckets: what a device may do in a second. A bucket fills at its rate, up to what a second brings,
 * so that a device that was quiet may hurry. What something costs is often known only once it has begun:
 * whatever begins while there is something in the bucket is paid for in full, and leaves a debt where it
 * cost more, so that in the long run the rate holds exactly.
 *
 * Pure: the clock is the caller's. throttle.h is what devices use.
 */
#ifndef VMM_RATE_LIMIT_H
#define VMM_RATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define RATE_MAX (1ull << 40) /* units a second */

struct rate_bucket {
	uint64_t rate;  /* units a second; 0: no limit */
	int64_t level;  /* negative: a debt */
	uint64_t at_ns; /* when it was that */
};

/* Bytes, and what is not to be counted by its size: operations. */
struct rate_limit {
	struct rate_bucket bytes, ops;
};

/* rate is at most RATE_MAX. Full. */
void rate_bucket_init(struct rate_bucket *bucket, uint64_t rate, uint64_t now_ns);
/* Fills it up to now, and says whether something may begin. */
bool rate_bucket_allows(struct rate_bucket *bucket, uint64_t now_ns);
/* units is at most RATE_MAX; a debt has an end, too. */
void rate_bucket_spend(struct rate_bucket *bucket, uint64_t units);
/* Nanoseconds until something may begin, as of the last rate_bucket_allows(); 0: now. */
uint64_t rate_bucket_wait(const struct rate_bucket *bucket);

void rate_limit_init(struct rate_limit *limit, uint64_t bytes, uint64_t ops, uint64_t now_ns);
bool rate_limit_allows(struct rate_limit *limit, uint64_t now_ns);
/* One operation of so many bytes. */
void rate_limit_spend(struct rate_limit *limit, uint64_t bytes);
uint64_t rate_limit_wait(const struct rate_limit *limit);

#endif
