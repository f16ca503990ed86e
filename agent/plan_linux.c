/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <linux/sched.h>
#include <string.h>

#include "agent/plan.h"

static const struct {
	const char *name;
	uint64_t flag;
} namespace_types[] = {
	{"pid", CLONE_NEWPID},       {"network", CLONE_NEWNET}, {"mount", CLONE_NEWNS},
	{"ipc", CLONE_NEWIPC},       {"uts", CLONE_NEWUTS},     {"user", CLONE_NEWUSER},
	{"cgroup", CLONE_NEWCGROUP}, {"time", CLONE_NEWTIME},
};

/* Sysctls that belong to a namespace; all others are the whole pod's. */
static const struct {
	const char *prefix; /* with a dot at the end: everything beneath */
	uint64_t flag;
} sysctls[] = {
	{"kernel.msgmax", CLONE_NEWIPC},     {"kernel.msgmnb", CLONE_NEWIPC},
	{"kernel.msgmni", CLONE_NEWIPC},     {"kernel.sem", CLONE_NEWIPC},
	{"kernel.shmall", CLONE_NEWIPC},     {"kernel.shmmax", CLONE_NEWIPC},
	{"kernel.shmmni", CLONE_NEWIPC},     {"kernel.shm_rmid_forced", CLONE_NEWIPC},
	{"fs.mqueue.", CLONE_NEWIPC},        {"net.", CLONE_NEWNET},
	{"kernel.domainname", CLONE_NEWUTS},
};

static int plan_idmap(Spec__IdMapping *const *from, size_t n, struct plan_idmap **ret,
		      size_t *ret_n, const char *where, const char *what, struct err *err)
{
	struct plan_idmap *maps;

	/* UID_GID_MAP_MAX_EXTENTS of the kernel. */
	if (!n || n > 340)
		return err_set(err, EINVAL, "%s.%s: 1 to 340 mappings are wanted", where, what);
	maps = calloc(n, sizeof(*maps));
	if (!maps)
		return err_set(err, ENOMEM, "%s.%s: out of memory", where, what);
	*ret = maps;
	for (size_t i = 0; i < n; i++) {
		uint64_t size = from[i]->size;

		if (!size || from[i]->container_id + size > UINT32_MAX ||
		    from[i]->host_id + size > UINT32_MAX)
			return err_set(err, EINVAL, "%s.%s: mapping %zu is empty or too long",
				       where, what, i);
		maps[i] =
			(struct plan_idmap){from[i]->container_id, from[i]->host_id, from[i]->size};
	}
	*ret_n = n;
	return 0;
}

int plan_linux_idmaps(Spec__IdMapping *const *uid, size_t n_uid, Spec__IdMapping *const *gid,
		      size_t n_gid, const char *where, struct idmaps *ret, struct err *err)
{
	struct idmaps maps = {0};
	int r;

	r = plan_idmap(uid, n_uid, &maps.uid, &maps.n_uid, where, "uidMappings", err);
	if (r >= 0)
		r = plan_idmap(gid, n_gid, &maps.gid, &maps.n_gid, where, "gidMappings", err);
	if (r < 0) {
		plan_idmaps_finish(&maps);
		return r;
	}
	*ret = maps;
	return 0;
}

void plan_idmaps_finish(struct idmaps *maps)
{
	free(maps->uid);
	free(maps->gid);
	*maps = (struct idmaps){0};
}

int64_t plan_map_id(const struct plan_idmap *maps, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++) {
		if (id >= maps[i].container_id && id - maps[i].container_id < maps[i].size)
			return (int64_t)maps[i].host_id + (id - maps[i].container_id);
	}
	return -1;
}

uint64_t plan_entered(const struct plan *plan)
{
	uint64_t flags = plan->namespaces | (plan->pod_pids ? CLONE_NEWPID : 0);

	for (size_t i = 0; i < plan->n_joins; i++)
		flags |= plan->joins[i].flag;
	return flags;
}

static int plan_join(const Spec__Namespace *ns, uint64_t flag, struct plan *plan, struct err *err)
{
	/* Its mounts would be another container's, its cgroup is its own; and a user namespace that
	 * was entered takes the rights that the rest of the way needs. */
	if (flag & (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUSER))
		return err_set(err, ENOSYS,
			       "linux.namespaces: joining another container's %s namespace is not "
			       "supported",
			       ns->type);
	if (!plan_is_id(ns->container_id))
		return err_set(err, EINVAL, "linux.namespaces: %s: bad container id", ns->type);
	plan->joins[plan->n_joins++] = (struct plan_join){flag, ns->container_id};
	return 0;
}

static int plan_one_namespace(const Spec__Namespace *ns, struct plan *plan, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(namespace_types); i++) {
		uint64_t flag = namespace_types[i].flag;

		if (strcmp(ns->type, namespace_types[i].name) != 0)
			continue;
		if (plan_entered(plan) & flag)
			return err_set(err, EINVAL, "linux.namespaces: %s twice", ns->type);
		if (!ns->container_id[0])
			plan->namespaces |= flag;
		else
			return plan_join(ns, flag, plan, err);
		return 0;
	}
	return err_set(err, EINVAL, "linux.namespaces: no such type: %.32s", ns->type);
}

static int plan_time_offsets(const Spec__Linux *l, struct plan *plan, struct err *err)
{
	if (l->n_time_offsets && !(plan->namespaces & CLONE_NEWTIME))
		return err_set(err, EINVAL, "linux.timeOffsets needs a time namespace");
	if (l->n_time_offsets > ARRAY_SIZE(plan->time_offsets))
		return err_set(err, EINVAL, "linux.timeOffsets: more than there are clocks");
	for (size_t i = 0; i < l->n_time_offsets; i++) {
		const Spec__TimeOffset *from = l->time_offsets[i];

		if (strcmp(from->clock, "monotonic") != 0 && strcmp(from->clock, "boottime") != 0)
			return err_set(err, EINVAL, "linux.timeOffsets: no such clock: %.32s",
				       from->clock);
		if (from->nanosecs >= 1000000000)
			return err_set(err, EINVAL, "linux.timeOffsets.%s.nanosecs: %u",
				       from->clock, from->nanosecs);
		plan->time_offsets[plan->n_time_offsets++] =
			(struct plan_time_offset){from->clock, from->secs, from->nanosecs};
	}
	return 0;
}

int plan_linux_namespaces(const Spec__Linux *l, struct plan *plan, struct err *err)
{
	int r;

	for (size_t i = 0; i < l->n_namespaces; i++) {
		r = plan_one_namespace(l->namespaces[i], plan, err);
		if (r < 0)
			return r;
	}
	/* In the pod's own mount namespace a container would see the agent. */
	if (!(plan->namespaces & CLONE_NEWNS))
		return err_set(err, EINVAL,
			       "linux.namespaces: a container needs a mount namespace");
	plan->pod_pids = !(plan_entered(plan) & CLONE_NEWPID);
	/* Always, asked for or not: else /sys/fs/cgroup would show every container of the pod. */
	plan->namespaces |= CLONE_NEWCGROUP;
	r = plan_time_offsets(l, plan, err);
	if (r < 0)
		return r;
	if (!(plan->namespaces & CLONE_NEWUSER)) {
		if (l->n_uid_mappings || l->n_gid_mappings)
			return err_set(err, EINVAL,
				       "linux.uidMappings and gidMappings need a user namespace");
		return 0;
	}
	return plan_linux_idmaps(l->uid_mappings, l->n_uid_mappings, l->gid_mappings,
				 l->n_gid_mappings, "linux", &plan->idmaps, err);
}

/* --- devices ------------------------------------------------------------------------------- */

/* Always allowed, by the runtime-spec and every runtime: after the spec's own rules. */
static const struct device_rule default_rules[] = {
	{true, BPF_DEVCG_DEV_CHAR, DEVFILTER_ANY, DEVFILTER_ANY, BPF_DEVCG_ACC_MKNOD},
	{true, BPF_DEVCG_DEV_BLOCK, DEVFILTER_ANY, DEVFILTER_ANY, BPF_DEVCG_ACC_MKNOD},
	{true, BPF_DEVCG_DEV_CHAR, 1, 3, 7},               /* null */
	{true, BPF_DEVCG_DEV_CHAR, 1, 5, 7},               /* zero */
	{true, BPF_DEVCG_DEV_CHAR, 1, 7, 7},               /* full */
	{true, BPF_DEVCG_DEV_CHAR, 1, 8, 7},               /* random */
	{true, BPF_DEVCG_DEV_CHAR, 1, 9, 7},               /* urandom */
	{true, BPF_DEVCG_DEV_CHAR, 5, 0, 7},               /* tty */
	{true, BPF_DEVCG_DEV_CHAR, 5, 2, 7},               /* ptmx */
	{true, BPF_DEVCG_DEV_CHAR, 136, DEVFILTER_ANY, 7}, /* pts */
};

static int plan_rule(const Spec__DeviceRule *from, struct device_rule *to, struct err *err)
{
	const char *type = from->type;

	*to = (struct device_rule){
		.allow = from->allow, .major = from->major, .minor = from->minor};
	if (!strcmp(type, "c"))
		to->type = BPF_DEVCG_DEV_CHAR;
	else if (!strcmp(type, "b"))
		to->type = BPF_DEVCG_DEV_BLOCK;
	else if (!strcmp(type, "a") || !type[0])
		to->type = 0;
	else
		return err_set(err, EINVAL,
			       "linux.resources.devices: type \"%.8s\" is none of a b c", type);
	/* As in cgroup v1: a rule for all devices is for every number of them. */
	if (!to->type)
		to->major = to->minor = DEVFILTER_ANY;
	if (to->major < -1 || to->major > INT32_MAX || to->minor < -1 || to->minor > INT32_MAX)
		return err_set(err, EINVAL, "linux.resources.devices: no such device number");
	for (const char *p = from->access; *p; p++) {
		if (*p == 'r')
			to->access |= BPF_DEVCG_ACC_READ;
		else if (*p == 'w')
			to->access |= BPF_DEVCG_ACC_WRITE;
		else if (*p == 'm')
			to->access |= BPF_DEVCG_ACC_MKNOD;
		else
			return err_set(err, EINVAL,
				       "linux.resources.devices: access \"%.8s\" is not of rwm",
				       from->access);
	}
	/* An absent access means all of it. */
	if (!to->access)
		to->access = 7;
	return 0;
}

int plan_linux_devices(const Spec__Resources *res, struct plan *plan, struct err *err)
{
	size_t n = res ? res->n_devices : 0;

	if (n + ARRAY_SIZE(default_rules) > DEVFILTER_MAX_RULES)
		return err_set(err, E2BIG, "linux.resources.devices: too many");
	plan->rules = calloc(n + ARRAY_SIZE(default_rules), sizeof(*plan->rules));
	if (!plan->rules)
		return err_set(err, ENOMEM, "linux.resources.devices: out of memory");
	for (size_t i = 0; i < n; i++) {
		int r = plan_rule(res->devices[i], &plan->rules[plan->n_rules++], err);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(default_rules); i++)
		plan->rules[plan->n_rules++] = default_rules[i];
	return 0;
}

int plan_linux_sysctl(const char *name, const char *value, uint64_t namespaces, struct err *err)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_.-";

	if (strlen(name) > 128 || strspn(name, chars) != strlen(name) || strstr(name, "..") ||
	    strlen(value) > 1024)
		return err_set(err, EINVAL, "linux.sysctl: no such name or value: %.64s", name);
	for (size_t i = 0; i < ARRAY_SIZE(sysctls); i++) {
		const char *prefix = sysctls[i].prefix;
		size_t len = strlen(prefix);
		bool beneath = prefix[len - 1] == '.';

		if (beneath ? strncmp(name, prefix, len) != 0 : strcmp(name, prefix) != 0)
			continue;
		if (!(namespaces & sysctls[i].flag))
			return err_set(err, EINVAL,
				       "linux.sysctl: %s needs a namespace that the container "
				       "does not have",
				       name);
		return 0;
	}
	if (!strcmp(name, "kernel.hostname"))
		return err_set(err, EINVAL, "linux.sysctl: kernel.hostname is hostname's to set");
	return err_set(err, EINVAL, "linux.sysctl: %s is not in a namespace of the container",
		       name);
}
