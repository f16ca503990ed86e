/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/image_tool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"

/* Where administrators' programs are, which an ordinary user's PATH may leave out. */
#define SBIN "/usr/local/sbin:/usr/sbin:/sbin"

static const struct {
	const char *tool, *package;
} packages[] = {
	{"umoci", "umoci"},      {"skopeo", "skopeo"},    {"mkfs.erofs", "erofs-utils"},
	{"newuidmap", "uidmap"}, {"newgidmap", "uidmap"},
};

static bool find_in(const char *dirs, const char *name, char path[PATH_MAX])
{
	while (*dirs) {
		size_t n = strcspn(dirs, ":");

		/* A relative entry would make the current directory decide. */
		if (dirs[0] == '/' &&
		    snprintf(path, PATH_MAX, "%.*s/%s", (int)n, dirs, name) < PATH_MAX &&
		    access(path, X_OK) == 0)
			return true;
		dirs += n;
		if (*dirs)
			dirs++;
	}
	return false;
}

static bool find(const char *name, char path[PATH_MAX])
{
	const char *dirs = getenv("PATH");

	return find_in(dirs ? dirs : "/usr/local/bin:/usr/bin:/bin", name, path) ||
	       find_in(SBIN, name, path);
}

bool image_tool_exists(const char *name)
{
	char path[PATH_MAX];

	return find(name, path);
}

int image_tool_find(const char *name, char **ret)
{
	char path[PATH_MAX];
	char *copy;

	if (!find(name, path))
		return -ENOENT;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	return 0;
}

void image_tool_clean(char *text)
{
	char *out = text;

	for (const char *in = text; *in; in++)
		if ((unsigned char)*in >= 0x20 && (unsigned char)*in < 0x7f)
			*out++ = *in;
	*out = '\0';
}

/* The last line that is not empty, however much is written. */
struct last_line {
	char done[512], now[512];
	size_t n;
};

static void last_line_end(struct last_line *line)
{
	line->now[line->n] = '\0';
	image_tool_clean(line->now);
	if (line->now[strspn(line->now, " ")])
		memcpy(line->done, line->now, sizeof(line->done));
	line->n = 0;
}

static void last_line_read(struct last_line *line, int fd)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] == '\n' || buf[i] == '\r')
				last_line_end(line);
			else if (line->n + 1 < sizeof(line->now))
				line->now[line->n++] = buf[i];
		}
	}
	last_line_end(line);
}

static void exec_child(const char *path, const char *const *argv, int out, pid_t parent)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	io_restore_signals();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || null < 0)
		_exit(126);
	if (dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(out, STDERR_FILENO) < 0)
		_exit(126);
	/* Whatever some library opened without O_CLOEXEC stays with us. */
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		_exit(126);
	execv(path, (char *const *)argv);
	_exit(127);
}

/* skopeo logs key="value" pairs: the quoted text of msg, in place. */
static char *unwrap(char *text)
{
	char *in = strstr(text, " msg=\""), *out;

	if (strncmp(text, "time=", 5) != 0 || !in)
		return text + strspn(text, " ");
	in += strlen(" msg=\"");
	text = out = in;
	for (; *in && *in != '"'; in++) {
		if (in[0] == '\\' && in[1])
			in++;
		*out++ = *in;
	}
	*out = '\0';
	return text;
}

static int judge(const char *name, int status, struct last_line *line, struct err *err)
{
	const char *text = unwrap(line->done);

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		return err_set(err, EIO, "%s: killed by signal %d", name, WTERMSIG(status));
	if (text[0])
		return err_set(err, EIO, "%s: %s", name, text);
	return err_set(err, EIO, "%s: exited with %d", name, WEXITSTATUS(status));
}

int image_tool_run(const char *const *argv, struct err *err)
{
	struct last_line line = {0};
	char path[PATH_MAX];
	pid_t parent = getpid(), pid;
	int fds[2], status = 0;

	if (!find(argv[0], path)) {
		for (size_t i = 0; i < ARRAY_SIZE(packages); i++)
			if (strcmp(packages[i].tool, argv[0]) == 0)
				return err_set(err, ENOPKG,
					       "%s is not installed; install the package %s",
					       argv[0], packages[i].package);
		return err_set(err, ENOPKG, "%s is not installed", argv[0]);
	}
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set_errno(err, errno, "pipe");
	pid = fork();
	if (pid == 0)
		exec_child(path, argv, fds[1], parent);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return err_set_errno(err, errno, "fork");
	}
	last_line_read(&line, fds[0]);
	close(fds[0]);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set_errno(err, errno, "%s: wait", argv[0]);
	return judge(argv[0], status, &line, err);
}
