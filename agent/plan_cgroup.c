/* SPDX-License-Identifier: Apache-2.0 */
/* linux.resources as values for the files of a cgroup, in the order in which they are written. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/plan.h"

#define MAX_LISTED 256 /* of each list in the message */

/* A kernel without swap has no such file, and is within every limit of it. The kubelet sets 0 for all. */
#define SWAP_LIMIT "memory.swap.max"

static struct cgroup_value *add_value(struct plan *plan, const char *file, const char *text)
{
	struct cgroup_value *value = &plan->cgroup[plan->n_cgroup++];

	*value = (struct cgroup_value){.file = file, .text = text};
	return value;
}

static struct cgroup_value *__attribute__((format(printf, 3, 4)))
add_number(struct plan *plan, const char *file, const char *fmt, ...)
{
	struct cgroup_value *value = add_value(plan, file, NULL);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value->number, sizeof(value->number), fmt, ap);
	va_end(ap);
	return value;
}

/* 0: unset, -1: "max". */
static int add_limit(struct plan *plan, const char *file, int64_t v, struct err *err)
{
	if (!v)
		return 0;
	if (v < -1)
		return err_set(err, EINVAL, "linux.resources: %s: %" PRId64, file, v);
	if (v == -1)
		add_value(plan, file, "max");
	else
		add_number(plan, file, "%" PRId64, v);
	return 0;
}

static int plan_memory(const Spec__Resources *res, struct plan *plan, struct err *err)
{
	int r;

	plan->check_memory = res->memory_check_before_update ? res->memory_limit : 0;
	r = add_limit(plan, "memory.max", res->memory_limit, err);
	if (r >= 0)
		r = add_limit(plan, "memory.low", res->memory_low, err);
	if (r < 0 || !res->memory_swap)
		return r;
	r = add_limit(plan, SWAP_LIMIT, res->memory_swap, err);
	if (r >= 0)
		plan->cgroup[plan->n_cgroup - 1].may_lack = true;
	return r;
}

/* An update may name one of the two: the other stays. The kernel keeps a period that is not written. */
static void plan_cpu_max(int64_t quota, uint64_t period, struct plan *plan)
{
	if (!quota && !period)
		return;
	if (!quota)
		add_number(plan, "cpu.max", "%" PRIu64, period)->keeps_first = true;
	else if (quota < 0 && !period)
		add_value(plan, "cpu.max", "max");
	else if (quota < 0)
		add_number(plan, "cpu.max", "max %" PRIu64, period);
	else if (!period)
		add_number(plan, "cpu.max", "%" PRId64, quota);
	else
		add_number(plan, "cpu.max", "%" PRId64 " %" PRIu64, quota, period);
}

static int plan_cpu(const Spec__Resources *res, struct plan *plan, struct err *err)
{
	if (res->cpu_weight > 10000)
		return err_set(err, EINVAL, "linux.resources: cpu.weight: %" PRIu64,
			       res->cpu_weight);
	if (res->has_cpu_idle && res->cpu_idle != 0 && res->cpu_idle != 1)
		return err_set(err, EINVAL, "linux.resources: cpu.idle: %" PRId64, res->cpu_idle);
	if (res->cpu_quota_us < -1)
		return err_set(err, EINVAL, "linux.resources: cpu quota: %" PRId64,
			       res->cpu_quota_us);
	if (res->has_cpu_idle)
		add_number(plan, "cpu.idle", "%" PRId64, res->cpu_idle);
	/* An idle group has no weight to set. */
	if (res->cpu_weight && !(res->has_cpu_idle && res->cpu_idle))
		add_number(plan, "cpu.weight", "%" PRIu64, res->cpu_weight);
	plan_cpu_max(res->cpu_quota_us, res->cpu_period_us, plan);
	if (res->has_cpu_burst)
		add_number(plan, "cpu.max.burst", "%" PRIu64, res->cpu_burst_us);
	if (res->cpuset_cpus[0])
		add_value(plan, "cpuset.cpus", res->cpuset_cpus);
	if (res->cpuset_mems[0])
		add_value(plan, "cpuset.mems", res->cpuset_mems);
	return 0;
}

static bool is_device(int64_t major, int64_t minor)
{
	return major >= 0 && major < 1 << 12 && minor >= 0 && minor < 1 << 20;
}

static int plan_io(const Spec__Resources *res, struct plan *plan, struct err *err)
{
	static const char *const keys[] = {"rbps", "wbps", "riops", "wiops"};

	if (res->io_weight > 10000)
		return err_set(err, EINVAL, "linux.resources: io.weight: %u", res->io_weight);
	if (res->io_weight)
		add_number(plan, "io.weight", "default %u", res->io_weight);
	for (size_t i = 0; i < res->n_io_weights; i++) {
		const Spec__IoWeight *w = res->io_weights[i];

		if (!is_device(w->major, w->minor) || !w->weight || w->weight > 10000)
			return err_set(err, EINVAL,
				       "linux.resources: io.weight: device %" PRId64 ":%" PRId64,
				       w->major, w->minor);
		add_number(plan, "io.weight", "%" PRId64 ":%" PRId64 " %u", w->major, w->minor,
			   w->weight);
	}
	for (size_t i = 0; i < res->n_io_limits; i++) {
		const Spec__IoLimit *l = res->io_limits[i];
		size_t k = 0;

		while (k < ARRAY_SIZE(keys) && strcmp(l->key, keys[k]) != 0)
			k++;
		if (!is_device(l->major, l->minor) || k == ARRAY_SIZE(keys))
			return err_set(err, EINVAL,
				       "linux.resources: io.max: device %" PRId64 ":%" PRId64,
				       l->major, l->minor);
		/* As in cgroup v1, no operations at all is no limit. */
		if (l->value)
			add_number(plan, "io.max", "%" PRId64 ":%" PRId64 " %s=%" PRIu64, l->major,
				   l->minor, keys[k], l->value);
		else
			add_number(plan, "io.max", "%" PRId64 ":%" PRId64 " %s=max", l->major,
				   l->minor, keys[k]);
	}
	return 0;
}

/* "2MB", as hugetlb_cgroup writes sizes. */
static bool is_page_size(const char *size)
{
	size_t digits = strspn(size, "0123456789");

	return digits > 0 && digits <= 4 &&
	       (!strcmp(size + digits, "KB") || !strcmp(size + digits, "MB") ||
		!strcmp(size + digits, "GB"));
}

static int plan_hugepages(const Spec__Resources *res, struct plan *plan, struct err *err)
{
	static const char *const kinds[] = {"max", "rsvd.max"};

	for (size_t i = 0; i < res->n_hugepages; i++) {
		const Spec__HugepageLimit *limit = res->hugepages[i];

		if (!is_page_size(limit->page_size))
			return err_set(err, EINVAL,
				       "linux.resources.hugepageLimits: no such page size: %.32s",
				       limit->page_size);
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
			struct cgroup_value *v = add_number(plan, NULL, "%" PRIu64, limit->limit);

			snprintf(v->own_file, sizeof(v->own_file), "hugetlb.%s.%s",
				 limit->page_size, kinds[k]);
			v->file = v->own_file;
			/* What is in use is what counts; reservations came to Linux later. */
			v->may_lack = k > 0;
		}
	}
	return 0;
}

/* A key is a file of the container's own cgroup, and not one that moves processes or structure. */
static int check_unified(const Spec__KeyValue *kv, struct err *err)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_.-";
	const char *dot = strchr(kv->key, '.');

	if (!dot || dot == kv->key || strlen(kv->key) > 64 ||
	    strspn(kv->key, chars) != strlen(kv->key) || !strncmp(kv->key, "cgroup.", 7))
		return err_set(err, EINVAL, "linux.resources.unified: no such key: %.64s", kv->key);
	if (!kv->value[0] || strlen(kv->value) > 4096)
		return err_set(err, EINVAL, "linux.resources.unified: %s: bad value", kv->key);
	return 0;
}

int plan_linux_cgroup(const Spec__Resources *res, struct plan *plan, struct err *err)
{
	size_t n;
	int r;

	if (!res)
		return 0;
	if (res->n_unified > MAX_LISTED || res->n_io_weights > MAX_LISTED ||
	    res->n_io_limits > MAX_LISTED || res->n_hugepages > MAX_LISTED)
		return err_set(err, E2BIG, "linux.resources: a list of more than %d", MAX_LISTED);
	n = res->n_unified + res->n_io_weights + res->n_io_limits + 2 * res->n_hugepages;
	plan->cgroup = calloc(n + 16, sizeof(*plan->cgroup));
	if (!plan->cgroup)
		return err_set(err, ENOMEM, "linux.resources: out of memory");
	r = plan_memory(res, plan, err);
	if (r >= 0)
		r = plan_cpu(res, plan, err);
	if (r >= 0)
		r = add_limit(plan, "pids.max", res->pids_limit, err);
	if (r >= 0)
		r = plan_io(res, plan, err);
	if (r >= 0)
		r = plan_hugepages(res, plan, err);
	for (size_t i = 0; r >= 0 && i < res->n_unified; i++) {
		r = check_unified(res->unified[i], err);
		if (r >= 0)
			add_value(plan, res->unified[i]->key, res->unified[i]->value)->may_lack =
				!strcmp(res->unified[i]->key, SWAP_LIMIT);
	}
	return r;
}
