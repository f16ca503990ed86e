/* SPDX-License-Identifier: Apache-2.0 */
/* Where the guest's console goes: the owner's ring, a file, standard output; any of them or none. */
#ifndef VMM_CONSOLE_H
#define VMM_CONSOLE_H

#include <stdbool.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "vmm/rate_limit.h"
#include "vmm/serial.h"

struct console_ring;

/* A guest must not fill its host's disk: what it prints beyond this is not in the file. */
#define CONSOLE_FILE_MAX (64u << 20)

struct console {
	struct console_ring *ring; /* or NULL */
	int file_fd;               /* or -1 */
	size_t file_left;          /* bytes that the file may still grow by */
	bool to_stdout;
	struct rate_bucket rate;
	uint64_t left_out; /* bytes, since it was used up */
};

/*
 * ring_fd is a memfd made by console_ring_memfd(), or -1; borrowed. file_fd is taken over. Of what is more
 * than rate bytes a second (0: no limit) only the number is told: a vCPU cannot wait here.
 */
int console_init(struct console *console, int ring_fd, int file_fd, bool to_stdout, uint64_t rate,
		 struct err *err);
void console_finish(struct console *console);

/* A sink that writes to console; see serial.h. */
struct serial_sink console_sink(struct console *console);

#endif
