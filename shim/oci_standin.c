/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a fork of sbx-oci that connects to the shim, calls Wait, and exits with what the
 * answer says: the process's own code, or 128 and the signal's number, which is what conmon makes of a
 * death by signal. Where the shim dies before, that is 137. Until then it passes signals on, and the
 * changes of a terminal's size.
 *
 * It is there before what it stands for, so that hooks can be told its pid, and so that the shim has a
 * connection that ends where sbx-oci is killed half-way: a container whose stand-in has gone is ended.
 * "Go" tells it that the process is in the guest, and is answered when it waits for its end.
 *
 * Engines take its pid for the container's: they look into /proc/PID, enter its namespaces, resolve
 * paths there. So nothing of the host may be found in it. It has namespaces of its own, empty ones, and
 * as its root the container's, as far as that is the host's: the root directory and what is bound into
 * it. What it may do is done before it says that it is ready; then it has no capability left.
 *
 * The shim knows it by its connection (SO_PEERCRED), which is how another container's spec may name
 * its namespaces and mean those of the container (namespace.h).
 */
#include "shim/oci_standin.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/loop.h"
#include "common/rpc.h"
#include "shim/oci_pod.h"
#include "shim/oci_root.h"
#include "shim/terminal.h"
#include "task.pb-c.h"

#define LOST_STATUS 137

static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT};

/* The running stand-in. */
struct life {
	const struct standin *standin;
	struct cli_shim shim;
	int word_fd;
	struct source *signals[ARRAY_SIZE(forwarded)], *winch;
	bool ended;
	int status;
};

/* What the child says to its maker: code 0 and nothing, or an error. */
struct word {
	int code;
	char msg[sizeof(((struct err *)NULL)->msg)];
};

static void on_answer(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	/* Too late, for a process that has ended; there is nobody to tell. */
}

static void on_end(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	struct life *life = data;

	life->ended = true;
	life->status =
		err ? LOST_STATUS : (int)((const Task__WaitResponse *)reply)->exit_status & 0xff;
}

static int invoke(struct life *life, const char *method, const ProtobufCMessage *request,
		  rpc_done done)
{
	const struct rpc_invocation inv = {
		.service = &task__task__descriptor,
		.method = method,
		.request = request,
	};

	return rpc_invoke(life->shim.conn, &inv, done, life);
}

static void on_signal(struct source *source, uint32_t events, void *data)
{
	Task__KillRequest request = TASK__KILL_REQUEST__INIT;
	struct life *life = data;

	request.id = (char *)(uintptr_t)life->standin->id;
	request.exec_id = (char *)(uintptr_t)life->standin->exec_id;
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++) {
		if (life->signals[i] != source)
			continue;
		request.signal = (uint32_t)forwarded[i];
		invoke(life, "Kill", &request.base, on_answer);
	}
}

static void resize(struct life *life)
{
	Task__ResizePtyRequest request = TASK__RESIZE_PTY_REQUEST__INIT;

	if (terminal_size(life->standin->terminal, &request.height, &request.width) < 0 ||
	    !request.height || !request.width)
		return;
	request.id = (char *)(uintptr_t)life->standin->id;
	request.exec_id = (char *)(uintptr_t)life->standin->exec_id;
	invoke(life, "ResizePty", &request.base, on_answer);
}

static void on_winch(struct source *source, uint32_t events, void *data)
{
	resize(data);
}

/* --- becoming it ------------------------------------------------------------------------------ */

static int watch(struct life *life)
{
	struct loop *loop = life->shim.loop;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(forwarded); i++)
		r = loop_add_signal(loop, forwarded[i], on_signal, life, &life->signals[i]);
	if (r < 0 || life->standin->terminal < 0)
		return r;
	r = loop_add_signal(loop, SIGWINCH, on_winch, life, &life->winch);
	/* The one whose foreground a change of size is told to. */
	if (r == 0 && ioctl(life->standin->terminal, TIOCSCTTY, 0) < 0)
		r = -errno;
	return r;
}

/* Our caller's pipes would stay open for the container's life: their readers wait for the end. */
static int let_go(const struct standin *standin, int word_fd)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	int keep[2] = {word_fd, standin->terminal};
	unsigned first = 3;

	if (null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(null_fd, 1) < 0 || dup2(null_fd, 2) < 0)
		return -errno;
	if (keep[0] > keep[1]) {
		keep[0] = standin->terminal;
		keep[1] = word_fd;
	}
	for (int i = 0; i < 2; i++) {
		if (keep[i] < 0)
			continue;
		if ((unsigned)keep[i] > first && close_range(first, (unsigned)keep[i] - 1, 0) < 0)
			return -errno;
		first = (unsigned)keep[i] + 1;
	}
	return close_range(first, ~0U, 0) < 0 ? -errno : 0;
}

static int drop_rights(void)
{
	cap_t none = cap_init();
	int r = none && cap_set_proc(none) == 0 ? 0 : -errno;

	cap_free(none);
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = -errno;
	return r;
}

static int become(struct life *life, struct err *err)
{
	const struct standin *standin = life->standin;
	int r = let_go(standin, life->word_fd);

	if (r == 0 && setsid() < 0)
		r = -errno;
	prctl(PR_SET_NAME, "sbx-stand-in");
	if (r < 0)
		return err_set_errno(err, -r, "the stand-in cannot become a process of its own");
	r = oci_pod_connect(standin->oci, standin->pod, &life->shim, err);
	if (r == 0 && watch(life) < 0)
		r = err_set(err, EIO, "the stand-in cannot watch its signals");
	return r;
}

/* To whoever lists processes (ps, podman top) it is the program that it stands for. A failure is no harm. */
static void take_title(const struct spec_process *process)
{
	const char *const *args = process ? process->args.items : NULL;
	char *title = NULL;
	size_t size;
	FILE *out = open_memstream(&title, &size);

	if (!out)
		return;
	for (size_t i = 0; process && i < process->args.n; i++)
		fwrite(args[i], strlen(args[i]) + 1, 1, out);
	/* The kernel reads it there as long as the process lives. It lies below the old one, which matters. */
	if (fclose(out) == 0 && size && prctl(PR_SET_MM, PR_SET_MM_ARG_START, title, 0, 0) == 0)
		prctl(PR_SET_MM, PR_SET_MM_ARG_END, title + size, 0, 0);
}

/*
 * A network namespace that the spec names is the pod's: who enters the stand-in's finds that one. A cgroup
 * namespace is made where the stand-in has been put.
 */
static int enter_namespaces(const struct spec *spec, struct err *err)
{
	const char *path = spec ? spec_namespace_path(spec, "network") : NULL;
	_cleanup_close_ int fd = -1;

	if (unshare(CLONE_NEWCGROUP) < 0)
		return err_set_errno(err, errno, "the stand-in's cgroup namespace");
	if (!path)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		return err_set_errno(err, errno, "%.256s", path);
	return 0;
}

/* What it stands for is there: so are the mount points in its root. */
static int settle(struct life *life, struct err *err)
{
	const struct standin *standin = life->standin;
	Task__WaitRequest request = TASK__WAIT_REQUEST__INIT;
	int r;

	if (standin->terminal >= 0)
		resize(life);
	r = enter_namespaces(standin->spec, err);
	if (r == 0)
		r = oci_root_enter(standin->spec, standin->bundle, standin->rootfs, err);
	if (r < 0)
		return r;
	if (standin->spec)
		take_title(standin->spec->config.process);
	r = drop_rights();
	request.id = (char *)(uintptr_t)standin->id;
	request.exec_id = (char *)(uintptr_t)standin->exec_id;
	if (r == 0)
		r = invoke(life, "Wait", &request.base, on_end);
	return r < 0 ? err_set_errno(err, -r, "the stand-in") : 0;
}

/* An exec is nobody else's to delete. */
static void delete_exec(struct life *life)
{
	Task__DeleteRequest request = TASK__DELETE_REQUEST__INIT;

	request.id = (char *)(uintptr_t)life->standin->id;
	request.exec_id = (char *)(uintptr_t)life->standin->exec_id;
	if (!life->shim.lost)
		cli_task(&life->shim, "Delete", &request.base, NULL, 0, NULL, NULL);
}

static int live(struct life *life)
{
	while (!life->ended && !life->shim.lost)
		if (loop_turn(life->shim.loop, -1) < 0)
			break;
	if (!life->ended)
		return LOST_STATUS;
	if (life->standin->exec_id[0])
		delete_exec(life);
	return life->status;
}

/* Says how it went; what went wrong, or cannot be said, is the end. */
static void say(int fd, int r, const struct err *err)
{
	struct word word = {0};

	if (r < 0) {
		word.code = err->code ? err->code : EIO;
		snprintf(word.msg, sizeof(word.msg), "%s", err->msg);
	}
	if (io_write_full(fd, &word, sizeof(word)) < 0 || r < 0)
		_exit(LOST_STATUS);
}

static void __attribute__((noreturn)) child(const struct standin *standin, int word_fd)
{
	struct life life = {.standin = standin, .word_fd = word_fd};
	struct err err = ERR_INIT;
	char go;
	int r = become(&life, &err);

	say(word_fd, r, &err);
	if (io_read_full(word_fd, &go, 1) < 0)
		_exit(LOST_STATUS);
	r = settle(&life, &err);
	say(word_fd, r, &err);
	close(word_fd);
	_exit(live(&life));
}

/* Namespaces in which there is nothing, from the first moment on. */
static pid_t fork_apart(void)
{
	unsigned long flags =
		CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | SIGCHLD;

	return (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, 0);
}

void standin_abandon(struct standin_child *child)
{
	if (child->fd < 0)
		return;
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
	close_fd(&child->fd);
}

static int listen_to(struct standin_child *child, struct err *err)
{
	struct word word;
	int r = io_read_full(child->fd, &word, sizeof(word));

	if (r == 0 && word.code == 0)
		return 0;
	standin_abandon(child);
	if (r < 0)
		return err_set(err, EIO, "the stand-in ended before it was one");
	word.msg[sizeof(word.msg) - 1] = '\0';
	return err_set(err, word.code, "%s", word.msg);
}

int standin_start(const struct standin *standin, struct standin_child *ret, struct err *err)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set_errno(err, errno, "socket pair");
	ours = pair[0];
	theirs = pair[1];
	fflush(NULL);
	ret->pid = fork_apart();
	if (ret->pid < 0)
		return err_set_errno(err, errno,
				     errno == EPERM ? "a stand-in needs root" : "cannot fork");
	if (ret->pid == 0)
		child(standin, theirs);
	ret->fd = TAKE_FD(ours);
	close_fd(&theirs);
	return listen_to(ret, err);
}

int standin_go(struct standin_child *child, struct err *err)
{
	int r;

	/* One that has ended says so by its silence. */
	(void)!io_write_full(child->fd, "g", 1);
	r = listen_to(child, err);
	close_fd(&child->fd);
	return r;
}
