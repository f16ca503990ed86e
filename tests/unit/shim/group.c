/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/utsname.h>

#include "common/cleanup.h"
#include "shim/group.h"
#include "shim/spec.h"

static int of(const char *config, char ret[POD_ID_MAX + 1])
{
	struct err err = ERR_INIT;

	return group_of(config, strlen(config), "own", ret, &err);
}

Test(group, default_is_its_own)
{
	char id[POD_ID_MAX + 1];

	cr_assert_eq(of("{}", id), 0);
	cr_assert_str_eq(id, "own");
	cr_assert_eq(of("{\"annotations\":{\"a\":\"b\"}}", id), 0);
	cr_assert_str_eq(id, "own");
}

Test(group, by_annotation)
{
	char id[POD_ID_MAX + 1];

	cr_assert_eq(of("{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"pod\"}}", id), 0);
	cr_assert_str_eq(id, "pod");
	cr_assert_eq(of("{\"annotations\":{\"io.kubernetes.cri-o.SandboxID\":\"crio\"}}", id), 0);
	cr_assert_str_eq(id, "crio");
	cr_assert_eq(of("{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"pod\","
			"\"io.containerd.runc.v2.group\":\"group\"}}",
			id),
		     0);
	cr_assert_str_eq(id, "group");
}

Test(group, refuses)
{
	char id[POD_ID_MAX + 1];

	cr_assert_eq(of("{", id), -EINVAL);
	cr_assert_eq(of("{\"annotations\":{\"sbx.pod\":\"../x\"}}", id), -EINVAL);
	cr_assert_eq(of("[]", id), 0);
	cr_assert_str_eq(id, "own");
}

static void check_hostname(const char *config, const char *want)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	struct utsname host;
	struct err err = ERR_INIT;

	cr_assert_eq(spec_parse(config, strlen(config), &spec, &err), 0, "%s", err.msg);
	cr_assert_str_eq(group_hostname(spec, "the-id", &host), want);
}

#define SANDBOX                                                                                    \
	"\"ociVersion\":\"1.0.2\",\"annotations\":{\"io.kubernetes.cri.container-type\":"          \
	"\"sandbox\"}"

Test(group, host_name)
{
	struct utsname host;

	cr_assert_eq(uname(&host), 0);
	check_hostname("{\"ociVersion\":\"1.0.2\",\"hostname\":\"web\"}", "web");
	check_hostname("{\"ociVersion\":\"1.0.2\"}", "the-id");
	check_hostname("{\"ociVersion\":\"1.0.2\",\"hostname\":\"\"}", "the-id");
	check_hostname("{" SANDBOX "}", host.nodename);
	check_hostname("{" SANDBOX ",\"hostname\":\"web\"}", "web");
}

Test(group, of_cri)
{
	static const struct {
		const char *config;
		bool is;
	} cases[] = {
		{"{" SANDBOX "}", true},
		{"{\"ociVersion\":\"1.0.2\",\"annotations\":{\"io.kubernetes.cri.container-type\":"
		 "\"container\"}}",
		 true},
		{"{\"ociVersion\":\"1.0.2\",\"annotations\":{\"io.kubernetes.cri-o.ContainerType\":"
		 "\"container\"}}",
		 true},
		{"{\"ociVersion\":\"1.0.2\",\"annotations\":{\"io.containerd.runc.v2.group\":\"g\"}"
		 "}",
		 false},
		{"{\"ociVersion\":\"1.0.2\"}", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(spec_free_p) struct spec *spec = NULL;

		cr_assert_eq(spec_parse(cases[i].config, strlen(cases[i].config), &spec, NULL), 0);
		cr_assert_eq(group_is_cri(spec), cases[i].is, "%zu", i);
	}
}

Test(group, of_a_spec)
{
	static const char text[] = "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"r\"},"
				   "\"annotations\":{\"sbx.pod\":\"pod\"}}";
	struct err err = ERR_INIT;
	struct spec *spec = NULL;
	char id[POD_ID_MAX + 1];

	cr_assert_eq(spec_parse(text, strlen(text), &spec, &err), 0, "%s", err.msg);
	cr_assert_eq(group_of_spec(spec, "own", id, &err), 0);
	cr_assert_str_eq(id, "pod");
	spec_free(spec);
}
