/* SPDX-License-Identifier: Apache-2.0 */
/* What is no config.json, or none that sbx can do justice to: one error that names the place. */
#include "tests/unit/shim/spec_text.h"

static const struct {
	const char *patch, *message;
} refusals[] = {
	{"{\"annotations\":{\"a\\u001b[31m\":1}}", "config.json: annotations.a?[31m: not a string"},
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
	{"{\"mounts\":[{\"destination\":\"\",\"type\":\"proc\"}]}",
	 "config.json: mounts[0].destination: empty"},
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

Test(spec_refuse, refuses_by_name)
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

Test(spec_refuse, refuses_what_is_no_json_object)
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

Test(spec_refuse, bounds_size_and_counts)
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

Test(spec_refuse, deep_nesting_is_refused)
{
	enum { DEPTH = 100000 };
	_cleanup_free_ char *text = malloc(DEPTH);
	char msg[256];

	memset(text, '[', DEPTH);
	cr_assert_eq(load_text(text, DEPTH, msg), -EINVAL);
}
