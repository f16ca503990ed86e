/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCI runtime-spec's config.json as structs, in the spec's own names. Pure: text in, structs
 * out. A field that sbx does not honour is an error that names it; one that nobody knows is noted, as the
 * runtime-spec has it (doc.noted). Strings and arrays belong to the struct spec that they came with.
 */
#ifndef SHIM_SPEC_H
#define SHIM_SPEC_H

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "shim/json_bind.h"

#define SPEC_MAX_BYTES        (4u << 20)
#define SPEC_MAX_UNKNOWN_CAPS 8 /* that are remembered by name */

struct spec_root {
	const char *path;
	bool readonly;
};

struct spec_rlimit {
	const char *type;
	struct json_uint soft, hard;
};

struct spec_capabilities {
	struct json_array bounding, effective, inheritable, permitted, ambient; /* of strings */
};

struct spec_user {
	struct json_uint uid, gid, umask;
	struct json_array additional_gids; /* of uint32_t */
	const char *username;
};

struct spec_console_size {
	struct json_uint height, width;
};

struct spec_scheduler {
	const char *policy;
	struct json_int nice, priority;
	struct json_array flags; /* of strings */
	struct json_uint runtime, deadline, period;
};

struct spec_io_priority {
	const char *class;
	struct json_int priority;
};

struct spec_cpu_affinity {
	const char *initial, *final;
};

struct spec_process {
	bool terminal;
	struct spec_console_size *console_size;
	struct spec_user *user;
	struct json_array args, env; /* of strings */
	const char *cwd;
	struct spec_capabilities *capabilities;
	struct json_array rlimits; /* of struct spec_rlimit */
	bool no_new_privileges;
	struct json_int oom_score_adj;
	struct spec_scheduler *scheduler;
	struct spec_io_priority *io_priority;
	struct spec_cpu_affinity *exec_cpu_affinity;
};

/* A folder in the pod's own memory (memory_volume.h). */
struct spec_volume {
	const char *name; /* of the volume */
	char *options[8]; /* of the tmpfs that it is */
	size_t n_options;
	const char *path;        /* of the directory in it, "/" on */
	uint32_t mode, uid, gid; /* of that, where it has to be made */
};

struct spec_mount {
	const char *destination, *type, *source;
	struct json_array options;                    /* of strings */
	struct json_array uid_mappings, gid_mappings; /* of struct spec_id_mapping */
	const struct spec_volume *volume; /* set before it is built; NULL: a folder of the host */
};

struct spec_namespace {
	const char *type, *path;
};

struct spec_id_mapping {
	struct json_uint container_id, host_id, size;
};

struct spec_device {
	const char *type, *path;
	struct json_int major, minor;
	struct json_uint file_mode, uid, gid;
};

struct spec_device_rule {
	bool allow;
	const char *type;
	struct json_int major, minor;
	const char *access;
};

struct spec_memory {
	struct json_int limit, reservation, swap;
	bool check_before_update;
};

struct spec_cpu {
	struct json_uint shares, period, burst;
	struct json_int quota, idle;
	const char *cpus, *mems;
};

/* A row of blockIO's lists: weight in one, rate in the others. */
struct spec_io_device {
	struct json_int major, minor;
	struct json_uint weight, rate;
};

struct spec_block_io {
	struct json_uint weight;
	struct json_array weight_device; /* of struct spec_io_device, as all these */
	struct json_array read_bps, write_bps, read_iops, write_iops;
};

struct spec_hugepage_limit {
	const char *page_size;
	struct json_uint limit;
};

struct spec_pids {
	struct json_int limit;
};

struct spec_resources {
	struct json_array devices; /* of struct spec_device_rule */
	struct spec_memory *memory;
	struct spec_cpu *cpu;
	struct spec_pids *pids;
	struct spec_block_io *block_io;
	struct json_array hugepage_limits; /* of struct spec_hugepage_limit */
	struct json_array unified;         /* of struct json_pair */
};

struct spec_seccomp_arg {
	struct json_uint index, value, value_two;
	const char *op;
};

struct spec_syscall {
	struct json_array names; /* of strings */
	const char *action;
	struct json_uint errno_ret;
	struct json_array args; /* of struct spec_seccomp_arg */
};

struct spec_seccomp {
	const char *default_action;
	struct json_uint default_errno_ret;
	struct json_array architectures, flags; /* of strings */
	struct json_array syscalls;             /* of struct spec_syscall */
};

struct spec_time_offset {
	struct json_int secs;
	struct json_uint nanosecs;
};

struct spec_time_offsets {
	struct spec_time_offset *monotonic, *boottime;
};

struct spec_personality {
	const char *domain;
};

struct spec_linux {
	struct json_array namespaces;                   /* of struct spec_namespace */
	struct json_array uid_mappings, gid_mappings;   /* of struct spec_id_mapping */
	struct json_array devices;                      /* of struct spec_device */
	struct json_array sysctl;                       /* of struct json_pair */
	struct json_array masked_paths, readonly_paths; /* of strings */
	struct spec_resources *resources;
	const char *rootfs_propagation, *cgroups_path;
	struct spec_seccomp *seccomp;
	struct spec_time_offsets *time_offsets;
	struct spec_personality *personality;
};

struct spec_hook {
	const char *path;
	struct json_array args, env; /* of strings */
	struct json_uint timeout;    /* seconds */
};

struct spec_hooks {
	/* Of struct spec_hook. */
	struct json_array prestart, create_runtime, create_container, start_container, poststart,
		poststop;
};

struct spec_config {
	const char *oci_version;
	struct spec_root *root;
	struct spec_process *process;
	const char *hostname, *domainname;
	struct json_array mounts;      /* of struct spec_mount */
	struct json_array annotations; /* of struct json_pair */
	struct spec_linux *linux;
	struct spec_hooks *hooks;
};

/*
 * Whose namespace path is: *ret is a container's id, "" the pod itself. -EINVAL with a line that says
 * what it is instead.
 */
typedef int (*spec_namespace_fn)(const char *type, const char *path, const char **ret, void *data,
				 struct err *err);

/* A file or folder of the host that a mount binds; spec_guest.h lists them. */
struct spec_share {
	const char *path; /* as the spec has it: absolute, or from the bundle on */
	const char *name; /* what the guest knows it by */
	bool readonly, recursive;
};

struct spec_shares {
	const char *prefix; /* of the names, set before they are listed, so that a pod's differ */
	struct spec_share *items;
	size_t n;
};

struct spec {
	struct json_doc doc;
	struct spec_config config;
	struct spec_process process;     /* of spec_parse_process() */
	struct spec_resources resources; /* of spec_parse_resources() */
	/* Set between parsing and building; NULL: every path is refused. */
	spec_namespace_fn resolve_namespace;
	void *resolve_data;
	struct bytes ready_seccomp; /* the file of seccomp_ready.h, or empty */
	const char *id, *bundle;    /* of the container, for what hooks are told */
	struct spec_shares shares;  /* of spec_guest_build() */
	/* Capabilities that nobody knows, of spec_guest_build_process(): those are not granted. */
	const char *unknown_caps[SPEC_MAX_UNKNOWN_CAPS];
	size_t n_unknown_caps;
};

/* A whole config.json. */
int spec_parse(const char *text, size_t size, struct spec **ret, struct err *err);
/* A process object alone, as Exec carries it; ret->process. */
int spec_parse_process(const char *text, size_t size, struct spec **ret, struct err *err);
/* linux.resources alone, as Update carries it; ret->resources. */
int spec_parse_resources(const char *text, size_t size, struct spec **ret, struct err *err);
void spec_free(struct spec *spec);
DEFINE_CLEANUP(struct spec, spec_free)

/* The table that config.json is read by, for whoever wants to hold it against docs/oci-spec.md. */
const struct json_object *spec_schema(void);

/* --- spec_mount.c --- */
/* The runtime-spec: a relative destination is one from "/" on. An empty one is none, and stays. */
int spec_mount_make_absolute(struct spec *spec, struct spec_mount *mount);
bool spec_mount_has(const struct spec_mount *mount, const char *option);
/* By its type or an option of it: what is shared with the guest. */
bool spec_mount_is_bind(const struct spec_mount *mount);
/*
 * "sysfs" or "proc", where the host's /sys or /proc is to be bound over itself, as engines have it for a
 * container in a user namespace without a network of its own, which may not mount one; else NULL. The
 * guest can, and its own is what is meant.
 */
const char *spec_mount_kernel_type(const struct spec_mount *mount);

/* The value of an annotation, or NULL. */
const char *spec_annotation(const struct spec *spec, const char *key);

/* Whether the spec lists a namespace of that type, with a path or without. */
bool spec_has_namespace(const struct spec *spec, const char *type);
/* The path of the namespace of that type which a container is to be in, as the spec gives it; NULL: none. */
const char *spec_namespace_path(const struct spec *spec, const char *type);

#endif
