/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/rootfs.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/opts.h"

/* What the guest's kernel can mount from a disk, so that the host's does not have to. */
static bool is_disk_type(const char *type)
{
	return strcmp(type, "erofs") == 0 || strcmp(type, "ext4") == 0;
}

static int plan_base(const Task__Mount *mount, struct rootfs_plan *plan, struct err *err)
{
	bool readonly = false;

	if (mount->source[0] != '/')
		return err_set(err, EINVAL, "rootfs: source: not an absolute path");
	if (mount->n_options > ROOTFS_MAX_OPTIONS)
		return err_set(err, EINVAL, "rootfs: too many mount options");
	for (size_t i = 0; i < mount->n_options; i++) {
		/* How the host would have found a disk in a file. */
		if (strcmp(mount->options[i], "loop") == 0)
			continue;
		plan->options[plan->n_options++] = mount->options[i];
		readonly |= strcmp(mount->options[i], "ro") == 0;
	}
	if (!readonly && strcmp(mount->type, "erofs") == 0)
		return err_set(err, EINVAL, "rootfs: %s without ro", mount->type);
	plan->writable = !readonly;
	plan->image = mount->source;
	plan->fstype = mount->type;
	return 0;
}

static int plan_scratch(const Task__Mount *mount, struct rootfs_plan *plan, struct err *err)
{
	if (plan->overlay)
		return err_set(err, EINVAL, "rootfs: a second writable layer");
	for (size_t i = 0; i < mount->n_options; i++) {
		const char *option = mount->options[i];

		if (strncmp(option, "size=", 5) != 0 ||
		    parse_uint(option + 5, &plan->overlay_size) < 0)
			return err_set(err, EINVAL, "rootfs: sbx-scratch: option %.64s: not known",
				       option);
	}
	if (plan->overlay_size == 0)
		return err_set(err, EINVAL, "rootfs: sbx-scratch: size missing");
	plan->overlay = true;
	return 0;
}

int rootfs_plan(Task__Mount *const *mounts, size_t n_mounts, struct rootfs_plan *ret,
		struct err *err)
{
	struct rootfs_plan plan = {0};
	int r;

	plan.mounted = n_mounts > 0 && !is_disk_type(mounts[0]->type);
	if (n_mounts == 0 || plan.mounted) {
		*ret = plan;
		return 0;
	}
	r = plan_base(mounts[0], &plan, err);
	for (size_t i = 1; r == 0 && i < n_mounts; i++) {
		if (strcmp(mounts[i]->type, "sbx-scratch") == 0)
			r = plan_scratch(mounts[i], &plan, err);
		else
			r = err_set(err, EINVAL, "rootfs of more than one mount: not supported");
	}
	if (r == 0)
		*ret = plan;
	return r;
}

void rootfs_message_fill(const struct rootfs_plan *plan, uint32_t slot, const char *share,
			 struct rootfs_message *ret)
{
	agent__rootfs__init(&ret->rootfs);
	agent__volume__init(&ret->base);
	agent__overlay__init(&ret->overlay);
	ret->base.slot = slot;
	ret->base.fstype = (char *)plan->fstype;
	ret->base.options = (char **)plan->options;
	ret->base.n_options = plan->n_options;
	if (plan->image)
		ret->rootfs.lower = &ret->base;
	else
		ret->rootfs.share = (char *)share;
	if (plan->overlay) {
		ret->overlay.size = plan->overlay_size;
		ret->rootfs.overlay = &ret->overlay;
	}
}
