/* SPDX-License-Identifier: Apache-2.0 */
/* -info: who we are, and what a bundle may ask for, to a containerd (2.0 and later) that asks before it does. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bootstrap.pb-c.h"
#include "common/budget.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "common/version.h"
#include "shim/bootstrap.h"
#include "shim/features.h"
#include "shim/shim_boot.h"
#include "shim/task_options.h"

#define NAME          "io.containerd.sbx.v2"
#define FEATURES_TYPE "types.containerd.io/opencontainers/runtime-spec/1/features/Features"

static int print(const Bootstrap__RuntimeInfo *info, struct err *err)
{
	_cleanup_free_ uint8_t *packed =
		malloc(protobuf_c_message_get_packed_size(&info->base) + 1);
	int r;

	if (!packed)
		return err_set(err, ENOMEM, "out of memory");
	r = io_write_full(STDOUT_FILENO, packed, protobuf_c_message_pack(&info->base, packed));
	return r < 0 ? err_set_errno(err, -r, "cannot print the answer") : 0;
}

static int answer(Google__Any *options, struct err *err)
{
	Bootstrap__RuntimeInfo info = BOOTSTRAP__RUNTIME_INFO__INIT;
	Bootstrap__RuntimeVersion version = BOOTSTRAP__RUNTIME_VERSION__INIT;
	Google__Any features = GOOGLE__ANY__INIT;
	json_t *root = features_build(true);
	_cleanup_free_ char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;

	json_decref(root);
	if (!text)
		return err_set(err, ENOMEM, "out of memory");
	version.version = (char *)(uintptr_t)sbx_version;
	version.revision = (char *)(uintptr_t)sbx_build_id;
	features.type_url = (char *)(uintptr_t)FEATURES_TYPE;
	features.value.data = (uint8_t *)text;
	features.value.len = strlen(text);
	info.name = (char *)(uintptr_t)NAME;
	info.version = &version;
	info.features = &features;
	info.options = options->type_url[0] ? options : NULL;
	return print(&info, err);
}

int shim_info(struct err *err)
{
	_cleanup_task_options_ struct task_options decoded = {0};
	_cleanup_free_ char *input = NULL;
	Google__Any *options;
	size_t size = 0;
	int r = shim_read_input(&input, &size, err);

	if (r < 0)
		return r;
	options = (Google__Any *)budget_unpack(&google__any__descriptor, input, size,
					       4 * BOOTSTRAP_MAX_BYTES);
	if (!options)
		return err_set(err, EINVAL, "standard input: not an Any of options");
	r = task_options_decode(options, &decoded, err);
	if (r == 0)
		r = answer(options, err);
	protobuf_c_message_free_unpacked(&options->base, NULL);
	return r;
}
