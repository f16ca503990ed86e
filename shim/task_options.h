/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options that containerd's own configuration gives a runtime: runtimeoptions.v1.Options, or those of
 * runc's shim where it was written for that. Pure.
 */
#ifndef SHIM_TASK_OPTIONS_H
#define SHIM_TASK_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "any.pb-c.h"
#include "common/err.h"

struct task_options {
	char *config_path; /* of sbx.conf; NULL: the machine's */
	char *config_body; /* one as text, over that; NULL: none */
	size_t config_body_size;
	char *shim_cgroup; /* where the shim is to be; NULL: where it was started */
};

/* Whether it is of a type that task_options_decode() knows. */
bool task_options_are_known(const Google__Any *any);
/* any may be NULL: no options. -EINVAL where they are malformed, or say what cannot be done. */
int task_options_decode(const Google__Any *any, struct task_options *ret, struct err *err);
void task_options_finish(struct task_options *options);
#define _cleanup_task_options_ _cleanup_(task_options_finish)

#endif
