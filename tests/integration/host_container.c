/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_container DIR COMMAND... - fields of the runtime-spec, each shown to bite: a config.json goes the
 * shim's own way to a message, the agent in the guest that COMMAND boots makes a container of it, and a
 * program inside tries what it should not, or should, be able to do. Disk 0 is an image with busybox
 * and guest_try. Prints "ok NAME" or "not ok NAME: why".
 */
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/loop.h"
#include "common/rpc.h"
#include "shim/spec.h"
#include "shim/spec_guest.h"
#include "tests/integration/agent_harness.h"

static const char base[] =
	"{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"rootfs\"},\"hostname\":\"box\","
	"\"process\":{\"cwd\":\"/\",\"env\":[\"PATH=/bin\"],\"user\":{\"uid\":0,\"gid\":0},"
	"\"capabilities\":{\"bounding\":[\"CAP_CHOWN\",\"CAP_MKNOD\",\"CAP_KILL\"],"
	"\"effective\":[\"CAP_CHOWN\",\"CAP_MKNOD\",\"CAP_KILL\"],"
	"\"permitted\":[\"CAP_CHOWN\",\"CAP_MKNOD\",\"CAP_KILL\"]}},"
	"\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
	"{\"destination\":\"/"
	"dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"mode=755\"]},"
	"{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":[\"ro\"]},"
	"{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\","
	"\"options\":[\"ro\"]},"
	"{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\"}],"
	"\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"mount\"},{\"type\":\"ipc\"},"
	"{\"type\":\"uts\"},{\"type\":\"network\"}],"
	"\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]}}}";

#include "tests/integration/container_cases.h"

static int failures;

static json_t *load(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);

	if (!value) {
		fprintf(stderr, "not JSON: %s\n", text);
		exit(2);
	}
	return value;
}

/* Objects are merged, member by member; arrays are appended to; anything else is replaced. */
static void merge(json_t *into, json_t *patch)
{
	const char *key;
	json_t *value;

	json_object_foreach (patch, key, value) {
		json_t *old = json_object_get(into, key);

		if (json_is_object(old) && json_is_object(value))
			merge(old, value);
		else if (json_is_array(old) && json_is_array(value))
			json_array_extend(old, value);
		else
			json_object_set(into, key, value);
	}
}

/* "-namespaces" of a patch, which is no field of the spec. */
static void take_namespaces(json_t *config, json_t *patch)
{
	json_t *list = json_object_get(json_object_get(config, "linux"), "namespaces");
	json_t *types = json_object_get(patch, "-namespaces");

	for (size_t t = 0; t < json_array_size(types); t++)
		for (size_t i = json_array_size(list); i-- > 0;)
			if (json_equal(json_object_get(json_array_get(list, i), "type"),
				       json_array_get(types, t)))
				json_array_remove(list, i);
	json_object_del(patch, "-namespaces");
}

/* A path of a case is the other container's. */
static int resolve(const char *type, const char *path, const char **ret, void *data,
		   struct err *err)
{
	*ret = "other";
	return 0;
}

static void set_args(json_t *process, const char *script)
{
	json_object_set_new(process, "args", json_pack("[s,s,s]", "sh", "-c", script));
}

static int make_spec(const char *patch, const char *script, struct spec **ret, Spec__Spec **message,
		     struct err *err)
{
	_cleanup_free_ char *text = NULL;
	json_t *config = load(base), *more = load(patch);
	int r;

	take_namespaces(config, more);
	merge(config, more);
	set_args(json_object_get(config, "process"), script);
	text = json_dumps(config, 0);
	json_decref(more);
	json_decref(config);
	r = spec_parse(text, strlen(text), ret, err);
	if (r < 0)
		return r;
	(*ret)->resolve_namespace = resolve;
	return spec_guest_build(*ret, message, err);
}

struct streams {
	Agent__Streams message;
	struct stream *out, *err;
};

static void open_streams(struct streams *streams)
{
	agent__streams__init(&streams->message);
	streams->out = host_stream();
	streams->err = host_stream();
	streams->message.stdout = streams->out->id;
	streams->message.stderr = streams->err->id;
}

static bool streams_ended(void *data)
{
	struct streams *streams = data;

	return streams->out->ended && streams->err->ended;
}

static const char *text_of(const struct stream *stream)
{
	return stream->data.data ? stream->data.data : "";
}

static int create(const char *id, Spec__Spec *message, struct streams *streams, struct err *err)
{
	static char *ro[] = {(char *)"ro"};
	Agent__CreateRequest req = AGENT__CREATE_REQUEST__INIT;
	Agent__Rootfs rootfs = AGENT__ROOTFS__INIT;
	Agent__Volume lower = AGENT__VOLUME__INIT;
	Agent__Overlay overlay = AGENT__OVERLAY__INIT;

	lower.fstype = (char *)"erofs";
	lower.options = ro;
	lower.n_options = 1;
	overlay.size = 16 << 20;
	rootfs.lower = &lower;
	rootfs.overlay = &overlay;
	open_streams(streams);
	req.id = (char *)(uintptr_t)id;
	req.rootfs = &rootfs;
	req.spec = message;
	req.streams = &streams->message;
	return host_call("Create", &req.base, NULL, err);
}

static int call(const char *method, const char *id, const char *exec_id, struct err *err)
{
	Agent__ProcessRequest req = AGENT__PROCESS_REQUEST__INIT;

	req.id = (char *)(uintptr_t)id;
	req.exec_id = (char *)(uintptr_t)exec_id;
	return host_call(method, &req.base, NULL, err);
}

static int call_wait(const char *id, const char *exec_id, uint32_t *ret, struct err *err)
{
	Agent__ProcessRequest req = AGENT__PROCESS_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;
	int r;

	req.id = (char *)(uintptr_t)id;
	req.exec_id = (char *)(uintptr_t)exec_id;
	r = host_call("Wait", &req.base, &reply, err);
	if (r < 0)
		return r;
	*ret = ((Agent__WaitResponse *)reply)->exit_status;
	protobuf_c_message_free_unpacked(reply, NULL);
	return 0;
}

/* Whatever state it is in: an id is free for the next case. */
static void remove_container(const char *id)
{
	Agent__KillRequest kill = AGENT__KILL_REQUEST__INIT;
	struct err ignored = ERR_INIT;
	uint32_t status;

	kill.id = (char *)(uintptr_t)id;
	kill.signal = SIGKILL;
	kill.all = true;
	/* A process that is dead, but not yet known to be, cannot be killed and has to be waited for. */
	host_call("Kill", &kill.base, NULL, &ignored);
	call_wait(id, "", &status, &ignored);
	call("Delete", id, "", &ignored);
}

static int run_exec(const struct container_case *c, struct streams *streams, uint32_t *status,
		    struct err *err)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	Agent__ExecRequest req = AGENT__EXEC_REQUEST__INIT;
	Spec__Spec *message;
	int r;

	r = make_spec(c->exec_patch ? c->exec_patch : "{}", c->exec, &spec, &message, err);
	if (r < 0)
		return r;
	open_streams(streams);
	req.id = (char *)"c";
	req.exec_id = (char *)"e";
	req.process = message->process;
	req.streams = &streams->message;
	r = host_call("Exec", &req.base, NULL, err);
	return r < 0 ? r : call_wait("c", "e", status, err);
}

static int update(const char *json, struct err *err)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	Agent__UpdateRequest req = AGENT__UPDATE_REQUEST__INIT;
	int r = spec_parse_resources(json, strlen(json), &spec, err);

	req.id = (char *)"c";
	if (r >= 0)
		r = spec_guest_build_resources(spec, &spec->resources, &req.resources, err);
	return r < 0 ? r : host_call("Update", &req.base, NULL, err);
}

/* A second container beside, whose namespaces may be joined. */
static int create_other(const struct container_case *c, struct err *err)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	struct streams streams;
	Spec__Spec *message;
	int r = make_spec(c->other, "sleep 1000", &spec, &message, err);

	if (r >= 0)
		r = create("other", message, &streams, err);
	return r < 0 ? r : call("Start", "other", "", err);
}

static int run(const struct container_case *c, struct streams *streams, uint32_t *status,
	       struct err *err)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	Spec__Spec *message;
	int r = 0;

	if (c->other)
		r = create_other(c, err);
	if (r >= 0)
		r = make_spec(c->patch, c->exec ? "sleep 1000" : c->script, &spec, &message, err);
	if (r >= 0)
		r = create("c", message, streams, err);
	if (r >= 0)
		r = call("Start", "c", "", err);
	if (r >= 0 && c->update)
		r = update(c->update, err);
	if (r >= 0)
		r = c->exec ? run_exec(c, streams, status, err) : call_wait("c", "", status, err);
	if (r >= 0 && !host_until(streams_ended, streams, 5000))
		r = err_set(err, ETIMEDOUT, "the streams do not end");
	return r;
}

static void run_case(const struct container_case *c)
{
	uint64_t start = now_ns();
	struct err err = ERR_INIT;
	struct streams streams;
	uint32_t status = 0;
	int r = run(c, &streams, &status, &err);

	if (c->error ? r < 0 && strstr(err.msg, c->error)
		     : r >= 0 && status == c->status && !strcmp(text_of(streams.out), c->out)) {
		printf("ok %s\n", c->name);
	} else {
		printf("not ok %s: %s\n", c->name, r < 0 ? err.msg : "not as it should be");
		if (r >= 0)
			printf("    status %u\n    out: %s\n    err: %s\n", status,
			       text_of(streams.out), text_of(streams.err));
		failures++;
	}
	fflush(stdout);
	remove_container("c");
	if (c->other)
		remove_container("other");
	fprintf(stderr, "# %s: %" PRIu64 " ms\n", c->name, (now_ns() - start) / 1000000);
}

int main(int argc, char **argv)
{
	Agent__SetupRequest req = AGENT__SETUP_REQUEST__INIT;
	const char *only = getenv("ONLY");
	struct err err = ERR_INIT;

	if (argc < 3) {
		fprintf(stderr, "usage: host_container DIR COMMAND...\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (host_start(argv[1], argv + 2, &err) < 0 ||
	    host_call("Setup", &req.base, NULL, &err) < 0) {
		printf("not ok boot: %s\n", err.msg);
		return 1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (!only || strstr(cases[i].name, only))
			run_case(&cases[i]);
	return failures != 0;
}
