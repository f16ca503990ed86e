/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "shim/host_cgroup.h"

static void check(const char *from, const char *want)
{
	char path[PATH_MAX];

	cr_assert_eq(host_cgroup_path(from, path, NULL), 0);
	cr_assert_str_eq(path, want);
}

Test(host_cgroup, paths)
{
	check("/default/box", "/default/box");
	check("box", "/box");
	check("system.slice:cri-containerd:abc", "/system.slice/cri-containerd-abc.scope");
	check("kubepods-burstable-pod1.slice:cri-containerd:abc",
	      "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/"
	      "cri-containerd-abc.scope");
	check(":p:n", "/system.slice/p-n.scope");
	check("-.slice::n", "/n.scope");
}

Test(host_cgroup, refuses)
{
	static char large[PATH_MAX + 2];
	char path[PATH_MAX];
	struct err err = ERR_INIT;

	cr_assert_eq(host_cgroup_path("a:b:c", path, &err), -EINVAL);
	memset(large, 'x', sizeof(large) - 1);
	cr_assert_eq(host_cgroup_path(large, path, &err), -EINVAL);
	large[0] = ':';
	large[1] = ':';
	cr_assert_eq(host_cgroup_path(large, path, &err), -EINVAL);
}
