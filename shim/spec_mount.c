/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shim/spec.h"

int spec_mount_make_absolute(struct spec *spec, struct spec_mount *mount)
{
	size_t size = strlen(mount->destination) + 2;
	char *path;

	if (mount->destination[0] == '/' || !mount->destination[0])
		return 0;
	path = json_doc_alloc(&spec->doc, size, 1);
	if (!path)
		return -ENOMEM;
	snprintf(path, size, "/%s", mount->destination);
	mount->destination = path;
	return 0;
}

bool spec_mount_has(const struct spec_mount *mount, const char *option)
{
	const char *const *options = mount->options.items;

	for (size_t i = 0; i < mount->options.n; i++)
		if (strcmp(options[i], option) == 0)
			return true;
	return false;
}

static bool asks_for_bind(const struct spec_mount *mount)
{
	return (mount->type && strcmp(mount->type, "bind") == 0) || spec_mount_has(mount, "bind") ||
	       spec_mount_has(mount, "rbind");
}

/* -v /sys:/mnt means the host's; only over itself it is a stand-in for a mount. */
const char *spec_mount_kernel_type(const struct spec_mount *mount)
{
	const char *source = mount->source;

	if (!source || !mount->destination || strcmp(source, mount->destination) != 0 ||
	    !asks_for_bind(mount))
		return NULL;
	if (strcmp(source, "/sys") == 0)
		return "sysfs";
	return strcmp(source, "/proc") == 0 ? "proc" : NULL;
}

bool spec_mount_is_bind(const struct spec_mount *mount)
{
	return asks_for_bind(mount) && !spec_mount_kernel_type(mount);
}
