/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mount options as fstab and the OCI runtime-spec write them, split into what the kernel's mount
 * API wants to hear at different places. Pure.
 */
#ifndef AGENT_OPTIONS_H
#define AGENT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define OPTIONS_MAX_DATA 64
#define OPTIONS_MAX_LEN  4096

struct mount_options {
	uint64_t attr_set, attr_clr; /* MOUNT_ATTR_*, of this mount */
	uint64_t rec_set, rec_clr;   /* the same, of this mount and all below it */
	uint64_t propagation;        /* MS_SHARED, MS_PRIVATE, MS_SLAVE, MS_UNBINDABLE or 0 */
	bool propagation_rec;
	bool bind, rbind;
	bool copyup;                        /* tmpcopyup */
	bool idmap, idmap_rec;              /* idmap, ridmap */
	const char *data[OPTIONS_MAX_DATA]; /* key or key=value for the file system; the caller's */
	size_t n_data;
};

/*
 * *ret keeps pointers into options. -EINVAL for what is no option, -E2BIG for too many, -ENOSYS,
 * with its name, for one that is known and not done here.
 */
int options_parse(char *const *options, size_t n, struct mount_options *ret, struct err *err);

/* The first of data that is nothing for a bind mount; NULL: none. */
const char *options_not_of_bind(const struct mount_options *options);

/* Propagation by its name in the runtime-spec, "rslave"; empty: 0. -EINVAL for others. */
int options_propagation(const char *name, uint64_t *ret_flag, bool *ret_recursive);

#endif
