/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: an init for one program.
 *
 * The kernel drops every signal that PID 1 of a pid namespace has no handler for, and few programs
 * expect to be PID 1: Ctrl-C would not end a `sleep`, nor abort() a test. So a container that asks
 * for it gets this: what the agent cloned stays PID 1, forks the program into a session of its own,
 * passes on each signal that it gets, reaps whatever is orphaned and ends as the program ended. Its
 * end is the end of all that is left in the container.
 *
 * It is still a fork of the agent and not dumpable, so nobody in the container can look into it; it
 * keeps no descriptor and, of all its rights, CAP_KILL, as the program may be anybody. All signals
 * stay blocked: a blocked one is not dropped, and waits until it is asked for.
 */
#include "agent/init.h"

#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/caps.h"
#include "agent/report.h"

/* Takes everybody who has ended. Exits when the program is among them. */
static void reap(pid_t program)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == program)
			_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	}
}

static void __attribute__((noreturn)) serve(pid_t program, const sigset_t *signals)
{
	for (;;) {
		int signo = sigwaitinfo(signals, NULL);

		if (signo == SIGCHLD)
			reap(program);
		else if (signo > 0)
			kill(program, signo);
	}
}

static int drop_rights(void)
{
	struct caps keep = {.effective = 1u << CAP_KILL, .permitted = 1u << CAP_KILL};
	int r = caps_drop_bounding(0);

	return r < 0 ? r : caps_apply(&keep);
}

void init_run(const struct child_args *args, int root_fd, int tty_fd)
{
	struct err err = ERR_INIT;
	sigset_t all, none;
	pid_t program;

	sigfillset(&all);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &all, NULL);
	program = fork();
	if (program < 0) {
		err_set_errno(&err, errno, "forking the program");
		report_fail(args->report_fd, &err, EXIT_SETUP);
	}
	if (!program) {
		sigprocmask(SIG_SETMASK, &none, NULL);
		setsid();
		child_become(args, root_fd, tty_fd);
	}
	prctl(PR_SET_NAME, "init");
	/* Among them the report socket: its end tells the agent that the program runs. */
	close_range(0, ~0u, 0);
	if (drop_rights() < 0)
		_exit(EXIT_SETUP);
	serve(program, &all);
}
