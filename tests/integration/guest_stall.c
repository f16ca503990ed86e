/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program in a container that would hold up the guest's agent, or take what the agent needs: "NAME:
 * refused: why" or "NAME: REACHED". Static: it is copied into images.
 *
 *	stall try		what the agent would wait for: leases of the files that it opens, permission
 *				events, the ports that it calls
 *	stall watches N		N watches of epoll, kept: "kept N", then it sleeps
 *	stall spaces N		N cgroup namespaces, kept, the same way
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define SETS 512 /* of watches, in one epoll */

static int try_lease(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -1 : fcntl(fd, F_SETLEASE, F_WRLCK);
}

static int try_fanotify(const char *path)
{
	int fd = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY);

	return fd < 0 ? -1
		      : fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_OPEN_PERM,
				      AT_FDCWD, path);
}

static int try_vsock(const char *unused)
{
	return socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static const struct {
	const char *name;
	int (*fn)(const char *path);
	const char *path;
} attempts[] = {
	{"a lease of its cgroup's statistics", try_lease, "/sys/fs/cgroup/cpu.stat"},
	{"a lease of its cgroup's end", try_lease, "/sys/fs/cgroup/cgroup.kill"},
	{"a lease of its cgroup's events", try_lease, "/sys/fs/cgroup/cgroup.events"},
	{"to be asked by who opens its cgroup", try_fanotify, "/sys/fs/cgroup"},
	{"the host's ports", try_vsock, NULL},
};

static int try_all(void)
{
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		if (attempts[i].fn(attempts[i].path) < 0)
			printf("%s: refused: %s\n", attempts[i].name, strerror(errno));
		else
			printf("%s: REACHED\n", attempts[i].name);
	}
	return 0;
}

static int keep(int n)
{
	printf("kept %d\n", n);
	while (pause() < 0)
		continue;
	return 0;
}

static int watches(int wanted)
{
	struct rlimit most = {1 << 16, 1 << 16};
	int fds[SETS], n = 0;

	setrlimit(RLIMIT_NOFILE, &most);
	for (int i = 0; i < SETS; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC);
	while (n < wanted) {
		int epoll = epoll_create1(EPOLL_CLOEXEC);

		for (int i = 0; i < SETS && n < wanted; i++, n++) {
			struct epoll_event event = {.events = EPOLLIN};

			if (epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event) < 0)
				return keep(n);
		}
	}
	return keep(n);
}

/* Each has one of its own, and a descriptor of the one before. */
static int spaces(int wanted)
{
	struct rlimit most = {1 << 16, 1 << 16};
	int n = 0;

	setrlimit(RLIMIT_NOFILE, &most);
	if (unshare(CLONE_NEWUSER) < 0)
		return perror("user namespace"), 1;
	while (n < wanted && unshare(CLONE_NEWCGROUP) == 0 &&
	       open("/proc/self/ns/cgroup", O_RDONLY | O_CLOEXEC) >= 0)
		n++;
	return keep(n);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1 && !strcmp(argv[1], "try"))
		return try_all();
	if (argc > 2 && !strcmp(argv[1], "watches"))
		return watches(atoi(argv[2]));
	if (argc > 2 && !strcmp(argv[1], "spaces"))
		return spaces(atoi(argv[2]));
	fprintf(stderr, "stall: what?\n");
	return 2;
}
