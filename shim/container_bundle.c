/* SPDX-License-Identifier: Apache-2.0 */
/* What a container's bundle says: its config.json, and of that what the guest is told. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/io.h"
#include "common/log.h"
#include "shim/container.h"
#include "shim/group.h"
#include "shim/memory_volume.h"
#include "shim/namespace.h"
#include "shim/oom_score.h"
#include "shim/places.h"
#include "shim/seccomp_ready.h"
#include "shim/shim.h"
#include "shim/spec.h"
#include "shim/spec_guest.h"

void container_log_notes(const struct spec *spec)
{
	for (size_t i = 0; i < spec->doc.n_noted; i++)
		log_warn("%s: %s: %s", spec->doc.what, spec->doc.noted[i].name,
			 spec->doc.noted[i].why);
	if (spec->doc.n_more)
		log_warn("%s: %zu more members without effect", spec->doc.what, spec->doc.n_more);
	for (size_t i = 0; i < spec->n_unknown_caps; i++)
		log_warn("%s: process.capabilities: %.64s is not known, and not granted",
			 spec->doc.what, spec->unknown_caps[i]);
}

void container_take_resources(struct container *container, struct spec_resources *resources)
{
	if (!container->cri || !spec_drop_cpuset(resources) || container->cpuset_noted)
		return;
	container->cpuset_noted = true;
	log_info("%s: its cpuset names the host's processors, and does not hold in the guest",
		 container->id);
}

/* A namespace_scope's find; the name may have to outlive the container that it is of. */
static const char *stands_for(pid_t pid, void *data)
{
	struct container *container = data;
	const struct container *other = shim_find_stood_for(container->shim, pid);
	size_t size;
	char *id;

	if (!other || other->sandbox)
		return other ? "" : NULL;
	size = strlen(other->id) + 1;
	id = json_doc_alloc(&container->spec->doc, 1, size);
	return id ? memcpy(id, other->id, size) : NULL;
}

/* NULL: there is none, and each profile will be compiled. */
static char *read_ready_seccomp(size_t *ret_size)
{
	_cleanup_free_ char *path = NULL;
	char *data = NULL;

	if (places_find_share(SECCOMP_READY_FILE, &path, NULL) < 0 ||
	    io_read_file(AT_FDCWD, path, SECCOMP_READY_MAX, &data, ret_size) < 0)
		return NULL;
	return data;
}

/* Of containerd's clients: sbx's own give a path, and sbx-oci's containers have a stand-in. */
static bool has_own_network(const struct container *container)
{
	return container->alone && container->shim->publisher && !container->shim->pod_service &&
	       spec_has_namespace(container->spec, "network") &&
	       !spec_namespace_path(container->spec, "network");
}

int container_read_bundle(struct container *container, struct err *err)
{
	struct namespace_scope scope = {
		.pod = container->shim->sandbox.hv ? container->shim->sandbox.hv->pid : 0,
		.find = stands_for,
		.data = container,
	};
	_cleanup_free_ char *path = NULL, *text = NULL, *ready = NULL;
	size_t size, ready_size = 0;
	int r;

	if (container->bundle[0] != '/' || asprintf(&path, "%s/config.json", container->bundle) < 0)
		return err_set(err, EINVAL, "bundle: not an absolute path");
	r = io_read_file(AT_FDCWD, path, SPEC_MAX_BYTES, &text, &size);
	if (r < 0)
		return err_set_errno(err, -r, "%s", path);
	r = spec_parse(text, size, &container->spec, err);
	if (r < 0)
		return r;
	/* It runs nothing, so most of what its spec says is about a process that will never be. */
	container->sandbox = group_is_sandbox(container->spec);
	container->oom_score = oom_score_of_spec(container->spec);
	if (container->sandbox)
		return 0;
	container->alone = !group_is_named(container->spec);
	container->cri = container->shim->publisher && group_is_cri(container->spec);
	container->own_net = has_own_network(container);
	if (container->spec->config.linux) {
		container_take_resources(container, container->spec->config.linux->resources);
		pod_demand_change(&container->demand, container->spec->config.linux->resources);
	}
	/* The init has been the agent: neighbours could read in its memory what the agent knows of them. */
	if (!container->shim->own_pod && spec_annotation(container->spec, "sbx.init"))
		return err_set(
			err, EINVAL,
			"config.json: annotations: sbx.init: only `sbx run` has pods with an init");
	if (!container->shim->own_pod &&
	    (r = memory_volumes_mark(&container->shim->volumes, container->spec, err)) < 0)
		return r;
	container->spec->shares.prefix = container->id;
	container->spec->id = container->id;
	container->spec->bundle = container->bundle;
	container->spec->resolve_namespace = namespace_resolve;
	container->spec->resolve_data = &scope;
	ready = read_ready_seccomp(&ready_size);
	container->spec->ready_seccomp = bytes_of((const uint8_t *)ready, ready_size);
	r = spec_guest_build(container->spec, &container->guest_spec, err);
	container->spec->ready_seccomp = bytes_of(NULL, 0);
	container->spec->resolve_data = NULL;
	container_log_notes(container->spec);
	return r;
}
