/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/run_spec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"
#include "common/opts.h"
#include "common/strbuf.h"
#include "shim/run_mount.h"

/* docker's default set. */
static const char *const default_capabilities[] = {
	"CHOWN",   "DAC_OVERRIDE", "FSETID",           "FOWNER",
	"MKNOD",   "NET_RAW",      "SETGID",           "SETUID",
	"SETFCAP", "SETPCAP",      "NET_BIND_SERVICE", "SYS_CHROOT",
	"KILL",    "AUDIT_WRITE",
};

static const char mounts_json[] =
	"[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\","
	"\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},"
	"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","
	"\"options\":[\"nosuid\",\"strictatime\",\"mode=755\",\"size=65536k\"]},"
	"{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\","
	"\"options\":[\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\","
	"\"gid=5\"]},"
	"{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\","
	"\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"ro\"]},"
	"{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\","
	"\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"ro\"]},"
	"{\"destination\":\"/dev/mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\","
	"\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},"
	"{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\","
	"\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"mode=1777\",\"size=67108864\"]}]";

/* The usual character devices; mknod of any other node, which then cannot be opened. */
static const char linux_json[] =
	"{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},"
	"{\"type\":\"uts\"},{\"type\":\"mount\"},{\"type\":\"cgroup\"}],"
	"\"resources\":{\"devices\":["
	"{\"allow\":false,\"access\":\"rwm\"},"
	"{\"allow\":true,\"type\":\"c\",\"access\":\"m\"},"
	"{\"allow\":true,\"type\":\"b\",\"access\":\"m\"},"
	"{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3,\"access\":\"rwm\"},"
	"{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":5,\"access\":\"rwm\"},"
	"{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":7,\"access\":\"rwm\"},"
	"{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":8,\"access\":\"rwm\"},"
	"{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":9,\"access\":\"rwm\"},"
	"{\"allow\":true,\"type\":\"c\",\"major\":5,\"minor\":0,\"access\":\"rwm\"},"
	"{\"allow\":true,\"type\":\"c\",\"major\":5,\"minor\":2,\"access\":\"rwm\"},"
	"{\"allow\":true,\"type\":\"c\",\"major\":136,\"access\":\"rwm\"}]},"
	"\"maskedPaths\":[\"/proc/acpi\",\"/proc/asound\",\"/proc/kcore\",\"/proc/keys\","
	"\"/proc/latency_stats\",\"/proc/timer_list\",\"/proc/timer_stats\","
	"\"/proc/sched_debug\",\"/proc/scsi\",\"/sys/firmware\"],"
	"\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\","
	"\"/proc/sysrq-trigger\"]}";

json_t *run_spec_strings(char *const *items, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *item = json_string(items[i]);

		if (!item || json_array_append_new(array, item) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

json_t *run_spec_user(const char *user)
{
	char head[24];
	const char *colon = strchrnul(user, ':');
	uint64_t uid, gid = 0;
	/* The group of a user alone, also of a number, is the image's to say. */
	bool numeric = *colon && (size_t)(colon - user) < sizeof(head);

	if (numeric) {
		snprintf(head, sizeof(head), "%.*s", (int)(colon - user), user);
		numeric = parse_uint(head, &uid) == 0 && uid < UINT32_MAX;
	}
	if (numeric)
		numeric = parse_uint(colon + 1, &gid) == 0 && gid < UINT32_MAX;
	if (!user[0])
		return json_pack("{s:i,s:i}", "uid", 0, "gid", 0);
	if (numeric)
		return json_pack("{s:I,s:I}", "uid", (json_int_t)uid, "gid", (json_int_t)gid);
	return json_pack("{s:i,s:i,s:s}", "uid", 0, "gid", 0, "username", user);
}

static size_t count(char *const *list)
{
	size_t n = 0;

	while (list[n])
		n++;
	return n;
}

/* As docker: --entrypoint replaces the image's and its command, a command the image's command. */
static json_t *build_args(const struct run_spec_input *input)
{
	const struct run_options *o = input->options;
	char *own[] = {(char *)o->entrypoint};
	json_t *args, *rest;

	if (o->entrypoint)
		args = run_spec_strings(own, o->entrypoint[0] ? 1 : 0);
	else
		args = run_spec_strings(input->image->entrypoint, count(input->image->entrypoint));
	if (o->n_command)
		rest = run_spec_strings(o->command, (size_t)o->n_command);
	else if (o->entrypoint)
		rest = json_array();
	else
		rest = run_spec_strings(input->image->cmd, count(input->image->cmd));
	if (args && rest)
		json_array_extend(args, rest);
	json_decref(rest);
	if (!rest) {
		json_decref(args);
		return NULL;
	}
	return args;
}

static bool in_list(const struct opt_list *list, int capability)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcasecmp(list->items[i], "ALL") == 0 ||
		    run_options_find_capability(list->items[i]) == capability)
			return true;
	return false;
}

static bool all_in(const struct opt_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcasecmp(list->items[i], "ALL") == 0)
			return true;
	return false;
}

static bool by_default(int capability)
{
	for (size_t i = 0; i < ARRAY_SIZE(default_capabilities); i++)
		if (strcmp(default_capabilities[i], run_capabilities[capability] + 4) == 0)
			return true;
	return false;
}

/* A single name wins over ALL of the other option. */
static bool has_capability(const struct run_options *o, int capability)
{
	bool add = in_list(&o->cap_add, capability), drop = in_list(&o->cap_drop, capability);

	if (add && drop)
		return all_in(&o->cap_drop) && !all_in(&o->cap_add);
	return add || (!drop && by_default(capability));
}

bool run_spec_has_capability(const char *name, const void *data)
{
	int capability = run_options_find_capability(name);

	return capability >= 0 && has_capability(data, capability);
}

static json_t *build_capabilities(const struct run_options *o)
{
	json_t *set = json_array(), *caps = json_object();

	for (int i = 0; i < RUN_N_CAPABILITIES; i++)
		if (has_capability(o, i))
			json_array_append_new(set, json_string(run_capabilities[i]));
	json_object_set(caps, "bounding", set);
	json_object_set(caps, "effective", set);
	json_object_set(caps, "permitted", set);
	json_decref(set);
	return caps;
}

static json_t *limit_value(uint64_t v)
{
	/* jansson has no integer for RLIM_INFINITY; the reader takes this one for it. */
	return v > INT64_MAX ? json_real(0x1p64) : json_integer((json_int_t)v);
}

static json_t *build_rlimits(const struct run_options *o)
{
	json_t *array = json_array();

	for (size_t i = 0; i < o->ulimits.n; i++) {
		struct run_ulimit ulimit;

		if (run_options_parse_ulimit(o->ulimits.items[i], &ulimit) < 0)
			continue;
		json_array_append_new(array, json_pack("{s:s,s:o,s:o}", "type", ulimit.type, "soft",
						       limit_value(ulimit.soft), "hard",
						       limit_value(ulimit.hard)));
	}
	return array;
}

static int build_process(const struct run_spec_input *input, json_t **ret, struct err *err)
{
	const struct run_options *o = input->options;
	const char *user = o->user ? o->user : input->image->user;
	json_t *process = json_object(), *args = build_args(input);
	json_t *env = run_spec_strings(input->env->items, input->env->n);
	int r = 0;

	if (!args || !env)
		r = err_set(err, EINVAL, "an argument or a variable is not UTF-8");
	else if (json_array_size(args) == 0)
		r = err_set(err, EINVAL, "no command given, and the image names none");
	json_object_set_new(process, "terminal", json_boolean(o->tty));
	if (o->tty && input->rows)
		json_object_set_new(process, "consoleSize",
				    json_pack("{s:I,s:I}", "height", (json_int_t)input->rows,
					      "width", (json_int_t)input->columns));
	if (json_object_set_new(process, "user", run_spec_user(user)) < 0)
		r = err_set(err, EINVAL, "the user is not UTF-8");
	json_object_set_new(process, "args", args);
	json_object_set_new(process, "env", env);
	if (json_object_set_new(process, "cwd",
				json_string(o->workdir ? o->workdir : input->image->workdir)) < 0)
		r = err_set(err, EINVAL, "the working directory is not UTF-8");
	json_object_set_new(process, "capabilities", build_capabilities(o));
	json_object_set_new(process, "rlimits", build_rlimits(o));
	if (o->no_new_privileges)
		json_object_set_new(process, "noNewPrivileges", json_true());
	if (r < 0) {
		json_decref(process);
		return r;
	}
	*ret = process;
	return 0;
}

static int annotate(json_t *annotations, const char *key, const char *value)
{
	return value ? json_object_set_new(annotations, key, json_string(value)) : 0;
}

static void annotate_number(json_t *annotations, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	if (value)
		annotate(annotations, key, text);
}

static int annotate_list(json_t *annotations, const char *key, const struct opt_list *list)
{
	_cleanup_strbuf_ struct strbuf text = {0};

	for (size_t i = 0; i < list->n; i++)
		strbuf_addf(&text, "%s%s", i ? " " : "", list->items[i]);
	return annotate(annotations, key, text.data);
}

static int add_annotations(json_t *root, const struct run_options *o)
{
	json_t *annotations = json_object();
	int r = json_object_set_new(root, "annotations", annotations);

	annotate_number(annotations, "sbx.memory", o->memory);
	annotate_number(annotations, "sbx.cpus", o->cpus);
	annotate(annotations, "sbx.init", o->no_init ? NULL : "1");
	annotate_number(annotations, "sbx.timeout-ns", o->timeout_ns);
	annotate_number(annotations, "sbx.disk-rate", o->disk_rate);
	annotate_number(annotations, "sbx.disk-ops", o->disk_ops);
	annotate_number(annotations, "sbx.net-rate", o->net_rate);
	r |= annotate(annotations, "sbx.kernel", o->kernel);
	r |= annotate(annotations, "sbx.hypervisor", o->hypervisor);
	r |= annotate(annotations, "sbx.network", o->network);
	r |= annotate_list(annotations, "sbx.publish", &o->publish);
	annotate(annotations, "sbx.debug", o->debug ? "1" : NULL);
	return r;
}

/* On the pod's network it has no namespace of its own; one of the host's is joined by path. */
static int choose_network(json_t *linux_object, const char *network)
{
	json_t *namespaces = json_object_get(linux_object, "namespaces"), *namespace = NULL;
	size_t i;

	json_array_foreach (namespaces, i, namespace)
		if (strcmp(json_string_value(json_object_get(namespace, "type")), "network") == 0)
			break;
	if (network && strcmp(network, "user") == 0)
		return json_array_remove(namespaces, i);
	if (network && strncmp(network, "ns:", 3) == 0)
		return json_object_set_new(namespace, "path", json_string(network + 3));
	return 0;
}

static int fill(const struct run_spec_input *input, json_t *root, struct err *err)
{
	const struct run_options *o = input->options;
	json_t *process, *mounts, *linux_object;
	int r = build_process(input, &process, err);

	if (r < 0)
		return r;
	json_object_set_new(root, "ociVersion", json_string("1.1.0"));
	json_object_set_new(root, "root",
			    json_pack("{s:s,s:b}", "path", "rootfs", "readonly", o->read_only));
	json_object_set_new(root, "hostname", json_string(o->hostname ? o->hostname : input->id));
	json_object_set_new(root, "process", process);
	mounts = json_loads(mounts_json, 0, NULL);
	json_object_set_new(root, "mounts", mounts);
	linux_object = json_loads(linux_json, 0, NULL);
	json_object_set_new(root, "linux", linux_object);
	if (choose_network(linux_object, o->network) < 0)
		return err_set(err, EINVAL, "--network %.80s: not UTF-8", o->network);
	if (input->seccomp)
		json_object_set(linux_object, "seccomp", input->seccomp);
	if (add_annotations(root, o) < 0)
		return err_set(err, EINVAL, "the kernel's path or a port is not UTF-8");
	return run_mount_add_all(o, input->cwd, mounts, err);
}

int run_spec_build(const struct run_spec_input *input, json_t **ret, struct err *err)
{
	json_t *root = json_object();
	int r = fill(input, root, err);

	if (r < 0)
		json_decref(root);
	else
		*ret = root;
	return r;
}
