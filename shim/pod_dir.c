/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a pod's directory is its owner's who holds the lock on a file in it. To make such a
 * directory takes two steps, to remove it some more, and there are those who lock what nobody holds, to
 * clean up after the dead. So all three hold the namespace's own lock for that moment: nobody finds a
 * directory that is made but not locked, or puts a lock file into one that is being removed.
 */
#include "shim/pod_dir.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/io.h"
#include "shim/host_cgroup.h"
#include "shim/net_join.h"
#include "shim/places.h"
#include "shim/pod_socket.h"

#define NETWORK_TRIES  40
#define NETWORK_TRY_NS 50000000

bool pod_id_is_valid(const char *id)
{
	size_t n = strlen(id);

	if (n == 0 || n > POD_ID_MAX || !isalnum((unsigned char)id[0]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)id[i]) && !strchr("._+-", id[i]))
			return false;
	return true;
}

bool pod_name_is_valid(const char *name)
{
	size_t n = strlen(name);

	if (!pod_id_is_valid(name) || strchr(name, '+'))
		return false;
	for (size_t i = 1; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && !isalnum((unsigned char)name[i - 1]))
			return false;
	return isalnum((unsigned char)name[n - 1]);
}

bool pod_namespace_is_valid(const char *name)
{
	return pod_name_is_valid(name[0] == '@' ? name + 1 : name);
}

void pod_dir_free(struct pod_dir *pod)
{
	if (!pod)
		return;
	close_fd(&pod->dirfd);
	close_fd(&pod->lock_fd);
	free(pod->namespace);
	free(pod->id);
	free(pod->path);
	free(pod);
}

static int name_pod(const char *namespace, const char *id, struct pod_dir **ret, struct err *err)
{
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = calloc(1, sizeof(*pod));
	_cleanup_free_ char *run = NULL;
	int r;

	if (!pod_namespace_is_valid(namespace))
		return err_set(err, EINVAL, "not a valid namespace: %.80s", namespace);
	if (!pod_id_is_valid(id))
		return err_set(err, EINVAL, "not a valid id: %.80s", id);
	r = places_run_dir(&run, err);
	if (r < 0)
		return r;
	if (pod) {
		pod->dirfd = pod->lock_fd = -1;
		pod->namespace = strdup(namespace);
		pod->id = strdup(id);
	}
	if (!pod || !pod->namespace || !pod->id ||
	    asprintf(&pod->path, "%s/%s/%s", run, namespace, id) < 0)
		return err_set(err, ENOMEM, "out of memory");
	*ret = TAKE_PTR(pod);
	return 0;
}

static int open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Waits; the fd ends it on close. */
static int lock_dir(const char *path)
{
	_cleanup_close_ int fd = open_dir(path);

	if (fd < 0)
		return fd;
	return flock(fd, LOCK_EX) < 0 ? -errno : TAKE_FD(fd);
}

/* Of the namespace that pod is in, where there is one. */
static int lock_namespace_of(const struct pod_dir *pod)
{
	_cleanup_free_ char *path =
		strndup(pod->path, (size_t)(strrchr(pod->path, '/') - pod->path));

	return path ? lock_dir(path) : -ENOMEM;
}

/* The namespace is locked. */
static int lock_pod(struct pod_dir *pod)
{
	_cleanup_close_ int fd = openat(pod->dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	pod->lock_fd = TAKE_FD(fd);
	return 0;
}

int pod_dir_create_locked(const char *namespace, const char *id, struct pod_dir **ret,
			  struct err *err)
{
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = NULL;
	int r = name_pod(namespace, id, &pod, err);

	if (!pod)
		return r;
	if (mkdir(pod->path, 0700) < 0)
		return err_set_errno(err, errno, "%s: cannot make the directory", pod->path);
	pod->dirfd = open_dir(pod->path);
	r = pod->dirfd < 0 ? pod->dirfd : lock_pod(pod);
	if (r < 0)
		return err_set_errno(err, -r, "%s: cannot lock the directory", pod->path);
	*ret = TAKE_PTR(pod);
	return 0;
}

int pod_dir_create(const char *namespace, const char *id, struct pod_dir **ret, struct err *err)
{
	_cleanup_close_ int lock = pod_dir_lock_namespace(namespace, err);

	return lock < 0 ? lock : pod_dir_create_locked(namespace, id, ret, err);
}

int pod_dir_open(const char *namespace, const char *id, struct pod_dir **ret, struct err *err)
{
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = NULL;
	int r = name_pod(namespace, id, &pod, err);

	if (!pod)
		return r;
	pod->dirfd = open_dir(pod->path);
	if (pod->dirfd == -ENOENT)
		return err_set(err, ENOENT, "no such sandbox: %s", id);
	if (pod->dirfd < 0)
		return err_set_errno(err, -pod->dirfd, "%s", pod->path);
	*ret = TAKE_PTR(pod);
	return 0;
}

int pod_dir_try_lock(struct pod_dir *pod)
{
	_cleanup_close_ int lock = -1;

	if (pod->lock_fd >= 0)
		return 0;
	lock = lock_namespace_of(pod);
	return lock < 0 ? lock : lock_pod(pod);
}

int pod_dir_adopt_lock(struct pod_dir *pod, int lock_fd)
{
	struct stat ours, file;

	if (fstat(lock_fd, &ours) < 0 || fstatat(pod->dirfd, "lock", &file, 0) < 0 ||
	    ours.st_dev != file.st_dev || ours.st_ino != file.st_ino)
		return -EINVAL;
	if (fcntl(lock_fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	pod->lock_fd = lock_fd;
	return 0;
}

int pod_dir_read_record(struct pod_dir *pod, struct record *ret, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r = io_read_file(pod->dirfd, "record.json", RECORD_MAX_BYTES, &text, &size);

	if (r < 0)
		return err_set_errno(err, -r, "%s/record.json", pod->path);
	return record_parse(text, size, ret, err);
}

int pod_dir_write_record(struct pod_dir *pod, const struct record *record, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	int r = record_encode(record, &text);

	if (r == 0)
		r = io_write_atomic(pod->dirfd, "record.json", text, strlen(text), 0600);
	if (r < 0)
		return err_set_errno(err, -r, "%s/record.json", pod->path);
	return 0;
}

int pod_dir_write_network(struct pod_dir *pod, const char *path, const struct net_joint *joint,
			  struct err *err)
{
	char text[PATH_MAX + 64];
	int n = snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64 " %d %s",
			 (uint64_t)joint->netns.dev, (uint64_t)joint->netns.ino, joint->index,
			 path);
	int r = n < (int)sizeof(text)
			? io_write_atomic(pod->dirfd, "network", text, (size_t)n, 0600)
			: -ENAMETOOLONG;

	return r < 0 ? err_set_errno(err, -r, "%s/network", pod->path) : 0;
}

/* A monitor that is just being killed still has the tap. */
static void remove_network(struct pod_dir *pod)
{
	_cleanup_free_ char *text = NULL;
	struct net_joint joint = {0};
	uint64_t dev, ino;
	size_t size;
	int at = 0;

	if (io_read_file(pod->dirfd, "network", PATH_MAX + 64, &text, &size) < 0 ||
	    sscanf(text, "%" SCNu64 " %" SCNu64 " %d %n", &dev, &ino, &joint.index, &at) < 3 || !at)
		return;
	joint.netns = (struct netns_id){.dev = (dev_t)dev, .ino = (ino_t)ino};
	for (int i = 0; i < NETWORK_TRIES && net_part(text + at, &joint) == -EBUSY; i++)
		nanosleep(&(struct timespec){.tv_nsec = NETWORK_TRY_NS}, NULL);
}

void pod_dir_forget_network(struct pod_dir *pod)
{
	unlinkat(pod->dirfd, "network", 0);
}

void pod_dir_remove_sockets(struct pod_dir *pod)
{
	pod_socket_remove(pod->namespace, pod->id);
	unlinkat(pod->dirfd, "address", 0);
	io_remove_tree(pod->dirfd, "vsock");
	remove_network(pod);
	pod_dir_forget_network(pod);
}

int pod_dir_write_cgroup(struct pod_dir *pod, const char *path, struct err *err)
{
	int r = io_write_atomic(pod->dirfd, "cgroup", path, strlen(path), 0600);

	return r < 0 ? err_set_errno(err, -r, "%s/cgroup", pod->path) : 0;
}

static void remove_cgroup(struct pod_dir *pod)
{
	_cleanup_free_ char *path = NULL;
	size_t size;

	if (io_read_file(pod->dirfd, "cgroup", PATH_MAX, &path, &size) == 0)
		host_cgroup_remove(path);
}

int pod_dir_remove(struct pod_dir *pod, struct err *err)
{
	_cleanup_close_ int lock = -1;
	int r;

	remove_cgroup(pod);
	pod_dir_remove_sockets(pod);
	lock = lock_namespace_of(pod);
	r = lock < 0 ? lock : io_remove_tree(AT_FDCWD, pod->path);
	return r < 0 && r != -ENOENT ? err_set_errno(err, -r, "%s: cannot remove", pod->path) : 0;
}

int pod_dir_for_each(const char *namespace, pod_fn fn, void *data, struct err *err)
{
	_cleanup_free_ char *run = NULL, *path = NULL;
	DIR *dir;
	int r = places_run_dir(&run, err);

	if (r < 0)
		return r;
	if (asprintf(&path, "%s/%s", run, namespace) < 0)
		return err_set(err, ENOMEM, "out of memory");
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : err_set_errno(err, errno, "%s", path);
	while (r >= 0) {
		_cleanup_(pod_dir_free_p) struct pod_dir *pod = NULL;
		struct dirent *entry = readdir(dir);

		if (!entry)
			break;
		/* One that has just gone is none of ours; what is no pod's name is none at all. */
		if (pod_id_is_valid(entry->d_name) &&
		    pod_dir_open(namespace, entry->d_name, &pod, NULL) == 0 && pod)
			r = fn(pod, data);
	}
	closedir(dir);
	return r < 0 ? r : 0;
}

static uint64_t realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int sweep_one(struct pod_dir *pod, void *data)
{
	_cleanup_record_ struct record record = {0};

	if (pod_dir_try_lock(pod) < 0)
		return 0;
	if (pod_dir_read_record(pod, &record, NULL) < 0 || record.remove) {
		pod_dir_remove(pod, NULL);
		return 0;
	}
	if (record.status == RECORD_STOPPED)
		return 0;
	pod_dir_remove_sockets(pod);
	record.status = RECORD_STOPPED;
	record.exit_status = 137;
	record.exited_ns = realtime_ns();
	record.error = "its owner process ended before it";
	record.shim_pid = record.vmm_pid = 0;
	pod_dir_write_record(pod, &record, NULL);
	return 0;
}

int pod_dir_sweep(const char *namespace, struct err *err)
{
	return pod_dir_for_each(namespace, sweep_one, NULL, err);
}

static int remove_dead(struct pod_dir *pod, void *data)
{
	if (pod_dir_try_lock(pod) == 0)
		pod_dir_remove(pod, NULL);
	return 0;
}

int pod_dir_remove_dead(const char *namespace, struct err *err)
{
	return pod_dir_for_each(namespace, remove_dead, NULL, err);
}

int pod_dir_lock_namespace(const char *namespace, struct err *err)
{
	_cleanup_free_ char *run = NULL, *path = NULL;
	int r;

	if (!pod_namespace_is_valid(namespace))
		return err_set(err, EINVAL, "not a valid namespace: %.80s", namespace);
	r = places_run_dir(&run, err);
	if (r < 0)
		return r;
	if (asprintf(&path, "%s/%s", run, namespace) < 0)
		return err_set(err, ENOMEM, "out of memory");
	r = io_mkdirs(path, 0700);
	if (r < 0)
		return err_set_errno(err, -r, "%s", path);
	r = lock_dir(path);
	return r < 0 ? err_set_errno(err, -r, "%s: cannot lock", path) : r;
}
