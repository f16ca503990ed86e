/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime-spec's hooks createContainer and startContainer. Both run in the container and in all its
 * namespaces, the one as its root, the other as its process; and as a guest has no file system beside its
 * containers', both are programs of the container's own root.
 */
#ifndef AGENT_HOOKS_H
#define AGENT_HOOKS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "spec.pb-c.h"

struct hook {
	const char *path;
	char **argv, **envp; /* NULL-terminated; the strings are the spec's */
	uint32_t timeout_s;
};

struct hooks {
	struct hook *hooks;
	size_t n;
	const char *state;
};

/* spec may be NULL. The results point into it. Pure. */
int hooks_parse(const Spec__Hooks *spec, struct hooks *ret_create, struct hooks *ret_start,
		struct err *err);
void hooks_finish(struct hooks *hooks);

/* What a hook takes over from a process. */
struct hook_process {
	char **envp; /* of a hook without an environment of its own */
	uid_t uid;   /* whose its stderr is, to be opened again by its name */
	/* Makes the caller, a fork that is about to exec the hook, what the process will be. */
	int (*become)(const void *data, struct err *err);
	const void *data;
};

/*
 * Runs them one after the other, each with the state as its standard input. The first that does not end
 * with 0 within its time fails it all; the end of what it said on its stderr is the error's.
 * process may be NULL.
 */
int hooks_run(const struct hooks *hooks, const char *kind, const char *status,
	      const struct hook_process *process, struct err *err);

#endif
