// SPDX-License-Identifier: Apache-2.0
#include "vmm/stages.h"

#include <assert.h>

#include "common/cleanup.h"
#include "common/loop.h"

static uint64_t times[STAGE_COUNT];

/* Names are shown to people, by `sbx run --explain`. */
static const char *const names[] = {
	[STAGE_STARTED] = "vmm started",    [STAGE_OPENED] = "files opened",
	[STAGE_CREATED] = "vm created",     [STAGE_LOADED] = "kernel loaded",
	[STAGE_DEVICES] = "devices ready",  [STAGE_JAILED] = "in the jail",
	[STAGE_ENTERED] = "kernel entered",
};
static_assert(ARRAY_SIZE(names) == STAGE_COUNT, "a name for each stage");

void stage_mark(enum stage stage)
{
	times[stage] = now_ns();
}

uint64_t stage_time(enum stage stage)
{
	return times[stage];
}

const char *stage_name(enum stage stage)
{
	return names[stage];
}
