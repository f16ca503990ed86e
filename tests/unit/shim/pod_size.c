/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shim/pod_size.h"
#include "shim/spec.h"

#define MIB 1048576ull
#define POD "\"io.kubernetes.cri.container-type\":\"sandbox\""

static struct pod_size host = {.memory = 2048 * 1024 * MIB, .cpus = 16};
static struct pod_size fallback;

static int of_text(const char *annotations, const char *resources, struct pod_size *ret)
{
	char text[1024];
	struct err err = ERR_INIT;
	struct spec *spec;
	int r;

	snprintf(text, sizeof(text),
		 "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},\"annotations\":{%s},"
		 "\"linux\":{\"resources\":{%s}}}",
		 annotations, resources);
	cr_assert_eq(spec_parse(text, strlen(text), &spec, &err), 0, "%s", err.msg);
	r = pod_size(spec, &host, &fallback, ret, &err);
	spec_free(spec);
	return r;
}

static int of(const char *annotations, struct pod_size *ret)
{
	return of_text(annotations, "", ret);
}

Test(pod_size, by_sbx)
{
	struct pod_size size;

	cr_assert_eq(of("", &size), 0);
	cr_assert_eq(size.memory, 256 * MIB);
	cr_assert_eq(size.cpus, 1);
	cr_assert_eq(of("\"sbx.memory\":\"100000000\",\"sbx.cpus\":\"3\"", &size), 0);
	cr_assert_eq(size.memory, 99999744);
	cr_assert_eq(size.cpus, 3);
	cr_assert_eq(of("\"sbx.memory\":\"1\"", &size), -EINVAL);
	cr_assert_eq(of("\"sbx.cpus\":\"33\"", &size), -EINVAL);
}

Test(pod_size, by_kubernetes)
{
	struct pod_size size;

	cr_assert_eq(of(POD, &size), 0);
	cr_assert_eq(size.memory, 1024 * MIB);
	cr_assert_eq(size.cpus, 8);
	cr_assert_eq(of(POD ",\"io.kubernetes.cri.sandbox-memory\":\"536870912\","
			    "\"io.kubernetes.cri.sandbox-cpu-quota\":\"250000\","
			    "\"io.kubernetes.cri.sandbox-cpu-period\":\"100000\"",
			&size),
		     0);
	cr_assert_eq(size.memory, 608 * MIB);
	cr_assert_eq(size.cpus, 3);
	/* Without a limit it is negative or 0; and a wish has an end. */
	cr_assert_eq(of(POD ",\"io.kubernetes.cri.sandbox-memory\":\"18446744073709551615\","
			    "\"io.kubernetes.cri.sandbox-cpu-quota\":\"-1\","
			    "\"io.kubernetes.cri.sandbox-cpu-period\":\"100000\"",
			&size),
		     0);
	cr_assert_eq(size.memory, 1024 * 1024 * MIB);
	cr_assert_eq(size.cpus, 8);
}

Test(pod_size, by_the_limit_of_a_container_alone)
{
	static const struct {
		const char *limit;
		uint64_t mib;
	} cases[] = {
		{"67108864", 256}, {"1073741824", 1120},         {"-1", 256},
		{"0", 256},        {"9223372036854775807", 256},
	};
	struct pod_size size;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[64];

		snprintf(text, sizeof(text), "\"memory\":{\"limit\":%s}", cases[i].limit);
		cr_assert_eq(of_text("", text, &size), 0);
		cr_assert_eq(size.memory, cases[i].mib * MIB, "%s", cases[i].limit);
	}
	cr_assert_eq(
		of_text("\"sbx.memory\":\"104857600\"", "\"memory\":{\"limit\":1073741824}", &size),
		0);
	cr_assert_eq(size.memory, 100 * MIB);
}

Test(pod_size, cpus_of_a_container_alone)
{
	static const struct {
		const char *cpu;
		unsigned cpus;
	} cases[] = {
		{"\"quota\":150000,\"period\":100000", 2},
		{"\"quota\":300000", 3},
		{"\"quota\":-1", 1},
		{"\"shares\":8192", 1},
		{"\"cpus\":\"0-2,5\"", 6},
		{"\"cpus\":\"1\",\"quota\":400000", 4},
		{"\"cpus\":\"99999999999999999999\"", 16},
		{"\"quota\":9223372036854775807,\"period\":1", 16},
	};
	struct pod_size size;
	char text[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text), "\"cpu\":{%s}", cases[i].cpu);
		cr_assert_eq(of_text("", text, &size), 0);
		cr_assert_eq(size.cpus, cases[i].cpus, "%s: %u", cases[i].cpu, size.cpus);
	}
	fallback.cpus = 8;
	cr_assert_eq(of_text("", "\"cpu\":{\"quota\":150000}", &size), 0);
	cr_assert_eq(size.cpus, 8);
}

Test(pod_size, no_larger_than_the_host_but_for_who_asks)
{
	struct pod_size size;

	host.memory = 4096 * MIB;
	cr_assert_eq(of_text("", "\"memory\":{\"limit\":549755813888}", &size), 0);
	cr_assert_eq(size.memory, 4096 * MIB);
	cr_assert_eq(of(POD ",\"io.kubernetes.cri.sandbox-memory\":\"549755813888\"", &size), 0);
	cr_assert_eq(size.memory, 4096 * MIB);
	cr_assert_eq(of("\"sbx.memory\":\"8589934592\"", &size), 0);
	cr_assert_eq(size.memory, 8192 * MIB);
	/* What cannot be read, or is absurd, limits nothing. */
	host.memory = 0;
	cr_assert_eq(of(POD, &size), 0);
	cr_assert_eq(size.memory, 1024 * MIB);
}

Test(pod_size, what_says_nothing_is_what_the_machine_says)
{
	struct pod_size size;

	fallback = (struct pod_size){.memory = 2048 * MIB, .cpus = 3};
	cr_assert_eq(of("", &size), 0);
	cr_expect_eq(size.memory, 2048 * MIB);
	cr_expect_eq(size.cpus, 3);
	cr_assert_eq(of(POD, &size), 0);
	cr_expect_eq(size.memory, 2048 * MIB);
	cr_expect_eq(size.cpus, 3);
	cr_assert_eq(of(POD ",\"io.kubernetes.cri.sandbox-memory\":\"104857600\"", &size), 0);
	cr_expect_eq(size.memory, 196 * MIB);
	cr_assert_eq(of("\"sbx.memory\":\"67108864\",\"sbx.cpus\":\"2\"", &size), 0);
	cr_expect_eq(size.memory, 64 * MIB);
	cr_expect_eq(size.cpus, 2);
}

Test(pod_size, without_a_quota_the_shares_are_the_least)
{
	struct pod_size size;

	cr_assert_eq(of(POD ",\"io.kubernetes.cri.sandbox-cpu-shares\":\"12288\"", &size), 0);
	cr_expect_eq(size.cpus, 12);
	cr_assert_eq(of(POD ",\"io.kubernetes.cri.sandbox-cpu-shares\":\"1024\"", &size), 0);
	cr_expect_eq(size.cpus, 8, "it may use more, where there is more");
	cr_assert_eq(of(POD ",\"io.kubernetes.cri.sandbox-cpu-shares\":\"99999999\"", &size), 0);
	cr_expect_eq(size.cpus, 16, "the host has no more");
	cr_assert_eq(of(POD ",\"io.kubernetes.cri.sandbox-cpu-shares\":\"12288\","
			    "\"io.kubernetes.cri.sandbox-cpu-quota\":\"200000\","
			    "\"io.kubernetes.cri.sandbox-cpu-period\":\"100000\"",
			&size),
		     0);
	cr_expect_eq(size.cpus, 2, "a limit is a limit");
}

Test(pod_size, may_become_what_the_host_is)
{
	const struct pod_size small = {.memory = 256 * MIB, .cpus = 2},
			      large = {.memory = 8192 * MIB, .cpus = 20};
	struct pod_size most;

	host = (struct pod_size){.memory = 4096 * MIB + 1, .cpus = 16};
	pod_size_max(&small, &host, &(struct pod_size){0}, &most);
	cr_expect_eq(most.memory, 4096 * MIB);
	cr_expect_eq(most.cpus, 16);
	pod_size_max(&large, &host, &(struct pod_size){0}, &most);
	cr_expect_eq(most.memory, 8192 * MIB, "it is that large already");
	cr_expect_eq(most.cpus, 20);
	pod_size_max(&small, &host, &(struct pod_size){.memory = 1024 * MIB, .cpus = 32}, &most);
	cr_expect_eq(most.memory, 1024 * MIB);
	cr_expect_eq(most.cpus, 32);
	host = (struct pod_size){.memory = 1ull << 50, .cpus = 512};
	pod_size_max(&small, &host, &(struct pod_size){0}, &most);
	cr_expect_eq(most.memory, 1ull << 40);
	cr_expect_eq(most.cpus, 32);
}

/* As a container's config.json has it. */
static struct pod_demand demand_of(const char *resources)
{
	struct pod_demand demand = {0};
	struct err err = ERR_INIT;
	struct spec *spec;

	cr_assert_eq(spec_parse_resources(resources, strlen(resources), &spec, &err), 0, "%s",
		     err.msg);
	pod_demand_change(&demand, &spec->resources);
	spec_free(spec);
	return demand;
}

static const struct pod_size begun = {.memory = 224 * MIB, .cpus = 1},
			     most = {.memory = 4096 * MIB, .cpus = 6};

static struct pod_size with(const char *first, const char *second)
{
	struct pod_demands sum = {0};
	struct pod_demand demand;
	struct pod_size ret;

	demand = demand_of(first);
	pod_demands_add(&sum, &demand);
	demand = demand_of(second);
	pod_demands_add(&sum, &demand);
	pod_size_for(&sum, &begun, &most, &ret);
	return ret;
}

Test(pod_size, grows_to_the_sum_of_the_limits)
{
	static const struct {
		const char *first, *second;
		unsigned cpus, mib;
	} cases[] = {
		{"{}", "{}", 1, 224},
		{"{\"memory\":{\"limit\":134217728}}", "{}", 1, 224},
		{"{\"memory\":{\"limit\":134217728}}", "{\"memory\":{\"limit\":536870912}}", 1,
		 736},
		{"{\"memory\":{\"limit\":-1}}", "{\"memory\":{\"limit\":9223372036854775807}}", 1,
		 224},
		{"{\"memory\":{\"limit\":824633720832}}", "{\"memory\":{\"limit\":824633720832}}",
		 1, 4096},
		{"{\"cpu\":{\"quota\":50000,\"period\":100000}}",
		 "{\"cpu\":{\"quota\":50000,\"period\":100000}}", 1, 224},
		{"{\"cpu\":{\"quota\":50000,\"period\":100000}}", "{\"cpu\":{\"quota\":200000}}", 3,
		 224},
		{"{\"cpu\":{\"quota\":9223372036854775807,\"period\":1}}", "{}", 6, 224},
		/* Without a quota what is weighed out is the least; with one shares do not count. */
		{"{\"cpu\":{\"quota\":-1,\"shares\":1536}}", "{\"cpu\":{\"shares\":512}}", 2, 224},
		{"{\"cpu\":{\"shares\":2}}", "{\"cpu\":{\"shares\":2}}", 1, 224},
		{"{\"cpu\":{\"shares\":18446744073709551615}}", "{\"cpu\":{\"shares\":2}}", 6, 224},
		{"{\"cpu\":{\"quota\":100000,\"shares\":8192}}", "{}", 1, 224},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pod_size size = with(cases[i].first, cases[i].second);

		cr_expect_eq(size.cpus, cases[i].cpus, "%zu: %u", i, size.cpus);
		cr_expect_eq(size.memory, cases[i].mib * MIB, "%zu: %llu", i,
			     (unsigned long long)(size.memory / MIB));
	}
}

Test(pod_size, an_update_changes_what_it_names)
{
	struct pod_demand demand = demand_of(
		"{\"memory\":{\"limit\":1048576},\"cpu\":{\"quota\":200000,\"shares\":9}}");
	struct err err = ERR_INIT;
	struct spec *spec;
	const char *text = "{\"cpu\":{\"quota\":-1,\"period\":50000}}";

	cr_assert_eq(spec_parse_resources(text, strlen(text), &spec, &err), 0, "%s", err.msg);
	pod_demand_change(&demand, &spec->resources);
	spec_free(spec);
	cr_expect_eq(demand.memory, 1048576);
	cr_expect_eq(demand.quota, 0);
	cr_expect_eq(demand.period, 50000);
	cr_expect_eq(demand.shares, 9);
	pod_demand_change(&demand, NULL);
	cr_expect_eq(demand.memory, 1048576);
}
