/* SPDX-License-Identifier: Apache-2.0 */
/* config.json in, structs or one error out; and the guest's message from the structs. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/spec.h"
#include "shim/spec_guest.h"

static const char base[] =
	"{\"ociVersion\":\"1.1.0\",\"root\":{\"path\":\"rootfs\"},\"hostname\":\"h\","
	"\"process\":{\"cwd\":\"/\",\"args\":[\"sh\",\"-c\",\"true\"],\"env\":[\"A=1\"],"
	"\"user\":{\"uid\":5,\"gid\":6,\"umask\":18,\"additionalGids\":[7,8]}},"
	"\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"}],"
	"\"annotations\":{\"sbx.memory\":\"1\"},"
	"\"linux\":{\"namespaces\":[{\"type\":\"pid\"}]}}";

/* base with patch, a JSON object, merged into it; "MAX" becomes 2^64 - 1, which jansson cannot hold. */
static char *patched(const char *patch)
{
	json_t *root = json_loads(base, 0, NULL), *more = json_loads(patch, 0, NULL);
	char *text;

	cr_assert(root && more, "%s", patch);
	json_object_update_recursive(root, more);
	text = json_dumps(root, 0);
	json_decref(root);
	json_decref(more);
	for (char *at; (at = strstr(text, "\"MAX\""));) {
		_cleanup_free_ char *old = text;

		cr_assert_gt(
			asprintf(&text, "%.*s18446744073709551615%s", (int)(at - old), old, at + 5),
			0);
	}
	return text;
}

/* Parses and builds, as the shim does. */
static int load(const char *text, struct spec **ret, Spec__Spec **ret_guest, struct err *err)
{
	int r = spec_parse(text, strlen(text), ret, err);

	return r < 0 ? r : spec_guest_build(*ret, ret_guest, err);
}

static Spec__Spec *load_patched(const char *patch, struct spec **ret)
{
	_cleanup_free_ char *text = patched(patch);
	struct err err = ERR_INIT;
	Spec__Spec *guest = NULL;

	cr_assert_eq(load(text, ret, &guest, &err), 0, "%s: %s", patch, err.msg);
	return guest;
}

Test(spec, takes_what_it_knows)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	Spec__Spec *guest = load_patched("{}", &spec);

	cr_assert_str_eq(guest->hostname, "h");
	cr_assert_eq(guest->process->n_args, 3);
	cr_assert_str_eq(guest->process->args[1], "-c");
	cr_assert_str_eq(guest->process->env[0], "A=1");
	cr_assert_eq(guest->process->user->uid, 5);
	cr_assert_eq(guest->process->user->gid, 6);
	cr_assert(guest->process->user->has_umask);
	cr_assert_eq(guest->process->user->umask, 022);
	cr_assert_eq(guest->process->user->n_additional_gids, 2);
	cr_assert_eq(guest->process->user->additional_gids[1], 8);
	cr_assert_str_eq(guest->mounts[0]->destination, "/proc");
	cr_assert_eq(guest->linux->n_namespaces, 1);
	cr_assert_not(guest->root_readonly);
	cr_assert_null(guest->process->capabilities);
	cr_assert_str_eq(spec_annotation(spec, "sbx.memory"), "1");
	cr_assert_null(spec_annotation(spec, "sbx.cpus"));
	cr_assert_not(guest->init);
}

Test(spec, annotation_asks_for_an_init)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;

	cr_assert(load_patched("{\"annotations\":{\"sbx.init\":\"1\"}}", &spec)->init);
}

Test(spec, message_packs_and_unpacks)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	Spec__Spec *guest = load_patched("{\"linux\":{\"sysctl\":{\"a.b\":\"1\"}}}", &spec);
	size_t size = protobuf_c_message_get_packed_size(&guest->base);
	_cleanup_free_ uint8_t *buf = malloc(size);
	Spec__Spec *again;

	protobuf_c_message_pack(&guest->base, buf);
	again = (Spec__Spec *)protobuf_c_message_unpack(&spec__spec__descriptor, NULL, size, buf);
	cr_assert_not_null(again);
	cr_assert_str_eq(again->linux->sysctl[0]->key, "a.b");
	cr_assert_str_eq(again->process->args[2], "true");
	protobuf_c_message_free_unpacked(&again->base, NULL);
}

Test(spec, resources_become_cgroup_v2_numbers)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	Spec__Resources *r = load_patched("{\"linux\":{\"resources\":{"
					  "\"memory\":{\"limit\":1000,\"swap\":1500,"
					  "\"reservation\":300},"
					  "\"cpu\":{\"shares\":1024,\"quota\":50000,"
					  "\"period\":100000,\"cpus\":\"0-1\"},"
					  "\"pids\":{\"limit\":-1},"
					  "\"unified\":{\"memory.high\":\"900\"},"
					  "\"devices\":[{\"allow\":false}]}}}",
					  &spec)
				     ->linux->resources;

	cr_assert_eq(r->memory_limit, 1000);
	cr_assert_eq(r->memory_swap, 500);
	cr_assert_eq(r->memory_low, 300);
	cr_assert_eq(r->cpu_weight, 39);
	cr_assert_eq(r->cpu_quota_us, 50000);
	cr_assert_eq(r->cpu_period_us, 100000);
	cr_assert_str_eq(r->cpuset_cpus, "0-1");
	cr_assert_eq(r->pids_limit, -1);
	cr_assert_str_eq(r->unified[0]->value, "900");
	cr_assert_str_eq(r->devices[0]->type, "a");
	cr_assert_eq(r->devices[0]->major, -1);
	cr_assert_str_eq(r->devices[0]->access, "rwm");
}

Test(spec, block_io_becomes_cgroup_v2)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	Spec__Resources *r =
		load_patched("{\"linux\":{\"cgroupsPath\":\"/a\",\"resources\":{\"blockIO\":{"
			     "\"weight\":1000,\"weightDevice\":[{\"major\":8,\"minor\":1,"
			     "\"weight\":10}],\"throttleReadBpsDevice\":[{\"major\":8,"
			     "\"minor\":0,\"rate\":600}],\"throttleWriteIOPSDevice\":[{"
			     "\"major\":9,\"minor\":0,\"rate\":7}]},\"hugepageLimits\":[{"
			     "\"pageSize\":\"2MB\",\"limit\":4096}],\"cpu\":{\"idle\":1,"
			     "\"burst\":5},\"memory\":{\"checkBeforeUpdate\":true}}}}",
			     &spec)
			->linux->resources;

	cr_assert_eq(r->io_weight, 10000);
	cr_assert_eq(r->io_weights[0]->weight, 1);
	cr_assert_eq(r->n_io_limits, 2);
	cr_assert_str_eq(r->io_limits[0]->key, "rbps");
	cr_assert_eq(r->io_limits[0]->value, 600);
	cr_assert_str_eq(r->io_limits[1]->key, "wiops");
	cr_assert_eq(r->io_limits[1]->major, 9);
	cr_assert_eq(r->hugepages[0]->limit, 4096);
	cr_assert(r->has_cpu_idle && r->cpu_idle == 1 && r->cpu_burst_us == 5);
	cr_assert(r->memory_check_before_update);
}

Test(spec, resources_alone)
{
	static const char text[] = "{\"memory\":{\"limit\":5},\"devices\":[{\"allow\":false}]}";
	_cleanup_(spec_free_p) struct spec *spec = NULL, *wrong = NULL;
	struct err err = ERR_INIT;
	Spec__Resources *r;

	cr_assert_eq(spec_parse_resources(text, sizeof(text) - 1, &spec, &err), 0, "%s", err.msg);
	cr_assert_eq(spec_guest_build_resources(spec, &spec->resources, &r, &err), 0);
	cr_assert_eq(r->memory_limit, 5);
	cr_assert_eq(spec_parse_resources("{\"x\":1}", 7, &wrong, &err), -EINVAL);
	cr_assert_str_eq(err.msg, "resources: x: not known");
}

Test(spec, shares_span_all_weights)
{
	static const struct {
		const char *patch;
		uint64_t weight;
	} cases[] = {
		{"{\"linux\":{\"resources\":{\"cpu\":{\"shares\":0}}}}", 0},
		{"{\"linux\":{\"resources\":{\"cpu\":{\"shares\":1}}}}", 1},
		{"{\"linux\":{\"resources\":{\"cpu\":{\"shares\":2}}}}", 1},
		{"{\"linux\":{\"resources\":{\"cpu\":{\"shares\":262144}}}}", 10000},
		{"{\"linux\":{\"resources\":{\"cpu\":{\"shares\":\"MAX\"}}}}", 10000},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(spec_free_p) struct spec *spec = NULL;
		Spec__Spec *guest = load_patched(cases[i].patch, &spec);

		cr_assert_eq(guest->linux->resources->cpu_weight, cases[i].weight, "%s",
			     cases[i].patch);
	}
}

Test(spec, infinity_survives)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	Spec__Spec *guest = load_patched("{\"process\":{\"rlimits\":[{\"type\":\"RLIMIT_CORE\","
					 "\"soft\":\"MAX\","
					 "\"hard\":\"MAX\"}]}}",
					 &spec);

	cr_assert_eq(guest->process->rlimits[0]->soft, UINT64_MAX);
	/* Reading such numbers as doubles leaves the small ones as they are. */
	cr_assert_eq(guest->process->user->additional_gids[0], 7);
}

Test(spec, null_is_absent_and_empty_is_harmless)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;

	load_patched(
		"{\"hooks\":null,\"linux\":{\"seccomp\":null,\"intelRdt\":{},"
		"\"cgroupsPath\":\"\",\"mountLabel\":\"\"},\"process\":{\"selinuxLabel\":\"\"}}",
		&spec);
}

static int resolve(const char *type, const char *path, const char **ret, void *data,
		   struct err *err)
{
	if (strcmp(path, "/pod") != 0 && strcmp(path, "/other") != 0)
		return err_set(err, EINVAL, "%s is nobody's", path);
	*ret = strcmp(path, "/pod") == 0 ? "" : "other";
	return 0;
}

static int build_joined(const char *path, Spec__Linux **ret, struct spec **ret_spec,
			struct err *err)
{
	_cleanup_free_ char *text = NULL, *patch = NULL;
	Spec__Spec *guest;
	int r;

	cr_assert_gt(asprintf(&patch,
			      "{\"linux\":{\"namespaces\":[{\"type\":\"mount\"},"
			      "{\"type\":\"ipc\",\"path\":\"%s\"}]}}",
			      path),
		     0);
	text = patched(patch);
	cr_assert_eq(spec_parse(text, strlen(text), ret_spec, err), 0);
	(*ret_spec)->resolve_namespace = resolve;
	r = spec_guest_build(*ret_spec, &guest, err);
	*ret = r < 0 ? NULL : guest->linux;
	return r;
}

Test(spec, namespace_paths_become_containers)
{
	static const char *const paths[] = {"/pod", "/other", "/third"};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		_cleanup_(spec_free_p) struct spec *spec = NULL;
		struct err err = ERR_INIT;
		Spec__Linux *l = NULL;
		int r = build_joined(paths[i], &l, &spec, &err);

		if (i == 2) {
			cr_assert_eq(r, -EINVAL);
			cr_assert_str_eq(err.msg, "config.json: linux.namespaces[1].path: /third "
						  "is nobody's");
			continue;
		}
		cr_assert_eq(r, 0, "%s", err.msg);
		cr_assert_eq(l->n_namespaces, i + 1);
		cr_assert_str_eq(l->namespaces[0]->container_id, "");
		if (i == 1)
			cr_assert_str_eq(l->namespaces[1]->container_id, "other");
	}
}

Test(spec, tells_what_has_no_effect)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;

	load_patched("{\"process\":{\"apparmorProfile\":\"p\",\"selinuxLabel\":\"\"},"
		     "\"linux\":{\"mountLabel\":\"m\"}}",
		     &spec);
	cr_assert_eq(spec->doc.n_noted, 2);
	cr_assert_str_eq(spec->doc.noted[0]->name, "apparmorProfile");
	cr_assert_str_eq(spec->doc.noted[1]->name, "mountLabel");
}

static const struct {
	const char *patch, *message;
} refusals[] = {
	{"{\"surprise\":1}", "config.json: surprise: not known"},
	{"{\"process\":{\"argz\":[]}}", "config.json: process.argz: not known"},
	{"{\"a\\u001b[31m\":1}", "config.json: a?[31m: not known"},
	{"{\"ociVersion\":2}", "config.json: ociVersion: not a string"},
	{"{\"ociVersion\":\"2.0\"}", "config.json: ociVersion: not 1.x"},
	{"{\"process\":[]}", "config.json: process: not an object"},
	{"{\"process\":null}", "config.json: process: missing"},
	{"{\"process\":{\"cwd\":null}}", "config.json: process.cwd: missing"},
	{"{\"process\":{\"cwd\":\"here\"}}", "config.json: process.cwd: not an absolute path"},
	{"{\"process\":{\"cwd\":\"\"}}", "config.json: process.cwd: not an absolute path"},
	{"{\"process\":{\"args\":[]}}", "config.json: process.args: empty"},
	{"{\"process\":{\"args\":\"sh\"}}", "config.json: process.args: not an array"},
	{"{\"process\":{\"args\":[\"sh\",3]}}", "config.json: process.args[1]: not a string"},
	{"{\"process\":{\"terminal\":1}}", "config.json: process.terminal: not true or false"},
	{"{\"process\":{\"user\":{\"uid\":-1}}}", "config.json: process.user.uid: out of range"},
	{"{\"process\":{\"user\":{\"uid\":4294967296}}}",
	 "config.json: process.user.uid: out of range"},
	{"{\"process\":{\"user\":{\"uid\":0.5}}}",
	 "config.json: process.user.uid: not a whole number"},
	{"{\"process\":{\"user\":{\"uid\":1e300}}}", "config.json: process.user.uid: out of range"},
	{"{\"process\":{\"user\":{\"umask\":512}}}",
	 "config.json: process.user.umask: out of range"},
	{"{\"process\":{\"user\":{\"additionalGids\":[1,\"2\"]}}}",
	 "config.json: process.user.additionalGids[1]: not a whole number"},
	{"{\"process\":{\"oomScoreAdj\":-1001}}", "config.json: process.oomScoreAdj: out of range"},
	{"{\"process\":{\"oomScoreAdj\":1001}}", "config.json: process.oomScoreAdj: out of range"},
	{"{\"process\":{\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":2,\"hard\":1}]}}",
	 "config.json: process.rlimits[0]: soft is above hard"},
	{"{\"process\":{\"rlimits\":[{\"type\":\"A\",\"soft\":1,\"hard\":1},"
	 "{\"type\":\"A\",\"soft\":1,\"hard\":1}]}}",
	 "config.json: process.rlimits[1]: twice"},
	{"{\"process\":{\"rlimits\":[{\"type\":\"A\",\"soft\":1}]}}",
	 "config.json: process.rlimits[0].hard: missing"},
	{"{\"process\":{\"scheduler\":{\"nice\":1}}}",
	 "config.json: process.scheduler.policy: missing"},
	{"{\"process\":{\"commandLine\":\"cmd\"}}",
	 "config.json: process.commandLine: is for Windows"},
	{"{\"hooks\":{\"prestart\":[{\"path\":\"x\"}]}}",
	 "config.json: hooks.prestart[0].path: not an absolute path"},
	{"{\"hooks\":{\"poststop\":[{\"path\":\"/x\",\"timeout\":0}]}}",
	 "config.json: hooks.poststop[0].timeout: zero"},
	{"{\"windows\":{\"layerFolders\":[]}}", "config.json: windows: is another platform's"},
	{"{\"vm\":{\"kernel\":{}}}", "config.json: vm: the VM is sbx's own to configure"},
	{"{\"mounts\":[{\"type\":\"proc\"}]}", "config.json: mounts[0].destination: missing"},
	{"{\"mounts\":[{\"destination\":\"proc\",\"type\":\"proc\"}]}",
	 "config.json: mounts[0].destination: not an absolute path"},
	{"{\"mounts\":[{\"destination\":\"/a\",\"type\":\"bind\"}]}",
	 "config.json: mounts[0].source: missing"},
	{"{\"mounts\":[{\"destination\":\"/a\",\"uidMappings\":[{}]}]}",
	 "config.json: mounts[0].uidMappings[0].containerID: missing"},
	{"{\"linux\":{\"namespaces\":[{\"type\":\"pids\"}]}}",
	 "config.json: linux.namespaces[0].type: not known"},
	{"{\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]}}",
	 "config.json: linux.namespaces[1].type: twice"},
	{"{\"linux\":{\"namespaces\":[{\"type\":\"pid\",\"path\":\"/proc/1/ns/pid\"}]}}",
	 "config.json: linux.namespaces[0].path: not a namespace of this pod"},
	{"{\"linux\":{\"namespaces\":[{\"type\":\"mount\",\"path\":\"/proc/1/ns/mnt\"}]}}",
	 "config.json: linux.namespaces[0].path: a mount namespace cannot be joined"},
	{"{\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}}}",
	 "config.json: linux.seccomp.defaultAction: SCMP_ACT_NOTIFY is not supported"},
	{"{\"linux\":{\"resources\":{\"blockIO\":{\"weight\":1}}}}",
	 "config.json: linux.resources.blockIO: a weight is below 10"},
	{"{\"linux\":{\"resources\":{\"blockIO\":{\"leafWeight\":10}}}}",
	 "config.json: linux.resources.blockIO.leafWeight: does not exist in cgroup v2"},
	{"{\"linux\":{\"resources\":{\"memory\":{\"kernel\":1}}}}",
	 "config.json: linux.resources.memory.kernel: does not exist in cgroup v2"},
	{"{\"linux\":{\"resources\":{\"memory\":{\"swap\":1}}}}",
	 "config.json: linux.resources.memory.swap: below memory.limit"},
	{"{\"linux\":{\"resources\":{\"memory\":{\"limit\":-2}}}}",
	 "config.json: linux.resources.memory.limit: out of range"},
	{"{\"linux\":{\"resources\":{\"devices\":[{\"access\":\"r\"}]}}}",
	 "config.json: linux.resources.devices[0].allow: missing"},
	{"{\"linux\":{\"devices\":[{\"type\":\"c\",\"path\":\"dev/x\"}]}}",
	 "config.json: linux.devices[0].path: not an absolute path"},
	{"{\"linux\":{\"sysctl\":{\"a\":1}}}", "config.json: linux.sysctl.a: not a string"},
	{"{\"linux\":{\"personality\":{\"domain\":\"LINUX\",\"flags\":[\"x\"]}}}",
	 "config.json: linux.personality.flags: the runtime-spec knows none"},
	{"{\"annotations\":[]}", "config.json: annotations: not an object"},
};

Test(spec, refuses_by_name)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		_cleanup_free_ char *text = patched(refusals[i].patch);
		_cleanup_(spec_free_p) struct spec *spec = NULL;
		struct err err = ERR_INIT;
		Spec__Spec *guest;

		cr_assert_eq(load(text, &spec, &guest, &err), -EINVAL, "%s", refusals[i].patch);
		cr_assert_str_eq(err.msg, refusals[i].message, "%s", refusals[i].patch);
	}
}

static int load_text(const char *text, size_t size, char msg[256])
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	struct err err = ERR_INIT;
	int r = spec_parse(text, size, &spec, &err);

	snprintf(msg, 256, "%.255s", err.msg);
	return r;
}

Test(spec, refuses_what_is_no_json_object)
{
	static const char nul[] = "{\"ociVersion\":\"1\0\"}";
	char msg[256];

	cr_assert_eq(load_text("", 0, msg), -EINVAL);
	cr_assert_str_eq(msg, "config.json: line 1, column 0: not valid JSON");
	cr_assert_eq(load_text("[]", 2, msg), -EINVAL);
	cr_assert_str_eq(msg, "config.json: not a JSON object");
	cr_assert_eq(load_text("{\"a\":1,\"a\":1}", 13, msg), -EINVAL);
	cr_assert_eq(load_text(nul, sizeof(nul) - 1, msg), -EINVAL);
	cr_assert_eq(load_text("{\"ociVersion\":\"\\u0000\"}", 23, msg), -EINVAL);
}

Test(spec, bounds_size_and_counts)
{
	_cleanup_free_ char *large = calloc(1, SPEC_MAX_BYTES + 1);
	json_t *root = json_loads(base, 0, NULL), *mounts = json_array();
	_cleanup_free_ char *many = NULL;
	char msg[256];

	cr_assert_eq(load_text(large, SPEC_MAX_BYTES + 1, msg), -EFBIG);
	for (int i = 0; i < 10000; i++)
		json_array_append_new(mounts, json_pack("{s:s}", "destination", "/m"));
	json_object_set_new(root, "mounts", mounts);
	many = json_dumps(root, 0);
	json_decref(root);
	cr_assert_eq(load_text(many, strlen(many), msg), -EINVAL);
	cr_assert_str_eq(msg, "config.json: mounts: too many items");
}

Test(spec, deep_nesting_is_refused)
{
	enum { DEPTH = 100000 };
	_cleanup_free_ char *text = malloc(DEPTH);
	char msg[256];

	memset(text, '[', DEPTH);
	cr_assert_eq(load_text(text, DEPTH, msg), -EINVAL);
}

Test(spec, process_alone)
{
	static const char text[] =
		"{\"cwd\":\"/x\",\"args\":[\"a\"],\"user\":{\"username\":\"me\"}}";
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	struct err err = ERR_INIT;
	Spec__Process *process;

	cr_assert_eq(spec_parse_process(text, sizeof(text) - 1, &spec, &err), 0, "%s", err.msg);
	cr_assert_eq(spec_guest_build_process(spec, &spec->process, &process, &err), 0);
	cr_assert_str_eq(process->user->username, "me");
	cr_assert_str_eq(process->cwd, "/x");
}
