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
#include "common/strbuf.h"

#define ROOT            "/sys/fs/cgroup"
#define CONTAINERS      ROOT "/containers"
#define POD             "/.pod" /* no container's id begins so */
#define MAX_DESCENDANTS "1024"
#define AGENT_MIN       "16777216"
#define POD_MAX         "8388608"
#define THREAD_BYTES    16384u

/*
 * Enables what the kernel has: a limit of a controller that it lacks is refused when it is set. In
 * one write, as each waits for the kernel's readers.
 */
static int enable_controllers(int dir)
{
	_cleanup_strbuf_ struct strbuf value = {0};
	_cleanup_free_ char *text = NULL;
	char *name, *save = NULL;
	int r;

	r = io_read_file(dir, "cgroup.controllers", 4096, &text, NULL);
	if (r < 0)
		return r;
	for (name = strtok_r(text, " \n", &save); name && r >= 0;
	     name = strtok_r(NULL, " \n", &save))
		r = strbuf_addf(&value, "+%s ", name);
	if (r < 0 || !value.len)
		return r;
	return io_write_value(dir, "cgroup.subtree_control", value.data);
}

/* Makes and opens a cgroup beneath dir. */
static int make_child(int dir, const char *name)
{
	int fd;

	if (mkdirat(dir, name, 0755) < 0)
		return -errno;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
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

static uint64_t pids_reserve;

/* An eighth of the kernel's thread slots stays for kernel threads, the agent and its helpers. */
static uint64_t pids_for_containers(void)
{
	_cleanup_free_ char *text = NULL;
	uint64_t n = 0;

	if (io_read_file(AT_FDCWD, "/proc/sys/kernel/threads-max", 64, &text, NULL) >= 0) {
		text[strcspn(text, "\n")] = 0;
		if (parse_uint(text, &n) < 0)
			n = 0;
	}
	pids_reserve = n > 1024 ? n / 8 : n / 4;
	return n ? n - pids_reserve : 1024;
}

uint64_t cgroup_pids_reserve(void)
{
	return pids_reserve;
}

static int write_number(int dir, const char *file, uint64_t v)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	return io_write_value(dir, file, text);
}

/* Of containers/, at boot. */
static uint64_t memory_at_boot;

static int make_tree(void)
{
	_cleanup_close_ int root = -1, agent = -1, containers = -1;
	int r;

	root = open(ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	r = enable_controllers(root);
	if (r < 0)
		return r;
	agent = make_child(root, "agent");
	if (agent < 0)
		return agent;
	containers = make_child(root, "containers");
	if (containers < 0)
		return containers;
	r = enable_controllers(containers);
	if (r >= 0)
		r = io_write_value(agent, "memory.min", AGENT_MIN);
	if (r >= 0)
		r = io_write_value(agent, "cgroup.procs", "0");
	memory_at_boot = memory_for_containers();
	if (r >= 0)
		r = write_number(containers, "memory.max", memory_at_boot);
	if (r >= 0)
		r = write_number(containers, "pids.max", pids_for_containers());
	return r;
}

int cgroup_init(struct err *err)
{
	int r = make_tree();

	return r < 0 ? err_set_errno(err, -r, "setting the cgroup tree up") : 0;
}

/* The kernel's measure: an eighth of memory for the stacks of 16 KiB. It takes it once, at boot. */
static int grow_pids(int containers_fd)
{
	struct sysinfo info;
	char text[32];
	int r;

	if (sysinfo(&info) < 0)
		return -errno;
	snprintf(text, sizeof(text), "%" PRIu64,
		 (uint64_t)info.totalram * info.mem_unit / (8 * THREAD_BYTES));
	r = io_write_value(AT_FDCWD, "/proc/sys/kernel/threads-max", text);
	return r < 0 ? r : write_number(containers_fd, "pids.max", pids_for_containers());
}

int cgroup_open_pod(void)
{
	_cleanup_close_ int fd = -1;
	int r;

	if (mkdir(CONTAINERS POD, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = open(CONTAINERS POD, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = io_write_value(fd, "pids.max", "1");
	if (r >= 0)
		r = io_write_value(fd, "memory.max", POD_MAX);
	return r < 0 ? r : TAKE_FD(fd);
}

int cgroup_grow(uint64_t added)
{
	_cleanup_close_ int fd = cgroup_open_all();
	int r;

	if (fd < 0)
		return fd;
	added -= added / 16;
	if (added > UINT64_MAX - memory_at_boot)
		return -EOVERFLOW;
	r = write_number(fd, "memory.max", memory_at_boot + added);
	return r < 0 ? r : grow_pids(fd);
}

int cgroup_open_all(void)
{
	int fd = open(CONTAINERS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
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

/* For a file of two words, of which the first stays as it is. */
static int write_second(int fd, const struct cgroup_value *v)
{
	_cleanup_free_ char *now = NULL;
	char text[128];
	size_t size;
	int r = io_read_file(fd, v->file, sizeof(text), &now, &size);

	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "%.*s %s", (int)strcspn(now, " \n"), now, v->number);
	return io_write_value(fd, v->file, text);
}

static int write_value(int fd, const struct cgroup_value *v)
{
	int r = v->keeps_first ? write_second(fd, v)
			       : io_write_value(fd, v->file, v->text ? v->text : v->number);

	return r == -ENOENT && v->may_lack ? 0 : r;
}

/*
 * Some values bound each other (a quota is never below its burst), and which of two must come first
 * depends on what was there: so what is refused at first is tried again when the others are written.
 */
int cgroup_update(int fd, const struct plan *plan, struct err *err)
{
	_cleanup_free_ bool *again = calloc(plan->n_cgroup + 1, sizeof(*again));
	int r;

	if (!again)
		return err_set(err, ENOMEM, "out of memory");
	if (plan->check_memory > 0 &&
	    cgroup_value(fd, "memory.current", NULL) > (uint64_t)plan->check_memory)
		return err_set(err, EBUSY,
			       "linux.resources.memory: more than %" PRId64 " bytes are in use",
			       plan->check_memory);
	for (size_t i = 0; i < plan->n_cgroup; i++)
		again[i] = write_value(fd, &plan->cgroup[i]) < 0;
	for (size_t i = 0; i < plan->n_cgroup; i++) {
		const struct cgroup_value *v = &plan->cgroup[i];

		r = again[i] ? write_value(fd, v) : 0;
		if (r < 0)
			return err_set_errno(err, -r, "cgroup %s = %.128s", v->file,
					     v->text ? v->text : v->number);
	}
	return 0;
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
	r = cgroup_update(fd, plan, err);
	if (r < 0)
		return r;
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
