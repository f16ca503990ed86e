/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/image_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/io.h"

#define SUFFIX ".erofs"

struct key_name {
	char text[SHA256_DIGEST_STRING_LENGTH + 8];
};

static struct key_name name_of_key(const char *key, const char *suffix)
{
	char hex[SHA256_DIGEST_STRING_LENGTH];
	struct key_name name;

	SHA256Data((const uint8_t *)key, strlen(key), hex);
	snprintf(name.text, sizeof(name.text), "%s%s", hex, suffix);
	return name;
}

static struct key_name name_of_image(const char *hex)
{
	struct key_name name;

	snprintf(name.text, sizeof(name.text), "%s%s", hex, SUFFIX);
	return name;
}

int image_store_path(char **ret, struct err *err)
{
	const char *root = getenv("SBX_ROOT"), *home = getenv("HOME");
	const char *xdg = getenv("XDG_DATA_HOME"), *below = "";

	if (root && root[0]) {
		below = "/images";
	} else if (geteuid() == 0) {
		root = "/var/lib/sbx/images";
	} else if (xdg && xdg[0] == '/') {
		root = xdg;
		below = "/sbx/images";
	} else {
		root = home;
		below = "/.local/share/sbx/images";
	}
	if (!root || root[0] != '/') {
		err_set(err, EINVAL, "SBX_ROOT or HOME must name an absolute path");
		return -EINVAL;
	}
	if (asprintf(ret, "%s%s", root, below) < 0) {
		err_set(err, ENOMEM, "out of memory");
		return -ENOMEM;
	}
	return 0;
}

static int open_sub(int dirfd, const char *name, int *ret_fd)
{
	if (mkdirat(dirfd, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	*ret_fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

static int open_parts(struct image_store *store, struct err *err)
{
	struct stat st;
	int r = io_mkdirs(store->path, 0700);

	if (r < 0)
		return err_set_errno(err, -r, "%s: cannot make the image store", store->path);
	store->dirfd = open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->dirfd < 0 || fstat(store->dirfd, &st) < 0)
		return err_set_errno(err, errno, "%s", store->path);
	/* What lies here is run; whoever could write here could choose what is run. */
	if (st.st_uid != geteuid() || (st.st_mode & 0022))
		return err_set(err, EPERM, "%s: not a directory that only this user can write",
			       store->path);
	r = open_sub(store->dirfd, "refs", &store->refs_fd);
	if (r == 0)
		r = open_sub(store->dirfd, "locks", &store->locks_fd);
	if (r == 0)
		r = open_sub(store->dirfd, "tmp", &store->tmp_fd);
	return r < 0 ? err_set_errno(err, -r, "%s", store->path) : 0;
}

int image_store_open(struct image_store *ret, struct err *err)
{
	struct image_store store = IMAGE_STORE_INIT;
	int r = image_store_path(&store.path, err);

	if (r == 0)
		r = open_parts(&store, err);
	if (r < 0)
		image_store_finish(&store);
	else
		*ret = store;
	return r;
}

void image_store_finish(struct image_store *store)
{
	close_fd(&store->dirfd);
	close_fd(&store->refs_fd);
	close_fd(&store->locks_fd);
	close_fd(&store->tmp_fd);
	free(store->path);
	store->path = NULL;
}

int image_store_lock(struct image_store *store, struct err *err)
{
	_cleanup_close_ int fd =
		openat(store->dirfd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return err_set_errno(err, errno, "%s/lock", store->path);
	do
		r = flock(fd, LOCK_EX);
	while (r < 0 && errno == EINTR);
	return r < 0 ? err_set_errno(err, errno, "%s/lock", store->path) : TAKE_FD(fd);
}

/* --- records -------------------------------------------------------------------------------- */

static int read_record(struct image_store *store, const char *name, struct image_record *ret)
{
	_cleanup_free_ char *text = NULL;
	size_t size;

	if (io_read_file(store->refs_fd, name, IMAGE_RECORD_MAX_BYTES, &text, &size) < 0)
		return -ENOENT;
	return image_record_parse(text, size, ret, NULL) < 0 ? -ENOENT : 0;
}

int image_store_find(struct image_store *store, const char *reference, struct image_record *ret)
{
	struct key_name name = name_of_key(reference, ".json");

	return read_record(store, name.text, ret);
}

int image_store_for_each(struct image_store *store, image_record_fn fn, void *data)
{
	int fd = openat(store->refs_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	if (!dir) {
		close_fd(&fd);
		return -errno;
	}
	while (r >= 0 && (de = readdir(dir))) {
		_cleanup_image_record_ struct image_record record = {0};

		/* A hidden one is a record being written. */
		if (de->d_name[0] != '.' && read_record(store, de->d_name, &record) == 0)
			r = fn(&record, data);
	}
	closedir(dir);
	return r;
}

struct search {
	const char *signature;
	char *reference;
};

static int match_signature(const struct image_record *record, void *data)
{
	struct search *search = data;

	if (strcmp(record->signature, search->signature) != 0)
		return 0;
	search->reference = strdup(record->reference);
	return -ECANCELED;
}

int image_store_find_signature(struct image_store *store, const char *signature,
			       struct image_record *ret)
{
	struct search search = {.signature = signature};
	int r = -ENOENT;

	image_store_for_each(store, match_signature, &search);
	if (search.reference)
		r = image_store_find(store, search.reference, ret);
	free(search.reference);
	return r;
}

/* Under the store's lock. */
static int write_record(struct image_store *store, const struct image_record *record,
			struct err *err)
{
	struct key_name name = name_of_key(record->reference, ".json");
	_cleanup_free_ char *text = image_record_encode(record);
	int r;

	if (!text)
		return err_set(err, EINVAL, "%.200s: cannot be recorded, as it is not UTF-8",
			       record->reference);
	r = io_write_atomic(store->refs_fd, name.text, text, strlen(text), 0600);
	return r < 0 ? err_set_errno(err, -r, "%s/refs", store->path) : 0;
}

int image_store_add_record(struct image_store *store, const struct image_record *record,
			   struct err *err)
{
	_cleanup_close_ int lock = image_store_lock(store, err);

	return lock < 0 ? lock : write_record(store, record, err);
}

/* --- images --------------------------------------------------------------------------------- */

static int lock_named(int fd, int operation)
{
	struct stat st;
	int r;

	do
		r = flock(fd, operation);
	while (r < 0 && errno == EINTR);
	if (r < 0 || fstat(fd, &st) < 0)
		return -errno;
	/* It may have lost its name while we waited. */
	return st.st_nlink == 0 ? -ENOENT : 0;
}

int image_store_open_image(struct image_store *store, const char *hex, char **ret_path)
{
	struct key_name name = name_of_image(hex);
	_cleanup_close_ int fd = openat(store->dirfd, name.text, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = lock_named(fd, LOCK_SH);
	if (r < 0)
		return r;
	if (asprintf(ret_path, "%s/%s", store->path, name.text) < 0)
		return -ENOMEM;
	return TAKE_FD(fd);
}

int image_store_publish(struct image_store *store, const struct image_temp *temp, const char *file,
			const struct image_record *record, struct err *err)
{
	struct key_name name = name_of_image(record->hex);
	_cleanup_close_ int fd = openat(temp->dirfd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_close_ int lock = -1;

	if (fd < 0 || fchmod(fd, 0400) < 0 || fsync(fd) < 0)
		return err_set_errno(err, errno, "%s/tmp/%s/%s", store->path, temp->name, file);
	lock = image_store_lock(store, err);
	if (lock < 0)
		return lock;
	/* One that is there is the same, and VMs may be using it. */
	if (faccessat(store->dirfd, name.text, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
	    (renameat(temp->dirfd, file, store->dirfd, name.text) < 0 || fsync(store->dirfd) < 0))
		return err_set_errno(err, errno, "%s/%s", store->path, name.text);
	return write_record(store, record, err);
}

bool image_store_is_used(struct image_store *store, const char *hex)
{
	struct key_name name = name_of_image(hex);
	_cleanup_close_ int fd = openat(store->dirfd, name.text, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 && lock_named(fd, LOCK_EX | LOCK_NB) == -EWOULDBLOCK;
}

/* Under the store's lock. -EBUSY where a process has it locked. */
static int remove_image(struct image_store *store, const char *file)
{
	_cleanup_close_ int fd = openat(store->dirfd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	r = lock_named(fd, LOCK_EX | LOCK_NB);
	if (r == -EWOULDBLOCK)
		return -EBUSY;
	if (r == 0 && unlinkat(store->dirfd, file, 0) < 0)
		r = -errno;
	return r;
}

struct count {
	const char *hex;
	size_t n;
};

static int count_image(const struct image_record *record, void *data)
{
	struct count *count = data;

	count->n += strcmp(record->hex, count->hex) == 0;
	return 0;
}

int image_store_remove(struct image_store *store, const struct image_record *record,
		       struct err *err)
{
	struct key_name ref = name_of_key(record->reference, ".json");
	struct key_name image = name_of_image(record->hex);
	struct count count = {.hex = record->hex};
	_cleanup_close_ int lock = image_store_lock(store, err);
	int r;

	if (lock < 0)
		return lock;
	r = image_store_for_each(store, count_image, &count);
	if (r == 0 && count.n <= 1)
		r = remove_image(store, image.text);
	if (r == -EBUSY)
		return err_set(err, EBUSY, "%.500s: in use by a sandbox", record->reference);
	if (r == 0 && unlinkat(store->refs_fd, ref.text, 0) < 0 && errno != ENOENT)
		r = -errno;
	return r < 0 ? err_set_errno(err, -r, "%.500s", record->reference) : 0;
}

void image_store_remove_orphan(struct image_store *store, const char *file)
{
	_cleanup_close_ int lock = image_store_lock(store, NULL);
	char hex[IMAGE_HEX_MAX + 1];
	struct count count = {.hex = hex};

	snprintf(hex, sizeof(hex), "%.*s", IMAGE_HEX_MAX, file);
	if (lock >= 0 && image_store_for_each(store, count_image, &count) == 0 && count.n == 0)
		remove_image(store, file);
}

/* --- builds --------------------------------------------------------------------------------- */

int image_store_lock_build(struct image_store *store, const char *key, struct err *err)
{
	struct key_name name = name_of_key(key, "");
	int r;

	for (;;) {
		_cleanup_close_ int fd = openat(store->locks_fd, name.text,
						O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

		if (fd < 0)
			return err_set_errno(err, errno, "%s/locks", store->path);
		r = lock_named(fd, LOCK_EX);
		if (r == 0)
			return TAKE_FD(fd);
		/* Swept while we waited: a new one by that name. */
		if (r != -ENOENT)
			return err_set_errno(err, -r, "%s/locks", store->path);
	}
}

void image_store_unlock_build(struct image_store *store, const char *key, int fd)
{
	struct key_name name = name_of_key(key, "");

	unlinkat(store->locks_fd, name.text, 0);
	close(fd);
}

int image_store_make_temp(struct image_store *store, struct image_temp *ret, struct err *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int lock = image_store_lock(store, err), fd = -1;

	if (lock < 0)
		return lock;
	if (asprintf(&path, "%s/tmp/XXXXXX", store->path) < 0)
		return err_set(err, ENOMEM, "out of memory");
	if (!mkdtemp(path))
		return err_set_errno(err, errno, "%s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_set_errno(err, errno, "%s", path);
	snprintf(ret->name, sizeof(ret->name), "%s", strrchr(path, '/') + 1);
	ret->dirfd = TAKE_FD(fd);
	return 0;
}
