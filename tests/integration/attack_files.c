/* SPDX-License-Identifier: Apache-2.0 */
/* Files: by name, by what is open, by mounts, and programs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/integration/attack.h"

#define MAX_FDS 256

static long try_open(const char *path, int flags)
{
	_cleanup_close_ int fd = open(path, flags | O_CLOEXEC, 0600);

	return attack_result(fd);
}

static long read_passwd(void)
{
	return try_open("/etc/passwd", O_RDONLY);
}

static long read_file(void)
{
	return try_open(attack_target("SBX_ATTACK_FILE"), O_RDONLY);
}

static long write_file(void)
{
	return try_open(attack_target("SBX_ATTACK_FILE"), O_WRONLY);
}

static long stat_file(void)
{
	struct stat st;

	return attack_result(stat(attack_target("SBX_ATTACK_FILE"), &st));
}

static long climb(void)
{
	return try_open("../../../../../../../../etc/passwd", O_RDONLY);
}

static long create_here(void)
{
	return try_open("attack-was-here", O_WRONLY | O_CREAT);
}

static long create_at_root(void)
{
	return try_open("/attack-was-here", O_WRONLY | O_CREAT);
}

static long make_directory(void)
{
	return attack_result(mkdir("attack-directory", 0700));
}

static long make_link(void)
{
	return attack_result(symlink("/etc/passwd", "attack-link"));
}

static long make_device(void)
{
	return attack_result(mknod("attack-device", S_IFCHR | 0600, makedev(1, 3)));
}

static long remove_socket(void)
{
	return attack_result(unlink("vsock_1024"));
}

static long own_memory(void)
{
	return try_open("/proc/self/mem", O_RDWR);
}

static long root_of_first(void)
{
	return try_open("/proc/1/root/etc/passwd", O_RDONLY);
}

static long environment_of_other(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/environ", attack_number("SBX_ATTACK_PID"));
	return try_open(path, O_RDONLY);
}

static long kernel_setting(void)
{
	return try_open("/proc/sys/kernel/core_pattern", O_WRONLY);
}

static long cgroups(void)
{
	return try_open("/sys/fs/cgroup/cgroup.procs", O_WRONLY);
}

static long kvm(void)
{
	return try_open("/dev/kvm", O_RDWR);
}

static long tun(void)
{
	return try_open("/dev/net/tun", O_RDWR);
}

static long disk(void)
{
	return try_open("/dev/vda", O_RDONLY);
}

static long terminal(void)
{
	return try_open("/dev/ptmx", O_RDWR);
}

/* Out of a directory that is open, a shared folder or what was forgotten, to the one above. */
static long above_open_directory(void)
{
	struct stat below, above = {0};
	long r = -ENOENT;

	for (int fd = 0; fd < MAX_FDS && r < 0; fd++) {
		_cleanup_close_ int up = -1;

		if (fstat(fd, &below) < 0 || !S_ISDIR(below.st_mode))
			continue;
		up = openat(fd, "..", O_PATH | O_CLOEXEC);
		r = up < 0 ? -errno : fstat(up, &above) < 0 ? -errno : -EXDEV;
		if (r == -EXDEV && (below.st_ino != above.st_ino || below.st_dev != above.st_dev))
			r = 0;
	}
	return r;
}

static long by_handle(void)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u = {.handle = {.handle_bytes = MAX_HANDLE_SZ}};
	_cleanup_close_ int here = open(".", O_PATH | O_CLOEXEC), fd = -1;
	int mount;

	if (here < 0 || name_to_handle_at(here, "", &u.handle, &mount, AT_EMPTY_PATH) < 0)
		return -errno;
	fd = open_by_handle_at(AT_FDCWD, &u.handle, O_PATH | O_CLOEXEC);
	return attack_result(fd);
}

/* --- mounts ---------------------------------------------------------------------------------- */

static long mount_something(void)
{
	return attack_result(mount("tmpfs", ".", "tmpfs", 0, NULL));
}

static long mount_proc(void)
{
	return attack_result(mount("proc", ".", "proc", 0, NULL));
}

static long mount_detached(void)
{
	_cleanup_close_ int fd = fsopen("tmpfs", FSOPEN_CLOEXEC);

	return attack_result(fd);
}

static long remount(void)
{
	return attack_result(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL));
}

static long unmount(void)
{
	return attack_result(umount2("/", MNT_DETACH));
}

static long change_root(void)
{
	return attack_result(chroot("."));
}

/* --- programs -------------------------------------------------------------------------------- */

static long run_child(int (*exec)(void))
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(exec() < 0 ? errno : 0);
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0
	       : WIFEXITED(status)                           ? -WEXITSTATUS(status)
							     : -EINTR;
}

static int exec_true(void)
{
	static char name[] = "true";
	char *const argv[] = {name, NULL}, *const none[] = {NULL};

	return execve("/bin/true", argv, none);
}

static long run_program(void)
{
	return run_child(exec_true);
}

static int nothing(void)
{
	return 0;
}

static long run_fork(void)
{
	return run_child(nothing);
}

static long make_program(void)
{
	_cleanup_close_ int fd = memfd_create("program", MFD_CLOEXEC);

	return attack_result(fd);
}

static long map_program(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	return p == MAP_FAILED ? -errno : 0;
}

static long protect_program(void)
{
	static char page[8192] __attribute__((aligned(4096)));

	return attack_result(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static long truncate_log(void)
{
	return attack_result(ftruncate(STDERR_FILENO, 0));
}

static const struct attack list[] = {
	{"read /etc/passwd", read_passwd, 0},
	{"read a file by its path", read_file, 0},
	{"write it", write_file, 0},
	{"stat it", stat_file, 0},
	{"climb out of the working directory", climb, 0},
	{"create a file here", create_here, 0},
	{"create a file at the root", create_at_root, 0},
	{"make a directory", make_directory, 0},
	{"make a link", make_link, 0},
	{"make a device", make_device, 0},
	{"remove a socket", remove_socket, ATTACK_BREAKS},
	{"open one's memory", own_memory, 0},
	{"enter the first process's root", root_of_first, 0},
	{"read another's environment", environment_of_other, 0},
	{"change a kernel setting", kernel_setting, 0},
	{"open the cgroups", cgroups, 0},
	{"open /dev/kvm", kvm, 0},
	{"open /dev/net/tun", tun, 0},
	{"open a disk", disk, 0},
	{"open a terminal", terminal, 0},
	{"go above an open directory", above_open_directory, 0},
	{"open by a handle", by_handle, 0},
	{"mount tmpfs", mount_something, ATTACK_BREAKS},
	{"mount proc", mount_proc, ATTACK_BREAKS},
	{"make a mount", mount_detached, 0},
	{"remount the root", remount, ATTACK_BREAKS},
	{"unmount the root", unmount, ATTACK_BREAKS},
	{"change the root", change_root, ATTACK_BREAKS},
	{"run a program", run_program, 0},
	{"fork", run_fork, ATTACK_BY_LIST},
	{"make a program", make_program, ATTACK_BY_LIST},
	{"map code", map_program, ATTACK_BY_LIST},
	{"turn data into code", protect_program, ATTACK_BY_LIST},
	{"wipe the log", truncate_log, ATTACK_BY_LIST | ATTACK_BREAKS},
};

const struct attacks attack_files = {list, ARRAY_SIZE(list)};
