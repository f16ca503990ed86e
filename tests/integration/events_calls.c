/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd's side of the Task service: each call with what it must note for the judge, and a
 * container from its bundle on, as containerd lays it out and as its shim's start is run.
 */
#include "tests/integration/events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/loop.h"
#include "common/rpc.h"
#include "task.pb-c.h"

#define CALL_MS  60000
#define EVENT_MS 20000

bool until(bool (*condition)(void *), void *data)
{
	uint64_t deadline = now_ns() + EVENT_MS * 1000000ull;

	while (!condition(data)) {
		if (now_ns() > deadline || loop_turn(t.loop, 50) < 0)
			return false;
	}
	return true;
}

/* --- calls ------------------------------------------------------------------------------------ */

int call(const char *method, const ProtobufCMessage *request, ProtobufCMessage **ret)
{
	const struct rpc_invocation inv = {
		.service = &task__task__descriptor,
		.method = method,
		.request = request,
		.timeout_ms = CALL_MS,
		.metadata_key = "containerd-namespace-ttrpc",
		.metadata_value = "events",
	};
	struct err err = ERR_INIT;
	int r = rpc_call_sync(t.task, &inv, ret, &err);

	if (r < 0)
		trace(" %s:%s", method, err.msg);
	return r;
}

static void on_waited(const ProtobufCMessage *msg, const struct err *err, void *data)
{
	const Task__WaitResponse *response = (const Task__WaitResponse *)msg;
	struct proc *p = data;

	p->waits--;
	if (err) {
		wrong("Wait for %s: %s", p->id, err->msg);
		return;
	}
	if (p->ended && p->status != response->exit_status)
		wrong("%s ended with %u and with %u", p->id, p->status, response->exit_status);
	if (p->exited && p->event_status != response->exit_status)
		wrong("%s: the event said %u, Wait %u", p->id, p->event_status,
		      response->exit_status);
	p->ended = true;
	p->status = response->exit_status;
}

void begin_wait(struct container *c, struct proc *p)
{
	Task__WaitRequest request = TASK__WAIT_REQUEST__INIT;
	const struct rpc_invocation inv = {
		.service = &task__task__descriptor, .method = "Wait", .request = &request.base};

	request.id = c->id;
	request.exec_id = p == &c->init ? (char *)"" : p->id;
	if (rpc_invoke(t.task, &inv, on_waited, p) < 0)
		wrong("Wait cannot be asked");
	else
		p->waits++;
}

int start(struct container *c, struct proc *p)
{
	Task__StartRequest request = TASK__START_REQUEST__INIT;
	int r;

	request.id = c->id;
	request.exec_id = p == &c->init ? (char *)"" : p->id;
	trace(" start(%s)", p->id);
	/* Asked before the answer: its events may come first. */
	p->asked_start = true;
	r = call("Start", &request.base, NULL);
	if (r < 0)
		p->asked_start = false;
	return r;
}

int kill_proc(struct container *c, struct proc *p, uint32_t signo)
{
	Task__KillRequest request = TASK__KILL_REQUEST__INIT;

	request.id = c->id;
	request.exec_id = p == &c->init ? (char *)"" : p->id;
	request.signal = signo;
	trace(" kill(%s,%u)", p->id, signo);
	return call("Kill", &request.base, NULL);
}

int delete_proc(struct container *c, struct proc *p, uint32_t *ret_status)
{
	Task__DeleteRequest request = TASK__DELETE_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;
	int r;

	request.id = c->id;
	request.exec_id = p == &c->init ? (char *)"" : p->id;
	trace(" delete(%s)", p->id);
	r = call("Delete", &request.base, &reply);
	if (r == 0)
		*ret_status = ((const Task__DeleteResponse *)reply)->exit_status;
	protobuf_c_message_free_unpacked(reply, NULL);
	return r;
}

void update(struct container *c)
{
	static char text[] = "{\"memory\":{\"limit\":50331648}}";
	Task__UpdateTaskRequest request = TASK__UPDATE_TASK_REQUEST__INIT;
	Google__Any resources = GOOGLE__ANY__INIT;

	resources.type_url =
		(char *)"types.containerd.io/opencontainers/runtime-spec/1/LinuxResources";
	resources.value.data = (uint8_t *)text;
	resources.value.len = strlen(text);
	request.id = c->id;
	request.resources = &resources;
	trace(" update(%s)", c->id);
	call("Update", &request.base, NULL);
}

/* --- containers ------------------------------------------------------------------------------- */

static const char config_format[] =
	"{\"ociVersion\":\"1.0.2\",\"hostname\":\"events\",\"root\":{\"path\":\"rootfs\"},"
	"\"process\":{\"terminal\":false,\"user\":{\"uid\":0,\"gid\":0},\"cwd\":\"/\","
	"\"args\":[\"/bin/sh\",\"-c\",\"%s\"],\"env\":[\"PATH=/bin:/usr/bin\"]},"
	"\"mounts\":["
	"{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
	"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}],"
	"\"linux\":{\"resources\":{\"memory\":{\"limit\":33554432}},\"namespaces\":["
	"{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"mount\"}]},"
	"\"annotations\":{\"io.containerd.runc.v2.group\":\"%s\","
	"\"io.kubernetes.cri.container-type\":\"%s\"}}";

/* Without a script: a bundle without a config.json, as of a pod that is made by itself. */
static int make_bundle(const char *id, const char *script, const char *type, char *path,
		       size_t size)
{
	_cleanup_close_ int dirfd = -1;
	char rootfs[512], text[2048];

	snprintf(path, size, "%s/%s", t.work, id);
	snprintf(rootfs, sizeof(rootfs), "%s/rootfs", path);
	if (mkdir(path, 0700) < 0 || mkdir(rootfs, 0755) < 0)
		return -errno;
	dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* As containerd does; it reads what comes, we leave it there. */
	if (mkfifoat(dirfd, "log", 0700) < 0 ||
	    openat(dirfd, "log", O_RDWR | O_NONBLOCK | O_CLOEXEC) < 0)
		return -errno;
	if (!script)
		return 0;
	snprintf(text, sizeof(text), config_format, script, t.sandbox.id, type);
	return io_write_atomic(dirfd, "config.json", text, strlen(text), 0600);
}

void remove_bundle(const char *id)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/%s", t.work, id);
	io_remove_tree(AT_FDCWD, path);
}

/* Runs the shim's start in the bundle; its address, of which a pod has one. */
static int run_start(const char *id, const char *bundle, char *address, size_t size)
{
	char events[512];
	size_t n = 0;
	ssize_t got;
	int out[2], status;
	pid_t pid;

	snprintf(events, sizeof(events), "%s/events", t.work);
	if (pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		dup2(out[1], 1);
		if (chdir(bundle) < 0)
			_exit(1);
		setenv("TTRPC_ADDRESS", events, 1);
		execl(t.shim, t.shim, "-namespace", "events", "-address", events, "-publish-binary",
		      "/bin/true", "-id", id, "start", NULL);
		_exit(127);
	}
	close(out[1]);
	while (n + 1 < size && (got = read(out[0], address + n, size - 1 - n)) > 0)
		n += (size_t)got;
	close(out[0]);
	address[n] = '\0';
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0 || n == 0)
		return -EIO;
	return 0;
}

int make_shim(const char *id, const char *script, const char *type, char *bundle, size_t size)
{
	const struct rpc_config config = {.role = "containerd"};
	char address[256];
	int fd, r = make_bundle(id, script, type, bundle, size);

	if (r == 0)
		r = run_start(id, bundle, address, sizeof(address));
	if (r < 0 || t.task)
		return r;
	r = sock_connect_at(AT_FDCWD, strncmp(address, "unix://", 7) == 0 ? address + 7 : address,
			    &fd);
	return r < 0 ? r : rpc_conn_create(t.loop, fd, &config, &t.task);
}

int create(struct container *c, const char *script, const char *type)
{
	Task__CreateTaskRequest request = TASK__CREATE_TASK_REQUEST__INIT;
	Task__Mount mount = TASK__MOUNT__INIT, *mounts[] = {&mount};
	char bundle[400];
	char *options[] = {(char *)(t.image ? "ro" : "rbind"), (char *)"ro"};
	int r;

	trace(" create(%s: %s)", c->id, script);
	snprintf(c->init.id, sizeof(c->init.id), "%s", c->id);
	r = make_shim(c->id, script, type, bundle, sizeof(bundle));
	if (r < 0)
		return r;
	mount.type = (char *)(t.image ? "erofs" : "bind");
	mount.source = (char *)(uintptr_t)t.rootfs;
	mount.options = options;
	mount.n_options = t.image ? 1 : 2;
	request.id = c->id;
	request.bundle = bundle;
	request.rootfs = mounts;
	request.n_rootfs = 1;
	return call("Create", &request.base, NULL);
}
