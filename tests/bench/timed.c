/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timed: runs a command several times and says, in nanoseconds, when its program was up and when all
 * was over.
 *
 *	timed TIMES COMMAND [ARG]...        a line "UP EXIT" for each time
 *
 * The program says when it was up: the first 16 or more digits in a row that the command prints are the
 * nanoseconds of its own CLOCK_REALTIME (first.c does that), or adjtimex's two numbers. A guest's
 * clock is the host's: kvm-clock. A command that says nothing was up at 0.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * (int64_t)NS_PER_S + ts.tv_nsec;
}

static int64_t number_after(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoll(at + strlen(name), NULL, 10) : 0;
}

static int64_t said(const char *text)
{
	int64_t s = number_after(text, "time.tv_sec:"), us = number_after(text, "time.tv_usec:");

	if (s)
		return s * NS_PER_S + us * 1000;
	for (const char *p = text; *p; p++) {
		size_t n = strspn(p, "0123456789");

		if (n >= 16)
			return strtoll(p, NULL, 10);
		if (n)
			p += n - 1;
	}
	return 0;
}

static size_t read_all(int fd, char *buf, size_t size)
{
	size_t n = 0;
	ssize_t got;

	while (n + 1 < size && (got = read(fd, buf + n, size - 1 - n)) > 0)
		n += (size_t)got;
	buf[n] = '\0';
	return n;
}

static int run_once(char **argv)
{
	static char text[65536];
	int pipe_fds[2], status;
	int64_t start, up;
	pid_t pid;

	if (pipe(pipe_fds) < 0)
		return 1;
	start = now();
	pid = vfork();
	if (pid == 0) {
		dup2(pipe_fds[1], STDOUT_FILENO);
		close(pipe_fds[0]);
		close(pipe_fds[1]);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(pipe_fds[1]);
	read_all(pipe_fds[0], text, sizeof(text));
	close(pipe_fds[0]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return 1;
	up = said(text);
	printf("%lld %lld\n", (long long)(up ? up - start : 0), (long long)(now() - start));
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "%s: status %d: %.300s\n", argv[0], status, text);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	int r = argc > 2 ? 0 : 2;

	for (int i = 0; r == 0 && i < atoi(argv[1]); i++)
		r = run_once(argv + 2);
	return r;
}
