/* SPDX-License-Identifier: Apache-2.0 */
/* linux.resources: what becomes of it in a container's cgroup. */
#include "tests/unit/agent/plan_spec.h"

TestSuite(plan_cgroup, .init = setup);

Test(plan_cgroup, resources)
{
	static Spec__KeyValue unified[2], *unified_list[] = {&unified[0], &unified[1]};
	static Spec__DeviceRule rules[3], *rule_list[] = {&rules[0], &rules[1], &rules[2]};

	resources.memory_limit = 64 << 20;
	resources.memory_low = 1 << 20;
	resources.memory_swap = -1;
	resources.cpu_weight = 50;
	resources.cpu_quota_us = 25000;
	resources.cpuset_cpus = "0-1";
	resources.cpuset_mems = "0";
	resources.pids_limit = 32;
	for (int i = 0; i < 2; i++)
		spec__key_value__init(&unified[i]);
	unified[0].key = "memory.high";
	unified[0].value = "1000000";
	unified[1].key = "io.max";
	unified[1].value = "8:0 rbps=1";
	resources.unified = unified_list;
	resources.n_unified = 2;
	for (int i = 0; i < 3; i++)
		spec__device_rule__init(&rules[i]);
	rules[0].type = "a";
	rules[0].access = "rwm";
	rules[1] = (Spec__DeviceRule){.base = rules[1].base, true, "c", 10, 229, "rw"};
	rules[2] = (Spec__DeviceRule){.base = rules[2].base, true, "b", 8, -1, "r"};
	resources.devices = rule_list;
	resources.n_devices = 3;
	linux_spec.resources = &resources;
	golden("resources");
}

Test(plan_cgroup, more_resources)
{
	static Spec__IoWeight weight, *weights[] = {&weight};
	static Spec__IoLimit limit[2], *limits[] = {&limit[0], &limit[1]};
	static Spec__HugepageLimit huge, *hugepages[] = {&huge};
	struct err err = ERR_INIT;
	struct plan plan;

	resources.memory_limit = 1 << 20;
	resources.memory_check_before_update = true;
	resources.cpu_weight = 7;
	resources.has_cpu_idle = true;
	resources.cpu_idle = 1;
	resources.cpu_quota_us = 1000;
	resources.has_cpu_burst = true;
	resources.cpu_burst_us = 500;
	resources.io_weight = 10000;
	spec__io_weight__init(&weight);
	weight.major = 254;
	weight.weight = 50;
	resources.io_weights = weights;
	resources.n_io_weights = 1;
	for (int i = 0; i < 2; i++)
		spec__io_limit__init(&limit[i]);
	limit[0] = (Spec__IoLimit){.base = limit[0].base, 254, 16, "rbps", UINT64_MAX};
	limit[1] = (Spec__IoLimit){.base = limit[1].base, 254, 0, "wiops", 0};
	resources.io_limits = limits;
	resources.n_io_limits = 2;
	spec__hugepage_limit__init(&huge);
	huge.page_size = "2MB";
	huge.limit = 4 << 20;
	resources.hugepages = hugepages;
	resources.n_hugepages = 1;
	linux_spec.resources = &resources;
	golden("more-resources");
	cr_assert_eq(plan_resources(&resources, &plan, &err), 0);
	cr_assert(plan.n_cgroup == 10 && !plan.n_rules && !plan.n_ops);
	plan_finish(&plan);
	huge.page_size = "2MB/../../x";
	refused(EINVAL, "page size");
	huge.page_size = "MB";
	refused(EINVAL, "page size");
	huge.page_size = "2MB";
	limit[1].key = "rbps=1 wbps";
	refused(EINVAL, "io.max");
	limit[1].key = "rbps";
	limit[1].minor = 1 << 20;
	refused(EINVAL, "io.max");
	resources.n_io_limits = 0;
	weight.weight = 0;
	refused(EINVAL, "io.weight");
	resources.n_io_weights = 0;
	resources.cpu_idle = 2;
	refused(EINVAL, "cpu.idle");
}

/* Of cpu.max an update may name one half, and a burst of 0 takes one away. */
Test(plan_cgroup, halves_and_zeros)
{
	static const struct {
		int64_t quota;
		uint64_t period;
		const char *text;
		bool keeps_first;
	} cases[] = {
		{0, 50000, "50000", true},
		{20000, 0, "20000", false},
		{-1, 50000, "max 50000", false},
		{-1, 0, "max", false},
		{20000, 50000, "20000 50000", false},
	};
	struct err err = ERR_INIT;
	struct plan plan;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct cgroup_value *v;

		resources.cpu_quota_us = cases[i].quota;
		resources.cpu_period_us = cases[i].period;
		cr_assert_eq(plan_resources(&resources, &plan, &err), 0);
		cr_assert_eq(plan.n_cgroup, 1);
		v = &plan.cgroup[0];
		cr_assert_str_eq(v->file, "cpu.max");
		cr_assert_str_eq(v->text ? v->text : v->number, cases[i].text);
		cr_assert_eq(v->keeps_first, cases[i].keeps_first);
		plan_finish(&plan);
	}
	resources.cpu_quota_us = 0;
	resources.cpu_period_us = 0;
	resources.has_cpu_burst = true;
	cr_assert_eq(plan_resources(&resources, &plan, &err), 0);
	cr_assert_eq(plan.n_cgroup, 1);
	cr_assert_str_eq(plan.cgroup[0].number, "0");
	plan_finish(&plan);
}

/* As the kubelet says of every container; no other file may be missing. */
Test(plan_cgroup, a_kernel_without_swap)
{
	static Spec__KeyValue unified[2], *list[] = {&unified[0], &unified[1]};
	struct err err = ERR_INIT;
	struct plan plan;

	for (int i = 0; i < 2; i++)
		spec__key_value__init(&unified[i]);
	unified[0].key = "memory.swap.max";
	unified[1].key = "memory.high";
	unified[0].value = unified[1].value = "0";
	resources.unified = list;
	resources.n_unified = 2;
	cr_assert_eq(plan_resources(&resources, &plan, &err), 0);
	cr_assert(plan.cgroup[0].may_lack && !plan.cgroup[1].may_lack);
	plan_finish(&plan);
}

Test(plan_cgroup, refuses_resources)
{
	static Spec__KeyValue unified, *unified_list[] = {&unified};
	static char *keys[] = {"cgroup.procs", "memory", "../memory.max", "a/b.c", ".x", ""};

	linux_spec.resources = &resources;
	resources.memory_limit = -2;
	refused(EINVAL, "memory.max");
	resources.memory_limit = 0;
	resources.cpu_weight = 10001;
	refused(EINVAL, "cpu.weight");
	resources.cpu_weight = 0;
	resources.unified = unified_list;
	resources.n_unified = 1;
	spec__key_value__init(&unified);
	unified.value = "1";
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		unified.key = keys[i];
		refused(EINVAL, "unified");
	}
	resources.n_unified = 0;
}
