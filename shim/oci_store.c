/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/oci_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "shim/pod_dir.h"

#define STATE        "state.json"
#define WAIT_STEP_MS 20

static int open_dir(int dirfd, const char *path)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The container's directory; id has been checked. */
static int open_container(const char *root, const char *id)
{
	_cleanup_close_ int rootfd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return rootfd < 0 ? -errno : open_dir(rootfd, id);
}

int oci_store_create(const char *root, const char *id, int *ret_lock, struct err *err)
{
	_cleanup_close_ int rootfd = -1;
	int r;

	if (!pod_id_is_valid(id))
		return err_set(err, EINVAL,
			       "%.100s: not a valid id: a letter or digit, then letters, digits "
			       "and ._+-, up to %d of them",
			       id, POD_ID_MAX);
	r = io_mkdirs(root, 0700);
	rootfd = r < 0 ? r : open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rootfd < 0)
		return err_set_errno(err, r < 0 ? -r : errno, "--root %s", root);
	if (mkdirat(rootfd, id, 0700) < 0 && errno == EEXIST)
		return err_set(err, EEXIST, "container with id %s exists already", id);
	r = open_container(root, id);
	/* Nobody waits for what has no record yet. */
	if (r < 0 || flock(r, LOCK_EX) < 0)
		return err_set_errno(err, r < 0 ? -r : errno, "%s/%s", root, id);
	*ret_lock = r;
	return 0;
}

int oci_store_wait(const char *root, const char *id, int timeout_ms)
{
	_cleanup_close_ int fd = pod_id_is_valid(id) ? open_container(root, id) : -ENOENT;

	/* What is not there is not being created. */
	for (int ms = 0; fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0; ms += WAIT_STEP_MS) {
		if (ms >= timeout_ms)
			return -EBUSY;
		nanosleep(&(struct timespec){.tv_nsec = WAIT_STEP_MS * 1000000L}, NULL);
	}
	return 0;
}

int oci_store_write(const char *root, const struct oci_record *record, struct err *err)
{
	_cleanup_close_ int dirfd = open_container(root, record->id);
	_cleanup_free_ char *text = NULL;
	int r = dirfd < 0 ? dirfd : oci_record_encode(record, &text);

	if (r == 0)
		r = io_write_atomic(dirfd, STATE, text, strlen(text), 0600);
	return r < 0 ? err_set_errno(err, -r, "%s/%s/" STATE, root, record->id) : 0;
}

int oci_store_read(const char *root, const char *id, struct oci_record *ret, struct err *err)
{
	_cleanup_close_ int dirfd = pod_id_is_valid(id) ? open_container(root, id) : -ENOENT;
	_cleanup_oci_record_ struct oci_record record = {0};
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r = dirfd < 0 ? dirfd : io_read_file(dirfd, STATE, OCI_RECORD_MAX_BYTES, &text, &size);

	if (r == -ENOENT)
		return err_set(err, ENOENT, "container %.100s does not exist", id);
	if (r < 0)
		return err_set_errno(err, -r, "%s/%s/" STATE, root, id);
	r = oci_record_parse(text, size, &record, err);
	if (r < 0)
		return err_wrap(err, "%s/%s", root, id);
	if (strcmp(record.id, id) != 0 || !pod_id_is_valid(record.pod))
		return err_set(err, EINVAL, "%s/%s/" STATE ": not this container's", root, id);
	*ret = record;
	record = (struct oci_record){0};
	return 0;
}

/* The lock is the record's own: one on the directory says that the container is being created. */
int oci_store_claim(const char *root, const struct oci_record *record, struct err *err)
{
	_cleanup_close_ int dirfd = open_container(root, record->id);
	_cleanup_close_ int fd = dirfd < 0 ? dirfd : openat(dirfd, STATE, O_RDONLY | O_CLOEXEC);
	_cleanup_oci_record_ struct oci_record now = {0};
	int r = dirfd < 0 ? dirfd : fd < 0 || flock(fd, LOCK_EX) < 0 ? -errno : 0;

	if (r < 0)
		return err_set_errno(err, -r, "%s/%s/" STATE, root, record->id);
	r = oci_store_read(root, record->id, &now, err);
	if (r == 0 && now.created_ns != record->created_ns)
		r = err_set(err, ENOENT, "container %s has been deleted", record->id);
	return r < 0 ? r : TAKE_FD(fd);
}

void oci_store_remove(const char *root, const char *id)
{
	_cleanup_close_ int rootfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (rootfd >= 0 && pod_id_is_valid(id))
		io_remove_tree(rootfd, id);
}

char *oci_store_poststop(const char *root, const char *id)
{
	char *path = NULL;

	return asprintf(&path, "%s/%s/poststop", root, id) < 0 ? NULL : path;
}

static int is_id(const struct dirent *entry)
{
	return pod_id_is_valid(entry->d_name);
}

static int by_id(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int oci_store_for_each(const char *root, oci_store_fn fn, void *data, struct err *err)
{
	struct dirent **entries = NULL;
	int n = scandir(root, &entries, is_id, by_id), r = 0;

	if (n < 0)
		return errno == ENOENT ? 0 : err_set_errno(err, errno, "--root %s", root);
	for (int i = 0; i < n; i++) {
		_cleanup_oci_record_ struct oci_record record = {0};

		/* One that goes at this moment, or is not there yet, is none. */
		if (r >= 0 && oci_store_read(root, entries[i]->d_name, &record, NULL) == 0)
			r = fn(&record, data);
		free(entries[i]);
	}
	free(entries);
	return r < 0 ? r : 0;
}

int oci_store_owner(const char *root, const char *id, uid_t *ret)
{
	_cleanup_close_ int dirfd = pod_id_is_valid(id) ? open_container(root, id) : -ENOENT;
	struct stat st;

	if (dirfd < 0 || fstat(dirfd, &st) < 0)
		return dirfd < 0 ? dirfd : -errno;
	*ret = st.st_uid;
	return 0;
}

int oci_pid_started(pid_t pid, uint64_t *ret)
{
	_cleanup_free_ char *text = NULL;
	char path[32];
	size_t size;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (io_read_file(AT_FDCWD, path, 4096, &text, &size) < 0)
		return -ESRCH;
	return parse_start_time(text, ret);
}

bool oci_standin_is_alive(const struct oci_record *record)
{
	uint64_t started;

	return record->pid > 0 && oci_pid_started(record->pid, &started) == 0 &&
	       started == record->pid_started;
}

struct search {
	const char *root;
	pid_t pid;
	struct oci_record *ret;
};

static int look_at(const struct oci_record *record, void *data)
{
	struct search *search = data;

	if (record->pid != search->pid || !oci_standin_is_alive(record))
		return 0;
	return oci_store_read(search->root, record->id, search->ret, NULL) == 0 ? -EEXIST : 0;
}

int oci_store_find_pid(const char *root, pid_t pid, struct oci_record *ret)
{
	struct search search = {root, pid, ret};

	return oci_store_for_each(root, look_at, &search, NULL) == -EEXIST ? 0 : -ENOENT;
}
