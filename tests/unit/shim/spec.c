/* SPDX-License-Identifier: Apache-2.0 */
/* config.json in, structs out; and the guest's message from the structs. */
#include "tests/unit/shim/spec_text.h"

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

Test(spec, the_hosts_sys_over_itself_is_the_guests)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	Spec__Mount **mounts =
		load_patched("{\"mounts\":[{\"destination\":\"/"
			     "sys\",\"type\":\"bind\",\"source\":\"/sys\","
			     "\"options\":[\"nosuid\",\"rbind\",\"ro\"]},{\"destination\":\"/mnt\","
			     "\"type\":\"bind\",\"source\":\"/sys\"}]}",
			     &spec)
			->mounts;

	cr_assert_str_eq(mounts[0]->type, "sysfs");
	cr_assert_str_eq(mounts[0]->source, "sysfs");
	cr_assert_eq(mounts[0]->n_options, 2);
	cr_assert_str_eq(mounts[0]->options[1], "ro");
	cr_assert_str_eq(mounts[1]->type, "bind");
	cr_assert_eq(spec->shares.n, 1);
}

Test(spec, annotation_asks_for_an_init)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;

	cr_assert(load_patched("{\"annotations\":{\"sbx.init\":\"1\"}}", &spec)->init);
}

/* The runtime-spec: a relative destination is one from "/" on, for all that look at it. */
Test(spec, relative_destinations)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	Spec__Spec *guest =
		load_patched("{\"mounts\":[{\"destination\":\"tmp/x\",\"type\":\"tmpfs\"},"
			     "{\"destination\":\"sys\",\"type\":\"none\",\"source\":\"/"
			     "sys\",\"options\":[\"rbind\"]}]}",
			     &spec);
	const struct spec_mount *mounts = spec->config.mounts.items;

	cr_assert_str_eq(mounts[0].destination, "/tmp/x");
	cr_assert_str_eq(guest->mounts[0]->destination, "/tmp/x");
	cr_assert_str_eq(guest->mounts[1]->type, "sysfs");
}

/* The runtime-spec: those that cannot be granted are no reason to fail. */
Test(spec, unknown_capabilities_are_noted)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	const Spec__Capabilities *caps =
		load_patched("{\"process\":{\"capabilities\":{\"bounding\":[\"CAP_FLY\","
			     "\"CAP_KILL\",\"SWIM\",\"cap_chown\"],\"ambient\":[\"CAP_FLY\"]}}}",
			     &spec)
			->process->capabilities;

	cr_assert_eq(caps->n_bounding, 2);
	cr_assert_str_eq(caps->bounding[0], "CAP_KILL");
	cr_assert_str_eq(caps->bounding[1], "cap_chown", "the agent's to refuse");
	cr_assert_eq(caps->n_ambient, 0);
	cr_assert_eq(spec->n_unknown_caps, 2);
	cr_assert_str_eq(spec->unknown_caps[0], "CAP_FLY");
	cr_assert_str_eq(spec->unknown_caps[1], "SWIM");
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
	cr_assert_eq(r->cpu_weight, 100);
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
	cr_assert(r->has_cpu_idle && r->cpu_idle == 1 && r->has_cpu_burst && r->cpu_burst_us == 5);
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
		{"{\"linux\":{\"resources\":{\"cpu\":{\"shares\":100}}}}", 17},
		{"{\"linux\":{\"resources\":{\"cpu\":{\"shares\":1024}}}}", 100},
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
	cr_assert_str_eq(spec->doc.noted[0].name, "process.apparmorProfile");
	cr_assert_str_eq(spec->doc.noted[1].name, "linux.mountLabel");
}

/* The runtime-spec: no reason for an error; and Go's idea of names. */
Test(spec, takes_what_it_does_not_know)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	Spec__Spec *guest = load_patched(
		"{\"surprise\":{\"a\":1},\"empty\":null,\"a\\u001b[31m\":1,\"process\":{\"argz\":["
		"1]},"
		"\"root\":{\"readOnly\":true},\"HOSTNAME\":\"other\",\"DomainName\":\"d\"}",
		&spec);

	cr_assert_eq(spec->doc.n_noted, 4);
	cr_assert_str_eq(spec->doc.noted[0].name, "process.argz");
	cr_assert_str_eq(spec->doc.noted[0].why, "is not known, and has no effect");
	cr_assert_str_eq(spec->doc.noted[1].name, "surprise");
	cr_assert_str_eq(spec->doc.noted[2].name, "a?[31m");
	cr_assert(guest->root_readonly);
	cr_assert_str_eq(guest->domainname, "d");
	/* What is written as it should be is what is meant. */
	cr_assert_str_eq(guest->hostname, "h");
	cr_assert_str_eq(spec->doc.noted[3].name, "HOSTNAME");
}

Test(spec, notes_are_bounded)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	json_t *root = json_object();
	_cleanup_free_ char *patch = NULL;
	char name[400];

	for (int i = 0; i < JSON_MAX_NOTED + 5; i++) {
		memset(name, 'x', sizeof(name));
		snprintf(name + 300, sizeof(name) - 300, "%d", i);
		json_object_set_new(root, name, json_true());
	}
	patch = json_dumps(root, 0);
	json_decref(root);
	load_patched(patch, &spec);
	cr_assert_eq(spec->doc.n_noted, JSON_MAX_NOTED);
	cr_assert_eq(spec->doc.n_more, 5);
	cr_assert_leq(strlen(spec->doc.noted[0].name), 64);
}

Test(spec, member_of_a_lenient_document)
{
	json_t *object = json_pack("{s:i,s:i,s:i}", "Both", 1, "both", 2, "ONLY", 3);

	cr_assert_eq(json_integer_value(json_member(object, "both")), 2);
	cr_assert_eq(json_integer_value(json_member(object, "only")), 3);
	cr_assert_null(json_member(object, "none"));
	cr_assert_null(json_member(NULL, "none"));
	json_decref(object);
}

Test(spec, process_alone)
{
	static const char text[] =
		"{\"Cwd\":\"/x\",\"args\":[\"a\"],\"user\":{\"username\":\"me\"},\"new\":1}";
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	struct err err = ERR_INIT;
	Spec__Process *process;

	cr_assert_eq(spec_parse_process(text, sizeof(text) - 1, &spec, &err), 0, "%s", err.msg);
	cr_assert_eq(spec_guest_build_process(spec, &spec->process, &process, &err), 0);
	cr_assert_str_eq(process->user->username, "me");
	cr_assert_str_eq(process->cwd, "/x");
	cr_assert_eq(spec->doc.n_noted, 1);
}
