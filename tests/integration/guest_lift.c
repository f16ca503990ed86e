/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program in a container that tries to be rid of what its cgroup sets: "NAME: refused: why" or
 * "NAME: REACHED". Static: it is copied into images. What works changes nothing, so that it can be run
 * outside, too: a limit is written as it was, what was made is removed, and a filter allows everything.
 *
 *	lift [here|user]...	each way as it is, or from a user namespace of its own
 *
 * The kernel takes the root of somebody's cgroup namespace for the border of what was delegated to him,
 * and refuses its limits there and nowhere else: so the ways lead round that.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOUNT "/tmp/lift"
#define SUB   MOUNT "/sub"

/* What was tried last. */
static char step[128];

static void trying(const char *what)
{
	snprintf(step, sizeof(step), "%s", what);
}

static int write_text(const char *path, const char *text)
{
	ssize_t n;
	int fd;

	trying(path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : write(fd, text, strlen(text));
	return n < 0 ? -1 : 0;
}

/* A hierarchy that may be written, whose root is the container's. */
static int mount_anew(void)
{
	trying("a mount of its own");
	mkdir(MOUNT, 0755);
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	return mount("none", MOUNT, "cgroup2", 0, NULL);
}

/* What it is already: that it is taken is enough. */
static int write_again(const char *path)
{
	char text[64];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	trying(path);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	return write_text(path, text);
}

static int write_limits(const char *dir)
{
	static const char *const limits[] = {"memory.max", "pids.max", "cgroup.max.descendants"};
	char path[128];

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, limits[i]);
		if (write_again(path) == 0)
			return 0;
	}
	return -1;
}

static int at_the_root(void)
{
	return mount_anew() < 0 ? -1 : write_limits(MOUNT);
}

/* The border moves with a namespace that begins further down; the mount of before shows what is above. */
static int from_further_down(void)
{
	if (mount_anew() < 0)
		return -1;
	trying(SUB);
	if (mkdir(SUB, 0755) < 0 && errno != EEXIST)
		return -1;
	if (write_text(SUB "/cgroup.procs", "0") < 0)
		return -1;
	trying("a cgroup namespace");
	return unshare(CLONE_NEWCGROUP) < 0 ? -1 : write_limits(MOUNT);
}

static long bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static long on_cgroup(int cmd, int cgroup, int prog)
{
	union bpf_attr attr = {0};

	attr.target_fd = (uint32_t)cgroup;
	attr.attach_bpf_fd = (uint32_t)prog;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = cmd == BPF_PROG_ATTACH ? BPF_F_ALLOW_MULTI : 0;
	return bpf(cmd, &attr);
}

static int attach(int cgroup)
{
	const struct bpf_insn all[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.expected_attach_type = BPF_CGROUP_DEVICE,
		.insns = (uintptr_t)all,
		.insn_cnt = 2,
		.license = (uintptr_t) "Apache-2.0",
	};
	int prog = (int)bpf(BPF_PROG_LOAD, &attr);

	trying("a filter of another one");
	if (prog < 0)
		return -1;
	if (on_cgroup(BPF_PROG_ATTACH, cgroup, prog) < 0)
		return -1;
	on_cgroup(BPF_PROG_DETACH, cgroup, prog);
	return 0;
}

/* Any cgroup by its number, which are small: its directory's handle is no more than that. */
static int by_handle(void)
{
	char dir[32];
	union {
		struct file_handle handle;
		char space[sizeof(struct file_handle) + 8];
	} u;
	uint64_t own, id;
	int mount_id, at, found = 0;

	if (mount_anew() < 0)
		return -1;
	trying("a handle");
	u.handle.handle_bytes = 8;
	if (name_to_handle_at(AT_FDCWD, MOUNT, &u.handle, &mount_id, 0) < 0)
		return -1;
	memcpy(&own, u.handle.f_handle, sizeof(own));
	at = open(MOUNT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (id = 1; id < own + 64; id++) {
		int fd;

		if ((uint32_t)id == (uint32_t)own)
			continue;
		memcpy(u.handle.f_handle, &id, sizeof(id));
		fd = open_by_handle_at(at, &u.handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			continue;
		found++;
		trying("a cgroup in another one");
		if (mkdirat(fd, "lifted", 0755) == 0)
			return unlinkat(fd, "lifted", AT_REMOVEDIR);
		if (attach(fd) == 0)
			return 0;
		snprintf(dir, sizeof(dir), "/proc/self/fd/%d", fd);
		if (write_limits(dir) == 0)
			return 0;
		close(fd);
	}
	if (found)
		trying("another cgroup's limits");
	return -1;
}

/* The programs that judge what devices it opens. */
static int device_filter(void)
{
	union bpf_attr attr = {0};
	uint32_t ids[8] = {0};
	int cgroup, prog;

	trying("the cgroup's programs");
	cgroup = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	attr.query.target_fd = (uint32_t)cgroup;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_ids = (uintptr_t)ids;
	attr.query.prog_cnt = 8;
	if (cgroup < 0 || bpf(BPF_PROG_QUERY, &attr) < 0)
		return -1;
	if (!ids[0])
		return errno = ENOENT, -1;
	memset(&attr, 0, sizeof(attr));
	attr.prog_id = ids[0];
	trying("a program by its number");
	prog = (int)bpf(BPF_PROG_GET_FD_BY_ID, &attr);
	if (prog < 0)
		return -1;
	trying("its removal");
	if (on_cgroup(BPF_PROG_DETACH, cgroup, prog) < 0)
		return -1;
	on_cgroup(BPF_PROG_ATTACH, cgroup, prog);
	return 0;
}

static int enter_user_namespace(void)
{
	trying("a user namespace");
	if (unshare(CLONE_NEWUSER) < 0)
		return -1;
	write_text("/proc/self/setgroups", "deny");
	return write_text("/proc/self/uid_map", "0 0 1") < 0 ||
			       write_text("/proc/self/gid_map", "0 0 1") < 0 ||
			       unshare(CLONE_NEWCGROUP) < 0
		       ? -1
		       : 0;
}

static const struct {
	const char *name;
	int (*fn)(void);
} ways[] = {
	{"its limits at the root", at_the_root},
	{"its limits from further down", from_further_down},
	{"another cgroup by handle", by_handle},
	{"its device filter", device_filter},
};

static void try_way(size_t i, const char *where)
{
	if (fork() == 0) {
		int r = strcmp(where, "user") == 0 ? enter_user_namespace() : 0;

		r = r == 0 ? ways[i].fn() : r;
		if (r == 0)
			printf("%s, %s: REACHED (%s)\n", ways[i].name, where, step);
		else
			printf("%s, %s: refused: %s: %s\n", ways[i].name, where, step,
			       strerror(errno));
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
}

int main(int argc, char **argv)
{
	for (int a = 1; a < argc; a++)
		for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
			try_way(i, argv[a]);
	return 0;
}
