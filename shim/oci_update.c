/* SPDX-License-Identifier: Apache-2.0 */
/* sbx-oci update: other limits for a container. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "any.pb-c.h"
#include "common/io.h"
#include "shim/oci_container.h"
#include "shim/oci_log.h"
#include "shim/oci_resources.h"
#include "shim/spec.h"

struct update_options {
	struct oci_resource_options resources;
	const char *file, *kernel_memory, *kernel_memory_tcp;
};

#define OPT(name, field, what, text)                                                               \
	CLI_OPT(update_options, 0, name, STRING, resources.field, what, text)

static const struct opt rows[] = {
	CLI_OPT(update_options, 'r', "resources", STRING, file, "FILE",
		"linux.resources as JSON; -: standard input"),
	OPT("blkio-weight", blkio_weight, "N", "block I/O weight"),
	OPT("cpu-period", cpu_period, "USEC", "the quota's period"),
	OPT("cpu-quota", cpu_quota, "USEC", "CPU time in a period; -1: no limit"),
	OPT("cpu-burst", cpu_burst, "USEC", "CPU time saved up"),
	OPT("cpu-share", cpu_share, "N", "CPU weight"),
	OPT("cpu-shares", cpu_share, "N", NULL),
	OPT("cpu-idle", cpu_idle, "0|1", "only what nobody else wants"),
	OPT("cpuset-cpus", cpuset_cpus, "LIST", "the guest's CPUs to run on"),
	OPT("cpuset-mems", cpuset_mems, "LIST", "the guest's memory nodes"),
	OPT("memory", memory, "SIZE", "memory limit"),
	OPT("memory-swap", memory_swap, "SIZE", "memory and swap together"),
	OPT("memory-reservation", memory_reservation, "SIZE", "memory that is kept for it"),
	CLI_OPT(update_options, 0, "kernel-memory", STRING, kernel_memory, "SIZE",
		"without meaning in cgroup v2"),
	CLI_OPT(update_options, 0, "kernel-memory-tcp", STRING, kernel_memory_tcp, "SIZE",
		"without meaning in cgroup v2"),
	OPT("pids-limit", pids_limit, "N", "how many processes"),
};

static const struct opts_spec spec =
	CLI_OPTS("sbx-oci update [options] CONTAINER", rows, .permute = true);

static int read_resources(const struct update_options *o, char **ret, struct err *err)
{
	json_t *root = NULL;
	size_t size;
	int r;

	if (o->file) {
		const char *path = strcmp(o->file, "-") == 0 ? "/dev/stdin" : o->file;

		r = io_read_file(AT_FDCWD, path, SPEC_MAX_BYTES, ret, &size);
		return r < 0 ? err_set_errno(err, -r, "--resources %s", o->file) : 0;
	}
	r = oci_resources_build(&o->resources, &root, err);
	if (r < 0)
		return r;
	*ret = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return *ret ? 0 : err_set(err, ENOMEM, "out of memory");
}

/* Whether there is more to do: runc takes them too, and says that they are obsolete. */
static bool pass_over_kernel_memory(const struct oci *oci, const struct update_options *o)
{
	static const struct oci_resource_options none;

	if (!o->kernel_memory && !o->kernel_memory_tcp)
		return true;
	oci_log_warning(oci,
			"--kernel-memory and --kernel-memory-tcp do not exist in cgroup v2, and "
			"are passed over");
	return o->file || memcmp(&o->resources, &none, sizeof(none)) != 0;
}

static int run(const struct oci *oci, int argc, char **argv, struct err *err)
{
	char type[] = "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources";
	_cleanup_oci_container_ struct oci_container container = {0};
	Task__UpdateTaskRequest request = TASK__UPDATE_TASK_REQUEST__INIT;
	Google__Any any = GOOGLE__ANY__INIT;
	struct update_options o = {0};
	_cleanup_free_ char *text = NULL;
	int first, r = oci_parse(&oci_update_verb, argc, argv, &o, 1, 1, &first, err);

	if (r == 0)
		r = oci_container_open_running(oci, argv[first], &container, err);
	if (r < 0 || !pass_over_kernel_memory(oci, &o))
		return r;
	r = read_resources(&o, &text, err);
	if (r < 0)
		return r;
	any.type_url = type;
	any.value.data = (uint8_t *)text;
	any.value.len = strlen(text);
	request.id = argv[first];
	request.resources = &any;
	return cli_task(&container.shim, "Update", &request.base, NULL, 0, NULL, err);
}

const struct oci_verb oci_update_verb = {
	.name = "update",
	.help = "change a container's limits",
	.opts = &spec,
	.run = run,
};
