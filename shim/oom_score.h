/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oom_score_adj of /proc: whom the host's kernel ends first where memory runs out. The shim is to outlive
 * what it looks after, as every shim of containerd's; the guest's memory is the monitor's, and counts as that
 * of the containers in it.
 */
#ifndef SHIM_OOM_SCORE_H
#define SHIM_OOM_SCORE_H

#include <sys/types.h>

#define OOM_SCORE_MIN (-1000)
#define OOM_SCORE_MAX 1000

struct shim;
struct spec;

/* pid 0: the caller's own. 0 or -errno; a lower one than the process was given needs CAP_SYS_RESOURCE. */
int oom_score_read(pid_t pid, int *ret);
int oom_score_write(pid_t pid, int score);

/* The shim's, one above that of who started it. */
int oom_score_above(int parent);

/* What a container's config.json asks for; 0 where it does not. */
int oom_score_of_spec(const struct spec *spec);

/* A container has joined: makes the monitor's, and that of what serves it, the lowest of the containers'. */
void oom_score_follow(struct shim *shim);

#endif
