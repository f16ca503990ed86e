/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sbx-oci exec: one more process in a container. In the foreground as `sbx exec` does it; with --detach it
 * has a stand-in of its own, which also deletes it once it has ended. Where that goes before, or we do, the shim
 * ends the process and deletes it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "any.pb-c.h"
#include "common/io.h"
#include "shim/cli_session.h"
#include "shim/host_cgroup.h"
#include "shim/oci_container.h"
#include "shim/oci_process.h"
#include "shim/oci_socket.h"
#include "shim/oci_standin.h"
#include "shim/oci_stdio.h"
#include "shim/spec.h"
#include "shim/terminal.h"

struct exec_options {
	struct oci_process_options process;
	const char *process_file, *pid_file, *pidfd_socket, *console_socket, *cgroup;
	uint64_t preserve_fds;
	bool detach, ignore_paused, no_subreaper;
};

#define OPT(...) CLI_OPT(exec_options, __VA_ARGS__)

static const struct opt rows[] = {
	OPT('p', "process", STRING, process_file, "FILE", "a process object, as in config.json"),
	OPT('t', "tty", FLAG, process.tty, NULL, "give the process a terminal"),
	OPT('d', "detach", FLAG, detach, NULL, "leave the process to itself once it runs"),
	OPT('e', "env", LIST, process.env, "NAME=VALUE", "set an environment variable"),
	OPT('u', "user", STRING, process.user, "UID[:GID]", "run as this user"),
	OPT('g', "additional-gids", LIST, process.groups, "GID", "a further group"),
	OPT('c', "cap", LIST, process.caps, "CAPABILITY", "a further capability"),
	OPT(0, "cwd", STRING, process.cwd, "DIR", "start in this directory"),
	OPT(0, "no-new-privs", FLAG, process.no_new_privs, NULL, "set no_new_privs"),
	OPT(0, "pid-file", STRING, pid_file, "FILE", "write the stand-in's pid there"),
	OPT(0, "pidfd-socket", STRING, pidfd_socket, "SOCKET",
	    "where a pidfd of the stand-in goes"),
	OPT(0, "console-socket", STRING, console_socket, "SOCKET",
	    "where the terminal's master goes"),
	OPT(0, "preserve-fds", UINT, preserve_fds, "N", "none can cross into a VM"),
	OPT(0, "apparmor", STRING, process.apparmor, "PROFILE", "confines nothing in a VM"),
	OPT(0, "process-label", STRING, process.label, "LABEL", "labels nothing in a VM"),
	OPT(0, "ignore-paused", FLAG, ignore_paused, NULL, "wait for the end of a pause"),
	OPT(0, "cgroup", STRING, cgroup, "PATH", "in this one beneath the container's cgroup"),
	OPT(0, "no-subreaper", FLAG, no_subreaper, NULL, NULL),
};

static const struct opts_spec spec =
	CLI_OPTS("sbx-oci exec [options] CONTAINER COMMAND... | --process FILE CONTAINER", rows);

struct exec {
	const struct oci *oci;
	struct exec_options options;
	struct oci_container container;
	char exec_id[24];
	char *process;     /* JSON text */
	struct spec *spec; /* the same, parsed */
	bool terminal;
	int own_terminal; /* ours, of one in the foreground; -1: there is none */
};

/* Whose size the process's terminal begins with. */
static void find_terminal(struct exec *exec)
{
	struct oci_process_options *o = &exec->options.process;

	if (exec->options.detach)
		return;
	exec->own_terminal = terminal_find();
	if (exec->own_terminal >= 0 && o->tty)
		terminal_size(exec->own_terminal, &o->rows, &o->columns);
}

static int read_process(struct exec *exec, char **args, size_t n, struct err *err)
{
	const char *file = exec->options.process_file;
	_cleanup_free_ char *path = NULL, *text = NULL;
	size_t size;
	int r;

	if (file ? n > 0 : n == 0)
		return err_set(err, EINVAL,
			       file ? "a command and --process exclude each other"
				    : "exec: a command or --process is needed");
	if (!file && asprintf(&path, "%s/config.json", exec->container.record.bundle) < 0)
		return err_set(err, ENOMEM, "out of memory");
	r = io_read_file(AT_FDCWD, file ? file : path, SPEC_MAX_BYTES, &text, &size);
	if (r < 0)
		return err_set_errno(err, -r, "%s", file ? file : path);
	if (file)
		exec->process = TAKE_PTR(text);
	else
		r = oci_process_build(text, size, &exec->options.process, args, n, &exec->process,
				      err);
	if (r == 0)
		r = spec_parse_process(exec->process, strlen(exec->process), &exec->spec, err);
	if (r < 0)
		return r;
	/* Where a file says what the process is, --tty means nothing, as in runc. */
	exec->terminal = exec->spec->process.terminal;
	return 0;
}

static int check(const struct exec *exec, struct err *err)
{
	const struct exec_options *o = &exec->options;

	if (o->preserve_fds)
		return err_set(err, EINVAL,
			       "--preserve-fds %" PRIu64 ": no descriptor can cross into a VM",
			       o->preserve_fds);
	if (exec->container.status == TASK__STATUS__PAUSED && !o->ignore_paused)
		return err_set(err, EBUSY, "container %s is paused", exec->container.record.id);
	if (o->detach)
		return oci_stdio_check(exec->terminal, o->console_socket, err);
	if (o->console_socket)
		return err_set(err, EINVAL, "--console-socket is for --detach");
	if (exec->terminal && exec->own_terminal < 0)
		return err_set(err, ENOTTY, "--tty: there is no terminal here");
	return 0;
}

/* stand_in: who the process ends with. */
static int add(struct exec *exec, const struct session_streams *streams, pid_t stand_in,
	       struct err *err)
{
	char type[] = "types.containerd.io/opencontainers/runtime-spec/1/Process";
	Task__ExecProcessRequest request = TASK__EXEC_PROCESS_REQUEST__INIT;
	Google__Any any = GOOGLE__ANY__INIT;

	any.type_url = type;
	any.value.data = (uint8_t *)exec->process;
	any.value.len = strlen(exec->process);
	request.id = (char *)(uintptr_t)exec->container.record.id;
	request.exec_id = exec->exec_id;
	request.terminal = exec->terminal;
	/* In the foreground our own terminal does that, if it is one that is written to. */
	request.clear_onlcr = exec->terminal && !exec->options.detach;
	request.stdin = (char *)(uintptr_t)streams->in;
	request.stdout = (char *)(uintptr_t)streams->out;
	request.stderr = (char *)(uintptr_t)streams->err;
	request.spec = &any;
	request.ignore_paused = exec->options.ignore_paused;
	request.stand_in = (uint32_t)stand_in;
	if (exec->options.cgroup)
		request.cgroup = (char *)(uintptr_t)exec->options.cgroup;
	return cli_task(&exec->container.shim, "Exec", &request.base, streams->fds, streams->n_fds,
			NULL, err);
}

static int start(struct exec *exec, struct err *err)
{
	Task__StartRequest request = TASK__START_REQUEST__INIT;

	request.id = (char *)(uintptr_t)exec->container.record.id;
	request.exec_id = exec->exec_id;
	return cli_task(&exec->container.shim, "Start", &request.base, NULL, 0, NULL, err);
}

static void forget(struct exec *exec)
{
	Task__DeleteRequest request = TASK__DELETE_REQUEST__INIT;

	request.id = (char *)(uintptr_t)exec->container.record.id;
	request.exec_id = exec->exec_id;
	if (!exec->container.shim.lost)
		cli_task(&exec->container.shim, "Delete", &request.base, NULL, 0, NULL, NULL);
}

static int enter_cgroup(const struct exec *exec, pid_t pid, struct err *err)
{
	const char *cgroups_path = exec->container.record.cgroups_path;
	char path[PATH_MAX];
	int r = cgroups_path ? host_cgroup_path(cgroups_path, path, err) : 0;

	return r == 0 && cgroups_path ? host_cgroup_enter(path, pid, err) : r;
}

/* The stand-in is there before the start, so that no end can be missed. */
static int run_detached(struct exec *exec, struct err *err)
{
	_cleanup_oci_stdio_ struct oci_stdio stdio = OCI_STDIO_INIT;
	const struct exec_options *o = &exec->options;
	struct standin standin = {
		.oci = exec->oci,
		.pod = exec->container.record.pod,
		.id = exec->container.record.id,
		.exec_id = exec->exec_id,
		.bundle = exec->container.record.bundle,
		.rootfs = exec->container.record.rootfs,
	};
	struct standin_child child = STANDIN_CHILD_INIT;
	int r = exec->terminal
			? oci_stdio_open_terminal(o->console_socket,
						  exec->spec->process.console_size, &stdio, err)
			: oci_stdio_open(&stdio, err);

	if (r < 0)
		return r;
	standin.terminal = stdio.terminal;
	r = standin_start(&standin, &child, err);
	if (r == 0)
		r = add(exec, &stdio.streams, child.pid, err);
	if (r == 0)
		r = enter_cgroup(exec, child.pid, err);
	if (r == 0)
		r = oci_socket_send_pidfd(o->pidfd_socket, child.pid, err);
	if (r == 0)
		r = oci_write_pid_file(o->pid_file, child.pid, err);
	if (r == 0)
		r = standin_go(&child, err);
	/* A start that fails ends the process, and with it the stand-in. */
	if (r == 0)
		return start(exec, err);
	standin_abandon(&child);
	forget(exec);
	return r;
}

static int run_attended(struct exec *exec, struct err *err)
{
	_cleanup_(session_destroy_p) struct session *session = NULL;
	const struct session_options options = {
		.id = exec->container.record.id,
		.exec_id = exec->exec_id,
		.interactive = true,
		.tty = exec->terminal,
		.terminal = exec->own_terminal,
		.onlcr = true,
	};
	struct session_streams streams;
	uint32_t status = 0;
	int r = session_create(&exec->container.shim, &options, &session, &streams, err);

	if (r == 0)
		r = add(exec, &streams, getpid(), err);
	if (r < 0)
		return r;
	r = oci_socket_send_pidfd(exec->options.pidfd_socket, getpid(), err);
	if (r == 0)
		r = oci_write_pid_file(exec->options.pid_file, getpid(), err);
	if (r == 0)
		r = session_attach(session, err);
	if (r == 0)
		r = start(exec, err);
	if (r == 0) {
		session_started(session);
		r = session_wait(session, &status, err);
	}
	forget(exec);
	return r < 0 ? r : (int)status;
}

static int run(const struct oci *oci, int argc, char **argv, struct err *err)
{
	struct exec exec = {.oci = oci, .own_terminal = -1};
	uint64_t random;
	int first, r = oci_parse(&oci_exec_verb, argc, argv, &exec.options, 1, -1, &first, err);

	if (r == 0)
		r = oci_container_open_running(oci, argv[first], &exec.container, err);
	if (r == 0)
		find_terminal(&exec);
	if (r == 0)
		r = read_process(&exec, argv + first + 1, (size_t)(argc - first - 1), err);
	if (r == 0)
		r = check(&exec, err);
	if (r == 0 && getrandom(&random, sizeof(random), 0) != sizeof(random))
		r = err_set_errno(err, errno, "getrandom");
	if (r == 0) {
		snprintf(exec.exec_id, sizeof(exec.exec_id), "%016" PRIx64, random);
		r = exec.options.detach ? run_detached(&exec, err) : run_attended(&exec, err);
	}
	spec_free(exec.spec);
	free(exec.process);
	close_fd(&exec.own_terminal);
	oci_container_close(&exec.container);
	return r;
}

const struct oci_verb oci_exec_verb = {
	.name = "exec",
	.help = "run a further process in a container",
	.opts = &spec,
	.run = run,
	.failed = OCI_EXEC_FAILED,
};
