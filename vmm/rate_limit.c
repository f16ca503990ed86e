/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/rate_limit.h"

#define SECOND_NS 1000000000ull
#define DEBT_MAX  ((int64_t)1 << 42)

void rate_bucket_init(struct rate_bucket *bucket, uint64_t rate, uint64_t now_ns)
{
	*bucket = (struct rate_bucket){.rate = rate, .level = (int64_t)rate, .at_ns = now_ns};
}

/* Only the time that has brought whole units is used up: a bucket that is asked often fills no slower. */
static void fill(struct rate_bucket *bucket, uint64_t now_ns)
{
	uint64_t elapsed = now_ns > bucket->at_ns ? now_ns - bucket->at_ns : 0;
	uint64_t wanted = (uint64_t)((int64_t)bucket->rate - bucket->level);
	unsigned __int128 units = (unsigned __int128)elapsed * bucket->rate / SECOND_NS;

	if (units >= wanted) {
		bucket->level = (int64_t)bucket->rate;
		bucket->at_ns = now_ns;
		return;
	}
	bucket->level += (int64_t)units;
	bucket->at_ns += (uint64_t)((units * SECOND_NS + bucket->rate - 1) / bucket->rate);
}

bool rate_bucket_allows(struct rate_bucket *bucket, uint64_t now_ns)
{
	if (!bucket->rate)
		return true;
	fill(bucket, now_ns);
	return bucket->level > 0;
}

void rate_bucket_spend(struct rate_bucket *bucket, uint64_t units)
{
	if (!bucket->rate)
		return;
	if (units > RATE_MAX)
		units = RATE_MAX;
	bucket->level -= (int64_t)units;
	if (bucket->level < -DEBT_MAX)
		bucket->level = -DEBT_MAX;
}

uint64_t rate_bucket_wait(const struct rate_bucket *bucket)
{
	unsigned __int128 missing;

	if (!bucket->rate || bucket->level > 0)
		return 0;
	missing = (unsigned __int128)(uint64_t)(1 - bucket->level) * SECOND_NS;
	return (uint64_t)((missing + bucket->rate - 1) / bucket->rate);
}

void rate_limit_init(struct rate_limit *limit, uint64_t bytes, uint64_t ops, uint64_t now_ns)
{
	rate_bucket_init(&limit->bytes, bytes, now_ns);
	rate_bucket_init(&limit->ops, ops, now_ns);
}

bool rate_limit_allows(struct rate_limit *limit, uint64_t now_ns)
{
	bool bytes = rate_bucket_allows(&limit->bytes, now_ns);

	return rate_bucket_allows(&limit->ops, now_ns) && bytes;
}

void rate_limit_spend(struct rate_limit *limit, uint64_t bytes)
{
	rate_bucket_spend(&limit->bytes, bytes);
	rate_bucket_spend(&limit->ops, 1);
}

uint64_t rate_limit_wait(const struct rate_limit *limit)
{
	uint64_t bytes = rate_bucket_wait(&limit->bytes), ops = rate_bucket_wait(&limit->ops);

	return bytes > ops ? bytes : ops;
}
