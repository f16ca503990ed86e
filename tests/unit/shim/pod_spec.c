/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shim/group.h"
#include "shim/pod_size.h"
#include "shim/pod_spec.h"
#include "shim/spec.h"

static Pod__CreateSandboxRequest request;
static Pod__PodSandboxConfig config;
static Pod__LinuxPodSandboxConfig linux_config;
static Pod__LinuxContainerResources resources;
static Google__Any options;
static uint8_t packed[1024];
static struct err err;

static void set_up(void)
{
	request = (Pod__CreateSandboxRequest)POD__CREATE_SANDBOX_REQUEST__INIT;
	config = (Pod__PodSandboxConfig)POD__POD_SANDBOX_CONFIG__INIT;
	linux_config = (Pod__LinuxPodSandboxConfig)POD__LINUX_POD_SANDBOX_CONFIG__INIT;
	resources = (Pod__LinuxContainerResources)POD__LINUX_CONTAINER_RESOURCES__INIT;
	options = (Google__Any)GOOGLE__ANY__INIT;
	request.sandbox_id = (char *)"pod";
	config.linux_config = &linux_config;
	linux_config.resources = &resources;
	options.type_url = (char *)"runtime.v1.PodSandboxConfig";
	options.value.data = packed;
	request.options = &options;
}

TestSuite(pod_spec, .init = set_up);

static int build(const char *text, struct spec **ret)
{
	options.value.len = protobuf_c_message_pack(&config.base, packed);
	return pod_spec_build(&request, bytes_of((const uint8_t *)text, strlen(text)), ret, &err);
}

Test(pod_spec, nothing_said)
{
	struct spec *spec;

	request.options = NULL;
	cr_assert_eq(build("", &spec), 0, "%s", err.msg);
	cr_assert(group_is_sandbox(spec));
	cr_assert_str_eq(spec_annotation(spec, "io.kubernetes.cri.sandbox-id"), "pod");
	cr_assert_null(spec->config.hostname);
	spec_free(spec);
}

Test(pod_spec, what_cri_says)
{
	const struct pod_size host = {.memory = 64ull << 30, .cpus = 16}, fallback = {0};
	Pod__KeyValue sysctl = POD__KEY_VALUE__INIT, *sysctls[] = {&sysctl};
	const struct spec_namespace *namespaces;
	struct pod_size size;
	struct spec *spec;

	config.hostname = (char *)"web";
	resources.memory_limit_in_bytes = 512 << 20;
	resources.cpu_quota = 250000;
	resources.cpu_period = 100000;
	sysctl.key = (char *)"net.core.somaxconn";
	sysctl.value = (char *)"99";
	linux_config.sysctls = sysctls;
	linux_config.n_sysctls = 1;
	linux_config.cgroup_parent = (char *)"/kubepods/pod1";
	request.netns_path = (char *)"/run/netns/x";
	cr_assert_eq(build("", &spec), 0, "%s", err.msg);
	cr_assert_str_eq(spec->config.hostname, "web");
	cr_assert_str_eq(spec->config.linux->cgroups_path, "/kubepods/pod1/pod");
	cr_assert_eq(spec->config.linux->sysctl.n, 1);
	namespaces = spec->config.linux->namespaces.items;
	cr_assert_eq(spec->config.linux->namespaces.n, 1);
	cr_assert_str_eq(namespaces[0].type, "network");
	cr_assert_str_eq(namespaces[0].path, "/run/netns/x");
	cr_assert_eq(pod_size(spec, &host, &fallback, &size, &err), 0);
	cr_assert_eq(size.cpus, 3);
	cr_assert_eq(size.memory, 608ull << 20);
	spec_free(spec);
}

Test(pod_spec, a_slice_is_named_for_systemd)
{
	struct spec *spec;

	linux_config.cgroup_parent = (char *)"/kubepods.slice/kubepods-pod1.slice";
	cr_assert_eq(build("", &spec), 0, "%s", err.msg);
	cr_assert_str_eq(spec->config.linux->cgroups_path, "kubepods-pod1.slice:sbx:pod");
	spec_free(spec);
}

/* Annotations say nothing about what the pod is, or how large. */
Test(pod_spec, annotations_do_not_lie)
{
	Pod__KeyValue pairs[3] = {POD__KEY_VALUE__INIT, POD__KEY_VALUE__INIT, POD__KEY_VALUE__INIT};
	Pod__KeyValue *all[] = {&pairs[0], &pairs[1], &pairs[2]};
	struct spec *spec;

	pairs[0].key = (char *)"io.kubernetes.cri.container-type";
	pairs[0].value = (char *)"container";
	pairs[1].key = (char *)"io.kubernetes.cri.sandbox-memory";
	pairs[1].value = (char *)"1";
	pairs[2].key = (char *)"mine";
	pairs[2].value = (char *)"kept";
	request.annotations = all;
	request.n_annotations = 3;
	cr_assert_eq(build("", &spec), 0, "%s", err.msg);
	cr_assert(group_is_sandbox(spec));
	cr_assert_null(spec_annotation(spec, "io.kubernetes.cri.sandbox-memory"));
	cr_assert_str_eq(spec_annotation(spec, "mine"), "kept");
	spec_free(spec);
}

Test(pod_spec, over_a_bundle)
{
	struct spec *spec;

	request.netns_path = (char *)"/run/netns/x";
	cr_assert_eq(build("{\"ociVersion\":\"1.1.0\",\"hostname\":\"of-the-bundle\",\"linux\":{"
			   "\"namespaces\":[{\"type\":\"ipc\"},{\"type\":\"network\"}]}}",
			   &spec),
		     0, "%s", err.msg);
	cr_assert_str_eq(spec->config.hostname, "of-the-bundle");
	cr_assert_eq(spec->config.linux->namespaces.n, 2);
	spec_free(spec);
}

Test(pod_spec, malformed)
{
	static const char *const texts[] = {
		"[]",
		"{",
		"null",
		"{\"annotations\":7}",
		"{\"linux\":[]}",
		"{\"linux\":{\"namespaces\":{}}}",
	};
	struct spec *spec;

	request.netns_path = (char *)"/run/netns/x";
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cr_expect_lt(build(texts[i], &spec), 0, "%s", texts[i]);
	config.hostname = (char *)"\xff\xfe";
	cr_expect_eq(build("", &spec), -EINVAL);
	set_up();
	options.value.len = sizeof(packed);
	memset(packed, 0xff, sizeof(packed));
	cr_expect_eq(pod_spec_build(&request, bytes_of(NULL, 0), &spec, &err), -EINVAL);
	cr_expect_str_eq(err.msg, "sandbox: options: malformed");
}
