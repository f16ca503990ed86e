/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of sbx-vmm, its words split at newlines. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "vmm/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct config *config)
{
	if (config->help || config->version)
		return;
	if (!config->kernel.given || config->cpus < 1 || config->cpus > 32 ||
	    config->memory % 4096 || config->slots > CONFIG_MAX_SLOTS ||
	    config->n_disks > config->slots || !config->cmdline)
		abort();
	for (unsigned i = 0; i < config->n_disks; i++) {
		const struct config_file *file = &config->disks[i].file;

		if (!file->given || (file->fd < 0 && (!file->path || !file->path_len)) ||
		    (file->fd >= 0 && file->fd < 3))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = malloc(size + 1);
	struct err err = ERR_INIT;
	struct config config;
	char *argv[512], *rest;
	int argc = 0;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	rest = text;
	while (argc < 511 && (argv[argc] = strsep(&rest, "\n")))
		argc++;
	argv[argc] = NULL;
	if (config_parse(argc, argv, &config, &err) == 0)
		check(&config);
	else if (!err.code || strchr(err.msg, '\n'))
		abort();
	return 0;
}
