/* SPDX-License-Identifier: Apache-2.0 */
/* The named stages of a start and when each was reached. Marked by the main thread only. */
#ifndef VMM_STAGES_H
#define VMM_STAGES_H

#include <stdint.h>

enum stage {
	STAGE_STARTED,
	STAGE_OPENED,  /* every file that the command line names */
	STAGE_CREATED, /* the VM and its memory */
	STAGE_LOADED,  /* the kernel and what it reads at its start */
	STAGE_DEVICES,
	STAGE_JAILED,  /* nothing of the host is in reach but descriptors */
	STAGE_ENTERED, /* the vCPUs run */
	STAGE_COUNT,
};

void stage_mark(enum stage stage);
/* CLOCK_MONOTONIC nanoseconds; 0 where it has not been reached. */
uint64_t stage_time(enum stage stage);
const char *stage_name(enum stage stage);

#endif
