/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/env_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

static char **find(const struct env_list *list, const char *name, size_t len)
{
	for (size_t i = 0; i < list->n; i++)
		if (strncmp(list->items[i], name, len) == 0 && list->items[i][len] == '=')
			return &list->items[i];
	return NULL;
}

bool env_list_has(const struct env_list *list, const char *name)
{
	return find(list, name, strlen(name)) != NULL;
}

int env_list_set(struct env_list *list, const char *entry)
{
	char **old = find(list, entry, strcspn(entry, "=")), **grown;
	char *copy = strdup(entry);

	if (!copy)
		return -ENOMEM;
	if (old) {
		free(*old);
		*old = copy;
		return 0;
	}
	grown = list->n < ENV_MAX_VARIABLES ? reallocarray(list->items, list->n + 1, sizeof(*grown))
					    : NULL;
	if (!grown) {
		free(copy);
		return list->n < ENV_MAX_VARIABLES ? -ENOMEM : -E2BIG;
	}
	list->items = grown;
	list->items[list->n++] = copy;
	return 0;
}

int env_list_set_option(struct env_list *list, const char *entry)
{
	_cleanup_free_ char *joined = NULL;
	const char *value;

	if (strchr(entry, '='))
		return env_list_set(list, entry);
	value = getenv(entry);
	if (!value)
		return 0;
	if (asprintf(&joined, "%s=%s", entry, value) < 0)
		return -ENOMEM;
	return env_list_set(list, joined);
}

void env_list_finish(struct env_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct env_list){0};
}

static int parse_line(char *line, unsigned number, env_fn fn, void *data, struct err *err)
{
	size_t name;

	line += strspn(line, " \t");
	if (line[0] == '\0' || line[0] == '#')
		return 0;
	name = strcspn(line, "=");
	if (name == 0 || strcspn(line, " \t") < name)
		return err_set(err, EINVAL, "line %u: not a NAME=VALUE", number);
	return fn(line, data);
}

int env_file_parse(char *text, size_t size, env_fn fn, void *data, struct err *err)
{
	char *line = text, *end = text + size;

	if (memchr(text, '\0', size))
		return err_set(err, EINVAL, "holds a NUL byte");
	for (unsigned number = 1; line < end; number++) {
		char *stop = memchr(line, '\n', (size_t)(end - line));
		char *next = stop ? stop + 1 : end;
		int r;

		if (!stop)
			stop = end; /* the NUL that follows text */
		if (stop > line && stop[-1] == '\r')
			stop--;
		*stop = '\0';
		if (number > ENV_MAX_VARIABLES)
			return err_set(err, EINVAL, "more than %u lines", ENV_MAX_VARIABLES);
		r = parse_line(line, number, fn, data, err);
		if (r < 0)
			return r;
		line = next;
	}
	return 0;
}
