/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/plan.h"

#include <limits.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "agent/share.h"
#include "common/path.h"

/* What every container has in /dev, by the runtime-spec. */
static const struct {
	const char *path;
	uint32_t major, minor;
} default_devices[] = {
	{"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
	{"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},
};

static const struct {
	const char *path, *target;
} default_links[] = {
	{"/dev/fd", "/proc/self/fd"},       {"/dev/stdin", "/proc/self/fd/0"},
	{"/dev/stdout", "/proc/self/fd/1"}, {"/dev/stderr", "/proc/self/fd/2"},
	{"/dev/ptmx", "pts/ptmx"},
};

static const char *const mount_types[] = {
	"proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2",
};

bool plan_is_id(const char *id)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_.+-";
	size_t len = strlen(id);

	return len > 0 && len <= 128 && strspn(id, chars) == len && !strchr("_.+-", id[0]);
}

/* Absolute, short enough for the kernel, without "..": what it leads to is judged when opened. */
static int check_path(const char *what, const char *path, struct err *err)
{
	if (strlen(path) >= PATH_MAX)
		return err_set(err, EINVAL, "%s: \"%.64s...\" is too long", what, path);
	if (path[0] != '/')
		return err_set(err, EINVAL, "%s: \"%.128s\" is not an absolute path", what, path);
	for (const char *p = path; (p = strstr(p, "/.."));) {
		p += 3;
		if (!*p || *p == '/')
			return err_set(err, EINVAL, "%s: \"%.128s\" has a \"..\"", what, path);
	}
	return 0;
}

static struct op *add_op(struct plan *plan, enum op_kind kind, const char *path, const char *value)
{
	struct op *op = &plan->ops[plan->n_ops++];

	*op = (struct op){.kind = kind, .path = path, .value = value};
	return op;
}

static int copy_maps(const struct plan_idmap *from, size_t n, struct plan_idmap **ret,
		     size_t *ret_n)
{
	*ret = calloc(n + 1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	memcpy(*ret, from, n * sizeof(*from));
	*ret_n = n;
	return 0;
}

/*
 * The maps of an idmapped mount: its own, or without any those of the container. In a user namespace of
 * its own a container owns what it mounts, which the kernel does not map a second time.
 */
static int plan_mount_idmaps(struct plan *plan, const Spec__Mount *mount, struct op *op,
			     struct err *err)
{
	bool userns = plan->namespaces & CLONE_NEWUSER;
	struct idmaps *maps = &op->mount->idmaps;
	char where[160];

	if (!op->mount->options.idmap && !mount->n_uid_mappings && !mount->n_gid_mappings)
		return 0;
	snprintf(where, sizeof(where), "mounts: %.128s", op->path);
	if (userns && op->kind != OP_BIND)
		return err_set(err, ENOSYS,
			       "%s: in a user namespace only a bind mount can be idmapped", where);
	if (!strcmp(op->mount->type, "proc") || !strcmp(op->mount->type, "sysfs") ||
	    !strcmp(op->mount->type, "cgroup2"))
		return err_set(err, EINVAL, "%s: %s cannot be idmapped", where, op->mount->type);
	op->mount->options.idmap = true;
	if (userns && !mount->n_uid_mappings && !mount->n_gid_mappings) {
		if (copy_maps(plan->idmaps.uid, plan->idmaps.n_uid, &maps->uid, &maps->n_uid) < 0 ||
		    copy_maps(plan->idmaps.gid, plan->idmaps.n_gid, &maps->gid, &maps->n_gid) < 0)
			return err_set(err, ENOMEM, "%s: out of memory", where);
		return 0;
	}
	return plan_linux_idmaps(mount->uid_mappings, mount->n_uid_mappings, mount->gid_mappings,
				 mount->n_gid_mappings, where, &op->mount->idmaps, err);
}

static int plan_volume(const Spec__Volume *from, struct op *op, struct err *err)
{
	struct plan_volume *volume;
	int r;

	if (!path_is_name(from->name))
		return err_set(err, EINVAL, "mounts: %.128s: \"%.64s\" is not the name of a volume",
			       op->path, from->name);
	r = check_path("mounts: volume.path", from->path, err);
	if (r < 0)
		return r;
	volume = calloc(1, sizeof(*volume));
	if (!volume)
		return err_set(err, ENOMEM, "mounts: out of memory");
	op->mount->volume = volume;
	r = options_parse(from->options, from->n_options, &volume->options, err);
	if (r < 0)
		return err_wrap(err, "mounts: %.128s", op->path);
	volume->name = op->mount->source = from->name;
	volume->path = from->path;
	volume->mode = from->mode & 07777;
	volume->uid = from->uid;
	volume->gid = from->gid;
	return 0;
}

/* A file or folder of the host, by its name among the shares; all else is the host's to resolve. */
static int plan_share(struct plan *plan, const Spec__Mount *mount, struct op *op, struct err *err)
{
	if (!mount->share[0])
		return err_set(err, ENOSYS, "mounts: %.128s: a bind mount of what is not shared",
			       mount->destination);
	op->mount->source = mount->share;
	plan->shares = true;
	return share_check(mount->share, mount->destination, err);
}

static int plan_bind(struct plan *plan, const Spec__Mount *mount, struct op *op, struct err *err)
{
	const char *foreign;
	int r;

	op->kind = OP_BIND;
	op->mount->type = "bind";
	r = mount->volume ? plan_volume(mount->volume, op, err) : plan_share(plan, mount, op, err);
	if (r < 0)
		return r;
	foreign = options_not_of_bind(&op->mount->options);
	if (foreign)
		return err_set(err, EINVAL,
			       "mounts: %.128s: \"%.64s\" is no option of a bind mount", op->path,
			       foreign);
	return plan_mount_idmaps(plan, mount, op, err);
}

static int plan_mount(struct plan *plan, const Spec__Mount *mount, struct err *err)
{
	const char *dest = mount->destination;
	struct op *op;
	bool known = false;
	int r;

	r = check_path("mounts", dest, err);
	if (r < 0)
		return r;
	op = add_op(plan, OP_MOUNT, dest, NULL);
	op->mount = calloc(1, sizeof(*op->mount));
	if (!op->mount)
		return err_set(err, ENOMEM, "mounts: out of memory");
	r = options_parse(mount->options, mount->n_options, &op->mount->options, err);
	if (r < 0)
		return err_wrap(err, "mounts: %.128s", dest);
	if (op->mount->options.copyup && strcmp(mount->type, "tmpfs") != 0)
		return err_set(err, EINVAL, "mounts: %.128s: tmpcopyup is an option of a tmpfs",
			       dest);
	if (op->mount->options.bind || !strcmp(mount->type, "bind"))
		return plan_bind(plan, mount, op, err);
	for (size_t i = 0; i < ARRAY_SIZE(mount_types); i++)
		known |= !strcmp(mount->type, mount_types[i]);
	if (!known)
		return err_set(err, ENOSYS, "mounts: %.128s: type \"%.32s\" is not supported", dest,
			       mount->type);
	/* The guest has the unified hierarchy only; "cgroup" is what specs call either. */
	op->mount->type = !strcmp(mount->type, "cgroup") ? "cgroup2" : mount->type;
	op->mount->source = mount->source[0] ? mount->source : mount->type;
	return plan_mount_idmaps(plan, mount, op, err);
}

static int plan_device(struct plan *plan, const Spec__Device *dev, struct err *err)
{
	struct op *op;
	mode_t type;
	int r;

	r = check_path("linux.devices", dev->path, err);
	if (r < 0)
		return r;
	if (!strcmp(dev->type, "c") || !strcmp(dev->type, "u"))
		type = S_IFCHR;
	else if (!strcmp(dev->type, "b"))
		type = S_IFBLK;
	else if (!strcmp(dev->type, "p"))
		type = S_IFIFO;
	else
		return err_set(err, EINVAL, "linux.devices: %.128s: type \"%.8s\" is none of c b p",
			       dev->path, dev->type);
	/* MINORBITS of the kernel are 20, the majors are what is left of 32 bits. */
	if (type != S_IFIFO &&
	    (dev->major < 0 || dev->major >= 1 << 12 || dev->minor < 0 || dev->minor >= 1 << 20))
		return err_set(err, EINVAL, "linux.devices: %.128s: no such device number",
			       dev->path);
	if (dev->file_mode & ~07777u)
		return err_set(err, EINVAL, "linux.devices: %.128s: bad fileMode", dev->path);
	if ((plan->namespaces & CLONE_NEWUSER) &&
	    (plan_map_id(plan->idmaps.uid, plan->idmaps.n_uid, dev->uid) < 0 ||
	     plan_map_id(plan->idmaps.gid, plan->idmaps.n_gid, dev->gid) < 0))
		return err_set(err, EINVAL, "linux.devices: %.128s: its owner is not mapped",
			       dev->path);
	op = add_op(plan, OP_DEVICE, dev->path, NULL);
	op->device.mode = type | (dev->file_mode ? dev->file_mode : 0666);
	op->device.uid = dev->uid;
	op->device.gid = dev->gid;
	op->device.major = (uint32_t)dev->major;
	op->device.minor = (uint32_t)dev->minor;
	return 0;
}

static int plan_names(struct plan *plan, const Spec__Spec *spec, struct err *err)
{
	if (spec->init && !(plan->namespaces & CLONE_NEWPID))
		return err_set(err, EINVAL, "an init needs a pid namespace of its own");
	plan->init = spec->init;
	/* Without a namespace of its own the container would rename the pod. */
	if ((spec->hostname[0] || spec->domainname[0]) && !(plan->namespaces & CLONE_NEWUTS))
		return err_set(err, EINVAL,
			       "hostname and domainname need a uts namespace of their own");
	if (strlen(spec->hostname) > 64 || strlen(spec->domainname) > 64)
		return err_set(err, EINVAL, "hostname or domainname is longer than 64 bytes");
	if (spec->hostname[0])
		add_op(plan, OP_HOSTNAME, NULL, spec->hostname);
	if (spec->domainname[0])
		add_op(plan, OP_DOMAINNAME, NULL, spec->domainname);
	if (plan->namespaces & CLONE_NEWNET)
		add_op(plan, OP_LOOPBACK, NULL, NULL);
	return 0;
}

static int plan_dev(struct plan *plan, const Spec__Linux *linux_spec, struct err *err)
{
	for (size_t i = 0; i < linux_spec->n_devices; i++) {
		int r = plan_device(plan, linux_spec->devices[i], err);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(default_devices); i++) {
		struct op *op = add_op(plan, OP_DEVICE, default_devices[i].path, NULL);

		op->device.mode = S_IFCHR | 0666;
		op->device.major = default_devices[i].major;
		op->device.minor = default_devices[i].minor;
	}
	for (size_t i = 0; i < ARRAY_SIZE(default_links); i++)
		add_op(plan, OP_SYMLINK, default_links[i].path, default_links[i].target);
	return 0;
}

/* A read-only /dev is one once its devices are there, as with runc. */
static void postpone_readonly_dev(struct plan *plan)
{
	for (size_t i = plan->n_ops; i-- > 0;) {
		struct op *op = &plan->ops[i];

		if (op->kind != OP_MOUNT || strcmp(op->path, "/dev") != 0 ||
		    !(op->mount->options.attr_set & MOUNT_ATTR_RDONLY))
			continue;
		op->mount->options.attr_set &= ~(uint64_t)MOUNT_ATTR_RDONLY;
		add_op(plan, OP_MOUNT_READONLY, "/dev", NULL);
		return;
	}
}

static int plan_paths(struct plan *plan, char *const *paths, size_t n, enum op_kind kind,
		      struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		int r = check_path(kind == OP_MASK ? "linux.maskedPaths" : "linux.readonlyPaths",
				   paths[i], err);

		if (r < 0)
			return r;
		add_op(plan, kind, paths[i], NULL);
	}
	return 0;
}

static int plan_ops(struct plan *plan, const Spec__Spec *spec, struct err *err)
{
	const Spec__Linux *linux_spec = spec->linux;
	struct op *op;
	int r;

	r = plan_names(plan, spec, err);
	for (size_t i = 0; r >= 0 && i < linux_spec->n_sysctl; i++) {
		const Spec__KeyValue *kv = linux_spec->sysctl[i];

		r = plan_linux_sysctl(kv->key, kv->value, plan_entered(plan), err);
		if (r >= 0)
			add_op(plan, OP_SYSCTL, kv->key, kv->value);
	}
	for (size_t i = 0; r >= 0 && i < spec->n_mounts; i++)
		r = plan_mount(plan, spec->mounts[i], err);
	if (r >= 0)
		r = plan_dev(plan, linux_spec, err);
	if (r < 0)
		return r;
	postpone_readonly_dev(plan);
	add_op(plan, OP_CWD, plan->process.cwd, NULL);
	/* Last what takes away: nothing needs to be made beneath it any more. */
	r = plan_paths(plan, linux_spec->readonly_paths, linux_spec->n_readonly_paths, OP_READONLY,
		       err);
	if (r >= 0)
		r = plan_paths(plan, linux_spec->masked_paths, linux_spec->n_masked_paths, OP_MASK,
			       err);
	if (r < 0)
		return r;
	if (spec->root_readonly)
		add_op(plan, OP_MOUNT_READONLY, "/", NULL);
	op = add_op(plan, OP_PROPAGATION, NULL, NULL);
	if (options_propagation(linux_spec->rootfs_propagation, &op->propagation.flag,
				&op->propagation.recursive) < 0)
		return err_set(err, EINVAL, "linux.rootfsPropagation: no such value: %.32s",
			       linux_spec->rootfs_propagation);
	if (!op->propagation.flag)
		plan->n_ops--;
	return 0;
}

/* How many operations the spec can become. */
static int count_ops(const Spec__Spec *spec, struct err *err)
{
	const Spec__Linux *l = spec->linux;
	size_t n = spec->n_mounts + l->n_devices + l->n_sysctl + l->n_masked_paths +
		   l->n_readonly_paths;

	if (n > PLAN_MAX_OPS)
		return err_set(err, E2BIG, "more than %d mounts, devices, sysctls and paths",
			       PLAN_MAX_OPS);
	return (int)(n + ARRAY_SIZE(default_devices) + ARRAY_SIZE(default_links) + 8);
}

int plan_make(const Spec__Spec *spec, struct plan *ret, struct err *err)
{
	struct plan plan = {0};
	int r;

	if (!spec || !spec->linux || !spec->process)
		return err_set(err, EINVAL, "the spec has no process or no linux object");
	r = count_ops(spec, err);
	if (r < 0)
		return r;
	plan.ops = calloc((size_t)r + 1, sizeof(*plan.ops));
	if (!plan.ops)
		return err_set(err, ENOMEM, "out of memory");
	r = plan_linux_namespaces(spec->linux, &plan, err);
	if (r >= 0)
		r = plan_linux_cgroup(spec->linux->resources, &plan, err);
	if (r >= 0)
		r = plan_linux_devices(spec->linux->resources, &plan, err);
	if (r >= 0)
		r = seccomp_parse(spec->linux->seccomp, &plan.seccomp, err);
	if (r >= 0)
		r = hooks_parse(spec->hooks, &plan.create_hooks, &plan.start_hooks, err);
	if (r >= 0)
		r = tune_parse_personality(spec->linux->personality, &plan.personality, err);
	if (r >= 0)
		r = plan_process(spec->process, &plan.process, err);
	/* The runtime-spec has it for execs alone. */
	plan.process.tune.has_initial = plan.process.tune.has_final = false;
	if (r >= 0)
		r = plan_ops(&plan, spec, err);
	if (r < 0) {
		plan_finish(&plan);
		return r;
	}
	*ret = plan;
	return 0;
}

int plan_resources(const Spec__Resources *resources, struct plan *ret, struct err *err)
{
	struct plan plan = {.personality = TUNE_AS_IT_IS};
	int r;

	if (!resources)
		return err_set(err, EINVAL, "no resources");
	r = plan_linux_cgroup(resources, &plan, err);
	if (r < 0) {
		plan_finish(&plan);
		return r;
	}
	*ret = plan;
	return 0;
}

void plan_finish(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_ops; i++) {
		bool mounts = plan->ops[i].kind == OP_MOUNT || plan->ops[i].kind == OP_BIND;

		if (!mounts || !plan->ops[i].mount)
			continue;
		plan_idmaps_finish(&plan->ops[i].mount->idmaps);
		free(plan->ops[i].mount->volume);
		free(plan->ops[i].mount);
	}
	free(plan->ops);
	plan_idmaps_finish(&plan->idmaps);
	free(plan->cgroup);
	free(plan->rules);
	hooks_finish(&plan->create_hooks);
	hooks_finish(&plan->start_hooks);
	plan_process_finish(&plan->process);
	*plan = (struct plan){0};
}
