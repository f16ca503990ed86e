/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shim/group.h"
#include "shim/oci_program.h"

static struct err err;

static struct spec *parse(const char *program, const char *env)
{
	struct spec *spec = NULL;
	char text[1024];

	err = (struct err)ERR_INIT;
	snprintf(text, sizeof(text),
		 "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"r\"},"
		 "\"annotations\":{\"sbx.pod\":\"pod\"},"
		 "\"process\":{\"cwd\":\"/usr\",\"args\":[\"%s\"],\"env\":[%s]},"
		 "\"mounts\":[{\"destination\":\"/run/\",\"type\":\"tmpfs\",\"source\":\"x\"},"
		 "{\"destination\":\"/bound\",\"type\":\"bind\",\"source\":\"/x\","
		 "\"options\":[\"bind\"]}]}",
		 program, env);
	cr_assert_eq(spec_parse(text, strlen(text), &spec, &err), 0, "%s", err.msg);
	return spec;
}

static int find(const char *program, const char *env)
{
	struct spec *spec = parse(program, env);
	int r = oci_program_find(spec, &err);

	spec_free(spec);
	return r;
}

Test(oci_program, by_path)
{
	cr_assert_eq(find("/bin/sh", ""), 0);
	cr_assert_eq(find("bin/env", ""), 0);
	cr_assert_eq(find("/no/such/program", ""), -ENOENT);
	cr_assert_str_eq(err.msg, "exec: \"/no/such/program\": no such file or directory");
	cr_assert_eq(find("/bin/sh/x", ""), -ENOENT);
	cr_assert_eq(find("/etc", ""), -EACCES);
	cr_assert_str_eq(err.msg, "exec: \"/etc\": permission denied");
	cr_assert_eq(find("/etc/passwd", ""), -EACCES);
	cr_assert_eq(find("/run/only/in/the/guest", ""), 0);
	cr_assert_eq(find("/bound/nowhere", ""), -ENOENT);
}

Test(oci_program, by_search)
{
	cr_assert_eq(find("sh", "\"PATH=/nowhere:/bin\""), 0);
	cr_assert_eq(find("sh", "\"PATH=/nowhere\",\"X=\""), -ENOENT);
	cr_assert_str_eq(err.msg, "exec: \"sh\": executable file not found in $PATH");
	cr_assert_eq(find("nonsense", "\"PATH=/bin:/run\""), 0);
	cr_assert_eq(find("nonsense", "\"PATH=/bin:relative\""), 0);
	cr_assert_eq(find("nonsense", "\"PATH=/bin::/sbin\""), -ENOENT);
	cr_assert_eq(find("nonsense", ""), 0);
}

Test(oci_program, mounts_of_the_guest)
{
	struct spec *spec = parse("x", "");

	cr_assert(oci_program_is_the_guests(spec, "/run/x"));
	cr_assert_not(oci_program_is_the_guests(spec, "/runner/x"));
	cr_assert_not(oci_program_is_the_guests(spec, "/bound/x"));
	spec_free(spec);
}

Test(group, of_a_spec)
{
	struct spec *spec = parse("x", "");
	char id[POD_ID_MAX + 1];

	cr_assert_eq(group_of_spec(spec, "own", id, &err), 0);
	cr_assert_str_eq(id, "pod");
	spec_free(spec);
}
