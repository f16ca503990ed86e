/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/pod_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <sha256.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "shim/places.h"

int pod_socket_dir(int *ret_dirfd, char **ret_path, struct err *err)
{
	_cleanup_free_ char *run = NULL, *path = NULL;
	int r = places_run_dir(&run, err), fd;

	if (r < 0)
		return r;
	if (asprintf(&path, "%s/s", run) < 0)
		return err_set(err, ENOMEM, "out of memory");
	r = io_mkdirs(path, 0700);
	if (r < 0)
		return err_set_errno(err, -r, "%s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(err, errno, "%s", path);
	*ret_dirfd = fd;
	if (ret_path)
		*ret_path = TAKE_PTR(path);
	return 0;
}

/* A hash, because ids may be longer than a socket's path may be. */
void pod_socket_name(const char *namespace, const char *id, char name[33])
{
	char hex[SHA256_DIGEST_STRING_LENGTH];
	SHA2_CTX ctx;

	SHA256Init(&ctx);
	SHA256Update(&ctx, (const uint8_t *)namespace, strlen(namespace) + 1);
	SHA256Update(&ctx, (const uint8_t *)id, strlen(id));
	SHA256End(&ctx, hex);
	memcpy(name, hex, 32);
	name[32] = '\0';
}

static void remove_socket(const char *namespace, const char *id, bool only_dead)
{
	_cleanup_close_ int dirfd = -1, probe = -1;
	char name[33];

	pod_socket_name(namespace, id, name);
	if (pod_socket_dir(&dirfd, NULL, NULL) < 0)
		return;
	if (!only_dead || sock_connect_at(dirfd, name, &probe) == -ECONNREFUSED)
		unlinkat(dirfd, name, 0);
}

void pod_socket_remove(const char *namespace, const char *id)
{
	remove_socket(namespace, id, false);
}

void pod_socket_remove_dead(const char *namespace, const char *id)
{
	remove_socket(namespace, id, true);
}
