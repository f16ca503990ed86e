/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lists of system calls: which a thread has once it serves a guest. They are data, seccomp_*.def,
 * compiled when sbx is built. What a list does not name kills the process.
 */
#ifndef VMM_SECCOMP_H
#define VMM_SECCOMP_H

#include <stdbool.h>

enum seccomp_list {
	SECCOMP_MAIN,    /* sbx-vmm's loop */
	SECCOMP_VCPU,    /* a guest's processor */
	SECCOMP_WORKER,  /* what may block, on open files */
	SECCOMP_SHARE,   /* sbx-share's names */
	SECCOMP_DEVICES, /* its devices, beside QEMU */
	SECCOMP_LISTS,
};

/* Before any thread is started: from now on, and not before, lists are entered. Needs no_new_privs. */
void seccomp_arm(void);

/* The calling thread, for the rest of its life. Nothing where not armed. 0 or -errno. */
int seccomp_enter(enum seccomp_list list);

/* For tests: the list's name, how many system calls it names, and whether nr is one. */
const char *seccomp_list_name(enum seccomp_list list);
unsigned seccomp_list_size(enum seccomp_list list);
bool seccomp_list_has(enum seccomp_list list, long nr);

#endif
