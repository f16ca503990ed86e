/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wrong bundles, and the one line that each gets: tests/golden/shim/bundles.txt. A config.json goes all its
 * way, through the shim's parser and the message to the agent's plan, which is why these tests alone link the
 * agent, too. In the file each case is a line, and the line that is expected follows:
 *
 *	{...}		merged into a good config.json: objects by member, all else replaced
 *	@text ...	the whole file
 *	@many WHAT	more of it than anybody needs; see many() below
 *	=> MESSAGE	or "=> accepted"
 *
 * With SBX_GOLDEN_UPDATE set the file is written anew, for a person to read and commit.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/plan.h"
#include "common/budget.h"
#include "common/io.h"
#include "common/strbuf.h"
#include "shim/spec.h"
#include "shim/spec_guest.h"

#define GOLDEN "bundles.txt"

static const char good[] =
	"{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"rootfs\"},\"hostname\":\"h\","
	"\"process\":{\"cwd\":\"/"
	"\",\"args\":[\"sh\"],\"env\":[\"A=1\"],\"user\":{\"uid\":5,\"gid\":6}},"
	"\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"}],"
	"\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"mount\"},{\"type\":\"uts\"}],"
	"\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]}}}";

static json_t *parse(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

	cr_assert_not_null(value, "%s", text);
	return value;
}

static void repeat(json_t *object, const char *key, const char *item, size_t n)
{
	json_t *array = json_array(), *value = parse(item);

	while (n--)
		json_array_append(array, value);
	json_decref(value);
	json_object_set_new(object, key, array);
}

static void fill_map(json_t *object, const char *key, size_t n)
{
	json_t *map = json_object();
	char name[32];

	while (n--) {
		snprintf(name, sizeof(name), "net.k%zu", n);
		json_object_set_new(map, name, json_string("1"));
	}
	json_object_set_new(object, key, map);
}

/* "a/a/a/...", n bytes. */
static void fill_text(json_t *object, const char *key, const char *first, size_t n)
{
	_cleanup_strbuf_ struct strbuf text = {0};

	strbuf_addf(&text, "%s", first);
	while (text.len < n)
		strbuf_addf(&text, "a/");
	json_object_set_new(object, key, json_string(text.data));
}

static json_t *seccomp_of(json_t *config)
{
	json_t *seccomp = parse("{\"defaultAction\":\"SCMP_ACT_ALLOW\"}");

	json_object_set_new(json_object_get(config, "linux"), "seccomp", seccomp);
	return seccomp;
}

/* Ten thousand of what can be repeated, and strings far beyond all bounds. */
static void many(json_t *config, const char *what)
{
	static const struct {
		const char *what, *object, *item;
	} lists[] = {
		{"mounts", NULL, "{\"destination\":\"/m\",\"type\":\"tmpfs\"}"},
		{"env", "process", "\"A=1\""},
		{"args", "process", "\"a\""},
		{"rlimits", "process", "{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1}"},
		{"devices", "linux", "{\"type\":\"p\",\"path\":\"/dev/p\"}"},
		{"maskedPaths", "linux", "\"/m\""},
		{"namespaces", "linux", "{\"type\":\"ipc\"}"},
		{"uidMappings", "linux", "{\"containerID\":0,\"hostID\":0,\"size\":1}"},
	};
	json_t *process = json_object_get(config, "process");
	json_t *mount = json_array_get(json_object_get(config, "mounts"), 0);
	json_t *value;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		if (strcmp(lists[i].what, what) != 0)
			continue;
		repeat(lists[i].object ? json_object_get(config, lists[i].object) : config, what,
		       lists[i].item, 10000);
		return;
	}
	if (!strcmp(what, "sysctl"))
		fill_map(json_object_get(config, "linux"), what, 10000);
	else if (!strcmp(what, "annotations"))
		fill_map(config, what, 10000);
	else if (!strcmp(what, "additionalGids"))
		repeat(json_object_get(process, "user"), what, "1", 10000);
	else if (!strcmp(what, "capabilities")) {
		value = json_object();
		repeat(value, "bounding", "\"CAP_CHOWN\"", 10000);
		json_object_set_new(process, what, value);
	} else if (!strcmp(what, "hooks")) {
		value = json_object();
		repeat(value, "poststop", "{\"path\":\"/x\"}", 10000);
		json_object_set_new(config, what, value);
	} else if (!strcmp(what, "seccomp"))
		repeat(seccomp_of(config), "syscalls",
		       "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_TRAP\"}", 10000);
	else if (!strcmp(what, "cwd"))
		fill_text(process, what, "/", 5000);
	else if (!strcmp(what, "destination"))
		fill_text(mount, what, "/", 5000);
	else if (!strcmp(what, "string"))
		fill_text(config, "hostname", "h", 200000);
	else
		cr_assert_fail("@many %s", what);
}

static char *make_text(const char *line)
{
	json_t *config, *patch;
	char *text;

	if (strncmp(line, "@text", 5) == 0)
		return strdup(line[5] ? line + 6 : "");
	config = parse(good);
	if (strncmp(line, "@many ", 6) == 0) {
		many(config, line + 6);
	} else {
		patch = parse(line);
		json_object_update_recursive(config, patch);
		json_decref(patch);
	}
	text = json_dumps(config, JSON_COMPACT);
	json_decref(config);
	return text;
}

/* The agent's half: the message as bytes, unpacked within its budget and planned. */
static int plan_packed(const Spec__Spec *message, struct err *err)
{
	size_t size = protobuf_c_message_get_packed_size(&message->base);
	_cleanup_free_ uint8_t *bytes = malloc(size);
	_cleanup_plan_ struct plan plan = {0};
	ProtobufCMessage *again;
	int r;

	cr_assert_not_null(bytes);
	protobuf_c_message_pack(&message->base, bytes);
	again = budget_unpack(&spec__spec__descriptor, bytes, size, 16 << 20);
	cr_assert_not_null(again);
	r = plan_make((Spec__Spec *)again, &plan, err);
	protobuf_c_message_free_unpacked(again, NULL);
	return r;
}

static void try_bundle(const char *text, char msg[1024])
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	struct err err = ERR_INIT;
	Spec__Spec *message;
	int r = spec_parse(text, strlen(text), &spec, &err);

	if (r == 0)
		r = spec_guest_build(spec, &message, &err);
	if (r == 0)
		r = plan_packed(message, &err);
	cr_assert(r == 0 || (err.code == -r && err.msg[0]), "%.200s", text);
	cr_assert_null(strchr(err.msg, '\n'), "%s", err.msg);
	snprintf(msg, 1024, "%s", r == 0 ? "accepted" : err.msg);
}

Test(bundles, each_gets_one_line, .timeout = 60)
{
	_cleanup_close_ int dir = open("tests/golden/shim", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *golden = NULL, *copy = NULL;
	_cleanup_strbuf_ struct strbuf got = {0};
	char *save = NULL, msg[1024];
	size_t n = 0;

	cr_assert_eq(io_read_file(dir, GOLDEN, 1 << 20, &golden, NULL), 0);
	copy = strdup(golden);
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		_cleanup_free_ char *text = NULL;

		if (line[0] != '{' && line[0] != '@')
			continue;
		text = make_text(line);
		try_bundle(text, msg);
		strbuf_addf(&got, "%s\n=> %s\n", line, msg);
		n++;
	}
	if (getenv("SBX_GOLDEN_UPDATE"))
		io_write_atomic(dir, GOLDEN, got.data, got.len, 0644);
	else
		cr_assert_str_eq(got.data, golden);
	cr_assert_geq(n, 200);
}
