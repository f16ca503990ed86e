/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/hooks.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/loop.h"
#include "common/stderr_tail.h"
#include "common/strbuf.h"

#define MAX_HOOKS   64
#define MAX_STRINGS 1024
#define MAX_TIMEOUT 86400
#define NS_PER_MS   1000000u

/* A NULL-terminated copy of the pointers. */
static char **copy_strings(char *const *from, size_t n)
{
	char **to = calloc(n + 1, sizeof(*to));

	for (size_t i = 0; to && i < n; i++)
		to[i] = from[i];
	return to;
}

static int parse_hook(const Spec__Hook *from, const char *kind, struct hook *to, struct err *err)
{
	if (from->path[0] != '/' || strlen(from->path) >= PATH_MAX)
		return err_set(err, EINVAL, "hooks.%s: \"%.128s\" is not an absolute path", kind,
			       from->path);
	if (from->n_args > MAX_STRINGS || from->n_env > MAX_STRINGS)
		return err_set(err, E2BIG, "hooks.%s: %.128s: too many arguments", kind,
			       from->path);
	if (from->timeout_s > MAX_TIMEOUT)
		return err_set(err, EINVAL, "hooks.%s: %.128s: longer than a day", kind,
			       from->path);
	to->path = from->path;
	to->timeout_s = from->timeout_s;
	to->argv = copy_strings(from->args, from->n_args);
	to->envp = copy_strings(from->env, from->n_env);
	return to->argv && to->envp ? 0 : err_set(err, ENOMEM, "hooks: out of memory");
}

static int parse_list(Spec__Hook *const *from, size_t n, const char *kind, const char *state,
		      struct hooks *to, struct err *err)
{
	int r = 0;

	if (n > MAX_HOOKS)
		return err_set(err, E2BIG, "hooks.%s: more than %d", kind, MAX_HOOKS);
	to->state = state;
	to->hooks = calloc(n + 1, sizeof(*to->hooks));
	if (!to->hooks)
		return err_set(err, ENOMEM, "hooks: out of memory");
	for (; r >= 0 && to->n < n; to->n++)
		r = parse_hook(from[to->n], kind, &to->hooks[to->n], err);
	return r;
}

int hooks_parse(const Spec__Hooks *spec, struct hooks *ret_create, struct hooks *ret_start,
		struct err *err)
{
	struct hooks create = {0}, start = {0};
	int r;

	if (!spec)
		return 0;
	r = parse_list(spec->create_container, spec->n_create_container, "createContainer",
		       spec->state, &create, err);
	if (r >= 0)
		r = parse_list(spec->start_container, spec->n_start_container, "startContainer",
			       spec->state, &start, err);
	if (r < 0) {
		hooks_finish(&create);
		hooks_finish(&start);
		return r;
	}
	*ret_create = create;
	*ret_start = start;
	return 0;
}

void hooks_finish(struct hooks *hooks)
{
	for (size_t i = 0; i < hooks->n; i++) {
		free(hooks->hooks[i].argv);
		free(hooks->hooks[i].envp);
	}
	free(hooks->hooks);
	*hooks = (struct hooks){0};
}

/* A file with the state, so that nobody has to write while a hook does not read. */
static int open_state(const struct hooks *hooks, const char *status)
{
	_cleanup_strbuf_ struct strbuf text = {0};
	_cleanup_close_ int fd = memfd_create("state", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	/* The pid that the container's own namespaces know it by, as runc says it here. */
	r = strbuf_addf(&text, "{%s,\"status\":\"%s\",\"pid\":%d}", hooks->state, status, getpid());
	if (r >= 0)
		r = io_write_full(fd, text.data, text.len);
	if (r < 0)
		return r;
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : TAKE_FD(fd);
}

/* In a fork. Everything that goes wrong is said where the hook's own words go. */
static void __attribute__((noreturn))
exec_hook(const struct hook *hook, const struct hook_process *process, int state_fd, int err_fd)
{
	char *const self[] = {(char *)(uintptr_t)hook->path, NULL};
	char *const *envp = process && !hook->envp[0] ? process->envp : hook->envp;
	int null = open("/dev/null", O_RDWR), code;
	struct err err = ERR_INIT;

	if (dup2(state_fd, 0) < 0 || dup2(null >= 0 ? null : state_fd, 1) < 0 ||
	    dup2(err_fd, 2) < 0)
		_exit(126);
	/* The report socket among them; all of them are the agent's. */
	close_range(3, ~0u, 0);
	if (process)
		(void)!fchown(2, process->uid, (gid_t)-1);
	if (process && process->become(process->data, &err) < 0) {
		dprintf(2, "%s", err.msg);
		_exit(126);
	}
	execve(hook->path, hook->argv[0] ? hook->argv : self, envp);
	code = errno;
	dprintf(2, "%s", strerror(code));
	_exit(code == ENOENT ? 127 : 126);
}

/* 1: it has ended, and said all that it says; 0: its time is over; or -errno. */
static int await_end(const struct hook *hook, int pidfd, struct stderr_tail *tail)
{
	const uint64_t end = now_ns() / NS_PER_MS + hook->timeout_s * 1000ull;
	struct pollfd fds[] = {{.fd = pidfd, .events = POLLIN}, {.fd = tail->fd, .events = POLLIN}};

	for (;;) {
		uint64_t now = now_ns() / NS_PER_MS;
		int r;

		if (hook->timeout_s && now >= end)
			return 0;
		r = poll(fds, ARRAY_SIZE(fds), hook->timeout_s ? (int)(end - now) : -1);
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r <= 0)
			continue;
		/* The end of file: it may have closed its stderr long before it ends. */
		if (fds[1].revents && stderr_tail_read(tail) <= 0)
			fds[1].fd = -1;
		if (!fds[0].revents)
			continue;
		if (fds[1].fd >= 0)
			stderr_tail_read(tail);
		return 1;
	}
}

/* Ends it where its time is over. *ret_status is waitpid(2)'s; otherwise as await_end(). */
static int wait_hook(const struct hook *hook, pid_t pid, struct stderr_tail *tail, int *ret_status)
{
	_cleanup_close_ int pidfd = pidfd_open(pid, 0);
	int r = pidfd < 0 ? -errno : await_end(hook, pidfd, tail);

	if (r <= 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, ret_status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return r;
}

static int run_hook(const struct hooks *hooks, const struct hook *hook, const char *kind,
		    const char *status, const struct hook_process *process,
		    struct stderr_tail *tail, struct err *err)
{
	_cleanup_close_ int state = open_state(hooks, status), err_fd = -1;
	int how = 0, r;
	pid_t pid;

	if (state < 0)
		return err_set_errno(err, -state, "hooks.%s: the state", kind);
	r = stderr_tail_open(tail, &err_fd);
	if (r < 0)
		return err_set_errno(err, -r, "hooks.%s: %.128s", kind, hook->path);
	pid = fork();
	if (pid < 0)
		return err_set_errno(err, errno, "hooks.%s: %.128s", kind, hook->path);
	if (!pid)
		exec_hook(hook, process, state, err_fd);
	close_fd(&err_fd);
	r = wait_hook(hook, pid, tail, &how);
	if (r < 0)
		return err_set_errno(err, -r, "hooks.%s: %.128s", kind, hook->path);
	if (r == 0)
		return err_set(err, ETIMEDOUT, "hooks.%s: %.128s: not done after %u seconds", kind,
			       hook->path, hook->timeout_s);
	if (WIFSIGNALED(how))
		return err_set(err, EIO, "hooks.%s: %.128s: killed by signal %d", kind, hook->path,
			       WTERMSIG(how));
	if (WEXITSTATUS(how))
		return err_set(err, EIO, "hooks.%s: %.128s: exit status %d", kind, hook->path,
			       WEXITSTATUS(how));
	return 0;
}

int hooks_run(const struct hooks *hooks, const char *kind, const char *status,
	      const struct hook_process *process, struct err *err)
{
	for (size_t i = 0; i < hooks->n; i++) {
		struct stderr_tail tail = {.fd = -1};
		int r = run_hook(hooks, &hooks->hooks[i], kind, status, process, &tail, err);

		stderr_tail_close(&tail);
		if (r < 0) {
			stderr_tail_tell(&tail, err);
			return r;
		}
	}
	return 0;
}
