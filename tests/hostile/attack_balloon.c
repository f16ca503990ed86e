/* SPDX-License-Identifier: Apache-2.0 */
/* What a balloon should neither take nor give: virtio 1.2, 5.5. The canary page is never given up. */
#include "attack.h"

#define PAGE 4096u

enum { INFLATE, DEFLATE, REPORTING };

/* Lists of pages: n numbers from `first` on, and `extra` bytes behind them. */
static const struct list {
	const char *name;
	unsigned queue;
	uint32_t first, n, extra;
	bool in;
	enum outcome expected;
} lists[] = {
	{"a page behind memory", INFLATE, MEMORY_TOP / PAGE, 1, 0, false, OUTCOME_BROKEN},
	{"the last page there can be", INFLATE, 0xffffffff, 1, 0, false, OUTCOME_BROKEN},
	{"a device's page", INFLATE, MMIO / PAGE, 1, 0, false, OUTCOME_BROKEN},
	{"pages across the end of memory", INFLATE, MEMORY_TOP / PAGE - 1, 2, 0, false,
	 OUTCOME_BROKEN},
	{"a page that was never given up, taken back", DEFLATE, BUFFER / PAGE + 8, 1, 0, false,
	 OUTCOME_SAFE},
	{"a page behind memory, taken back", DEFLATE, MEMORY_TOP / PAGE, 1, 0, false,
	 OUTCOME_BROKEN},
	{"a number and a half", INFLATE, BUFFER / PAGE + 8, 1, 2, false, OUTCOME_BROKEN},
	{"a list too long", INFLATE, BUFFER / PAGE + 8, 1025, 0, false, OUTCOME_BROKEN},
	{"a list to be written", INFLATE, BUFFER / PAGE + 8, 1, 0, true, OUTCOME_BROKEN},
	{"the page in which the list lies", INFLATE, BUFFER / PAGE, 1, 0, false, OUTCOME_SAFE},
};

static void send_list(struct device *dev, const struct list *list)
{
	uint32_t *pages = (uint32_t *)BUFFER;
	struct segment segment = {BUFFER, list->n * 4 + list->extra, list->in};
	uint16_t seen = dev->queues[list->queue].used.idx;

	for (uint32_t i = 0; i < list->n; i++)
		pages[i] = list->first + i;
	device_send(dev, list->queue, &segment, 1);
	device_wait(dev, list->queue, seen);
}

/* Free memory, as it is reported. */
static const struct report {
	const char *name;
	struct segment segment;
	enum outcome expected;
} reports[] = {
	{"half a page before the canary, and half of it",
	 {CANARY - 2048, 4096, true},
	 OUTCOME_SAFE},
	{"one byte", {CANARY + 17, 1, true}, OUTCOME_SAFE},
	{"nearly the canary's page", {CANARY + 1, 4095, true}, OUTCOME_SAFE},
	{"memory behind memory", {MEMORY_TOP, PAGE, true}, OUTCOME_BROKEN},
	{"memory across its end", {MEMORY_TOP - PAGE, 2 * PAGE, true}, OUTCOME_BROKEN},
	{"registers", {MMIO, PAGE, true}, OUTCOME_BROKEN},
	{"a length that wraps", {0xfffffffffffff000, 0xffffffff, true}, OUTCOME_BROKEN},
	{"memory to be read", {BUFFER + 0x8000, PAGE, false}, OUTCOME_BROKEN},
};

/* The device's own rings and a request still in them: the driver loses them, and nobody else. */
static void give_up_rings(struct device *dev)
{
	struct segment segment = {(uint64_t)&dev->queues[REPORTING], sizeof(struct queue), true};

	attack_begin(dev, "report", "the rings by which it is told");
	device_send(dev, REPORTING, &segment, 1);
	device_notify(dev, INFLATE);
	device_notify(dev, REPORTING);
	attack_end(dev, OUTCOME_SAFE, OUTCOME_SAFE);
}

/* What was given up reads as zeros; with what it held before it would still be the guest's own. */
static void give_up_page(struct device *dev)
{
	struct segment segment = {BUFFER + 0x8000, PAGE, true};
	volatile uint8_t *page = (volatile uint8_t *)(BUFFER + 0x8000);
	uint16_t seen;

	attack_begin(dev, "report", "a page, and a look at it");
	memset((void *)page, 0x77, PAGE);
	seen = dev->queues[REPORTING].used.idx;
	device_send(dev, REPORTING, &segment, 1);
	device_wait(dev, REPORTING, seen);
	attack_end(dev, OUTCOME_SAFE,
		   page[0] == 0 && page[4095] == 0 ? OUTCOME_SAFE : OUTCOME_WRONG);
}

void attack_balloon(struct device *dev)
{
	for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		attack_begin(dev, "list", lists[i].name);
		send_list(dev, &lists[i]);
		attack_end(dev, lists[i].expected, OUTCOME_SAFE);
	}
	for (unsigned i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
		uint16_t seen;

		attack_begin(dev, "report", reports[i].name);
		seen = dev->queues[REPORTING].used.idx;
		device_send(dev, REPORTING, &reports[i].segment, 1);
		device_wait(dev, REPORTING, seen);
		attack_end(dev, reports[i].expected, OUTCOME_SAFE);
	}
	give_up_page(dev);
	give_up_rings(dev);
}
