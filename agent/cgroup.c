/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/cgroup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>

#include "agent/plan.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "common/opts.h"

#define ROOT            "/sys/fs/cgroup"
#define CONTAINERS      ROOT "/containers"
#define MAX_DESCENDANTS "1024"
#define AGENT_MIN       "16777216"

static const char *const controllers[] = {"+cpu", "+cpuset", "+io", "+memory", "+hugetlb", "+pids"};

/* Enables what the kernel has; a missing controller shows when somebody sets a limit of it. */
static void enable_controllers(const char *dir)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", dir);
	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
		io_write_value(AT_FDCWD, path, controllers[i]);
	}
}

/*
 * What is free at boot, less a reserve: a sixteenth of all memory, 8 MiB at least, 64 MiB at most.
 * Total memory would be the wrong measure, as the kernel's own part of it never comes back.
 */
static uint64_t memory_for_containers(void)
{
	const uint64_t mib = 1u << 20;
	uint64_t available, reserve;
	struct sysinfo info;

	if (sysinfo(&info) < 0)
		return UINT64_MAX;
	available = (uint64_t)(info.freeram + info.bufferram) * info.mem_unit;
	reserve = (uint64_t)info.totalram * info.mem_unit / 16;
	reserve = reserve < 8 * mib ? 8 * mib : reserve > 64 * mib ? 64 * mib : reserve;
	return available > 2 * reserve ? available - reserve : available / 2;
}

/* An eighth of the kernel's thread slots stays for kernel threads, the agent and its helpers. */
static uint64_t pids_for_containers(void)
{
	_cleanup_free_ char *text = NULL;
	uint64_t n;

	if (io_read_file(AT_FDCWD, "/proc/sys/kernel/threads-max", 64, &text, NULL) < 0)
		return 1024;
	text[strcspn(text, "\n")] = 0;
	if (parse_uint(text, &n) < 0)
		return 1024;
	return n > 1024 ? n - n / 8 : n - n / 4;
}

static int write_number(const char *path, uint64_t v)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	return io_write_value(AT_FDCWD, path, text);
}

int cgroup_init(struct err *err)
{
	int r;

	enable_controllers(ROOT);
	if ((mkdir(ROOT "/agent", 0755) < 0 && errno != EEXIST) ||
	    (mkdir(CONTAINERS, 0755) < 0 && errno != EEXIST))
		return err_set_errno(err, errno, "making the cgroup tree");
	enable_controllers(CONTAINERS);
	r = io_write_value(AT_FDCWD, ROOT "/agent/cgroup.procs", "0");
	if (r >= 0)
		r = io_write_value(AT_FDCWD, ROOT "/agent/memory.min", AGENT_MIN);
	if (r >= 0)
		r = write_number(CONTAINERS "/memory.max", memory_for_containers());
	if (r >= 0)
		r = write_number(CONTAINERS "/pids.max", pids_for_containers());
	return r < 0 ? err_set_errno(err, -r, "setting the cgroup tree up") : 0;
}

int cgroup_create(const char *id, struct err *err)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), CONTAINERS "/%s", id);
	if (mkdir(path, 0755) < 0)
		return err_set_errno(err, errno, "making the cgroup of %s", id);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		fd = err_set_errno(err, errno, "opening the cgroup of %s", id);
		rmdir(path);
	}
	return fd;
}

int cgroup_apply(int fd, const struct plan *plan, struct err *err)
{
	struct devfilter filter = {0};
	char depth[16];
	int r;

	snprintf(depth, sizeof(depth), "%d", CGROUP_MAX_DEPTH);
	r = io_write_value(fd, "cgroup.max.depth", depth);
	if (r >= 0)
		r = io_write_value(fd, "cgroup.max.descendants", MAX_DESCENDANTS);
	if (r < 0)
		return err_set_errno(err, -r, "bounding the cgroup");
	for (size_t i = 0; i < plan->n_cgroup; i++) {
		const struct cgroup_value *v = &plan->cgroup[i];

		r = io_write_value(fd, v->file, v->text ? v->text : v->number);
		if (r == -ENOENT && v->may_lack)
			continue;
		if (r < 0)
			return err_set_errno(err, -r, "cgroup %s = %.128s", v->file,
					     v->text ? v->text : v->number);
	}
	r = devfilter_generate(plan->rules, plan->n_rules, &filter);
	if (r < 0)
		return err_set_errno(err, -r, "generating the device filter");
	r = devfilter_attach(fd, &filter, err);
	devfilter_finish(&filter);
	return r;
}

int cgroup_remove(const char *id)
{
	_cleanup_close_ int fd = -1;
	char path[256];

	snprintf(path, sizeof(path), CONTAINERS "/%s", id);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	cgroup_remove_beneath(fd);
	return rmdir(path) < 0 ? -errno : 0;
}
