/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/pod_size.h"

#include <errno.h>

#include "common/opts.h"
#include "shim/group.h"
#include "shim/spec.h"

#define MIB            1048576ull
#define DEFAULT_MEMORY (256 * MIB)
/* A pod of several containers, none of which has said what it needs. Untouched memory costs nothing. */
#define DEFAULT_POD (1024 * MIB)
/* The guest's kernel, agent and page tables, which no container's limit accounts for. */
#define OVERHEAD   (96 * MIB)
#define MIN_MEMORY (32 * MIB)
#define MAX_MEMORY (1ull << 40)
#define MAX_CPUS   32
#define MAX_SHARE  8 /* CPUs of a pod that has no limit of its own */

#define DEFAULT_PERIOD 100000 /* the kernel's */
#define SHARES_OF_CPU  1024
#define MILLI          1000ull

/* *ret stays what it is where the annotation is missing. */
static int read_number(const struct spec *spec, const char *key, uint64_t min, uint64_t max,
		       uint64_t *ret, struct err *err)
{
	const char *text = spec_annotation(spec, key);
	uint64_t v;

	if (!text)
		return 0;
	if (parse_uint(text, &v) < 0 || v < min || v > max)
		return err_set(err, EINVAL,
			       "config.json: annotation %s: not a number from %llu to %llu", key,
			       (unsigned long long)min, (unsigned long long)max);
	*ret = v;
	return 0;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Kubernetes gives decimal numbers, 0 for what is not limited, and a negative quota for the same. */
static uint64_t read_cri(const struct spec *spec, const char *key)
{
	const char *text = spec_annotation(spec, key);
	uint64_t v;

	return text && parse_uint(text, &v) == 0 ? v : 0;
}

static uint64_t cri_memory(const struct spec *spec, uint64_t fallback)
{
	uint64_t limit = read_cri(spec, "io.kubernetes.cri.sandbox-memory");

	if (!limit)
		return fallback ? fallback : DEFAULT_POD;
	return limit < MAX_MEMORY - OVERHEAD ? limit + OVERHEAD : MAX_MEMORY;
}

/* A container alone: its limit has to fit into the machine. */
static uint64_t own_memory(const struct spec *spec, uint64_t fallback)
{
	const struct spec_linux *from = spec->config.linux;
	const struct spec_memory *memory = from && from->resources ? from->resources->memory : NULL;
	uint64_t limit = memory && memory->limit.v > 0 ? (uint64_t)memory->limit.v : 0;

	if (!fallback)
		fallback = DEFAULT_MEMORY;
	/* More than any machine can have means no limit. */
	if (limit >= MAX_MEMORY - OVERHEAD || limit + OVERHEAD < fallback)
		return fallback;
	return limit + OVERHEAD;
}

static uint64_t cri_cpus(const struct spec *spec, unsigned host_cpus, unsigned fallback)
{
	uint64_t quota = read_cri(spec, "io.kubernetes.cri.sandbox-cpu-quota");
	uint64_t period = read_cri(spec, "io.kubernetes.cri.sandbox-cpu-period");
	uint64_t shares = read_cri(spec, "io.kubernetes.cri.sandbox-cpu-shares") / SHARES_OF_CPU;
	uint64_t cpus = host_cpus < MAX_SHARE ? host_cpus : MAX_SHARE;

	if (shares > cpus)
		cpus = shares < host_cpus ? shares : host_cpus;
	if (fallback)
		cpus = fallback;
	if (quota && period)
		cpus = quota / period + (quota % period != 0);
	return cpus < 1 ? 1 : cpus > MAX_CPUS ? MAX_CPUS : cpus;
}

/* The highest number in a list as "0-3,7"; the guest's kernel judges its form. */
static uint64_t highest_cpu(const char *list)
{
	uint64_t highest = 0;

	while (list && *list) {
		uint64_t n = 0;

		for (; *list >= '0' && *list <= '9'; list++)
			n = lesser(n * 10 + (uint64_t)(*list - '0'), MAX_CPUS);
		highest = greater(highest, n);
		list += *list != '\0';
	}
	return highest;
}

/* A container alone: what it may use at once, within what the host has. */
static uint64_t own_cpus(const struct spec *spec, unsigned host_cpus, unsigned fallback)
{
	const struct spec_linux *from = spec->config.linux;
	const struct spec_cpu *cpu = from && from->resources ? from->resources->cpu : NULL;
	uint64_t cpus = 1;

	if (cpu && cpu->quota.v > 0) {
		uint64_t quota = (uint64_t)cpu->quota.v;
		uint64_t period = cpu->period.v ? cpu->period.v : DEFAULT_PERIOD;

		cpus = quota / period + (quota % period != 0);
	}
	if (cpu && cpu->cpus && cpu->cpus[0])
		cpus = greater(cpus, highest_cpu(cpu->cpus) + 1);
	cpus = lesser(cpus, lesser(greater(host_cpus, 1), MAX_CPUS));
	return greater(cpus, fallback);
}

int pod_size(const struct spec *spec, const struct pod_size *host, const struct pod_size *fallback,
	     struct pod_size *ret, struct err *err)
{
	bool pod = group_is_sandbox(spec);
	uint64_t memory =
		pod ? cri_memory(spec, fallback->memory) : own_memory(spec, fallback->memory);
	uint64_t cpus = pod ? cri_cpus(spec, host->cpus, fallback->cpus)
			    : own_cpus(spec, host->cpus, fallback->cpus);
	int r;

	if (memory > host->memory && host->memory > DEFAULT_MEMORY)
		memory = host->memory;
	r = read_number(spec, "sbx.memory", MIN_MEMORY, MAX_MEMORY, &memory, err);
	if (r == 0)
		r = read_number(spec, "sbx.cpus", 1, MAX_CPUS, &cpus, err);
	if (r < 0)
		return r;
	*ret = (struct pod_size){.memory = memory & ~4095ull, .cpus = (unsigned)cpus};
	return 0;
}

void pod_size_max(const struct pod_size *size, const struct pod_size *host,
		  const struct pod_size *wished, struct pod_size *ret)
{
	uint64_t memory = wished->memory ? wished->memory : lesser(host->memory, MAX_MEMORY);
	uint64_t cpus = wished->cpus ? wished->cpus : lesser(host->cpus, MAX_CPUS);

	*ret = (struct pod_size){
		.memory = greater(size->memory, memory & ~4095ull),
		.cpus = (unsigned)greater(size->cpus, cpus),
	};
}

static void change_int(uint64_t *to, const struct json_int *from)
{
	if (from->set)
		*to = from->v > 0 ? (uint64_t)from->v : 0;
}

static void change_uint(uint64_t *to, const struct json_uint *from)
{
	if (from->set)
		*to = from->v;
}

void pod_demand_change(struct pod_demand *demand, const struct spec_resources *resources)
{
	if (resources && resources->memory)
		change_int(&demand->memory, &resources->memory->limit);
	if (!resources || !resources->cpu)
		return;
	change_int(&demand->quota, &resources->cpu->quota);
	change_uint(&demand->period, &resources->cpu->period);
	change_uint(&demand->shares, &resources->cpu->shares);
}

/* n units of which size make one, in thousandths; no more than any machine has. */
static uint64_t milli_of(uint64_t n, uint64_t size)
{
	if (n / size >= MAX_CPUS)
		return MAX_CPUS * MILLI;
	return n / size * MILLI + n % size * MILLI / size;
}

void pod_demands_add(struct pod_demands *sum, const struct pod_demand *demand)
{
	uint64_t period = demand->period ? demand->period : DEFAULT_PERIOD, cpus;

	/* More than any machine can have means no limit. */
	if (demand->memory < MAX_MEMORY)
		sum->memory = lesser(sum->memory + demand->memory, MAX_MEMORY);
	cpus = demand->quota
		       ? milli_of(demand->quota, lesser(period, UINT32_MAX))
		       : lesser(demand->shares, MAX_CPUS * SHARES_OF_CPU) * MILLI / SHARES_OF_CPU;
	sum->cpus = lesser(sum->cpus + cpus, MAX_CPUS * MILLI);
}

void pod_size_for(const struct pod_demands *sum, const struct pod_size *least,
		  const struct pod_size *most, struct pod_size *ret)
{
	uint64_t memory = sum->memory ? lesser(sum->memory + OVERHEAD, most->memory) : 0;
	uint64_t cpus = lesser((sum->cpus + MILLI - 1) / MILLI, most->cpus);

	*ret = (struct pod_size){
		.memory = greater(memory, least->memory) & ~4095ull,
		.cpus = (unsigned)greater(cpus, least->cpus),
	};
}
