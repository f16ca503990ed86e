/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime-spec's hooks that run on the host: prestart, createRuntime, poststart and poststop. One
 * after the other, each with the container's state on its standard input, none waited for by blocking.
 */
#ifndef SHIM_HOOKS_H
#define SHIM_HOOKS_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/cleanup.h"
#include "common/err.h"

struct hooks_run;
struct loop;
struct spec;

enum hooks_stage {
	HOOKS_CREATE,  /* prestart, then createRuntime: the container is being made */
	HOOKS_STARTED, /* poststart */
	HOOKS_STOPPED, /* poststop */
};

/* Whose hooks they are, and what the state says. */
struct hooks_subject {
	const struct spec *spec;
	const char *id, *bundle;
	pid_t pid; /* 0: not said */
};

/* err NULL: all ended with 0; else the first that did not. Once, never from within hooks_start(). */
typedef void (*hooks_fn)(const struct err *err, void *data);

bool hooks_any(const struct spec *spec, enum hooks_stage stage);

/*
 * Runs the stage's hooks; spec must outlive that. After a failed hook of HOOKS_CREATE none follows, of
 * the others all do. *ret is freed by hooks_cancel(), also after fn was called.
 */
int hooks_start(struct loop *loop, const struct hooks_subject *subject, enum hooks_stage stage,
		hooks_fn fn, void *data, struct hooks_run **ret, struct err *err);
/* Kills the one that runs; fn is not called. */
void hooks_cancel(struct hooks_run *run);
DEFINE_CLEANUP(struct hooks_run, hooks_cancel)

#endif
