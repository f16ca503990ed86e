/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>

#include "shim/namespace.h"

static int resolve(pid_t pid, const char *type, const char *path)
{
	struct err err = ERR_INIT;
	const char *id = NULL;
	int r = namespace_resolve(type, path, &id, &pid, &err);

	cr_assert(r < 0 || (id && !id[0]));
	cr_assert(r == 0 || err.msg[0]);
	return r;
}

Test(namespace, of_the_pod)
{
	cr_assert_eq(resolve(12, "ipc", "/proc/12/ns/ipc"), 0);
	cr_assert_eq(resolve(12, "network", "/proc/12/ns/net"), 0);
	cr_assert_eq(resolve(12, "pid", "/proc/12/ns/pid"), 0);
}

Test(namespace, of_the_host)
{
	cr_assert_eq(resolve(12, "ipc", "/proc/1/ns/ipc"), -EINVAL);
	cr_assert_eq(resolve(12, "ipc", "/proc/12/ns/uts"), -EINVAL);
	cr_assert_eq(resolve(12, "user", "/proc/12/ns/user"), -EINVAL);
	cr_assert_eq(resolve(0, "ipc", "/proc/0/ns/ipc"), -EINVAL);
}
