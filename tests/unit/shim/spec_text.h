/* SPDX-License-Identifier: Apache-2.0 */
/* A config.json to be patched by a test, and the way it goes in the shim. */
#ifndef TESTS_SPEC_TEXT_H
#define TESTS_SPEC_TEXT_H

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/spec.h"
#include "shim/spec_guest.h"

static const char base[] =
	"{\"ociVersion\":\"1.1.0\",\"root\":{\"path\":\"rootfs\"},\"hostname\":\"h\","
	"\"process\":{\"cwd\":\"/\",\"args\":[\"sh\",\"-c\",\"true\"],\"env\":[\"A=1\"],"
	"\"user\":{\"uid\":5,\"gid\":6,\"umask\":18,\"additionalGids\":[7,8]}},"
	"\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"}],"
	"\"annotations\":{\"sbx.memory\":\"1\"},"
	"\"linux\":{\"namespaces\":[{\"type\":\"pid\"}]}}";

/* base with patch, a JSON object, merged into it; "MAX" becomes 2^64 - 1, which jansson cannot hold. */
static inline char *patched(const char *patch)
{
	json_t *root = json_loads(base, 0, NULL), *more = json_loads(patch, 0, NULL);
	char *text;

	cr_assert(root && more, "%s", patch);
	json_object_update_recursive(root, more);
	text = json_dumps(root, 0);
	json_decref(root);
	json_decref(more);
	for (char *at; (at = strstr(text, "\"MAX\""));) {
		_cleanup_free_ char *old = text;

		cr_assert_gt(
			asprintf(&text, "%.*s18446744073709551615%s", (int)(at - old), old, at + 5),
			0);
	}
	return text;
}

/* Parses and builds, as the shim does. */
static inline int load(const char *text, struct spec **ret, Spec__Spec **ret_guest, struct err *err)
{
	int r = spec_parse(text, strlen(text), ret, err);

	return r < 0 ? r : spec_guest_build(*ret, ret_guest, err);
}

#endif
