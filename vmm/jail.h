/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wall around a process that serves a guest: what is left of the host to somebody who has taken the
 * process over. Entered once, by a single thread, with everything open that will be needed. What is left
 * beyond descriptors is for the lists of system calls (seccomp.h) to narrow.
 */
#ifndef VMM_JAIL_H
#define VMM_JAIL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

enum jail_root {
	JAIL_ROOT_EMPTY,
	JAIL_ROOT_HERE, /* the working directory, read-only, with no mount beneath it */
	JAIL_ROOT_FDS,  /* "/N" is this process's open file N, and there is nothing else */
};

struct jail {
	enum jail_root root;
	uid_t uid;     /* and group to become, where root enters; 0: stays */
	uint64_t caps; /* those kept, of what there is */
	bool nobody;   /* in a user namespace where no uid is known */
	bool no_files; /* nothing is opened by name any more, not even beneath a descriptor */
	bool owned;    /* ends when its parent does */
	bool bare;     /* no namespaces: the host grants none */
};

/*
 * Before anything else that takes long: no right is gained any more and, but for a bare one, the process
 * is the first of its process namespace; see apart_become().
 */
int jail_begin(bool bare, struct err *err);

/* The rest. err names the stage that failed; nothing is undone, the process must end. */
int jail_enter(const struct jail *jail, struct err *err);

/* The capabilities that the calling thread kept, and does not need as others do. 0 or -errno. */
int jail_drop_capabilities(void);

#endif
