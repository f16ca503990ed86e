/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>

#include "shim/namespace.h"

/* 12 is the pod's monitor, 20 a container's stand-in, 21 the sandbox container's. */
static const char *container_of_pid(pid_t pid, void *data)
{
	return pid == 20 ? "first" : pid == 21 ? "" : NULL;
}

static const struct namespace_scope pod = {.pod = 12, .find = container_of_pid};

static const char *resolve(const struct namespace_scope *scope, const char *type, const char *path)
{
	struct err err = ERR_INIT;
	const char *id = NULL;
	int r = namespace_resolve(type, path, &id, (void *)(uintptr_t)scope, &err);

	cr_assert(r == -EINVAL ? !id && err.msg[0] : r == 0 && id);
	return id;
}

Test(namespace, of_the_pod)
{
	cr_assert_str_eq(resolve(&pod, "ipc", "/proc/12/ns/ipc"), "");
	cr_assert_str_eq(resolve(&pod, "network", "/proc/12/ns/net"), "");
	cr_assert_str_eq(resolve(&pod, "pid", "/proc/12/ns/pid"), "");
	cr_assert_str_eq(resolve(&pod, "uts", "/proc/21/ns/uts"), "");
}

Test(namespace, of_a_container)
{
	cr_assert_str_eq(resolve(&pod, "ipc", "/proc/20/ns/ipc"), "first");
	cr_assert_str_eq(resolve(&pod, "network", "/proc/20/ns/net"), "first");
	cr_assert(namespace_is_in(&pod, "network", "/proc/20/ns/net"));
	cr_assert_not(namespace_is_in(&pod, "network", "/run/netns/x"));
}

Test(namespace, of_the_host)
{
	static const struct namespace_scope nobody = {0};

	cr_assert_null(resolve(&pod, "ipc", "/proc/1/ns/ipc"));
	cr_assert_null(resolve(&pod, "ipc", "/proc/12/ns/uts"));
	cr_assert_null(resolve(&pod, "ipc", "/proc/20/ns/ipc/"));
	cr_assert_null(resolve(&pod, "ipc", "/proc/020/ns/ipc"));
	cr_assert_null(resolve(&pod, "ipc", "/proc/ 20/ns/ipc"));
	cr_assert_null(resolve(&pod, "user", "/proc/12/ns/user"));
	cr_assert_null(resolve(&pod, "ipc", "/proc/-1/ns/ipc"));
	cr_assert_null(resolve(&nobody, "ipc", "/proc/0/ns/ipc"));
	cr_assert_null(resolve(&nobody, "ipc", "/proc/20/ns/ipc"));
}

Test(namespace, network_of_the_host_is_the_pods)
{
	cr_assert_str_eq(resolve(&pod, "network", "/run/netns/x"), "");
}
