/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a shim's start is told on its standard input, in any of the forms that containerd has had, and the
 * answer in the same. Pure.
 */
#ifndef SHIM_BOOTSTRAP_H
#define SHIM_BOOTSTRAP_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/strbuf.h"

#define BOOTSTRAP_MAX_BYTES (1u << 20)

enum bootstrap_form {
	BOOTSTRAP_PLAIN,    /* nothing, or options: before 2.3 */
	BOOTSTRAP_JSON,     /* an object of JSON */
	BOOTSTRAP_PROTOBUF, /* 2.3 and later */
};

struct bootstrap {
	enum bootstrap_form form;
	bool debug;
	char *ttrpc_address; /* where containerd hears of events; NULL: not said here */
};

/* id and namespace are the command line's, which a message must have too. -EINVAL. */
int bootstrap_decode(const void *data, size_t size, const char *id, const char *namespace,
		     struct bootstrap *ret, struct err *err);
void bootstrap_finish(struct bootstrap *bootstrap);
#define _cleanup_bootstrap_ _cleanup_(bootstrap_finish)

/* max_version: MAX_SHIM_VERSION of the environment, NULL where it is not set. -ENOMEM. */
int bootstrap_answer(enum bootstrap_form form, const char *max_version, const char *address,
		     struct strbuf *ret);

#endif
