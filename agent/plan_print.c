/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/plan.h"
#include "common/strbuf.h"

static const char *const op_names[] = {
	[OP_HOSTNAME] = "hostname",
	[OP_DOMAINNAME] = "domainname",
	[OP_LOOPBACK] = "loopback",
	[OP_SYSCTL] = "sysctl",
	[OP_MOUNT] = "mount",
	[OP_BIND] = "bind",
	[OP_DEVICE] = "device",
	[OP_SYMLINK] = "symlink",
	[OP_CWD] = "cwd",
	[OP_MASK] = "mask",
	[OP_READONLY] = "readonly",
	[OP_MOUNT_READONLY] = "mount-readonly",
	[OP_PROPAGATION] = "propagation",
};

_Static_assert(ARRAY_SIZE(op_names) == OP_PROPAGATION + 1, "an operation has no name");

static void print_namespaces(struct strbuf *sb, uint64_t flags)
{
	static const struct {
		uint64_t flag;
		const char *name;
	} names[] = {
		{CLONE_NEWUSER, "user"},     {CLONE_NEWPID, "pid"},   {CLONE_NEWNS, "mount"},
		{CLONE_NEWNET, "network"},   {CLONE_NEWIPC, "ipc"},   {CLONE_NEWUTS, "uts"},
		{CLONE_NEWCGROUP, "cgroup"}, {CLONE_NEWTIME, "time"},
	};

	strbuf_addf(sb, "namespaces");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (flags & names[i].flag)
			strbuf_addf(sb, " %s", names[i].name);
	}
	strbuf_addf(sb, "\n");
}

static void print_maps(struct strbuf *sb, const char *what, const struct plan_idmap *maps, size_t n)
{
	for (size_t i = 0; i < n; i++)
		strbuf_addf(sb, "%s %u %u %u\n", what, maps[i].container_id, maps[i].host_id,
			    maps[i].size);
}

static void print_rule(struct strbuf *sb, const struct device_rule *rule)
{
	strbuf_addf(sb, "rule %s %c", rule->allow ? "allow" : "deny",
		    rule->type == 0                     ? 'a'
		    : rule->type == BPF_DEVCG_DEV_BLOCK ? 'b'
							: 'c');
	if (rule->major == DEVFILTER_ANY)
		strbuf_addf(sb, " *:");
	else
		strbuf_addf(sb, " %" PRId64 ":", rule->major);
	if (rule->minor == DEVFILTER_ANY)
		strbuf_addf(sb, "* ");
	else
		strbuf_addf(sb, "%" PRId64 " ", rule->minor);
	strbuf_addf(sb, "%s%s%s\n", rule->access & BPF_DEVCG_ACC_READ ? "r" : "",
		    rule->access & BPF_DEVCG_ACC_WRITE ? "w" : "",
		    rule->access & BPF_DEVCG_ACC_MKNOD ? "m" : "");
}

static void print_mount(struct strbuf *sb, const struct op *op)
{
	const struct mount_options *o = &op->mount->options;
	const struct plan_volume *volume = op->mount->volume;

	strbuf_addf(sb, " %s %s", op->mount->type, op->mount->source);
	if (volume) {
		strbuf_addf(sb, " volume %s %04o %u:%u", volume->path, volume->mode, volume->uid,
			    volume->gid);
		if (volume->options.attr_set)
			strbuf_addf(sb, " set=%#" PRIx64, volume->options.attr_set);
		for (size_t i = 0; i < volume->options.n_data; i++)
			strbuf_addf(sb, " %s", volume->options.data[i]);
	}
	if (o->attr_set || o->attr_clr)
		strbuf_addf(sb, " set=%#" PRIx64 " clr=%#" PRIx64, o->attr_set, o->attr_clr);
	if (o->rec_set || o->rec_clr)
		strbuf_addf(sb, " rset=%#" PRIx64 " rclr=%#" PRIx64, o->rec_set, o->rec_clr);
	if (o->propagation)
		strbuf_addf(sb, " propagation=%#" PRIx64 "%s", o->propagation,
			    o->propagation_rec ? " recursive" : "");
	if (o->copyup)
		strbuf_addf(sb, " copyup");
	if (o->idmap)
		strbuf_addf(sb, " idmap%s", o->idmap_rec ? " recursive" : "");
	for (size_t i = 0; i < o->n_data; i++)
		strbuf_addf(sb, " %s", o->data[i]);
}

static void print_op(struct strbuf *sb, const struct op *op)
{
	strbuf_addf(sb, "%s", op_names[op->kind]);
	if (op->path)
		strbuf_addf(sb, " %s", op->path);
	if (op->value)
		strbuf_addf(sb, " %s", op->value);
	switch (op->kind) {
	case OP_MOUNT:
	case OP_BIND:
		print_mount(sb, op);
		break;
	case OP_DEVICE:
		strbuf_addf(sb, " %06o %u:%u %u:%u", op->device.mode, op->device.major,
			    op->device.minor, op->device.uid, op->device.gid);
		break;
	case OP_PROPAGATION:
		strbuf_addf(sb, " %#" PRIx64 "%s", op->propagation.flag,
			    op->propagation.recursive ? " recursive" : "");
		break;
	default:
		break;
	}
	strbuf_addf(sb, "\n");
}

static void print_tune(struct strbuf *sb, const struct tune *t)
{
	const struct tune_scheduler *s = &t->scheduler;

	if (s->set)
		strbuf_addf(sb,
			    "scheduler %u nice=%d priority=%u flags=%#" PRIx64 " %" PRIu64
			    "/%" PRIu64 "/%" PRIu64 "\n",
			    s->policy, s->nice, s->priority, s->flags, s->runtime, s->deadline,
			    s->period);
	if (t->ioprio != TUNE_AS_IT_IS)
		strbuf_addf(sb, "ioprio %#x\n", t->ioprio);
	for (int cpu = 0; t->has_initial && cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &t->initial))
			strbuf_addf(sb, "initial cpu %d\n", cpu);
	for (int cpu = 0; t->has_final && cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &t->final))
			strbuf_addf(sb, "final cpu %d\n", cpu);
}

static void print_process(struct strbuf *sb, const struct process_plan *p)
{
	for (char **s = p->argv; *s; s++)
		strbuf_addf(sb, "arg %s\n", *s);
	for (char **s = p->envp; *s; s++)
		strbuf_addf(sb, "env %s\n", *s);
	strbuf_addf(sb, "process cwd=%s umask=%03o oom=%d%s\n", p->cwd, p->umask, p->oom_score_adj,
		    p->no_new_privs ? " no_new_privs" : "");
	if (p->username)
		strbuf_addf(sb, "user %s\n", p->username);
	else
		strbuf_addf(sb, "user %u:%u\n", p->uid, p->gid);
	for (size_t i = 0; i < p->n_groups; i++)
		strbuf_addf(sb, "group %u\n", p->groups[i]);
	if (p->terminal)
		strbuf_addf(sb, "terminal %ux%u\n", p->columns, p->rows);
	strbuf_addf(sb,
		    "caps b=%#" PRIx64 " e=%#" PRIx64 " i=%#" PRIx64 " p=%#" PRIx64 " a=%#" PRIx64
		    "\n",
		    p->caps.bounding, p->caps.effective, p->caps.inheritable, p->caps.permitted,
		    p->caps.ambient);
	for (size_t i = 0; i < p->n_rlimits; i++)
		strbuf_addf(sb, "rlimit %d %" PRIu64 " %" PRIu64 "\n", p->rlimits[i].resource,
			    (uint64_t)p->rlimits[i].limit.rlim_cur,
			    (uint64_t)p->rlimits[i].limit.rlim_max);
	print_tune(sb, &p->tune);
}

static void print_hooks(struct strbuf *sb, const char *name, const struct hooks *hooks)
{
	for (size_t i = 0; i < hooks->n; i++) {
		const struct hook *hook = &hooks->hooks[i];

		strbuf_addf(sb, "%s %s timeout=%u", name, hook->path, hook->timeout_s);
		for (char **s = hook->argv; *s; s++)
			strbuf_addf(sb, " %s", *s);
		for (char **s = hook->envp; *s; s++)
			strbuf_addf(sb, " env %s", *s);
		strbuf_addf(sb, "\n");
	}
}

char *plan_print(const struct plan *plan)
{
	struct strbuf sb = {0};

	print_namespaces(&sb, plan->namespaces);
	for (size_t i = 0; i < plan->n_joins; i++)
		strbuf_addf(&sb, "join %#" PRIx64 " %s\n", plan->joins[i].flag,
			    plan->joins[i].container_id);
	if (plan->pod_pids)
		strbuf_addf(&sb, "join the pod's pid namespace\n");
	print_maps(&sb, "uidmap", plan->idmaps.uid, plan->idmaps.n_uid);
	print_maps(&sb, "gidmap", plan->idmaps.gid, plan->idmaps.n_gid);
	for (size_t i = 0; i < plan->n_time_offsets; i++)
		strbuf_addf(&sb, "time %s %" PRId64 " %u\n", plan->time_offsets[i].clock,
			    plan->time_offsets[i].secs, plan->time_offsets[i].nanosecs);
	for (size_t i = 0; i < plan->n_cgroup; i++)
		strbuf_addf(&sb, "cgroup %s %s\n", plan->cgroup[i].file,
			    plan->cgroup[i].text ? plan->cgroup[i].text : plan->cgroup[i].number);
	if (plan->check_memory)
		strbuf_addf(&sb, "check memory %" PRId64 "\n", plan->check_memory);
	for (size_t i = 0; i < plan->n_rules; i++)
		print_rule(&sb, &plan->rules[i]);
	for (size_t i = 0; i < plan->n_ops; i++)
		print_op(&sb, &plan->ops[i]);
	if (plan->seccomp.n)
		strbuf_addf(&sb, "seccomp %zu instructions flags=%#x\n", plan->seccomp.n,
			    plan->seccomp.flags);
	if (plan->personality != TUNE_AS_IT_IS)
		strbuf_addf(&sb, "personality %#x\n", plan->personality);
	print_hooks(&sb, "createContainer", &plan->create_hooks);
	print_hooks(&sb, "startContainer", &plan->start_hooks);
	if (plan->init)
		strbuf_addf(&sb, "init\n");
	print_process(&sb, &plan->process);
	return strbuf_take(&sb);
}
