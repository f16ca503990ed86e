/* SPDX-License-Identifier: Apache-2.0 */
/* What containerd and the machine's owner hand the shim: bootstrap, options, sbx.conf, a logger's URI. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shim/binary_log.h"
#include "shim/bootstrap.h"
#include "shim/config.h"
#include "shim/task_options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_bootstrap(const uint8_t *data, size_t size)
{
	_cleanup_bootstrap_ struct bootstrap bootstrap = {0};
	struct err err = ERR_INIT;

	if (bootstrap_decode(data, size, "id1", "ns1", &bootstrap, &err) < 0 && !err.msg[0])
		abort();
}

static void try_options(const uint8_t *data, size_t size)
{
	static const char *const types[] = {"runtimeoptions.v1.Options",
					    "containerd.runc.v1.Options"};

	for (size_t i = 0; i < 2; i++) {
		_cleanup_task_options_ struct task_options options = {0};
		struct err err = ERR_INIT;
		Google__Any any = GOOGLE__ANY__INIT;

		any.type_url = (char *)(uintptr_t)types[i];
		any.value.data = (uint8_t *)(uintptr_t)data;
		any.value.len = size;
		if (task_options_decode(&any, &options, &err) < 0 && !err.msg[0])
			abort();
	}
}

static void try_texts(const char *text, size_t size)
{
	_cleanup_config_ struct config config = {0};
	struct binary_log_args args = {0};
	struct err err = ERR_INIT;

	if (config_parse(text, size, "F", &config, &err) < 0 && !err.msg[0])
		abort();
	err = (struct err)ERR_INIT;
	if (binary_log_parse(text, &args, &err) == 0) {
		if (args.argv[0][0] != '/' || args.n > BINARY_LOG_MAX_ARGS + 1 || args.argv[args.n])
			abort();
		binary_log_args_finish(&args);
	} else if (!err.msg[0]) {
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	try_bootstrap(data, size);
	try_options(data, size);
	try_texts(text, size);
	free(text);
	return 0;
}
