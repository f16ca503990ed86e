/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/container_share.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/container.h"
#include "shim/share.h"
#include "shim/shim.h"
#include "shim/spec.h"

static int open_one(struct container *container, const struct spec_share *share, struct err *err)
{
	struct container_share *item = &container->shares.items[container->shares.n];
	_cleanup_free_ char *path = NULL;
	int fd;

	if (asprintf(&path, "%s%s%s", share->path[0] == '/' ? "" : container->bundle,
		     share->path[0] == '/' ? "" : "/", share->path) < 0)
		return err_set(err, ENOMEM, "out of memory");
	item->name = strdup(share->name);
	if (!item->name)
		return err_set(err, ENOMEM, "out of memory");
	fd = share_clone(path, share->readonly, share->recursive, err);
	if (fd < 0) {
		free(TAKE_PTR(item->name));
		return fd;
	}
	item->fd = fd;
	item->readonly = share->readonly;
	item->recursive = share->recursive;
	container->shares.n++;
	return 0;
}

/* Writable even where the spec says readonly: mount points may have to be made in it before. */
static int open_rootfs(struct container *container, struct err *err)
{
	const struct spec_config *config = &container->spec->config;
	_cleanup_free_ char *name = NULL;
	struct spec_share share = {.path = "rootfs", .recursive = true};
	int r;

	if (config->root && config->root->path && config->root->path[0])
		share.path = config->root->path;
	if (asprintf(&name, "%s.rootfs", container->id) < 0)
		return err_set(err, ENOMEM, "out of memory");
	share.name = name;
	r = open_one(container, &share, err);
	if (r < 0)
		return err_wrap(err, "rootfs");
	container->shares.rootfs = container->shares.items[container->shares.n - 1].name;
	return 0;
}

int container_shares_open(struct container *container, bool rootfs, struct err *err)
{
	const struct spec_shares *shares = &container->spec->shares;
	int r = 0;

	container->shares.items = calloc(shares->n + 1, sizeof(*container->shares.items));
	if (!container->shares.items)
		return err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < shares->n && r == 0; i++)
		r = open_one(container, &shares->items[i], err);
	return r == 0 && rootfs ? open_rootfs(container, err) : r;
}

static void on_added(const struct err *err, void *data)
{
	struct container *container = data;

	if (err && !container->shares.err.code)
		container->shares.err = *err;
	if (--container->shares.pending == 0)
		container_shared(container);
}

/* Whether nothing that this pod shares, now or later, may be written. */
static bool all_readonly(const struct container *container)
{
	bool readonly = container->shim->sandbox.alone;

	for (size_t i = 0; i < container->shares.n; i++)
		readonly &= container->shares.items[i].readonly;
	return readonly;
}

static int start(struct container *container, struct err *err)
{
	struct sandbox *sandbox = &container->shim->sandbox;
	int r = 0;

	if (!sandbox->share)
		r = share_create(sandbox->loop, sandbox->hv, all_readonly(container),
				 &sandbox->share, err);
	for (size_t i = 0; i < container->shares.n && r == 0; i++) {
		struct container_share *item = &container->shares.items[i];

		r = share_add(sandbox->share,
			      &(struct share_folder){.name = item->name,
						     .fd = item->fd,
						     .readonly = item->readonly,
						     .recursive = item->recursive},
			      on_added, container);
		if (r < 0)
			return err_set_errno(err, -r, "share %s", item->name);
		close_fd(&item->fd);
		item->added = true;
		container->shares.pending++;
	}
	return r;
}

void container_shares_add(struct container *container)
{
	if (container->shares.n)
		start(container, &container->shares.err);
	if (!container->shares.pending)
		container_shared(container);
}

void container_shares_finish(struct container *container)
{
	struct container_shares *shares = &container->shares;

	for (size_t i = 0; i < shares->n; i++) {
		struct container_share *item = &shares->items[i];

		if (item->added && container->shim->sandbox.share)
			share_remove(container->shim->sandbox.share, item->name);
		close_fd(&item->fd);
		free(item->name);
	}
	free(shares->items);
	*shares = (struct container_shares){0};
}
