/* SPDX-License-Identifier: Apache-2.0 */
/* Processors by the host's numbers are no limit in a guest; by their owner's own, they are. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/cleanup.h"
#include "shim/container.h"
#include "shim/spec.h"
#include "shim/spec_guest.h"

static Spec__Resources *take(struct container *container, const char *text, struct spec **ret)
{
	Spec__Resources *out = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(spec_parse_resources(text, strlen(text), ret, &err), 0, "%s", err.msg);
	container_take_resources(container, &(*ret)->resources);
	cr_assert_eq(spec_guest_build_resources(*ret, &(*ret)->resources, &out, &err), 0, "%s",
		     err.msg);
	return out;
}

#define CPUSET "{\"cpu\":{\"cpus\":\"60-63\",\"mems\":\"1\",\"quota\":50000,\"shares\":512}}"

Test(cpuset, of_cri_it_does_not_hold)
{
	struct container container = {.id = (char *)"c", .cri = true};
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	const Spec__Resources *out = take(&container, CPUSET, &spec);

	cr_assert_str_eq(out->cpuset_cpus, "");
	cr_assert_str_eq(out->cpuset_mems, "");
	cr_assert_eq(out->cpu_quota_us, 50000);
	cr_assert_gt(out->cpu_weight, 0);
	cr_assert(container.cpuset_noted);
}

Test(cpuset, of_anybody_else_it_does)
{
	struct container container = {.id = (char *)"c"};
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	const Spec__Resources *out = take(&container, CPUSET, &spec);

	cr_assert_str_eq(out->cpuset_cpus, "60-63");
	cr_assert_str_eq(out->cpuset_mems, "1");
	cr_assert_not(container.cpuset_noted);
}

Test(cpuset, nothing_to_drop_is_nothing_to_say)
{
	static const char *const texts[] = {"{}", "{\"cpu\":{\"quota\":1000}}",
					    "{\"cpu\":{\"cpus\":\"\"}}"};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct container container = {.id = (char *)"c", .cri = true};
		_cleanup_(spec_free_p) struct spec *spec = NULL;

		take(&container, texts[i], &spec);
		cr_assert_not(container.cpuset_noted);
	}
	cr_assert_not(spec_drop_cpuset(NULL));
}
