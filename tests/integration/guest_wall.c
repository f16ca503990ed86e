/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program in a container that turns against the guest's agent. Static: it is copied into images.
 *
 *	wall try PID		every attempt on the agent's process that is PID here (0: none is), and on what
 *				of the guest is not the container's: "NAME: refused: why" or "NAME: REACHED"
 *	wall watch SECONDS	looks at each process that appears while it is still the agent's, of which the
 *				name tells: "saw N", and "REACHED" for each that could be opened
 *	wall storm SECONDS	orphans that end at once, as fast as they can be made
 *	wall chroot		the old way out of a root: "inside" or "REACHED"
 *
 * Nothing that is tried changes anything where it works: the test runs it outside, too, to see what it is
 * worth.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define KCMP_FILES      2
#define AGENT_NAME      "init" /* as the kernel calls it */
#define KEY_USER_TREE   (-4)
#define KEYCTL_DESCRIBE 6

static int target;

/* A whole path, or a file of the target's. */
static const char *path_of(const char *name, char buf[128])
{
	if (name[0] == '/')
		return name;
	snprintf(buf, 128, "/proc/%d/%s", target, name);
	return buf;
}

static long try_open(const char *name, int flags)
{
	char path[128];

	return open(path_of(name, path), flags | O_CLOEXEC);
}

/* Some files open for anybody, and say so when they are read. */
static long try_read(const char *name, int unused)
{
	int fd = (int)try_open(name, O_RDONLY);
	char byte;

	return fd < 0 ? -1 : read(fd, &byte, 1);
}

static long try_list(const char *name, int unused)
{
	char path[128];
	DIR *dir;
	long n = 0;

	dir = opendir(path_of(name, path));
	if (!dir)
		return -1;
	while (readdir(dir))
		n++;
	errno = ENOENT;
	return n > 2 ? 0 : -1;
}

static long try_readlink(const char *name, int unused)
{
	char path[128], text[256];

	return readlink(path_of(name, path), text, sizeof(text));
}

static long try_namespace(const char *name, int flag)
{
	int fd = (int)try_open(name, O_RDONLY);

	return fd < 0 ? -1 : setns(fd, flag);
}

static long try_pidfd_setns(const char *unused, int flag)
{
	int fd = (int)syscall(SYS_pidfd_open, target, 0);

	return fd < 0 ? -1 : setns(fd, flag);
}

static long try_getfd(const char *unused, int number)
{
	int fd = (int)syscall(SYS_pidfd_open, target, 0);

	return fd < 0 ? -1 : syscall(SYS_pidfd_getfd, fd, number, 0);
}

static long try_ptrace(const char *unused, int request)
{
	return ptrace((enum __ptrace_request)request, target, 0, 0);
}

static long try_read_memory(const char *unused, int unused2)
{
	char here[8];
	struct iovec local = {here, sizeof(here)}, remote = {(void *)(uintptr_t)&target, 8};

	/* The program's own address: another's need not have anything there, which is EFAULT. */
	return process_vm_readv(target, &local, 1, &remote, 1, 0) >= 0 || errno == EFAULT ? 0 : -1;
}

static long try_kcmp(const char *unused, int type)
{
	return syscall(SYS_kcmp, getpid(), target, type, 0, 0);
}

static long try_move_pages(const char *unused, int unused2)
{
	void *page = NULL;
	int status;

	return syscall(SYS_move_pages, target, 1, &page, NULL, &status, 0);
}

static long try_mount(const char *type, int unused)
{
	if (mkdir("/tmp/wall", 0700) < 0 && errno != EEXIST)
		return -1;
	/* Where that is allowed it shall be nobody else's. */
	if (unshare(CLONE_NEWNS) == 0)
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	return mount("wall", "/tmp/wall", type, 0, NULL);
}

static long try_remount(const char *path, int unused)
{
	return mount(NULL, path, NULL, MS_REMOUNT | MS_BIND, NULL);
}

static long try_umount(const char *path, int unused)
{
	if (unshare(CLONE_NEWNS) == 0)
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	return umount2(path, MNT_DETACH);
}

static long try_device(const char *path, int number)
{
	unlink(path);
	if (mknod(path, S_IFCHR | 0600, makedev((unsigned)number >> 8, (unsigned)number & 255)) < 0)
		return -1;
	return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static long try_bpf(const char *unused, int unused2)
{
	union bpf_attr attr = {.start_id = 0};

	/* No program at all is an answer, too. */
	return syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &attr, sizeof(attr)) == 0 || errno == ENOENT
		       ? 0
		       : -1;
}

static long try_perf(const char *unused, int unused2)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr)};

	return syscall(SYS_perf_event_open, &attr, -1, 0, -1, 0);
}

/* A file by its number, whatever the paths say: the root of what "/" is on. */
static long try_handle(const char *unused, int unused2)
{
	struct {
		struct file_handle head;
		unsigned char bytes[128];
	} h = {.head.handle_bytes = sizeof(h.bytes)};
	int mount_id, fd;

	if (name_to_handle_at(AT_FDCWD, "/proc/self/exe", &h.head, &mount_id, AT_SYMLINK_FOLLOW) <
		    0 &&
	    name_to_handle_at(AT_FDCWD, "/", &h.head, &mount_id, 0) < 0)
		return -1;
	fd = open("/", O_RDONLY | O_CLOEXEC);
	return open_by_handle_at(fd, &h.head, O_RDONLY | O_CLOEXEC);
}

static long try_kernel_log(const char *unused, int unused2)
{
	char text[64];

	return klogctl(3, text, sizeof(text));
}

static long try_keys(const char *unused, int unused2)
{
	char text[128];

	return syscall(SYS_keyctl, KEYCTL_DESCRIBE, KEY_USER_TREE, text, sizeof(text));
}

/* The agent's and its streams' ports, of the host and of the guest itself. */
static long try_vsock(const char *unused, int cid)
{
	static const unsigned ports[] = {1024, 1025, 1026, 5000, 10000};
	long r = -1;

	for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]) && r < 0; i++) {
		struct sockaddr_vm to = {
			.svm_family = AF_VSOCK, .svm_cid = (unsigned)cid, .svm_port = ports[i]};
		int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0)
			return -1;
		r = connect(fd, (struct sockaddr *)&to, sizeof(to));
		close(fd);
	}
	return r;
}

#define OF_TARGET 1

static const struct attempt {
	const char *name;
	long (*fn)(const char *arg, int number);
	const char *arg;
	int number, flags;
} attempts[] = {
	{"its memory", try_open, "mem", O_RDONLY, OF_TARGET},
	{"its memory, to write", try_open, "mem", O_RDWR, OF_TARGET},
	{"its memory by a call", try_read_memory, NULL, 0, OF_TARGET},
	{"its map", try_open, "maps", O_RDONLY, OF_TARGET},
	{"its mapped files", try_list, "map_files", 0, OF_TARGET},
	{"its environment", try_open, "environ", O_RDONLY, OF_TARGET},
	{"its auxiliary vector", try_open, "auxv", O_RDONLY, OF_TARGET},
	{"its pages", try_open, "pagemap", O_RDONLY, OF_TARGET},
	{"where its pages are", try_move_pages, NULL, 0, OF_TARGET},
	{"its program", try_open, "exe", O_RDONLY, OF_TARGET},
	{"its program's name", try_readlink, "exe", 0, OF_TARGET},
	{"its root", try_open, "root", O_RDONLY | O_DIRECTORY, OF_TARGET},
	{"its directory", try_open, "cwd", O_RDONLY | O_DIRECTORY, OF_TARGET},
	{"its descriptors", try_list, "fd", 0, OF_TARGET},
	{"its first descriptor", try_getfd, NULL, 0, OF_TARGET},
	{"a descriptor of its loop", try_getfd, NULL, 4, OF_TARGET},
	{"which files it shares", try_kcmp, NULL, KCMP_FILES, OF_TARGET},
	{"trace it", try_ptrace, NULL, PTRACE_SEIZE, OF_TARGET},
	{"attach to it", try_ptrace, NULL, PTRACE_ATTACH, OF_TARGET},
	{"its mount namespace", try_namespace, "ns/mnt", CLONE_NEWNS, OF_TARGET},
	{"its network namespace", try_namespace, "ns/net", CLONE_NEWNET, OF_TARGET},
	{"its process namespace", try_namespace, "ns/pid", CLONE_NEWPID, OF_TARGET},
	{"its cgroup namespace", try_namespace, "ns/cgroup", CLONE_NEWCGROUP, OF_TARGET},
	{"its mounts by its pidfd", try_pidfd_setns, NULL, CLONE_NEWNS, OF_TARGET},
	{"its names by its pidfd", try_pidfd_setns, NULL, CLONE_NEWUTS | CLONE_NEWIPC, OF_TARGET},
	{"what it does now", try_read, "syscall", 0, OF_TARGET},
	{"its counters", try_read, "io", 0, OF_TARGET},
	{"kernel memory", try_open, "/proc/kcore", O_RDONLY, 0},
	{"the kernel's log", try_kernel_log, NULL, 0, 0},
	{"the kernel's log, as a file", try_open, "/proc/kmsg", O_RDONLY | O_NONBLOCK, 0},
	{"who handles a core", try_open, "/proc/sys/kernel/core_pattern", O_WRONLY, 0},
	{"who loads modules", try_open, "/proc/sys/kernel/modprobe", O_WRONLY, 0},
	{"the sysrq key", try_open, "/proc/sysrq-trigger", O_WRONLY, 0},
	{"what the kernel panics of", try_open, "/proc/sys/kernel/panic_on_oops", O_WRONLY, 0},
	{"overcommit", try_open, "/proc/sys/vm/overcommit_memory", O_WRONLY, 0},
	{"the agent's kernel parameters", try_open, "/sys/kernel/rcu_expedited", O_WRONLY, 0},
	{"its own memory limit", try_open, "/sys/fs/cgroup/memory.max", O_WRONLY, 0},
	{"its own process limit", try_open, "/sys/fs/cgroup/pids.max", O_WRONLY, 0},
	{"its cgroup's processes", try_open, "/sys/fs/cgroup/cgroup.procs", O_WRONLY, 0},
	{"its cgroup's controllers", try_open, "/sys/fs/cgroup/cgroup.subtree_control", O_WRONLY,
	 0},
	{"its cgroup's freezer", try_open, "/sys/fs/cgroup/cgroup.freeze", O_WRONLY, 0},
	{"a new cgroup file system", try_mount, "cgroup2", 0, 0},
	{"a new sysfs", try_mount, "sysfs", 0, 0},
	{"a new devtmpfs", try_mount, "devtmpfs", 0, 0},
	{"a new tmpfs", try_mount, "tmpfs", 0, 0},
	{"debugfs", try_mount, "debugfs", 0, 0},
	{"/proc/sys writable again", try_remount, "/proc/sys", 0, 0},
	{"what covers /proc/keys", try_umount, "/proc/keys", 0, 0},
	{"/dev/mem", try_device, "/tmp/wall.dev", 1 << 8 | 1, 0},
	{"/dev/kmsg", try_device, "/tmp/wall.dev", 1 << 8 | 11, 0},
	{"the console", try_device, "/tmp/wall.dev", 5 << 8 | 1, 0},
	{"the serial port", try_device, "/tmp/wall.dev", 4 << 8 | 64, 0},
	{"FUSE", try_device, "/tmp/wall.dev", 10 << 8 | 229, 0},
	{"a file by its number", try_handle, NULL, 0, 0},
	{"BPF", try_bpf, NULL, 0, 0},
	{"events of the processor", try_perf, NULL, 0, 0},
	{"the agent's keys", try_keys, NULL, 0, 0},
	{"the agent's port of the host", try_vsock, NULL, 1024, 0},
	{"the streams' port of the host", try_vsock, NULL, 1025, 0},
	{"another port of the host", try_vsock, NULL, 1026, 0},
};

/* In a process of its own: some change what the caller is part of. */
static void attempt(const struct attempt *a)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		alarm(5);
		errno = 0;
		if (a->fn(a->arg, a->number) >= 0)
			printf("%s: REACHED\n", a->name);
		else
			printf("%s: refused: %s\n", a->name, strerror(errno));
		fflush(stdout);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status))
		printf("%s: refused: %s\n", a->name, strsignal(WTERMSIG(status)));
}

static int try_all(void)
{
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		if (target || !(attempts[i].flags & OF_TARGET))
			attempt(&attempts[i]);
	return 0;
}

static bool is_agent(int pid)
{
	char path[64], name[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, name, sizeof(name) - 1) < 0)
		name[0] = '\0';
	close(fd);
	return strcmp(name, AGENT_NAME "\n") == 0;
}

/* What was opened must have been the agent's: its name is asked for before and after. */
static unsigned look_into(int pid)
{
	static const char *const names[] = {"mem", "environ", "exe", "fd/0", "root/run"};
	unsigned n = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[64];
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/%s", pid, names[i]);
		fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0 && is_agent(pid)) {
			printf("%s: REACHED\n", path);
			n++;
		}
		close(fd);
	}
	return n;
}

static int watch(int seconds)
{
	time_t end = time(NULL) + seconds;
	unsigned saw = 0;

	while (time(NULL) < end) {
		for (int pid = 2; pid < 400; pid++) {
			if (pid == getpid() || !is_agent(pid))
				continue;
			saw++;
			look_into(pid);
		}
	}
	printf("saw %u\n", saw);
	return 0;
}

static int storm(int seconds)
{
	time_t end = time(NULL) + seconds;
	unsigned long n = 0;

	while (time(NULL) < end) {
		pid_t pid = fork();

		if (pid == 0) {
			/* Its children are orphans, and somebody else's to reap. */
			for (int i = 0; i < 16; i++)
				if (fork() == 0)
					_exit(i);
			_exit(0);
		}
		if (pid > 0)
			waitpid(pid, NULL, 0);
		n += 17;
	}
	printf("made %lu\n", n);
	return 0;
}

static int leave_root(void)
{
	struct stat before, after;

	stat("/", &before);
	mkdir("/tmp/wall", 0700);
	if (chroot("/tmp/wall") < 0)
		return puts("inside"), 0;
	for (int i = 0; i < 100; i++)
		if (chdir("..") < 0)
			break;
	if (chroot(".") < 0 || stat("/", &after) < 0)
		return 1;
	puts(before.st_dev == after.st_dev && before.st_ino == after.st_ino ? "inside" : "REACHED");
	return 0;
}

int main(int argc, char **argv)
{
	int number = argc > 2 ? atoi(argv[2]) : 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	target = number;
	if (argc > 2 && !strcmp(argv[1], "try"))
		return try_all();
	if (argc > 2 && !strcmp(argv[1], "watch"))
		return watch(number);
	if (argc > 2 && !strcmp(argv[1], "storm"))
		return storm(number);
	if (argc > 1 && !strcmp(argv[1], "chroot"))
		return leave_root();
	fprintf(stderr, "wall: what?\n");
	return 2;
}
