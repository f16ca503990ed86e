/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * The tables follow the runtime-spec's order of chapters. A row that is REFUSED is a field that we
 * know and do not honour (yet); it may be there empty. What no row names is noted as unknown.
 */
#define FIELD(json, k, strct, member, ...)                                                         \
	{                                                                                          \
		.name = (json), .kind = JSON_FIELD_##k, .offset = offsetof(struct strct, member),  \
		__VA_ARGS__                                                                        \
	}
#define REFUSED_AS(json, reason)                                                                   \
	{                                                                                          \
		.name = (json), .kind = JSON_FIELD_REFUSED, .why = (reason)                        \
	}
#define NOTED(json, reason)                                                                        \
	{                                                                                          \
		.name = (json), .kind = JSON_FIELD_NOTED, .why = (reason)                          \
	}
#define OBJECT(strct, rows)                                                                        \
	{                                                                                          \
		.size = sizeof(struct strct), .fields = (rows), .n_fields = ARRAY_SIZE(rows)       \
	}

static const struct json_field root_fields[] = {
	FIELD("path", STRING, spec_root, path),
	FIELD("readonly", BOOL, spec_root, readonly),
};
static const struct json_object root_object = OBJECT(spec_root, root_fields);

static const struct json_field rlimit_fields[] = {
	FIELD("type", STRING, spec_rlimit, type, .required = true),
	FIELD("soft", UINT, spec_rlimit, soft, .required = true),
	FIELD("hard", UINT, spec_rlimit, hard, .required = true),
};
static const struct json_object rlimit_object = OBJECT(spec_rlimit, rlimit_fields);

static const struct json_field capabilities_fields[] = {
	FIELD("bounding", STRINGS, spec_capabilities, bounding, .max_items = 64),
	FIELD("effective", STRINGS, spec_capabilities, effective, .max_items = 64),
	FIELD("inheritable", STRINGS, spec_capabilities, inheritable, .max_items = 64),
	FIELD("permitted", STRINGS, spec_capabilities, permitted, .max_items = 64),
	FIELD("ambient", STRINGS, spec_capabilities, ambient, .max_items = 64),
};
static const struct json_object capabilities_object =
	OBJECT(spec_capabilities, capabilities_fields);

static const struct json_field user_fields[] = {
	FIELD("uid", UINT, spec_user, uid, .max = UINT32_MAX),
	FIELD("gid", UINT, spec_user, gid, .max = UINT32_MAX),
	FIELD("umask", UINT, spec_user, umask, .max = 0777),
	FIELD("additionalGids", UINTS, spec_user, additional_gids),
	FIELD("username", STRING, spec_user, username),
};
static const struct json_object user_object = OBJECT(spec_user, user_fields);

static const struct json_field console_size_fields[] = {
	FIELD("height", UINT, spec_console_size, height, .max = UINT16_MAX),
	FIELD("width", UINT, spec_console_size, width, .max = UINT16_MAX),
};
static const struct json_object console_size_object =
	OBJECT(spec_console_size, console_size_fields);

static const struct json_field scheduler_fields[] = {
	FIELD("policy", STRING, spec_scheduler, policy, .required = true),
	FIELD("nice", INT, spec_scheduler, nice, .min = -20, .max = 19),
	FIELD("priority", INT, spec_scheduler, priority, .max = 99),
	FIELD("flags", STRINGS, spec_scheduler, flags, .max_items = 16),
	FIELD("runtime", UINT, spec_scheduler, runtime),
	FIELD("deadline", UINT, spec_scheduler, deadline),
	FIELD("period", UINT, spec_scheduler, period),
};
static const struct json_object scheduler_object = OBJECT(spec_scheduler, scheduler_fields);

static const struct json_field io_priority_fields[] = {
	FIELD("class", STRING, spec_io_priority, class, .required = true),
	FIELD("priority", INT, spec_io_priority, priority, .max = 7),
};
static const struct json_object io_priority_object = OBJECT(spec_io_priority, io_priority_fields);

static const struct json_field cpu_affinity_fields[] = {
	FIELD("initial", STRING, spec_cpu_affinity, initial),
	FIELD("final", STRING, spec_cpu_affinity, final),
};
static const struct json_object cpu_affinity_object =
	OBJECT(spec_cpu_affinity, cpu_affinity_fields);

/* The bounds on args and env keep the message to the guest far below a frame's 4 MiB. */
static const struct json_field process_fields[] = {
	FIELD("terminal", BOOL, spec_process, terminal),
	FIELD("consoleSize", OBJECT, spec_process, console_size, .object = &console_size_object),
	FIELD("cwd", STRING, spec_process, cwd, .required = true),
	FIELD("env", STRINGS, spec_process, env, .max_items = 8192),
	FIELD("args", STRINGS, spec_process, args, .max_items = 8192),
	FIELD("rlimits", OBJECTS, spec_process, rlimits, .object = &rlimit_object, .max_items = 32),
	FIELD("capabilities", OBJECT, spec_process, capabilities, .object = &capabilities_object),
	FIELD("noNewPrivileges", BOOL, spec_process, no_new_privileges),
	FIELD("oomScoreAdj", INT, spec_process, oom_score_adj, .min = -1000, .max = 1000),
	FIELD("user", OBJECT, spec_process, user, .object = &user_object),
	FIELD("scheduler", OBJECT, spec_process, scheduler, .object = &scheduler_object),
	FIELD("ioPriority", OBJECT, spec_process, io_priority, .object = &io_priority_object),
	FIELD("execCPUAffinity", OBJECT, spec_process, exec_cpu_affinity,
	      .object = &cpu_affinity_object),
	NOTED("apparmorProfile", "confines nothing, as no process of the host is the container's"),
	NOTED("selinuxLabel", "confines nothing, as no process of the host is the container's"),
	REFUSED_AS("commandLine", "is for Windows"),
};
static const struct json_object process_object = OBJECT(spec_process, process_fields);

static const struct json_field id_mapping_fields[] = {
	FIELD("containerID", UINT, spec_id_mapping, container_id, .required = true,
	      .max = UINT32_MAX),
	FIELD("hostID", UINT, spec_id_mapping, host_id, .required = true, .max = UINT32_MAX),
	FIELD("size", UINT, spec_id_mapping, size, .required = true, .max = UINT32_MAX),
};
static const struct json_object id_mapping_object = OBJECT(spec_id_mapping, id_mapping_fields);

static const struct json_field mount_fields[] = {
	FIELD("destination", STRING, spec_mount, destination, .required = true),
	FIELD("source", STRING, spec_mount, source),
	FIELD("type", STRING, spec_mount, type),
	FIELD("options", STRINGS, spec_mount, options, .max_items = 64),
	FIELD("uidMappings", OBJECTS, spec_mount, uid_mappings, .object = &id_mapping_object,
	      .max_items = 340),
	FIELD("gidMappings", OBJECTS, spec_mount, gid_mappings, .object = &id_mapping_object,
	      .max_items = 340),
};
static const struct json_object mount_object = OBJECT(spec_mount, mount_fields);

static const struct json_field namespace_fields[] = {
	FIELD("type", STRING, spec_namespace, type, .required = true),
	FIELD("path", STRING, spec_namespace, path),
};
static const struct json_object namespace_object = OBJECT(spec_namespace, namespace_fields);

static const struct json_field device_fields[] = {
	FIELD("type", STRING, spec_device, type, .required = true),
	FIELD("path", STRING, spec_device, path, .required = true),
	FIELD("major", INT, spec_device, major, .max = UINT32_MAX),
	FIELD("minor", INT, spec_device, minor, .max = UINT32_MAX),
	FIELD("fileMode", UINT, spec_device, file_mode, .max = 0177777),
	FIELD("uid", UINT, spec_device, uid, .max = UINT32_MAX),
	FIELD("gid", UINT, spec_device, gid, .max = UINT32_MAX),
};
static const struct json_object device_object = OBJECT(spec_device, device_fields);

static const struct json_field device_rule_fields[] = {
	FIELD("allow", BOOL, spec_device_rule, allow, .required = true),
	FIELD("type", STRING, spec_device_rule, type),
	FIELD("major", INT, spec_device_rule, major, .min = -1, .max = UINT32_MAX),
	FIELD("minor", INT, spec_device_rule, minor, .min = -1, .max = UINT32_MAX),
	FIELD("access", STRING, spec_device_rule, access),
};
static const struct json_object device_rule_object = OBJECT(spec_device_rule, device_rule_fields);

static const struct json_field memory_fields[] = {
	FIELD("limit", INT, spec_memory, limit, .min = -1),
	FIELD("reservation", INT, spec_memory, reservation, .min = -1),
	FIELD("swap", INT, spec_memory, swap, .min = -1),
	REFUSED_AS("kernel", "does not exist in cgroup v2"),
	REFUSED_AS("kernelTCP", "does not exist in cgroup v2"),
	REFUSED_AS("swappiness", "does not exist in cgroup v2"),
	REFUSED_AS("disableOOMKiller", "does not exist in cgroup v2"),
	REFUSED_AS("useHierarchy", "does not exist in cgroup v2"),
	FIELD("checkBeforeUpdate", BOOL, spec_memory, check_before_update),
};
static const struct json_object memory_object = OBJECT(spec_memory, memory_fields);

static const struct json_field cpu_fields[] = {
	FIELD("shares", UINT, spec_cpu, shares),
	FIELD("quota", INT, spec_cpu, quota, .min = -1),
	FIELD("period", UINT, spec_cpu, period),
	FIELD("cpus", STRING, spec_cpu, cpus),
	FIELD("mems", STRING, spec_cpu, mems),
	FIELD("burst", UINT, spec_cpu, burst),
	FIELD("idle", INT, spec_cpu, idle, .max = 1),
	REFUSED_AS("realtimeRuntime", "does not exist in cgroup v2"),
	REFUSED_AS("realtimePeriod", "does not exist in cgroup v2"),
};
static const struct json_object cpu_object = OBJECT(spec_cpu, cpu_fields);

static const struct json_field pids_fields[] = {
	FIELD("limit", INT, spec_pids, limit, .min = -1),
};
static const struct json_object pids_object = OBJECT(spec_pids, pids_fields);

static const struct json_field io_weight_fields[] = {
	FIELD("major", INT, spec_io_device, major, .required = true, .max = UINT32_MAX),
	FIELD("minor", INT, spec_io_device, minor, .required = true, .max = UINT32_MAX),
	FIELD("weight", UINT, spec_io_device, weight, .max = 1000),
	REFUSED_AS("leafWeight", "does not exist in cgroup v2"),
};
static const struct json_object io_weight_object = OBJECT(spec_io_device, io_weight_fields);

static const struct json_field io_rate_fields[] = {
	FIELD("major", INT, spec_io_device, major, .required = true, .max = UINT32_MAX),
	FIELD("minor", INT, spec_io_device, minor, .required = true, .max = UINT32_MAX),
	FIELD("rate", UINT, spec_io_device, rate, .required = true),
};
static const struct json_object io_rate_object = OBJECT(spec_io_device, io_rate_fields);

#define IO_RATES(json, member)                                                                     \
	FIELD(json, OBJECTS, spec_block_io, member, .object = &io_rate_object, .max_items = 64)

static const struct json_field block_io_fields[] = {
	FIELD("weight", UINT, spec_block_io, weight, .max = 1000),
	REFUSED_AS("leafWeight", "does not exist in cgroup v2"),
	FIELD("weightDevice", OBJECTS, spec_block_io, weight_device, .object = &io_weight_object,
	      .max_items = 64),
	IO_RATES("throttleReadBpsDevice", read_bps),
	IO_RATES("throttleWriteBpsDevice", write_bps),
	IO_RATES("throttleReadIOPSDevice", read_iops),
	IO_RATES("throttleWriteIOPSDevice", write_iops),
};
static const struct json_object block_io_object = OBJECT(spec_block_io, block_io_fields);

static const struct json_field hugepage_fields[] = {
	FIELD("pageSize", STRING, spec_hugepage_limit, page_size, .required = true),
	FIELD("limit", UINT, spec_hugepage_limit, limit, .required = true),
};
static const struct json_object hugepage_object = OBJECT(spec_hugepage_limit, hugepage_fields);

static const struct json_field resources_fields[] = {
	FIELD("devices", OBJECTS, spec_resources, devices, .object = &device_rule_object),
	FIELD("memory", OBJECT, spec_resources, memory, .object = &memory_object),
	FIELD("cpu", OBJECT, spec_resources, cpu, .object = &cpu_object),
	FIELD("pids", OBJECT, spec_resources, pids, .object = &pids_object),
	FIELD("unified", MAP, spec_resources, unified, .max_items = 128),
	FIELD("blockIO", OBJECT, spec_resources, block_io, .object = &block_io_object),
	FIELD("hugepageLimits", OBJECTS, spec_resources, hugepage_limits,
	      .object = &hugepage_object, .max_items = 64),
	REFUSED_AS("network", "does not exist in cgroup v2"),
	REFUSED_AS("rdma", "the guest has no RDMA devices"),
};
static const struct json_object resources_object = OBJECT(spec_resources, resources_fields);

static const struct json_field seccomp_arg_fields[] = {
	FIELD("index", UINT, spec_seccomp_arg, index, .required = true, .max = 5),
	FIELD("value", UINT, spec_seccomp_arg, value, .required = true, .exact = true),
	FIELD("valueTwo", UINT, spec_seccomp_arg, value_two, .exact = true),
	FIELD("op", STRING, spec_seccomp_arg, op, .required = true),
};
static const struct json_object seccomp_arg_object = OBJECT(spec_seccomp_arg, seccomp_arg_fields);

static const struct json_field syscall_fields[] = {
	FIELD("names", STRINGS, spec_syscall, names, .required = true),
	FIELD("action", STRING, spec_syscall, action, .required = true),
	FIELD("errnoRet", UINT, spec_syscall, errno_ret, .max = 4095),
	FIELD("args", OBJECTS, spec_syscall, args, .object = &seccomp_arg_object, .max_items = 64),
};
static const struct json_object syscall_object = OBJECT(spec_syscall, syscall_fields);

static const struct json_field seccomp_fields[] = {
	FIELD("defaultAction", STRING, spec_seccomp, default_action, .required = true),
	FIELD("defaultErrnoRet", UINT, spec_seccomp, default_errno_ret, .max = 4095),
	FIELD("architectures", STRINGS, spec_seccomp, architectures, .max_items = 64),
	FIELD("flags", STRINGS, spec_seccomp, flags, .max_items = 16),
	FIELD("syscalls", OBJECTS, spec_seccomp, syscalls, .object = &syscall_object),
	REFUSED_AS("listenerPath", "no descriptor of the guest reaches a listener on the host"),
	REFUSED_AS("listenerMetadata", "no descriptor of the guest reaches a listener on the host"),
};
static const struct json_object seccomp_object = OBJECT(spec_seccomp, seccomp_fields);

static const struct json_field time_offset_fields[] = {
	FIELD("secs", INT, spec_time_offset, secs, .min = INT64_MIN),
	FIELD("nanosecs", UINT, spec_time_offset, nanosecs, .max = 999999999),
};
static const struct json_object time_offset_object = OBJECT(spec_time_offset, time_offset_fields);

static const struct json_field time_offsets_fields[] = {
	FIELD("monotonic", OBJECT, spec_time_offsets, monotonic, .object = &time_offset_object),
	FIELD("boottime", OBJECT, spec_time_offsets, boottime, .object = &time_offset_object),
};
static const struct json_object time_offsets_object =
	OBJECT(spec_time_offsets, time_offsets_fields);

static const struct json_field personality_fields[] = {
	FIELD("domain", STRING, spec_personality, domain, .required = true),
	REFUSED_AS("flags", "the runtime-spec knows none"),
};
static const struct json_object personality_object = OBJECT(spec_personality, personality_fields);

static const struct json_field linux_fields[] = {
	FIELD("namespaces", OBJECTS, spec_linux, namespaces, .object = &namespace_object,
	      .max_items = 8),
	FIELD("uidMappings", OBJECTS, spec_linux, uid_mappings, .object = &id_mapping_object,
	      .max_items = 340),
	FIELD("gidMappings", OBJECTS, spec_linux, gid_mappings, .object = &id_mapping_object,
	      .max_items = 340),
	FIELD("devices", OBJECTS, spec_linux, devices, .object = &device_object),
	FIELD("resources", OBJECT, spec_linux, resources, .object = &resources_object),
	FIELD("sysctl", MAP, spec_linux, sysctl, .max_items = 256),
	FIELD("maskedPaths", STRINGS, spec_linux, masked_paths, .max_items = 256),
	FIELD("readonlyPaths", STRINGS, spec_linux, readonly_paths, .max_items = 256),
	FIELD("rootfsPropagation", STRING, spec_linux, rootfs_propagation),
	FIELD("seccomp", OBJECT, spec_linux, seccomp, .object = &seccomp_object),
	FIELD("timeOffsets", OBJECT, spec_linux, time_offsets, .object = &time_offsets_object),
	FIELD("personality", OBJECT, spec_linux, personality, .object = &personality_object),
	REFUSED_AS("netDevices", "the guest does not have the host's interfaces"),
	FIELD("cgroupsPath", STRING, spec_linux, cgroups_path),
	REFUSED_AS("intelRdt", "the guest does not have the host's caches"),
	REFUSED_AS("memoryPolicy", "the guest has one memory node"),
	NOTED("mountLabel", "labels nothing, as the guest's kernel has no SELinux"),
};
static const struct json_object linux_object = OBJECT(spec_linux, linux_fields);

static const struct json_field hook_fields[] = {
	FIELD("path", STRING, spec_hook, path, .required = true),
	FIELD("args", STRINGS, spec_hook, args),
	FIELD("env", STRINGS, spec_hook, env),
	FIELD("timeout", UINT, spec_hook, timeout, .max = 86400),
};
static const struct json_object hook_object = OBJECT(spec_hook, hook_fields);

#define HOOKS(json, member)                                                                        \
	FIELD(json, OBJECTS, spec_hooks, member, .object = &hook_object, .max_items = 64)

static const struct json_field hooks_fields[] = {
	HOOKS("prestart", prestart),
	HOOKS("createRuntime", create_runtime),
	HOOKS("createContainer", create_container),
	HOOKS("startContainer", start_container),
	HOOKS("poststart", poststart),
	HOOKS("poststop", poststop),
};
static const struct json_object hooks_object = OBJECT(spec_hooks, hooks_fields);

static const struct json_field config_fields[] = {
	FIELD("ociVersion", STRING, spec_config, oci_version, .required = true),
	FIELD("root", OBJECT, spec_config, root, .object = &root_object),
	FIELD("mounts", OBJECTS, spec_config, mounts, .object = &mount_object),
	FIELD("process", OBJECT, spec_config, process, .object = &process_object),
	FIELD("hostname", STRING, spec_config, hostname),
	FIELD("domainname", STRING, spec_config, domainname),
	FIELD("annotations", MAP, spec_config, annotations),
	FIELD("linux", OBJECT, spec_config, linux, .object = &linux_object),
	FIELD("hooks", OBJECT, spec_config, hooks, .object = &hooks_object),
	REFUSED_AS("vm", "the VM is sbx's own to configure"),
	REFUSED_AS("windows", "is another platform's"),
	REFUSED_AS("solaris", "is another platform's"),
	REFUSED_AS("freebsd", "is another platform's"),
	REFUSED_AS("zos", "is another platform's"),
};
static const struct json_object config_object = OBJECT(spec_config, config_fields);

/*
 * What a text is of, and where in struct spec it goes. The runtime-spec: what a config.json has that is not
 * known is no error. Who changes limits wants to know which of them do not change.
 */
static const struct part {
	const char *what;
	const struct json_object *object;
	size_t offset;
	bool lenient;
} whole = {"config.json", &config_object, offsetof(struct spec, config), true},
  process_part = {"process", &process_object, offsetof(struct spec, process), true},
  resources_part = {"resources", &resources_object, offsetof(struct spec, resources), false};

static int parse(const struct part *part, const char *text, size_t size, struct spec **ret,
		 struct err *err)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	struct spec_mount *mounts;
	int r;

	if (size > SPEC_MAX_BYTES)
		return err_set(err, EFBIG, "%s: larger than %u MiB", part->what,
			       SPEC_MAX_BYTES >> 20);
	spec = calloc(1, sizeof(*spec));
	if (!spec)
		return err_set(err, ENOMEM, "%s: out of memory", part->what);
	r = json_doc_parse(&spec->doc, part->what, text, size, err);
	spec->doc.lenient = part->lenient;
	if (r == 0)
		r = json_bind(&spec->doc, part->object, (char *)spec + part->offset, err);
	if (r < 0)
		return r;
	mounts = spec->config.mounts.items;
	for (size_t i = 0; i < spec->config.mounts.n; i++)
		if (spec_mount_make_absolute(spec, &mounts[i]) < 0)
			return err_set(err, ENOMEM, "%s: out of memory", part->what);
	*ret = TAKE_PTR(spec);
	return 0;
}

int spec_parse(const char *text, size_t size, struct spec **ret, struct err *err)
{
	return parse(&whole, text, size, ret, err);
}

int spec_parse_process(const char *text, size_t size, struct spec **ret, struct err *err)
{
	return parse(&process_part, text, size, ret, err);
}

int spec_parse_resources(const char *text, size_t size, struct spec **ret, struct err *err)
{
	return parse(&resources_part, text, size, ret, err);
}

const struct json_object *spec_schema(void)
{
	return &config_object;
}

void spec_free(struct spec *spec)
{
	if (!spec)
		return;
	json_doc_finish(&spec->doc);
	free(spec);
}

const char *spec_annotation(const struct spec *spec, const char *key)
{
	const struct json_pair *pairs = spec->config.annotations.items;

	for (size_t i = 0; i < spec->config.annotations.n; i++)
		if (strcmp(pairs[i].key, key) == 0)
			return pairs[i].value;
	return NULL;
}

bool spec_has_namespace(const struct spec *spec, const char *type)
{
	const struct spec_linux *from = spec->config.linux;
	const struct spec_namespace *namespaces = from ? from->namespaces.items : NULL;

	for (size_t i = 0; from && i < from->namespaces.n; i++)
		if (strcmp(namespaces[i].type, type) == 0)
			return true;
	return false;
}

const char *spec_namespace_path(const struct spec *spec, const char *type)
{
	const struct spec_linux *from = spec->config.linux;
	const struct spec_namespace *namespaces = from ? from->namespaces.items : NULL;

	for (size_t i = 0; from && i < from->namespaces.n; i++)
		if (strcmp(namespaces[i].type, type) == 0 && namespaces[i].path &&
		    namespaces[i].path[0])
			return namespaces[i].path;
	return NULL;
}
