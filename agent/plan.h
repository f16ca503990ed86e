/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a container is planned, then executed.
 *
 * plan_make() turns the spec that came over the wire into a flat list of operations and a few
 * values, and refuses, by name, everything that it does not understand: after it nothing is left to
 * judge. It is pure: no system call, no state, so golden tests and a fuzzer run it anywhere. The
 * executor (cgroup.c in the agent, child.c and mount.c in the container's first process) walks the
 * list from first to last.
 *
 * A plan points into the spec's strings: the spec must outlive it.
 */
#ifndef AGENT_PLAN_H
#define AGENT_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "agent.pb-c.h"
#include "agent/caps.h"
#include "agent/devfilter.h"
#include "agent/hooks.h"
#include "agent/options.h"
#include "agent/seccomp.h"
#include "agent/tune.h"
#include "common/cleanup.h"
#include "common/err.h"

#define PLAN_MAX_OPS    4096
#define PLAN_MAX_GROUPS 1024

struct plan_idmap {
	uint32_t container_id, host_id, size;
};

/* n_uid 0: none. */
struct idmaps {
	struct plan_idmap *uid, *gid;
	size_t n_uid, n_gid;
};

enum op_kind {
	OP_HOSTNAME,       /* value */
	OP_DOMAINNAME,     /* value */
	OP_LOOPBACK,       /* brings the new network namespace's lo up */
	OP_SYSCTL,         /* path: dotted name; value */
	OP_MOUNT,          /* path, mount */
	OP_BIND,           /* path, mount: source is a share's name or a volume's */
	OP_DEVICE,         /* path, device: kept where it is there already */
	OP_SYMLINK,        /* path, value: kept where something is there already */
	OP_CWD,            /* path: made where it is missing */
	OP_MASK,           /* path: skipped where it is missing */
	OP_READONLY,       /* path: skipped where it is missing */
	OP_MOUNT_READONLY, /* path: of a mount, after all that is made in it */
	OP_PROPAGATION,    /* flags of the root, once it is "/" */
};

/* A directory of one of the pod's volumes in memory (volume.h). */
struct plan_volume {
	const char *name, *path;
	struct mount_options options; /* of the volume, where it has to be made */
	mode_t mode;                  /* of the directory, likewise */
	uint32_t uid, gid;
};

struct op {
	enum op_kind kind;
	const char *path, *value;
	union {
		struct {
			const char *type, *source;
			struct mount_options options;
			struct idmaps idmaps;
			struct plan_volume *volume; /* of a bind: instead of a share */
		} * mount;
		struct {
			mode_t mode; /* with S_IFCHR, S_IFBLK or S_IFIFO */
			uint32_t uid, gid;
			uint32_t major, minor;
		} device;
		struct {
			uint64_t flag;
			bool recursive;
		} propagation;
	};
};

/* A value for a file in the container's cgroup directory. */
struct cgroup_value {
	const char *file;
	const char *text; /* NULL: number holds it */
	char number[64];
	char own_file[40]; /* where the file's name is made of the spec's values */
	bool may_lack; /* the kernel may come without this file, and then without what it limits */
	bool keeps_first; /* the file's first word stays, this is its second */
};

struct plan_rlimit {
	int resource;
	struct rlimit limit;
};

struct process_plan {
	char **argv; /* NULL-terminated; the strings are the spec's */
	char **envp; /* NULL-terminated, with one more slot free, for HOME */
	size_t n_env;
	bool has_home;
	const char *cwd;
	const char *username; /* NULL: uid and gid hold */
	uint32_t uid, gid;
	const uint32_t *groups;
	size_t n_groups;
	mode_t umask;
	bool terminal;
	uint16_t rows, columns;
	bool has_caps; /* false: an exec that has its container's; a container that says nothing has none */
	struct caps caps;
	struct plan_rlimit *rlimits; /* an exec without any has its container's */
	size_t n_rlimits;
	bool no_new_privs;
	bool has_oom_score_adj; /* false: an exec that has its container's */
	int oom_score_adj;
	struct tune tune;
};

struct plan_join {
	uint64_t flag; /* CLONE_NEW* */
	const char *container_id;
};

struct plan_time_offset {
	const char *clock;
	int64_t secs;
	uint32_t nanosecs;
};

struct plan {
	uint64_t namespaces; /* CLONE_NEW* of the namespaces that the container gets for itself */
	struct plan_join joins[8]; /* and of other containers */
	size_t n_joins;
	bool pod_pids; /* the pod's pid namespace */
	const char *hostname;
	struct idmaps idmaps; /* of the user namespace */
	struct plan_time_offset time_offsets[2];
	size_t n_time_offsets;
	int personality; /* of every process (tune.h) */
	struct cgroup_value *cgroup;
	size_t n_cgroup;
	int64_t check_memory; /* not if more bytes are in use than this; 0, -1: no check */
	struct device_rule *rules;
	size_t n_rules;
	struct op *ops;
	size_t n_ops;
	struct seccomp seccomp; /* of every process; the instructions are the spec's */
	bool shares;            /* some operation is an OP_BIND of a share */
	struct hooks create_hooks, start_hooks;
	bool init; /* the process runs under an init of ours (init.h) */
	struct process_plan process;
};

/* -EINVAL, -ENOSYS or -E2BIG with one line that names the field. *ret is freed by plan_finish(). */
int plan_make(const Spec__Spec *spec, struct plan *ret, struct err *err);
void plan_finish(struct plan *plan);
#define _cleanup_plan_ __attribute__((cleanup(plan_finish)))

/* The values for the cgroup alone, for an update; the device rules stay as they are. */
int plan_resources(const Spec__Resources *resources, struct plan *ret, struct err *err);

/* The process alone, for an exec. */
int plan_process(const Spec__Process *process, struct process_plan *ret, struct err *err);
void plan_process_finish(struct process_plan *plan);
#define _cleanup_process_plan_ __attribute__((cleanup(plan_process_finish)))

/* CLONE_NEW* of all that are not the agent's own. */
uint64_t plan_entered(const struct plan *plan);

/* The id outside of what is id inside, by the maps of a user namespace; -1 where none maps it. */
int64_t plan_map_id(const struct plan_idmap *maps, size_t n, uint32_t id);
void plan_idmaps_finish(struct idmaps *maps);

/* True for a container's or exec's id: up to 128 of [A-Za-z0-9_.+-], a letter or digit first. */
bool plan_is_id(const char *id);

/* The parts of plan_make() that fill one array each (plan_linux.c, plan_cgroup.c). */
int plan_linux_cgroup(const Spec__Resources *res, struct plan *plan, struct err *err);
int plan_linux_devices(const Spec__Resources *res, struct plan *plan, struct err *err);
int plan_linux_namespaces(const Spec__Linux *linux_spec, struct plan *plan, struct err *err);
int plan_linux_idmaps(Spec__IdMapping *const *uid, size_t n_uid, Spec__IdMapping *const *gid,
		      size_t n_gid, const char *where, struct idmaps *ret, struct err *err);
int plan_linux_sysctl(const char *name, const char *value, uint64_t namespaces, struct err *err);

/* The plan as text, one operation a line, for golden tests and --debug. The caller frees. */
char *plan_print(const struct plan *plan);

#endif
