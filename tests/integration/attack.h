/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody would try who has taken a process of ours over. Each attempt is named, and says whether
 * it reached what it was after; outside a jail, as root, nearly all of them do. Where there is something
 * to reach, the environment says: SBX_ATTACK_FILE, SBX_ATTACK_PID, SBX_ATTACK_PORT, SBX_ATTACK_ABSTRACT, SBX_ATTACK_OTHER (a
 * directory with another sandbox's sockets), SBX_ATTACK_KEY (of shared memory), SBX_ATTACK_QUEUE.
 */
#ifndef TESTS_INTEGRATION_ATTACK_H
#define TESTS_INTEGRATION_ATTACK_H

#include <stddef.h>

enum {
	ATTACK_BY_LIST = 1 << 0, /* what only the list of system calls stands against */
	ATTACK_BREAKS = 1 << 1,  /* would do harm outside */
	ATTACK_OWNER =
		1
		<< 2, /* the rights that root's sbx-share needs for owners give it: by list, there */
};

struct attack {
	const char *name;
	long (*attempt)(void); /* -errno: refused; anything else: it was reached */
	unsigned flags;
};

struct attacks {
	const struct attack *list;
	size_t n;
};

extern const struct attacks attack_files, attack_processes, attack_kernel, attack_network;

size_t attack_count(void);
const struct attack *attack_at(size_t i);
/* "attack NAME: refused: why", or "attack NAME: REACHED". */
void attack_run(size_t i, int fd);

/* The value of an environment variable, or what nothing goes by. */
const char *attack_target(const char *name);
long attack_number(const char *name);
/* A call's result as an attempt's. */
long attack_result(long r);

#endif
