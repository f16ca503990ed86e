/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that no disk should serve: virtio 1.2, 5.2.6. Disk 0 can be written, disk 1 cannot; both have 1 MiB. */
#include <linux/virtio_blk.h>

#include "attack.h"

#define DATA    (BUFFER + 0x1000)
#define ANSWER  (BUFFER + 0x800)
#define SECTORS 2048
#define ANY     0xff /* status */
#define NONE    0xfe /* the chain is no request: the device is broken, or gives it back untouched */

static const struct request {
	const char *name;
	uint32_t type;
	uint64_t sector;
	uint32_t header, out, in, status; /* lengths of the segments; 0: without */
	uint8_t expected;
} requests[] = {
	{"a read behind the end", VIRTIO_BLK_T_IN, SECTORS, 16, 0, 512, 1, VIRTIO_BLK_S_IOERR},
	{"a read across the end", VIRTIO_BLK_T_IN, SECTORS - 1, 16, 0, 1024, 1, VIRTIO_BLK_S_IOERR},
	{"a read at the last sector there can be", VIRTIO_BLK_T_IN, ~0ull, 16, 0, 512, 1,
	 VIRTIO_BLK_S_IOERR},
	{"a read whose offset wraps", VIRTIO_BLK_T_IN, 1ull << 55, 16, 0, 512, 1,
	 VIRTIO_BLK_S_IOERR},
	{"a read whose offset is negative", VIRTIO_BLK_T_IN, 1ull << 54, 16, 0, 512, 1,
	 VIRTIO_BLK_S_IOERR},
	{"a write behind the end", VIRTIO_BLK_T_OUT, SECTORS, 16, 512, 0, 1, VIRTIO_BLK_S_IOERR},
	{"a write across the end", VIRTIO_BLK_T_OUT, SECTORS - 1, 16, 1024, 0, 1,
	 VIRTIO_BLK_S_IOERR},
	{"a write whose offset wraps", VIRTIO_BLK_T_OUT, 1ull << 55, 16, 512, 0, 1,
	 VIRTIO_BLK_S_IOERR},
	{"half a sector to be read", VIRTIO_BLK_T_IN, 0, 16, 0, 100, 1, VIRTIO_BLK_S_IOERR},
	{"half a sector to be written", VIRTIO_BLK_T_OUT, 0, 16, 100, 0, 1, VIRTIO_BLK_S_IOERR},
	{"a type that nobody knows", 0xffffffff, 0, 16, 0, 512, 1, VIRTIO_BLK_S_UNSUPP},
	{"a type of SCSI's", 2, 0, 16, 512, 0, 1, VIRTIO_BLK_S_UNSUPP},
	{"half a header", VIRTIO_BLK_T_IN, 0, 8, 0, 512, 1, NONE},
	{"no header", VIRTIO_BLK_T_IN, 0, 0, 0, 512, 1, NONE},
	{"no room for the status", VIRTIO_BLK_T_OUT, 0, 16, 512, 0, 0, NONE},
	{"a header and nothing", VIRTIO_BLK_T_IN, 0, 16, 0, 0, 0, NONE},
	{"a read that brings data", VIRTIO_BLK_T_IN, 0, 16, 512, 0, 1, ANY},
	{"a write that wants data", VIRTIO_BLK_T_OUT, 0, 16, 0, 512, 1, ANY},
	{"a flush with data", VIRTIO_BLK_T_FLUSH, 0, 16, 512, 512, 1, ANY},
	{"a serial number for no room", VIRTIO_BLK_T_GET_ID, 0, 16, 0, 0, 1, ANY},
	{"a serial number for a MiB", VIRTIO_BLK_T_GET_ID, 0, 16, 0, 0x80000, 1, ANY},
	{"a discard of nothing", VIRTIO_BLK_T_DISCARD, 0, 16, 0, 0, 1, VIRTIO_BLK_S_IOERR},
	{"a discard of half a range", VIRTIO_BLK_T_DISCARD, 0, 16, 8, 0, 1, VIRTIO_BLK_S_IOERR},
	{"a discard of too many ranges", VIRTIO_BLK_T_DISCARD, 0, 16, 16 * 1024, 0, 1, ANY},
};

static void send(struct device *dev, const struct request *a)
{
	struct virtio_blk_outhdr *header = (struct virtio_blk_outhdr *)BUFFER;
	struct segment segments[4];
	unsigned n = 0;

	*header = (struct virtio_blk_outhdr){.type = a->type, .sector = a->sector};
	if (a->header)
		segments[n++] = (struct segment){BUFFER, a->header, false};
	if (a->out)
		segments[n++] = (struct segment){DATA, a->out, false};
	if (a->in)
		segments[n++] = (struct segment){DATA, a->in, true};
	if (a->status)
		segments[n++] = (struct segment){ANSWER, a->status, true};
	*(uint8_t *)ANSWER = ANY;
	device_request(dev, segments, n);
}

static bool answer_is(const struct device *dev, uint8_t expected)
{
	uint8_t status = *(volatile uint8_t *)ANSWER;

	if (expected == ANY)
		return true;
	if (expected == NONE)
		return device_is_broken(dev) || status != VIRTIO_BLK_S_OK;
	/* A disk that cannot be written has that to say first. */
	return status == expected || status == VIRTIO_BLK_S_IOERR || status == VIRTIO_BLK_S_UNSUPP;
}

/* Ranges to discard or to fill with zeros. */
static const struct range {
	const char *name;
	uint32_t type;
	struct virtio_blk_discard_write_zeroes range;
} ranges[] = {
	{"a discard behind the end", VIRTIO_BLK_T_DISCARD, {SECTORS, 8, 0}},
	{"a discard across the end", VIRTIO_BLK_T_DISCARD, {SECTORS - 1, 2, 0}},
	{"a discard that wraps", VIRTIO_BLK_T_DISCARD, {~0ull, 8, 0}},
	{"a discard of all there can be", VIRTIO_BLK_T_DISCARD, {0, 0xffffffff, 0}},
	{"a discard with flags", VIRTIO_BLK_T_DISCARD, {0, 8, 0xffffffff}},
	{"zeros behind the end", VIRTIO_BLK_T_WRITE_ZEROES, {SECTORS, 8, 0}},
	{"zeros across the end", VIRTIO_BLK_T_WRITE_ZEROES, {SECTORS - 1, 2, 1}},
	{"zeros that wrap", VIRTIO_BLK_T_WRITE_ZEROES, {~0ull, 8, 1}},
	{"zeros with flags that nobody knows", VIRTIO_BLK_T_WRITE_ZEROES, {0, 8, 0xfffffffe}},
};

/* Data, header and answer in the same place. */
static void in_one_place(struct device *dev)
{
	struct segment segments[] = {{BUFFER, 16, false}, {BUFFER, 512, true}, {BUFFER, 1, true}};

	attack_begin(dev, "request", "header, data and status in one place");
	*(struct virtio_blk_outhdr *)BUFFER = (struct virtio_blk_outhdr){.type = VIRTIO_BLK_T_IN};
	device_request(dev, segments, 3);
	attack_end(dev, OUTCOME_SAFE, OUTCOME_SAFE);
}

void attack_blk(struct device *dev)
{
	for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		attack_begin(dev, "request", requests[i].name);
		send(dev, &requests[i]);
		attack_end(dev, OUTCOME_SAFE,
			   answer_is(dev, requests[i].expected) ? OUTCOME_SAFE : OUTCOME_WRONG);
	}
	for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		const struct request request = {.type = ranges[i].type,
						.header = 16,
						.out = sizeof(ranges[i].range),
						.status = 1};

		attack_begin(dev, "request", ranges[i].name);
		memcpy((void *)DATA, &ranges[i].range, sizeof(ranges[i].range));
		send(dev, &request);
		attack_end(dev, OUTCOME_SAFE,
			   *(volatile uint8_t *)ANSWER != VIRTIO_BLK_S_OK ? OUTCOME_SAFE
									  : OUTCOME_WRONG);
	}
	in_one_place(dev);
}

/* CVE-2020-2025: a guest that changes its image finds it changed the next time, and so do others. */
static const struct {
	const char *name;
	uint32_t type;
} changes[] = {
	{"CVE-2020-2025: a write", VIRTIO_BLK_T_OUT},
	{"CVE-2020-2025: a discard", VIRTIO_BLK_T_DISCARD},
	{"CVE-2020-2025: zeros", VIRTIO_BLK_T_WRITE_ZEROES},
	{"CVE-2020-2025: a secure erasure", VIRTIO_BLK_T_SECURE_ERASE},
};

static void change(struct device *dev, const char *kind, unsigned i)
{
	const struct request request = {.type = changes[i].type,
					.header = 16,
					.out = changes[i].type == VIRTIO_BLK_T_OUT ? 512 : 16,
					.status = 1};

	attack_begin(dev, kind, changes[i].name);
	memset((void *)DATA, 0, 512);
	*(struct virtio_blk_discard_write_zeroes *)DATA =
		(struct virtio_blk_discard_write_zeroes){.num_sectors = 8};
	send(dev, &request);
	attack_end(dev, OUTCOME_SAFE,
		   *(volatile uint8_t *)ANSWER != VIRTIO_BLK_S_OK ? OUTCOME_SAFE : OUTCOME_WRONG);
}

void attack_image(struct device *dev)
{
	const uint32_t readonly = 1u << VIRTIO_BLK_F_RO;

	if (!(device_features(dev) & readonly))
		return;
	for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		change(dev, "read-only", i);
		dev->declined = readonly;
		change(dev, "read-only, not negotiated", i);
		dev->declined = 0;
	}
}
