/* SPDX-License-Identifier: Apache-2.0 */
/* linux.resources, in cgroup v2's numbers. */
#include <errno.h>

#include "shim/spec_guest_internal.h"

static int build_device_rules(const struct builder *b, const struct json_array *rules,
			      Spec__Resources *out)
{
	const struct spec_device_rule *from = rules->items;
	int r = spec_make_messages(b, rules->n, &spec__device_rule__descriptor, &out->n_devices,
				   &out->devices);

	for (size_t i = 0; r == 0 && i < rules->n; i++) {
		Spec__DeviceRule *rule = out->devices[i];

		rule->allow = from[i].allow;
		rule->type = text(from[i].type && from[i].type[0] ? from[i].type : "a");
		rule->major = from[i].major.set ? from[i].major.v : -1;
		rule->minor = from[i].minor.set ? from[i].minor.v : -1;
		rule->access = text(from[i].access && from[i].access[0] ? from[i].access : "rwm");
	}
	return r;
}

/*
 * The runtime-spec counts memory.swap as cgroup v1 does, memory and swap together; v2 counts swap
 * alone. 0 is unset on both sides.
 */
static int build_memory(const struct builder *b, const struct spec_memory *memory,
			Spec__Resources *out)
{
	int64_t limit = memory->limit.v, swap = memory->swap.v;

	out->memory_limit = limit;
	out->memory_low = memory->reservation.v;
	out->memory_check_before_update = memory->check_before_update;
	if (swap > 0) {
		if (limit <= 0 || swap < limit)
			return err_set(b->err, EINVAL,
				       "%s: linux.resources.memory.swap: below memory.limit",
				       b->spec->doc.what);
		/* Swap of zero bytes has no number in the message: one byte rounds down to it. */
		out->memory_swap = swap > limit ? swap - limit : 1;
	} else {
		out->memory_swap = swap;
	}
	return 0;
}

/*
 * cgroup v1's shares of 2..262144 on v2's weights of 1..10000, on the curve that runc and crun have had since
 * 2025, which goes through the defaults of both, 1024 and 100: exactly at the powers of two, by straight lines
 * between them.
 */
static uint64_t weight_of_shares(uint64_t shares)
{
	static const uint16_t weights[] = {1,   2,   3,   5,   8,   12,   21,   35,   59,
					   100, 174, 303, 532, 942, 1681, 3023, 5478, 10000};
	unsigned power;
	uint64_t step;

	if (shares <= 2)
		return shares ? 1 : 0;
	if (shares >= 262144)
		return 10000;
	power = 63u - (unsigned)__builtin_clzll(shares);
	step = (uint64_t)weights[power] - weights[power - 1];
	return weights[power - 1] + step * (shares - (1ull << power)) / (1ull << power);
}

static void build_cpu(const struct spec_cpu *cpu, Spec__Resources *out)
{
	out->cpu_weight = weight_of_shares(cpu->shares.v);
	out->cpu_quota_us = cpu->quota.v;
	out->cpu_period_us = cpu->period.v;
	out->has_cpu_burst = cpu->burst.set;
	out->cpu_burst_us = cpu->burst.v;
	out->has_cpu_idle = cpu->idle.set;
	out->cpu_idle = cpu->idle.v;
	out->cpuset_cpus = text(cpu->cpus);
	out->cpuset_mems = text(cpu->mems);
}

/* cgroup v1's blkio weights of 10..1000 on v2's 1..10000. 0 is unset. */
static int io_weight(const struct builder *b, uint64_t weight, uint32_t *ret)
{
	if (weight && weight < 10)
		return err_set(b->err, EINVAL, "%s: linux.resources.blockIO: a weight is below 10",
			       b->spec->doc.what);
	*ret = weight ? (uint32_t)(1 + (weight - 10) * 9999 / 990) : 0;
	return 0;
}

static int build_io_weights(const struct builder *b, const struct json_array *rows,
			    Spec__Resources *out)
{
	const struct spec_io_device *from = rows->items;
	int r = spec_make_messages(b, rows->n, &spec__io_weight__descriptor, &out->n_io_weights,
				   &out->io_weights);

	for (size_t i = 0; r == 0 && i < rows->n; i++) {
		out->io_weights[i]->major = from[i].major.v;
		out->io_weights[i]->minor = from[i].minor.v;
		r = io_weight(b, from[i].weight.v, &out->io_weights[i]->weight);
	}
	return r;
}

static int build_block_io(const struct builder *b, const struct spec_block_io *io,
			  Spec__Resources *out)
{
	const struct {
		const char *key;
		const struct json_array *rows;
	} lists[] = {{"rbps", &io->read_bps},
		     {"wbps", &io->write_bps},
		     {"riops", &io->read_iops},
		     {"wiops", &io->write_iops}};
	size_t n = 0, k = 0;
	int r = io_weight(b, io->weight.v, &out->io_weight);

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		n += lists[i].rows->n;
	if (r == 0)
		r = build_io_weights(b, &io->weight_device, out);
	if (r == 0)
		r = spec_make_messages(b, n, &spec__io_limit__descriptor, &out->n_io_limits,
				       &out->io_limits);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(lists); i++) {
		const struct spec_io_device *from = lists[i].rows->items;

		for (size_t j = 0; j < lists[i].rows->n; j++, k++) {
			out->io_limits[k]->major = from[j].major.v;
			out->io_limits[k]->minor = from[j].minor.v;
			out->io_limits[k]->key = text(lists[i].key);
			out->io_limits[k]->value = from[j].rate.v;
		}
	}
	return r;
}

static int build_hugepages(const struct builder *b, const struct json_array *limits,
			   Spec__Resources *out)
{
	const struct spec_hugepage_limit *from = limits->items;
	int r = spec_make_messages(b, limits->n, &spec__hugepage_limit__descriptor,
				   &out->n_hugepages, &out->hugepages);

	for (size_t i = 0; r == 0 && i < limits->n; i++) {
		out->hugepages[i]->page_size = text(from[i].page_size);
		out->hugepages[i]->limit = from[i].limit.v;
	}
	return r;
}

int spec_build_resources(const struct builder *b, const struct spec_resources *resources,
			 Spec__Resources **ret)
{
	Spec__Resources *out = json_doc_alloc(&b->spec->doc, 1, sizeof(*out));
	int r;

	if (!out)
		return no_memory(b);
	spec__resources__init(out);
	r = build_device_rules(b, &resources->devices, out);
	if (r == 0)
		r = spec_build_pairs(b, &resources->unified, &out->n_unified, &out->unified);
	if (r == 0 && resources->memory)
		r = build_memory(b, resources->memory, out);
	if (r == 0 && resources->block_io)
		r = build_block_io(b, resources->block_io, out);
	if (r == 0)
		r = build_hugepages(b, &resources->hugepage_limits, out);
	if (r < 0)
		return r;
	if (resources->cpu)
		build_cpu(resources->cpu, out);
	if (resources->pids)
		out->pids_limit = resources->pids->limit.v;
	*ret = out;
	return 0;
}

int spec_guest_build_resources(struct spec *spec, const struct spec_resources *resources,
			       Spec__Resources **ret, struct err *err)
{
	const struct builder b = {.spec = spec, .err = err};

	return spec_build_resources(&b, resources, ret);
}

bool spec_drop_cpuset(struct spec_resources *resources)
{
	struct spec_cpu *cpu = resources ? resources->cpu : NULL;
	bool any = cpu && ((cpu->cpus && cpu->cpus[0]) || (cpu->mems && cpu->mems[0]));

	if (any)
		cpu->cpus = cpu->mems = NULL;
	return any;
}
