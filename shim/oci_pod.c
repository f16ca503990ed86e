/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/oci_pod.h"

#include <errno.h>
#include <sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/loop.h"
#include "shim/cli_spawn.h"
#include "shim/group.h"
#include "shim/namespace.h"
#include "shim/oci_store.h"
#include "task.pb-c.h"

#define OBTAIN_WAIT_NS (10 * 1000000000ull)
#define OBTAIN_STEP_NS 20000000

/* Containers of different roots may have the same ids; their pods must not. Nor those of containerd, whose
 * namespaces never begin so. */
static const char *pod_namespace(const struct oci *oci)
{
	static char name[32];
	char hex[SHA256_DIGEST_STRING_LENGTH];
	SHA2_CTX ctx;

	if (strcmp(oci->root, "/run/sbx-oci") == 0)
		return "@oci";
	SHA256Init(&ctx);
	SHA256Update(&ctx, (const uint8_t *)oci->root, strlen(oci->root));
	SHA256End(&ctx, hex);
	snprintf(name, sizeof(name), "@oci-%.16s", hex);
	return name;
}

int oci_pod_choose(const struct oci *oci, const struct spec *spec, const char *id,
		   char ret[POD_ID_MAX + 1], struct err *err)
{
	const struct spec_linux *from = spec->config.linux;
	const struct spec_namespace *namespaces = from ? from->namespaces.items : NULL;
	bool found = false;

	for (size_t i = 0; from && i < from->namespaces.n; i++) {
		_cleanup_oci_record_ struct oci_record other = {0};
		const char *path = namespaces[i].path;
		pid_t pid = path ? namespace_owner(namespaces[i].type, path) : 0;

		if (pid == 0 || oci_store_find_pid(oci->root, pid, &other) < 0)
			continue;
		if (found && strcmp(ret, other.pod) != 0)
			return err_set(err, EINVAL,
				       "config.json: linux.namespaces[%zu].path: %.100s is of "
				       "another pod than the one before it",
				       i, path);
		snprintf(ret, POD_ID_MAX + 1, "%s", other.pod);
		found = true;
	}
	return found ? 0 : group_of_spec(spec, id, ret, err);
}

int oci_pod_connect(const struct oci *oci, const char *pod, struct cli_shim *ret, struct err *err)
{
	_cleanup_(pod_dir_free_p) struct pod_dir *dir = NULL;
	int r = pod_dir_open(pod_namespace(oci), pod, &dir, err);

	return r < 0 ? r : cli_shim_connect(dir, ret, err);
}

void oci_pod_sweep(const struct oci *oci, const char *pod)
{
	_cleanup_(pod_dir_free_p) struct pod_dir *dir = NULL;

	if (pod_dir_open(pod_namespace(oci), pod, &dir, NULL) == 0 && dir &&
	    pod_dir_try_lock(dir) == 0)
		pod_dir_remove(dir, NULL);
}

/* -EEXIST: it is somebody else's, whose shim does not listen yet, or not any more. */
static int try_to_obtain(const struct oci *oci, const char *pod, struct cli_shim *ret,
			 struct err *err)
{
	_cleanup_(pod_dir_free_p) struct pod_dir *dir = NULL;
	int r = oci_pod_connect(oci, pod, ret, NULL);

	if (r == 0)
		return 0;
	cli_shim_close(ret);
	oci_pod_sweep(oci, pod);
	r = pod_dir_create(pod_namespace(oci), pod, &dir, err);
	if (r < 0)
		return r;
	r = cli_spawn_shim(dir, oci->debug, ret, err);
	if (r < 0 && dir->lock_fd >= 0)
		pod_dir_remove(dir, NULL);
	return r;
}

int oci_pod_obtain(const struct oci *oci, const char *pod, struct cli_shim *ret, struct err *err)
{
	uint64_t begin = now_ns();
	int r;

	while ((r = try_to_obtain(oci, pod, ret, err)) == -EEXIST) {
		if (now_ns() - begin > OBTAIN_WAIT_NS)
			return err_set(err, EBUSY, "the shim of pod %s does not answer", pod);
		nanosleep(&(struct timespec){.tv_nsec = OBTAIN_STEP_NS}, NULL);
	}
	return r;
}

void oci_pod_release(struct cli_shim *shim, const char *id)
{
	Task__ShutdownRequest request = TASK__SHUTDOWN_REQUEST__INIT;

	request.id = (char *)(uintptr_t)id;
	cli_task(shim, "Shutdown", &request.base, NULL, 0, NULL, NULL);
}
