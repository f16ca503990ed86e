/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/process.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "agent/agent.h"
#include "agent/cgroup.h"
#include "agent/container.h"
#include "agent/oom.h"
#include "agent/relay.h"
#include "agent/report.h"
#include "common/loop.h"

/* With a terminal's master in an unread report the socket's end would be the terminal's, here. */
static void discard_reports(struct process *process)
{
	struct report report;
	int fd = -1;

	if (process->report_fd < 0)
		return;
	shutdown(process->report_fd, SHUT_RD);
	while (report_recv(process->report_fd, &report, &fd) > 0) {
		if (fd >= 0 && report.kind == REPORT_TERMINAL)
			relay_close_master(process->agent->loop, TAKE_FD(fd));
		close_fd(&fd);
	}
}

static void stop_reports(struct process *process)
{
	source_remove(TAKE_PTR(process->report_source));
	discard_reports(process);
	close_fd(&process->report_fd);
	close_fd(&process->helper_pidfd);
}

/* It has failed in the state that it is in. May free the process. */
static void fail(struct process *process, const struct err *err)
{
	stop_reports(process);
	if (process->state == PROCESS_CREATING) {
		process->events->on_created(process, err);
	} else if (process->state == PROCESS_STARTING) {
		/* It exits now, with the status that Wait shall give. */
		process->state = PROCESS_RUNNING;
		process->events->on_started(process, err);
	}
}

/* May free the process. */
static void check_created(struct process *process)
{
	struct err err = ERR_INIT;

	if (process->state != PROCESS_CREATING || !process->ready || !process->streams_connected)
		return;
	/* One that was killed meanwhile, and reaped: its number may be another's by now. */
	if (pidfd_send_signal(process->pidfd, 0, NULL, 0) < 0) {
		err_set(&err, ESRCH, "the process died while it was being prepared");
		fail(process, &err);
		return;
	}
	process->state = PROCESS_CREATED;
	process->events->on_created(process, NULL);
}

static void report_ended(struct process *process)
{
	struct err err = ERR_INIT;

	if (process->state == PROCESS_STARTING) {
		/* exec closed it. Or a signal came first, and then that is how the process ended. */
		stop_reports(process);
		process->state = PROCESS_RUNNING;
		process->events->on_started(process, NULL);
		return;
	}
	err_set(&err, EIO, "the process died while it was being prepared");
	fail(process, &err);
}

static int take_report(struct process *process, const struct report *report, int fd)
{
	switch (report->kind) {
	case REPORT_CHILD:
		if (process->pid || fd < 0)
			break;
		process->pid = report->pid;
		process->pidfd = fd;
		return 0;
	case REPORT_TERMINAL:
		if (fd < 0)
			break;
		return stdio_set_terminal(process->stdio, fd);
	case REPORT_READY:
		if (fd >= 0 || !process->pid || process->state != PROCESS_CREATING)
			break;
		process->ready = true;
		return 0;
	}
	close_fd(&fd);
	return -EPROTO;
}

/*
 * Takes one report. false: there is no more now, or the process may be gone. What it says was made
 * by our own code, but in a process near the container: it is judged all the same.
 */
static bool read_report(struct process *process)
{
	struct err err = ERR_INIT;
	struct report report;
	int fd = -1, r;

	r = report_recv(process->report_fd, &report, &fd);
	if (r == -EAGAIN || r == -EINTR)
		return false;
	/* With the socket's last peer dead there may be a reset instead of an end. */
	if (r == 0 || r == -ECONNRESET) {
		report_ended(process);
		return false;
	}
	if (r > 0 && report.kind == REPORT_ERROR) {
		close_fd(&fd);
		err_set(&err, report.code > 0 ? report.code : EIO, "%s", report.text);
		fail(process, &err);
		return false;
	}
	if (r > 0)
		r = take_report(process, &report, fd);
	if (r < 0) {
		err_set_errno(&err, -r, "a report of the process being prepared");
		fail(process, &err);
		return false;
	}
	return true;
}

static void on_report(struct source *source, uint32_t events, void *data)
{
	struct process *process = data;

	while (read_report(process)) {
		if (process->ready && process->state == PROCESS_CREATING) {
			check_created(process);
			return;
		}
	}
}

static void on_connected(const struct err *err, void *data)
{
	struct process *process = data;

	if (err) {
		if (process->state == PROCESS_CREATING)
			fail(process, err);
		return;
	}
	process->streams_connected = true;
	check_created(process);
}

static void on_drained(void *data)
{
	struct process *process = data;

	process->drained = true;
	process->events->on_exited(process);
}

static const struct stdio_events stdio_events = {
	.on_connected = on_connected,
	.on_drained = on_drained,
};

static int spawn(struct process *process, struct child_args *args, struct err *err)
{
	_cleanup_close_ int theirs = -1;
	int pair[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set_errno(err, errno, "socket pair");
	process->report_fd = pair[0];
	theirs = pair[1];
	args->report_fd = theirs;
	r = loop_add_io(process->agent->loop, process->report_fd, EPOLLIN, on_report, process,
			&process->report_source);
	if (r < 0)
		return err_set_errno(err, -r, "watching a new process");
	pid = child_spawn(args, &process->helper_pidfd);
	return pid < 0 ? err_set_errno(err, -pid, "making a process") : 0;
}

int process_create(struct container *container, const char *exec_id, struct child_args *args,
		   const Agent__Streams *streams, const struct process_events *events,
		   struct process **ret, struct err *err)
{
	_cleanup_(process_destroy_p) struct process *process = calloc(1, sizeof(*process));
	int r;

	if (!process)
		return err_set(err, ENOMEM, "out of memory");
	*process = (struct process){
		.agent = container->agent,
		.container = container,
		.events = events,
		.terminal = args->process->terminal,
		.pidfd = -1,
		.helper_pidfd = -1,
		.report_fd = -1,
	};
	list_init(&process->link);
	list_init(&process->waiters);
	if (exec_id && !(process->exec_id = strdup(exec_id)))
		return err_set(err, ENOMEM, "out of memory");
	process->oom_kills = cgroup_value(container->cgroup_fd, "memory.events", "oom_kill");
	r = stdio_open(container->agent->loop, streams, process->terminal, &stdio_events, process,
		       args->stdio, &process->stdio, err);
	if (r < 0)
		return r;
	args->clear_onlcr = streams && streams->clear_onlcr;
	r = spawn(process, args, err);
	for (int i = 0; i < 3; i++)
		close_fd(&args->stdio[i]);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(process);
	return 0;
}

void process_destroy(struct process *process)
{
	if (!process)
		return;
	list_remove(&process->link);
	if (process->helper_pidfd >= 0)
		pidfd_send_signal(process->helper_pidfd, SIGKILL, NULL, 0);
	if (process->pidfd >= 0 && process->state != PROCESS_EXITED)
		pidfd_send_signal(process->pidfd, SIGKILL, NULL, 0);
	stop_reports(process);
	close_fd(&process->pidfd);
	stdio_close(process->stdio);
	free(process->exec_id);
	free(process);
}

int process_start(struct process *process, struct err *err)
{
	char go = REPORT_GO;

	if (process->state != PROCESS_CREATED)
		return err_set(err, EBUSY,
			       process->state == PROCESS_EXITED ? "the process has already exited"
			       : process->state == PROCESS_CREATING
				       ? "the process is still being created"
				       : "the process has already been started");
	if (send(process->report_fd, &go, 1, MSG_NOSIGNAL) != 1)
		return err_set(err, ESRCH, "the process has died before it was started");
	process->state = PROCESS_STARTING;
	return 0;
}

static bool ends_by_default(int signo)
{
	return signo && signo != SIGCHLD && signo != SIGCONT && signo != SIGURG &&
	       signo != SIGWINCH && signo != SIGSTOP && signo != SIGTSTP && signo != SIGTTIN &&
	       signo != SIGTTOU;
}

/*
 * Before its start it is a fork of the agent, as init PID 1 of a namespace, whom the kernel spares every
 * signal but SIGKILL: that is what it gets, and what it was sent is said to have ended it.
 */
static int end_before_start(struct process *process, int signo)
{
	if (pidfd_send_signal(process->pidfd, SIGKILL, NULL, 0) < 0)
		return -errno;
	process->ended_by = signo;
	return 0;
}

int process_signal(struct process *process, int signo)
{
	if (process->state == PROCESS_EXITED)
		return -ESRCH;
	if (process->state == PROCESS_CREATING || process->pidfd < 0)
		return -EBUSY;
	if (process->state == PROCESS_CREATED && ends_by_default(signo))
		return end_before_start(process, signo);
	return pidfd_send_signal(process->pidfd, signo, NULL, 0) < 0 ? -errno : 0;
}

void process_reaped(struct process *process, int wait_status)
{
	struct timespec now;

	/*
	 * Its last words may lie unread, and they say more than its status. Without any it has run:
	 * the end itself may come later, for the helper that made it can be the last to leave.
	 */
	if (process->report_fd >= 0 && process->state == PROCESS_STARTING)
		on_report(NULL, 0, process);
	if (process->state == PROCESS_STARTING)
		report_ended(process);
	/* Still being created: the end of its reports will tell, and nobody waits for it yet. */
	if (process->state == PROCESS_CREATING)
		return;
	stop_reports(process);
	clock_gettime(CLOCK_REALTIME, &now);
	process->exited_at_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	process->wait_status = process->ended_by ? process->ended_by : wait_status;
	process->oom_killed = cgroup_value(process->container->cgroup_fd, "memory.events",
					   "oom_kill") > process->oom_kills;
	/* Who hears of the end has heard of its cause. */
	oom_watch_look(process->container->oom);
	process->state = PROCESS_EXITED;
	/* What the kernel does with a pid namespace of the container's own. */
	if (!process->exec_id && process->container->shares_pids)
		cgroup_kill(process->container->cgroup_fd);
	stdio_exited(process->stdio);
}

uint32_t process_exit_status(const struct process *process)
{
	if (WIFSIGNALED(process->wait_status))
		return 128 + (uint32_t)WTERMSIG(process->wait_status);
	return (uint32_t)WEXITSTATUS(process->wait_status);
}
