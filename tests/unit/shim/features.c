/* SPDX-License-Identifier: Apache-2.0 */
/* What is announced to whom. */
#include <criterion/criterion.h>
#include <string.h>

#include "shim/features.h"

static bool has(const json_t *array, const char *word)
{
	for (size_t i = 0; i < json_array_size(array); i++)
		if (strcmp(json_string_value(json_array_get(array, i)), word) == 0)
			return true;
	return false;
}

static void check(bool cri)
{
	json_t *root = features_build(cri), *linux_spec, *namespaces, *idmap;

	cr_assert_not_null(root);
	linux_spec = json_object_get(root, "linux");
	namespaces = json_object_get(linux_spec, "namespaces");
	idmap = json_object_get(
		json_object_get(json_object_get(linux_spec, "mountExtensions"), "idmap"),
		"enabled");
	cr_assert_eq(has(namespaces, "user"), !cri);
	cr_assert(has(namespaces, "uts") && has(namespaces, "time") && has(namespaces, "pid"));
	cr_assert_eq(json_is_true(idmap), !cri);
	cr_assert(has(json_object_get(root, "mountOptions"), "rro"));
	json_decref(root);
}

Test(features, an_engine_may_have_a_user_namespace)
{
	check(false);
}

Test(features, a_pod_of_cri_may_not)
{
	check(true);
}
