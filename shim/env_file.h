/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Environments: lists in which the last value of a name counts, and files of them as docker reads
 * those: NAME=VALUE lines, # comments, NAME alone.
 */
#ifndef SHIM_ENV_FILE_H
#define SHIM_ENV_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

#define ENV_FILE_MAX_BYTES (1u << 20)
#define ENV_MAX_VARIABLES  4096

/* All zero is an empty list. */
struct env_list {
	char **items; /* "NAME=VALUE" */
	size_t n;
};

/* Sets or replaces entry's name; a copy. -E2BIG past ENV_MAX_VARIABLES. */
int env_list_set(struct env_list *list, const char *entry);
/* As -e has it: "NAME" alone takes our own value, and is left out where we have none. */
int env_list_set_option(struct env_list *list, const char *entry);
bool env_list_has(const struct env_list *list, const char *name);
void env_list_finish(struct env_list *list);

#define _cleanup_env_list_ __attribute__((cleanup(env_list_finish)))

/* entry is "NAME=VALUE", or "NAME" where the caller's own value is wanted. A negative return ends. */
typedef int (*env_fn)(const char *entry, void *data);

/*
 * text is changed in place; a byte of room follows its size bytes. -EINVAL names the line: no name, a name with white space, a NUL, too many
 * variables.
 */
int env_file_parse(char *text, size_t size, env_fn fn, void *data, struct err *err);

#endif
