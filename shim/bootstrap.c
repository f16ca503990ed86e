/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Before containerd 2.3 the input is an Any of options, or empty; since then a message of its own. Either
 * may unpack as the other, as protobuf goes: only a message that names this very container is one.
 */
#include "shim/bootstrap.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bootstrap.pb-c.h"
#include "common/budget.h"
#include "common/cleanup.h"
#include "common/opts.h"
#include "shim/task_options.h"

#define BUDGET      (4u << 20)
#define LEVEL_DEBUG (-4)

static int set_address(struct bootstrap *bootstrap, const char *address, struct err *err)
{
	if (!address || !address[0])
		return 0;
	bootstrap->ttrpc_address = strdup(address);
	return bootstrap->ttrpc_address ? 0 : err_set(err, ENOMEM, "out of memory");
}

/* --- JSON ------------------------------------------------------------------------------------- */

/* The same key as protobuf's own JSON has it, or as its definition. */
static json_t *member(const json_t *root, const char *camel, const char *snake)
{
	json_t *value = json_object_get(root, camel);

	return value ? value : json_object_get(root, snake);
}

static bool is_text(const json_t *value, const char *want)
{
	return json_is_string(value) && strcmp(json_string_value(value), want) == 0;
}

static bool is_debug_level(const json_t *level)
{
	if (json_is_integer(level))
		return json_integer_value(level) <= LEVEL_DEBUG;
	return is_text(level, "LOG_LEVEL_DEBUG") || is_text(level, "LOG_LEVEL_TRACE");
}

static int decode_json(const void *data, size_t size, const char *id, const char *namespace,
		       struct bootstrap *ret, struct err *err)
{
	json_error_t error;
	json_t *root = json_loadb(data, size, JSON_REJECT_DUPLICATES, &error);
	int r;

	if (!root)
		return err_set(err, EINVAL, "bootstrap: line %d: %s", error.line, error.text);
	ret->form = BOOTSTRAP_JSON;
	ret->debug = is_debug_level(member(root, "logLevel", "log_level"));
	if (!is_text(member(root, "instanceId", "instance_id"), id) ||
	    !is_text(json_object_get(root, "namespace"), namespace))
		r = err_set(err, EINVAL, "bootstrap: of another container than -id and -namespace");
	else
		r = set_address(ret,
				json_string_value(member(root, "containerdTtrpcAddress",
							 "containerd_ttrpc_address")),
				err);
	json_decref(root);
	return r;
}

/* --- protobuf --------------------------------------------------------------------------------- */

static int check_options(const Google__Any *any, struct err *err)
{
	_cleanup_task_options_ struct task_options options = {0};

	return task_options_decode(any, &options, err);
}

/* Of what is known among the extensions; that others are passed over is their contract. */
static int check_extensions(const Bootstrap__Params *params, struct err *err)
{
	for (size_t i = 0; i < params->n_extensions; i++) {
		const Google__Any *any = params->extensions[i]->value;
		int r = any && task_options_are_known(any) ? check_options(any, err) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* > 0: it is one. */
static int decode_params(const void *data, size_t size, const char *id, const char *namespace,
			 struct bootstrap *ret, struct err *err)
{
	Bootstrap__Params *params = (Bootstrap__Params *)budget_unpack(
		&bootstrap__params__descriptor, data, size, BUDGET);
	int r = 0;

	if (!params)
		return 0;
	if (strcmp(params->instance_id, id) == 0 && strcmp(params->namespace_, namespace) == 0) {
		ret->form = BOOTSTRAP_PROTOBUF;
		ret->debug = params->log_level <= LEVEL_DEBUG;
		r = check_extensions(params, err);
		if (r == 0)
			r = set_address(ret, params->ttrpc_address, err);
		r = r < 0 ? r : 1;
	}
	protobuf_c_message_free_unpacked(&params->base, NULL);
	return r;
}

static int decode_options(const void *data, size_t size, struct err *err)
{
	Google__Any *any =
		(Google__Any *)budget_unpack(&google__any__descriptor, data, size, BUDGET);
	int r;

	if (!any)
		return err_set(err, EINVAL,
			       "standard input: neither options nor bootstrap parameters");
	r = check_options(any, err);
	protobuf_c_message_free_unpacked(&any->base, NULL);
	return r;
}

int bootstrap_decode(const void *data, size_t size, const char *id, const char *namespace,
		     struct bootstrap *ret, struct err *err)
{
	_cleanup_bootstrap_ struct bootstrap bootstrap = {0};
	int r = 0;

	if (size > BOOTSTRAP_MAX_BYTES)
		return err_set(err, EINVAL, "standard input: longer than %u bytes",
			       BOOTSTRAP_MAX_BYTES);
	/* No protobuf of either kind begins with this byte. */
	if (size && ((const char *)data)[0] == '{')
		r = decode_json(data, size, id, namespace, &bootstrap, err);
	else if (size)
		r = decode_params(data, size, id, namespace, &bootstrap, err);
	if (r == 0 && size && bootstrap.form == BOOTSTRAP_PLAIN)
		r = decode_options(data, size, err);
	if (r < 0)
		return r;
	*ret = bootstrap;
	bootstrap = (struct bootstrap){0};
	return 0;
}

void bootstrap_finish(struct bootstrap *bootstrap)
{
	free(bootstrap->ttrpc_address);
	*bootstrap = (struct bootstrap){0};
}

/* --- the answer ------------------------------------------------------------------------------- */

static int answer_protobuf(const char *address, struct strbuf *ret)
{
	Bootstrap__Result result = BOOTSTRAP__RESULT__INIT;
	_cleanup_free_ uint8_t *packed = NULL;

	result.version = 3;
	result.address = (char *)(uintptr_t)address;
	result.protocol = (char *)(uintptr_t) "ttrpc";
	packed = malloc(protobuf_c_message_get_packed_size(&result.base) + 1);
	if (!packed)
		return -ENOMEM;
	return strbuf_add(ret, packed, protobuf_c_message_pack(&result.base, packed));
}

int bootstrap_answer(enum bootstrap_form form, const char *max_version, const char *address,
		     struct strbuf *ret)
{
	uint64_t version;
	bool said = max_version && parse_uint(max_version, &version) == 0;
	bool old = said ? version < 3 : form == BOOTSTRAP_PLAIN;

	if (form == BOOTSTRAP_PROTOBUF)
		return answer_protobuf(address, ret);
	/* containerd takes either; CRI-O starts us by containerd's code, and takes all of it for the address. */
	if (old && form == BOOTSTRAP_PLAIN)
		return strbuf_add(ret, address, strlen(address));
	return strbuf_addf(ret, "{\"version\":%d,\"address\":\"%s\",\"protocol\":\"ttrpc\"}",
			   old ? 2 : 3, address);
}
