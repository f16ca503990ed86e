/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/stages.h"

#include <string.h>

#include "common/loop.h"

void stages_add(struct stages *stages, const char *name, uint64_t at_ns)
{
	size_t at = stages->n;
	struct stage *stage;

	if (stages->n == STAGES_MAX)
		return;
	while (at > 0 && stages->items[at - 1].at_ns > at_ns)
		at--;
	stage = &stages->items[at];
	memmove(stage + 1, stage, (stages->n - at) * sizeof(*stage));
	stages->n++;
	*stage = (struct stage){.at_ns = at_ns};
	for (size_t i = 0; i < STAGE_NAME_MAX - 1 && name[i]; i++)
		stage->name[i] = name[i] >= 0x20 && name[i] < 0x7f ? name[i] : '?';
}

void stages_mark(struct stages *stages, const char *name)
{
	stages_add(stages, name, now_ns());
}

const char *stages_last(const struct stages *stages)
{
	return stages->n ? stages->items[stages->n - 1].name : "nothing";
}
