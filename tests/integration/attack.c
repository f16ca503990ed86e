/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/attack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

static const struct attacks *const groups[] = {
	&attack_files,
	&attack_processes,
	&attack_kernel,
	&attack_network,
};

size_t attack_count(void)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		n += groups[i]->n;
	return n;
}

const struct attack *attack_at(size_t i)
{
	for (size_t k = 0; k < ARRAY_SIZE(groups); k++) {
		if (i < groups[k]->n)
			return &groups[k]->list[i];
		i -= groups[k]->n;
	}
	return NULL;
}

void attack_run(size_t i, int fd)
{
	const struct attack *attack = attack_at(i);
	long r = attack->attempt();
	char line[128];
	int n;

	if (r < 0)
		n = snprintf(line, sizeof(line), "attack %s: refused: %s\n", attack->name,
			     strerrordesc_np((int)-r));
	else
		n = snprintf(line, sizeof(line), "attack %s: REACHED\n", attack->name);
	if (write(fd, line, (size_t)n) != n)
		_exit(3);
}

const char *attack_target(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "/nonexistent/target";
}

long attack_number(const char *name)
{
	return strtol(attack_target(name), NULL, 10);
}

long attack_result(long r)
{
	return r < 0 ? -errno : r;
}
