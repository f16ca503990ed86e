/* SPDX-License-Identifier: Apache-2.0 */
/* A container's spec as docker would make it, to be changed by a test before it is used. */
#ifndef TESTS_AGENT_SPEC_H
#define TESTS_AGENT_SPEC_H

#include "agent.pb-c.h"

struct spec {
	Agent__CreateRequest create;
	Agent__Rootfs rootfs;
	Agent__Volume lower;
	Agent__Overlay overlay;
	Agent__Streams streams;
	Spec__Spec spec;
	Spec__Process process;
	Spec__User user;
	Spec__Capabilities caps;
	Spec__Linux linux;
	Spec__Resources resources;
	Spec__Mount mounts[8], *mount_list[8];
	Spec__Namespace namespaces[8], *namespace_list[8];
	char *args[16], *env[8];
};

/* /bin/sh -c script in container id, on disk slot 0 with 16 MiB of memory to write to. */
void spec_init(struct spec *spec, const char *id, const char *script);
/* The process alone, for an exec. */
void spec_process(struct spec *spec, const char *script);
void spec_add_namespace(struct spec *spec, const char *type);

#endif
