/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of runc's options most are about how runc makes a container on the host, which nobody does here: they
 * are without effect, as they are for a container whose engine leaves them out. Those that ask for
 * another program or for CRIU ask for something that would not be done, and are refused.
 */
#include "shim/task_options.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/budget.h"
#include "common/cleanup.h"
#include "runc_options.pb-c.h"
#include "runtime_options.pb-c.h"

#define BUDGET (256u << 10)

/* With or without the prefix of a well-formed type URL: containerd 1.6 leaves it out. */
static bool is_type(const char *url, const ProtobufCMessageDescriptor *desc)
{
	const char *slash = strrchr(url, '/');

	return strcmp(slash ? slash + 1 : url, desc->name) == 0;
}

static const ProtobufCMessageDescriptor *type_of(const Google__Any *any)
{
	if (is_type(any->type_url, &runtime_options__options__descriptor))
		return &runtime_options__options__descriptor;
	if (is_type(any->type_url, &runc_options__options__descriptor))
		return &runc_options__options__descriptor;
	return NULL;
}

bool task_options_are_known(const Google__Any *any)
{
	return type_of(any) != NULL;
}

static int keep(char **into, const char *text, size_t size, struct err *err)
{
	if (!size)
		return 0;
	*into = strndup(text, size);
	return *into ? 0 : err_set(err, ENOMEM, "out of memory");
}

static int take_generic(const RuntimeOptions__Options *from, struct task_options *ret,
			struct err *err)
{
	int r;

	if (from->config_path[0] && from->config_path[0] != '/')
		return err_set(err, EINVAL, "options: config_path: not an absolute path");
	r = keep(&ret->config_path, from->config_path, strlen(from->config_path), err);
	if (r == 0)
		r = keep(&ret->config_body, (const char *)from->config_body.data,
			 from->config_body.len, err);
	ret->config_body_size = ret->config_body ? from->config_body.len : 0;
	return r;
}

static int take_runc(const RuncOptions__Options *from, struct task_options *ret, struct err *err)
{
	if (from->binary_name[0])
		return err_set(err, EINVAL,
			       "options: BinaryName: no other program makes containers");
	if (from->criu_image_path[0])
		return err_set(err, EINVAL,
			       "options: CriuImagePath: checkpoints are not supported");
	return keep(&ret->shim_cgroup, from->shim_cgroup, strlen(from->shim_cgroup), err);
}

int task_options_decode(const Google__Any *any, struct task_options *ret, struct err *err)
{
	const ProtobufCMessageDescriptor *desc;
	_cleanup_task_options_ struct task_options options = {0};
	ProtobufCMessage *msg;
	int r;

	*ret = (struct task_options){0};
	if (!any || !any->type_url[0])
		return 0;
	desc = type_of(any);
	if (!desc)
		return err_set(err, EINVAL, "options of type %.64s: not known", any->type_url);
	msg = budget_unpack(desc, any->value.data, any->value.len, BUDGET);
	if (!msg)
		return err_set(err, EINVAL, "options: malformed");
	if (desc == &runtime_options__options__descriptor)
		r = take_generic((const RuntimeOptions__Options *)msg, &options, err);
	else
		r = take_runc((const RuncOptions__Options *)msg, &options, err);
	protobuf_c_message_free_unpacked(msg, NULL);
	if (r < 0)
		return r;
	*ret = options;
	options = (struct task_options){0};
	return 0;
}

void task_options_finish(struct task_options *options)
{
	free(options->config_path);
	free(options->config_body);
	free(options->shim_cgroup);
	*options = (struct task_options){0};
}
