/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: delete comes when containerd has lost a shim, or believes so, once for every
 * container that it knows of, all at once. The pod's own id means all of the pod: an owner that still lives is
 * killed, the VM ends with it, what the kernel does not free is removed. For any other container of a
 * pod whose owner lives, the owner deletes it; where that has ended, any of them removes the pod, and the
 * others wait for that. All within the 5 s that containerd waits.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/io.h"
#include "common/loop.h"
#include "shim/cli_pod.h"
#include "shim/container.h"
#include "shim/pod_dir.h"
#include "shim/pod_socket.h"
#include "shim/shim_boot.h"
#include "task.pb-c.h"

/* Longer than a removal takes: a cgroup may stay busy for one second, a tap for two (pod_dir.c). */
#define LOCK_WAIT_NS (4 * 1000000000ull)
#define END_WAIT_MS  3000

/* Where nobody listens, whoever has the lock is no owner: it removes the pod, as we would. */
static bool has_owner(const struct pod_dir *pod)
{
	_cleanup_close_ int dirfd = -1, fd = -1;
	char name[33];
	int r = pod_socket_dir(&dirfd, NULL, NULL);

	pod_socket_name(pod->namespace, pod->id, name);
	if (r == 0)
		r = sock_connect_at(dirfd, name, &fd);
	return r != -ENOENT && r != -ECONNREFUSED;
}

/* A shim that lives still holds the lock; its death frees it. */
static int take_pod(struct pod_dir *pod)
{
	_cleanup_record_ struct record record = {0};
	uint64_t begin = now_ns();
	int r = pod_dir_try_lock(pod);

	if (r == -EBUSY && has_owner(pod) && pod_dir_read_record(pod, &record, NULL) == 0 &&
	    record.shim_pid > 0)
		kill(record.shim_pid, SIGKILL);
	while (r == -EBUSY && now_ns() - begin < LOCK_WAIT_NS) {
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
		r = pod_dir_try_lock(pod);
	}
	return r;
}

static int delete_pod(struct pod_dir *pod, struct err *err)
{
	int r = take_pod(pod);

	if (r == 0)
		return pod_dir_remove(pod, NULL);
	return r == -ENOENT ? 0 : err_set_errno(err, -r, "%s: cannot lock", pod->path);
}

/* What the owner does not know of any more needs no deletion. */
static int delete_container(struct pod_dir *pod, const char *id, struct err *err)
{
	Task__DeleteRequest request = TASK__DELETE_REQUEST__INIT;
	_cleanup_cli_shim_ struct cli_shim shim = {0};
	int r = cli_shim_connect(pod, &shim, err);

	if (r < 0)
		return r;
	r = cli_task_end(&shim, id, END_WAIT_MS, err);
	request.id = (char *)(uintptr_t)id;
	if (r == 0)
		r = cli_task(&shim, "Delete", &request.base, NULL, 0, NULL, err);
	return r == -ENOENT ? 0 : r;
}

static int clean_up(const struct shim_flags *flags, struct err *err)
{
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = NULL;
	char group[POD_ID_MAX + 1];
	int r = shim_find_group(flags, flags->bundle ? flags->bundle : ".", group, err);

	/* A bundle that cannot be read any more belongs to no pod but its own. */
	if (r < 0)
		snprintf(group, sizeof(group), "%s", flags->id);
	r = pod_dir_open(flags->namespace, group, &pod, err);
	if (r == -ENOENT) {
		/* Of a start that was killed there may be no more than this. */
		pod_socket_remove_dead(flags->namespace, group);
		return 0;
	}
	if (r < 0)
		return r;
	if (strcmp(group, flags->id) != 0 && pod_dir_try_lock(pod) == -EBUSY) {
		r = delete_container(pod, flags->id, err);
		/* An owner that ends meanwhile takes the container along. */
		if (r == 0 || has_owner(pod))
			return r;
	}
	return delete_pod(pod, err);
}

int shim_delete(const struct shim_flags *flags, struct err *err)
{
	Task__DeleteResponse response = TASK__DELETE_RESPONSE__INIT;
	Google__Timestamp at;
	struct timespec now;
	uint8_t buf[64];
	size_t n;
	int r = clean_up(flags, err);

	if (r < 0)
		return r;
	clock_gettime(CLOCK_REALTIME, &now);
	response.exit_status = 128 + SIGKILL;
	response.exited_at = container_timestamp(
		(uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec, &at);
	n = protobuf_c_message_get_packed_size(&response.base);
	if (n > sizeof(buf))
		return err_set(err, EMSGSIZE, "delete: the response is too long");
	protobuf_c_message_pack(&response.base, buf);
	r = io_write_full(STDOUT_FILENO, buf, n);
	return r < 0 ? err_set_errno(err, -r, "cannot print the response") : 0;
}
