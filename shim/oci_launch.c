/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: all that can be judged without a VM is judged first: the spec, which the shim will
 * read and judge again, and the options. Then the id is taken, by a directory that only one can make, and
 * its record says which pod it is in before anything runs there. Then come stand-in, cgroup, pidfd, container,
 * the record that names the stand-in, and the pid file, in this order. With a killed sbx-oci goes the
 * stand-in, and with that the container; the record is `delete`'s to find.
 */
#include "shim/oci_launch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/io.h"
#include "shim/hooks.h"
#include "shim/host_cgroup.h"
#include "shim/oci_container.h"
#include "shim/oci_pod.h"
#include "shim/oci_socket.h"
#include "shim/oci_standin.h"
#include "shim/oci_store.h"
#include "task.pb-c.h"

static int read_spec(struct oci_launch *launch, struct err *err)
{
	const char *bundle = launch->options->bundle ? launch->options->bundle : ".";
	_cleanup_free_ char *path = NULL, *text = NULL;
	size_t size;
	int r;

	launch->bundle = realpath(bundle, NULL);
	if (!launch->bundle)
		return err_set_errno(err, errno, "--bundle %s", bundle);
	if (asprintf(&path, "%s/config.json", launch->bundle) < 0)
		return err_set(err, ENOMEM, "out of memory");
	r = io_read_file(AT_FDCWD, path, SPEC_MAX_BYTES, &text, &size);
	if (r < 0)
		return err_set_errno(err, -r, "%s", path);
	return spec_parse(text, size, &launch->spec, err);
}

static int find_rootfs(struct oci_launch *launch, struct err *err)
{
	const struct spec_root *root = launch->spec->config.root;
	const char *path = root && root->path && root->path[0] ? root->path : "rootfs";
	bool absolute = path[0] == '/';

	if (asprintf(&launch->rootfs, "%s%s%s", absolute ? "" : launch->bundle, absolute ? "" : "/",
		     path) < 0)
		return err_set(err, ENOMEM, "out of memory");
	return 0;
}

static int check_options(const struct oci_launch *launch, struct err *err)
{
	char path[PATH_MAX];

	if (launch->options->preserve_fds)
		return err_set(err, EINVAL,
			       "--preserve-fds %" PRIu64 ": no descriptor can cross into a VM",
			       launch->options->preserve_fds);
	if (launch->record.cgroups_path)
		return host_cgroup_path(launch->record.cgroups_path, path, err);
	return 0;
}

static int check_cgroup(const struct oci_launch *launch, struct err *err)
{
	char path[PATH_MAX];

	if (!launch->record.cgroups_path)
		return 0;
	host_cgroup_path(launch->record.cgroups_path, path, err);
	return host_cgroup_check_free(path, err);
}

static void fill_record(struct oci_launch *launch)
{
	const struct spec_config *config = &launch->spec->config;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	launch->record = (struct oci_record){
		.oci_version = config->oci_version,
		.id = launch->id,
		.bundle = launch->bundle,
		.rootfs = launch->rootfs,
		.pod = launch->pod,
		.annotations = config->annotations,
		.created_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
	};
	if (config->linux && config->linux->cgroups_path && config->linux->cgroups_path[0])
		launch->record.cgroups_path = config->linux->cgroups_path;
}

int oci_launch_begin(struct oci_launch *launch, struct err *err)
{
	int r = read_spec(launch, err);

	if (r == 0)
		r = find_rootfs(launch, err);
	if (r < 0)
		return r;
	fill_record(launch);
	r = check_options(launch, err);
	if (r == 0)
		r = oci_store_create(launch->oci->root, launch->id, &launch->lock_fd, err);
	if (r < 0)
		return r;
	launch->stored = true;
	/* Before there is a record of it, by which it would be removed: it is somebody's. */
	r = check_cgroup(launch, err);
	if (r == 0)
		r = oci_pod_choose(launch->oci, launch->spec, launch->id, launch->pod, err);
	if (r == 0)
		r = oci_store_write(launch->oci->root, &launch->record, err);
	if (r == 0)
		r = oci_pod_obtain(launch->oci, launch->pod, &launch->shim, err);
	if (r < 0)
		oci_launch_undo(launch);
	return r;
}

static int make(struct oci_launch *launch, const struct session_streams *streams, struct err *err)
{
	Task__CreateTaskRequest request = TASK__CREATE_TASK_REQUEST__INIT;
	_cleanup_free_ char *poststop = NULL;
	int r;

	if (hooks_any(launch->spec, HOOKS_STOPPED)) {
		poststop = oci_store_poststop(launch->oci->root, launch->id);
		if (!poststop)
			return err_set(err, ENOMEM, "out of memory");
		request.poststop = poststop;
	}

	request.id = (char *)(uintptr_t)launch->id;
	request.bundle = launch->bundle;
	request.terminal = oci_launch_wants_terminal(launch);
	request.stdin = (char *)(uintptr_t)streams->in;
	request.stdout = (char *)(uintptr_t)streams->out;
	request.stderr = (char *)(uintptr_t)streams->err;
	request.stand_in = (uint32_t)launch->record.pid;
	request.clear_onlcr = launch->onlcr;
	r = cli_task(&launch->shim, "Create", &request.base, streams->fds, streams->n_fds, NULL,
		     err);
	launch->made = r == 0;
	return r;
}

/* Where the spec says; a host without cgroups of that kind has no place for it. */
static int enter_cgroup(const struct oci_launch *launch, struct err *err)
{
	char path[PATH_MAX];
	int r;

	if (!launch->record.cgroups_path)
		return 0;
	r = host_cgroup_path(launch->record.cgroups_path, path, err);
	return r < 0 ? r : host_cgroup_enter(path, launch->record.pid, err);
}

static int stand_in(struct oci_launch *launch, int terminal, struct standin_child *ret,
		    struct err *err)
{
	const struct standin standin = {
		.oci = launch->oci,
		.pod = launch->pod,
		.id = launch->id,
		.exec_id = "",
		.bundle = launch->bundle,
		.rootfs = launch->rootfs,
		.spec = launch->spec,
		.terminal = terminal,
	};
	int r = standin_start(&standin, ret, err);

	if (r < 0)
		return r;
	launch->record.pid = ret->pid;
	r = oci_pid_started(launch->record.pid, &launch->record.pid_started);
	return r < 0 ? err_set(err, EIO, "the stand-in ended at once") : enter_cgroup(launch, err);
}

int oci_launch_create(struct oci_launch *launch, const struct session_streams *streams,
		      int terminal, struct err *err)
{
	struct standin_child child = STANDIN_CHILD_INIT;
	int r = stand_in(launch, terminal, &child, err);

	if (r == 0)
		r = oci_socket_send_pidfd(launch->options->pidfd_socket, launch->record.pid, err);
	if (r == 0)
		r = make(launch, streams, err);
	if (r == 0)
		r = oci_store_write(launch->oci->root, &launch->record, err);
	if (r == 0)
		r = oci_write_pid_file(launch->options->pid_file, launch->record.pid, err);
	if (r == 0)
		r = standin_go(&child, err);
	close_fd(&launch->lock_fd);
	if (r < 0) {
		standin_abandon(&child);
		oci_launch_undo(launch);
	}
	return r;
}

int oci_launch_start(struct oci_launch *launch, struct err *err)
{
	return oci_container_start(launch->oci, &launch->shim, launch->id, err);
}

void oci_launch_undo(struct oci_launch *launch)
{
	_cleanup_oci_container_ struct oci_container container = {0};

	if (!launch->stored)
		return;
	launch->stored = false;
	if (launch->made && !launch->shim.lost)
		cli_task_end(&launch->shim, launch->id, 10000, NULL);
	if (!launch->made && launch->shim.conn && !launch->shim.lost)
		oci_pod_release(&launch->shim, launch->id);
	/* Without a record it is ours by the lock; with one of another time somebody else has deleted it. */
	if (oci_container_open(launch->oci, launch->id, &container, NULL) == 0) {
		if (container.record.created_ns == launch->record.created_ns)
			oci_container_delete(launch->oci, &container, NULL);
	} else if (launch->lock_fd >= 0) {
		oci_store_remove(launch->oci->root, launch->id);
	}
}

void oci_launch_finish(struct oci_launch *launch)
{
	close_fd(&launch->lock_fd);
	cli_shim_close(&launch->shim);
	spec_free(launch->spec);
	free(launch->bundle);
	free(launch->rootfs);
}

bool oci_launch_wants_terminal(const struct oci_launch *launch)
{
	const struct spec_process *process = launch->spec->config.process;

	return process && process->terminal;
}
