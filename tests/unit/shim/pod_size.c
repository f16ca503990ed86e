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
