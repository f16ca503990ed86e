/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/oci_container.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "shim/host_cgroup.h"
#include "shim/oci_log.h"
#include "shim/oci_pod.h"
#include "shim/oci_poststop.h"
#include "shim/oci_store.h"

#define STANDIN_WAIT_MS  2000
#define CREATION_WAIT_MS 60000

static int ask_state(struct oci_container *container)
{
	Task__StateRequest request = TASK__STATE_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;
	int r;

	request.id = (char *)(uintptr_t)container->record.id;
	r = cli_task(&container->shim, "State", &request.base, NULL, 0, &reply, NULL);
	if (r < 0)
		return r;
	container->status = ((Task__StateResponse *)reply)->status;
	protobuf_c_message_free_unpacked(reply, NULL);
	return 0;
}

int oci_container_open(const struct oci *oci, const char *id, struct oci_container *ret,
		       struct err *err)
{
	int r;

	*ret = (struct oci_container){
		.status = TASK__STATUS__STOPPED,
		.creating = oci_store_wait(oci->root, id, 0) < 0,
	};
	r = oci_store_read(oci->root, id, &ret->record, err);
	if (r < 0)
		return r;
	r = oci_pod_connect(oci, ret->record.pod, &ret->shim, NULL);
	if (r == 0)
		r = ask_state(ret);
	/* Also where a later pod of that name has not heard of it. */
	if (r < 0)
		cli_shim_close(&ret->shim);
	return 0;
}

int oci_container_open_made(const struct oci *oci, const char *id, struct oci_container *ret,
			    struct err *err)
{
	int r = oci_store_wait(oci->root, id, CREATION_WAIT_MS);

	return r < 0 ? err_set(err, EBUSY, "container %s is still being created", id)
		     : oci_container_open(oci, id, ret, err);
}

int oci_container_open_running(const struct oci *oci, const char *id, struct oci_container *ret,
			       struct err *err)
{
	int r = oci_container_open_made(oci, id, ret, err);

	if (r == 0 && ret->status == TASK__STATUS__STOPPED)
		return err_set(err, ESRCH, "container %s is not running", id);
	return r;
}

void oci_container_close(struct oci_container *container)
{
	cli_shim_close(&container->shim);
	oci_record_finish(&container->record);
	*container = (struct oci_container){0};
}

const char *oci_container_status(const struct oci_container *container)
{
	static const char *const names[] = {
		[TASK__STATUS__UNKNOWN] = "stopped", [TASK__STATUS__CREATED] = "created",
		[TASK__STATUS__RUNNING] = "running", [TASK__STATUS__STOPPED] = "stopped",
		[TASK__STATUS__PAUSED] = "paused",   [TASK__STATUS__PAUSING] = "paused",
	};

	if (container->creating)
		return "creating";
	return (unsigned)container->status < ARRAY_SIZE(names) ? names[container->status]
							       : "stopped";
}

static void warn(const struct oci *oci, const char *warning)
{
	if (warning[0])
		oci_log_warning(oci, warning);
}

/* It hears of the end as we do; where it does not, it is not to outlive the container. */
static void end_standin(const struct oci_record *record)
{
	struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, record->pid, 0), .events = POLLIN};

	/* It still was the stand-in's number with the descriptor open, so that is the stand-in's, too. */
	if (end.fd >= 0 && oci_standin_is_alive(record) && poll(&end, 1, STANDIN_WAIT_MS) == 0) {
		syscall(SYS_pidfd_send_signal, end.fd, SIGKILL, NULL, 0);
		poll(&end, 1, STANDIN_WAIT_MS);
	}
	/* Ours, where we are the container's `run`. */
	if (end.fd >= 0)
		waitid(P_PIDFD, (id_t)end.fd, &(siginfo_t){0}, WEXITED | WNOHANG);
	close_fd(&end.fd);
}

int oci_container_start(const struct oci *oci, struct cli_shim *shim, const char *id,
			struct err *err)
{
	Task__StartRequest request = TASK__START_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;
	int r;

	request.id = (char *)(uintptr_t)id;
	r = cli_task(shim, "Start", &request.base, NULL, 0, &reply, err);
	if (r < 0)
		return r;
	warn(oci, ((Task__StartResponse *)reply)->warning);
	protobuf_c_message_free_unpacked(reply, NULL);
	return 0;
}

static int delete_task(const struct oci *oci, struct oci_container *container, struct err *err)
{
	Task__DeleteRequest request = TASK__DELETE_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;
	int r;

	request.id = (char *)(uintptr_t)container->record.id;
	r = cli_task(&container->shim, "Delete", &request.base, NULL, 0, &reply, err);
	if (r < 0)
		return r;
	warn(oci, ((Task__DeleteResponse *)reply)->warning);
	protobuf_c_message_free_unpacked(reply, NULL);
	return 0;
}

static void run_poststop(const struct oci *oci, const struct oci_record *record)
{
	struct err err = ERR_INIT;

	if (oci_poststop_run(oci->root, record, &err) < 0)
		warn(oci, err.msg);
}

int oci_container_delete(const struct oci *oci, struct oci_container *container, struct err *err)
{
	const struct oci_record *record = &container->record;
	_cleanup_close_ int claim = oci_store_claim(oci->root, record, err);
	char path[PATH_MAX];

	/* Somebody else was at it, and has done it. */
	if (claim < 0)
		return claim == -ENOENT ? 0 : claim;
	if (container->shim.conn) {
		int r = delete_task(oci, container, err);

		/* A shim that has gone meanwhile took the container with it. */
		if (r < 0 && r != -ENOENT && !container->shim.lost)
			return r;
		oci_pod_release(&container->shim, record->id);
	}
	end_standin(record);
	if (record->cgroups_path && host_cgroup_path(record->cgroups_path, path, NULL) == 0)
		host_cgroup_remove(path);
	oci_pod_sweep(oci, record->pod);
	run_poststop(oci, record);
	oci_store_remove(oci->root, record->id);
	return 0;
}

int oci_write_pid_file(const char *path, pid_t pid, struct err *err)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	_cleanup_close_ int dirfd = -1;
	_cleanup_free_ char *dir = NULL;
	char text[16];
	int r;

	if (!path)
		return 0;
	dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("./");
	if (!dir)
		return err_set(err, ENOMEM, "out of memory");
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(text, sizeof(text), "%d", pid);
	r = dirfd < 0 ? -errno
		      : io_write_atomic(dirfd, slash ? slash + 1 : path, text, strlen(text), 0644);
	return r < 0 ? err_set_errno(err, -r, "--pid-file %s", path) : 0;
}
