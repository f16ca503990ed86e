/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/tune.h"

#include <ctype.h>
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/syscall.h>

#include "common/cleanup.h"

struct name {
	const char *name;
	uint64_t value;
};

static const struct name policies[] = {
	{"SCHED_OTHER", SCHED_NORMAL}, {"SCHED_FIFO", SCHED_FIFO},
	{"SCHED_RR", SCHED_RR},        {"SCHED_BATCH", SCHED_BATCH},
	{"SCHED_IDLE", SCHED_IDLE},    {"SCHED_DEADLINE", SCHED_DEADLINE},
};

static const struct name flags[] = {
	{"SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK},
	{"SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM},
	{"SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN},
	{"SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY},
	{"SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS},
	{"SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN},
	{"SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX},
};

static const struct name io_classes[] = {
	{"IOPRIO_CLASS_RT", IOPRIO_CLASS_RT},
	{"IOPRIO_CLASS_BE", IOPRIO_CLASS_BE},
	{"IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE},
};

static const struct name domains[] = {{"LINUX", PER_LINUX}, {"LINUX32", PER_LINUX32}};

static int find(const struct name *names, size_t n, const char *name, uint64_t *ret)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i].name, name) != 0)
			continue;
		*ret = names[i].value;
		return 0;
	}
	return -EINVAL;
}

static int parse_scheduler(const Spec__Scheduler *from, struct tune_scheduler *to, struct err *err)
{
	uint64_t v;

	if (!from)
		return 0;
	if (find(policies, ARRAY_SIZE(policies), from->policy, &v) < 0)
		return err_set(err, EINVAL, "process.scheduler.policy: no such policy: %.32s",
			       from->policy);
	to->policy = (uint32_t)v;
	for (size_t i = 0; i < from->n_flags; i++) {
		if (find(flags, ARRAY_SIZE(flags), from->flags[i], &v) < 0)
			return err_set(err, EINVAL, "process.scheduler.flags: no such flag: %.64s",
				       from->flags[i]);
		to->flags |= v;
	}
	if (from->nice < -20 || from->nice > 19)
		return err_set(err, EINVAL, "process.scheduler.nice: %d", from->nice);
	if (from->priority < 0 || from->priority > 99)
		return err_set(err, EINVAL, "process.scheduler.priority: %d", from->priority);
	to->set = true;
	to->nice = from->nice;
	to->priority = (uint32_t)from->priority;
	to->runtime = from->runtime;
	to->deadline = from->deadline;
	to->period = from->period;
	return 0;
}

static int parse_ioprio(const Spec__IoPriority *from, int *ret, struct err *err)
{
	uint64_t class;

	*ret = TUNE_AS_IT_IS;
	if (!from)
		return 0;
	if (find(io_classes, ARRAY_SIZE(io_classes), from->class_, &class) < 0)
		return err_set(err, EINVAL, "process.ioPriority.class: no such class: %.32s",
			       from->class_);
	if (from->priority < 0 || from->priority >= IOPRIO_NR_LEVELS)
		return err_set(err, EINVAL, "process.ioPriority.priority: %d", from->priority);
	*ret = (int)(class << IOPRIO_CLASS_SHIFT) | from->priority;
	return 0;
}

static bool parse_number(const char **p, unsigned int *ret)
{
	unsigned int v = 0;

	if (!isdigit((unsigned char)**p))
		return false;
	for (; isdigit((unsigned char)**p) && v < CPU_SETSIZE; (*p)++)
		v = v * 10 + (unsigned int)(**p - '0');
	*ret = v;
	return v < CPU_SETSIZE;
}

/* "0-3,7", as cpuset(7) writes lists. */
static bool parse_cpus(const char *p, cpu_set_t *ret)
{
	CPU_ZERO(ret);
	for (;;) {
		unsigned int from, to;

		if (!parse_number(&p, &from))
			return false;
		to = from;
		if (*p == '-') {
			p++;
			if (!parse_number(&p, &to) || to < from)
				return false;
		}
		for (; from <= to; from++)
			CPU_SET(from, ret);
		if (!*p)
			return true;
		if (*p++ != ',')
			return false;
	}
}

static int parse_affinity(const Spec__CpuAffinity *from, struct tune *to, struct err *err)
{
	if (!from)
		return 0;
	to->has_initial = from->initial[0];
	to->has_final = from->final[0];
	if (to->has_initial && !parse_cpus(from->initial, &to->initial))
		return err_set(err, EINVAL,
			       "process.execCPUAffinity.initial: no list of CPUs: %.64s",
			       from->initial);
	if (to->has_final && !parse_cpus(from->final, &to->final))
		return err_set(err, EINVAL, "process.execCPUAffinity.final: no list of CPUs: %.64s",
			       from->final);
	return 0;
}

int tune_parse(const Spec__Process *process, struct tune *ret, struct err *err)
{
	struct tune tune = {0};
	int r;

	r = parse_scheduler(process->scheduler, &tune.scheduler, err);
	if (r >= 0)
		r = parse_ioprio(process->io_priority, &tune.ioprio, err);
	if (r >= 0)
		r = parse_affinity(process->exec_cpu_affinity, &tune, err);
	if (r >= 0)
		*ret = tune;
	return r;
}

int tune_parse_personality(const Spec__Personality *from, int *ret, struct err *err)
{
	uint64_t v;

	*ret = TUNE_AS_IT_IS;
	if (!from)
		return 0;
	if (find(domains, ARRAY_SIZE(domains), from->domain, &v) < 0)
		return err_set(err, EINVAL, "linux.personality.domain: no such domain: %.32s",
			       from->domain);
	*ret = (int)v;
	return 0;
}

int tune_apply_initial(const struct tune *tune, struct err *err)
{
	if (tune->has_initial && sched_setaffinity(0, sizeof(tune->initial), &tune->initial) < 0)
		return err_set_errno(err, errno, "process.execCPUAffinity.initial");
	return 0;
}

static int apply_cpus(const struct tune *tune, struct err *err)
{
	cpu_set_t all;

	if (!tune->has_initial && !tune->has_final)
		return 0;
	/* Without a last word it is all that the container's cpuset has, which the kernel knows. */
	memset(&all, 0xff, sizeof(all));
	if (sched_setaffinity(0, sizeof(all), tune->has_final ? &tune->final : &all) < 0)
		return err_set_errno(err, errno, "process.execCPUAffinity.final");
	return 0;
}

static int apply_scheduler(const struct tune_scheduler *s, struct err *err)
{
	struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = s->policy,
		.sched_flags = s->flags,
		.sched_nice = s->nice,
		.sched_priority = s->priority,
		.sched_runtime = s->runtime,
		.sched_deadline = s->deadline,
		.sched_period = s->period,
	};

	if (s->set && syscall(SYS_sched_setattr, 0, &attr, 0) < 0)
		return err_set_errno(err, errno, "process.scheduler");
	return 0;
}

int tune_apply(const struct tune *tune, int persona, struct err *err)
{
	int r;

	r = apply_cpus(tune, err);
	if (r >= 0)
		r = apply_scheduler(&tune->scheduler, err);
	if (r < 0)
		return r;
	if (tune->ioprio != TUNE_AS_IT_IS &&
	    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, tune->ioprio) < 0)
		return err_set_errno(err, errno, "process.ioPriority");
	if (persona != TUNE_AS_IT_IS && personality((unsigned long)persona) < 0)
		return err_set_errno(err, errno, "linux.personality");
	return 0;
}
