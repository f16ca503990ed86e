/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_events SHIM ROOTFS WORKDIR ROUNDS SEED - is containerd towards a shim: starts it, drives random
 * sequences of calls of the Task service through it, is the sink of its events, and judges order and
 * completeness. ROOTFS is a file (EROFS) or a directory (bind); the rest is containerd's contract, so
 * that any shim v2 can be judged. With SBX_TRACE set each life is printed.
 *
 * Theory of Operation: a pod of PER_POD containers at a time, the first its sandbox container, then
 * one after the other a container with a random life. Each call is made with rpc_call_sync(), which
 * turns the loop, so events come in at any moment, as they do in containerd. Everything is noted per
 * process; the rules are checked as events come, and that none is missing when a container is deleted.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/rpc.h"
#include "events.pb-c.h"
#include "forward.pb-c.h"
#include "task.pb-c.h"

#define PER_POD   10
#define MAX_EXECS 8
#define CALL_MS   60000
#define EVENT_MS  20000
#define ANY       (-1)

/* What has been seen and done of one process. */
struct proc {
	char id[32];
	bool added, started, exited, deleted; /* events */
	uint32_t event_status;
	bool asked_start; /* Start was answered without an error */
	bool ended;       /* a Wait was answered */
	int waits;        /* open */
	uint32_t status;
	int expect; /* the status it must have, or ANY */
};

struct container {
	char id[32];
	bool created;
	struct proc init, execs[MAX_EXECS];
	unsigned n_execs;
	bool oom; /* an event */
};

static struct {
	struct loop *loop;
	struct rpc_conn *task;
	int listen_fd;
	const char *shim, *rootfs, *work;
	bool image;
	uint64_t random;
	struct container sandbox, current;
	int failures, events, ooms;
	char trace[4096];
	size_t trace_len;
} t;

static void __attribute__((format(printf, 1, 2))) trace(const char *fmt, ...)
{
	va_list ap;
	size_t left = sizeof(t.trace) - t.trace_len;

	va_start(ap, fmt);
	t.trace_len += (size_t)vsnprintf(t.trace + t.trace_len, left, fmt, ap);
	va_end(ap);
	if (t.trace_len >= sizeof(t.trace))
		t.trace_len = sizeof(t.trace) - 1;
}

static void __attribute__((format(printf, 1, 2))) wrong(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("# wrong: ");
	vprintf(fmt, ap);
	printf(" (after:%s)\n", t.trace);
	va_end(ap);
	t.failures++;
}

/* xorshift64: the same seed, the same sequences. */
static uint32_t dice(uint32_t n)
{
	t.random ^= t.random << 13;
	t.random ^= t.random >> 7;
	t.random ^= t.random << 17;
	return (uint32_t)(t.random >> 32) % n;
}

/* --- events ----------------------------------------------------------------------------------- */

static struct container *container_of_event(const char *id)
{
	if (strcmp(id, t.current.id) == 0)
		return &t.current;
	return strcmp(id, t.sandbox.id) == 0 ? &t.sandbox : NULL;
}

static struct proc *find(struct container *c, const char *id)
{
	if (strcmp(id, c->id) == 0)
		return &c->init;
	for (unsigned i = 0; i < c->n_execs; i++)
		if (strcmp(c->execs[i].id, id) == 0)
			return &c->execs[i];
	return NULL;
}

static void on_exit_event(struct container *c, const Events__TaskExit *event)
{
	struct proc *p = find(c, event->id);

	trace(" [exit %s %u]", event->id, event->exit_status);
	if (!p) {
		wrong("exit of the unknown %s", event->id);
		return;
	}
	if (p->exited)
		wrong("a second exit of %s", event->id);
	if (p->asked_start && !p->started)
		wrong("%s exits before it starts", event->id);
	if (p->ended && p->status != event->exit_status)
		wrong("%s: Wait said %u, the event %u", event->id, p->status, event->exit_status);
	p->exited = true;
	p->event_status = event->exit_status;
	for (unsigned i = 0; p == &c->init && i < c->n_execs; i++)
		if (c->execs[i].started && !c->execs[i].exited)
			wrong("init's exit before that of exec %s", c->execs[i].id);
}

static void on_start_event(struct container *c, const char *id, bool exec)
{
	struct proc *p = find(c, id);

	trace(" [start %s]", id);
	if (!p)
		wrong("start of the unknown %s", id);
	else if (p->started)
		wrong("a second start of %s", id);
	else if (exec ? !p->added : !c->created)
		wrong("%s starts before it is made", id);
	else if (p->exited)
		wrong("%s starts after its exit", id);
	if (p)
		p->started = true;
}

static void on_other_event(struct container *c, const char *topic, const ProtobufCMessage *msg)
{
	if (strcmp(topic, "/tasks/oom") == 0) {
		c->oom = true;
		t.ooms++;
	} else if (strcmp(topic, "/tasks/create") == 0) {
		if (c->created)
			wrong("a second create");
		c->created = true;
	} else if (strcmp(topic, "/tasks/delete") == 0) {
		const Events__TaskDelete *event = (const Events__TaskDelete *)msg;

		/* runc's shim tells only of init, and so is everybody's duty. */
		if (event->id[0] && strcmp(event->id, c->id) != 0)
			return;
		if (c->init.asked_start && !c->init.exited)
			wrong("delete before exit");
		c->init.deleted = true;
	} else if (strcmp(topic, "/tasks/exec-added") == 0) {
		struct proc *p = find(c, ((const Events__TaskExecAdded *)msg)->exec_id);

		if (p)
			p->added = true;
	}
}

static const ProtobufCMessageDescriptor *const types[] = {
	&events__task_create__descriptor,     &events__task_start__descriptor,
	&events__task_exit__descriptor,       &events__task_delete__descriptor,
	&events__task_exec_added__descriptor, &events__task_exec_started__descriptor,
	&events__task_paused__descriptor,     &events__task_resumed__descriptor,
	&events__task_oom__descriptor,
};

/* Each of them begins with the container's id. */
struct any_event {
	ProtobufCMessage base;
	char *container_id;
};

static void take_event(const Forward__Envelope *envelope, const ProtobufCMessage *msg)
{
	const char *topic = envelope->topic;
	struct container *c = container_of_event(((const struct any_event *)msg)->container_id);

	t.events++;
	if (!c)
		wrong("%s of an unknown container", topic);
	else if (strcmp(topic, "/tasks/exit") == 0)
		on_exit_event(c, (const Events__TaskExit *)msg);
	else if (strcmp(topic, "/tasks/start") == 0)
		on_start_event(c, c->id, false);
	else if (strcmp(topic, "/tasks/exec-started") == 0)
		on_start_event(c, ((const Events__TaskExecStarted *)msg)->exec_id, true);
	else
		on_other_event(c, topic, msg);
}

static void handle_forward(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Forward__Envelope *envelope = ((const Forward__ForwardRequest *)msg)->envelope;
	ProtobufCMessage *event = NULL;

	if (!envelope || !envelope->timestamp || !envelope->namespace_[0] ||
	    envelope->topic[0] != '/' || !envelope->event) {
		wrong("an envelope that containerd refuses");
		rpc_reply_empty(call);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i]->name, envelope->event->type_url) == 0)
			event = protobuf_c_message_unpack(types[i], NULL,
							  envelope->event->value.len,
							  envelope->event->value.data);
	if (event)
		take_event(envelope, event);
	else
		wrong("event of type %s", envelope->event->type_url);
	protobuf_c_message_free_unpacked(event, NULL);
	rpc_reply_empty(call);
}

static const struct rpc_method forward_methods[] = {{"Forward", handle_forward}};
static const struct rpc_service forward_service = {
	.desc = &forward__events__descriptor,
	.methods = forward_methods,
	.n_methods = 1,
};
static const struct rpc_service *const services[] = {&forward_service, NULL};

static void on_sink_close(struct rpc_conn *conn, int why, void *data)
{
	rpc_conn_close(conn);
}

static void on_sink(struct source *source, uint32_t events, void *data)
{
	const struct rpc_config config = {
		.services = services, .on_close = on_sink_close, .role = "test"};
	int fd = accept4(t.listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct rpc_conn *conn;

	if (fd >= 0)
		rpc_conn_create(t.loop, fd, &config, &conn);
}

static bool until(bool (*condition)(void *), void *data)
{
	uint64_t deadline = now_ns() + EVENT_MS * 1000000ull;

	while (!condition(data)) {
		if (now_ns() > deadline || loop_turn(t.loop, 50) < 0)
			return false;
	}
	return true;
}

/* --- calls ------------------------------------------------------------------------------------ */

static int call(const char *method, const ProtobufCMessage *request, ProtobufCMessage **ret)
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

static void begin_wait(struct container *c, struct proc *p)
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

static bool has_no_waits(void *data)
{
	return ((struct proc *)data)->waits == 0;
}

static bool has_exited(void *data)
{
	return ((struct proc *)data)->exited;
}

static int start(struct container *c, struct proc *p)
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

static int kill_proc(struct container *c, struct proc *p, uint32_t signo)
{
	Task__KillRequest request = TASK__KILL_REQUEST__INIT;

	request.id = c->id;
	request.exec_id = p == &c->init ? (char *)"" : p->id;
	request.signal = signo;
	trace(" kill(%s,%u)", p->id, signo);
	return call("Kill", &request.base, NULL);
}

static int delete_proc(struct container *c, struct proc *p, uint32_t *ret_status)
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

static int make_bundle(const char *id, const char *script, const char *type, char *path,
		       size_t size)
{
	_cleanup_close_ int dirfd = -1;
	char rootfs[512], text[2048];

	snprintf(path, size, "%s/%s", t.work, id);
	snprintf(rootfs, sizeof(rootfs), "%s/rootfs", path);
	if (mkdir(path, 0700) < 0 || mkdir(rootfs, 0755) < 0)
		return -errno;
	snprintf(text, sizeof(text), config_format, script, t.sandbox.id, type);
	dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* As containerd does; it reads what comes, we leave it there. */
	if (mkfifoat(dirfd, "log", 0700) < 0 ||
	    openat(dirfd, "log", O_RDWR | O_NONBLOCK | O_CLOEXEC) < 0)
		return -errno;
	return io_write_atomic(dirfd, "config.json", text, strlen(text), 0600);
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

static int create(struct container *c, const char *script, const char *type, char *address,
		  size_t size)
{
	Task__CreateTaskRequest request = TASK__CREATE_TASK_REQUEST__INIT;
	Task__Mount mount = TASK__MOUNT__INIT, *mounts[] = {&mount};
	const struct rpc_config config = {.role = "containerd"};
	char bundle[400];
	char *options[] = {(char *)(t.image ? "ro" : "rbind"), (char *)"ro"};
	int fd, r;

	trace(" create(%s: %s)", c->id, script);
	snprintf(c->init.id, sizeof(c->init.id), "%s", c->id);
	r = make_bundle(c->id, script, type, bundle, sizeof(bundle));
	if (r == 0)
		r = run_start(c->id, bundle, address, size);
	if (r < 0)
		return r;
	if (!t.task) {
		const char *path = strncmp(address, "unix://", 7) == 0 ? address + 7 : address;

		r = sock_connect_at(AT_FDCWD, path, &fd);
		if (r < 0 || (r = rpc_conn_create(t.loop, fd, &config, &t.task)) < 0)
			return r;
	}
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

static void add_exec(struct container *c)
{
	static const struct {
		const char *script;
		int expect;
	} scripts[] = {
		{"exit 0", 0},
		{"exit 42", 42},
		{"sleep 0.05; exit 7", 7},
		{"sleep 100", ANY},
		{"/bin/true & exit 3", 3},
		{"dd if=/dev/zero of=/dev/null bs=96M count=1 2>/dev/null; exit 12", 12},
	};
	Task__ExecProcessRequest request = TASK__EXEC_PROCESS_REQUEST__INIT;
	Google__Any spec = GOOGLE__ANY__INIT;
	unsigned which = dice(ARRAY_SIZE(scripts));
	struct proc *p;
	char text[512];
	int r;

	if (c->n_execs == MAX_EXECS)
		return;
	p = &c->execs[c->n_execs++];
	snprintf(p->id, sizeof(p->id), "x%u", c->n_execs);
	snprintf(text, sizeof(text),
		 "{\"terminal\":false,\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"/bin/sh\",\"-c\","
		 "\"%s\"],\"env\":[\"PATH=/bin:/usr/bin\"],\"cwd\":\"/\"}",
		 scripts[which].script);
	spec.type_url = (char *)"types.containerd.io/opencontainers/runtime-spec/1/Process";
	spec.value.data = (uint8_t *)text;
	spec.value.len = strlen(text);
	request.id = c->id;
	request.exec_id = p->id;
	request.spec = &spec;
	p->expect = scripts[which].expect;
	trace(" exec(%s: %s)", p->id, scripts[which].script);
	r = call("Exec", &request.base, NULL);
	/* An init that is fast may be gone already. */
	if (r < 0 || dice(8) == 0)
		return;
	if (dice(2))
		begin_wait(c, p);
	if (start(c, p) == 0 && p->waits == 0)
		begin_wait(c, p);
}

/* --- one life --------------------------------------------------------------------------------- */

static void update(struct container *c)
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

static struct proc *any_exec(struct container *c)
{
	return c->n_execs ? &c->execs[dice(c->n_execs)] : NULL;
}

static void random_step(struct container *c)
{
	Task__PauseRequest pause_request = TASK__PAUSE_REQUEST__INIT;
	Task__ResumeRequest resume_request = TASK__RESUME_REQUEST__INIT;
	struct proc *p = any_exec(c);
	uint32_t status;

	pause_request.id = resume_request.id = c->id;
	switch (dice(11)) {
	case 0:
	case 1:
	case 2:
		add_exec(c);
		break;
	case 3:
		if (p && kill_proc(c, p, SIGKILL) == 0)
			p->expect = ANY;
		break;
	case 4:
		if (p && p->asked_start && p->waits < 4 && !p->ended)
			begin_wait(c, p);
		break;
	case 5:
		if (p && p->ended && !p->deleted && delete_proc(c, p, &status) == 0)
			p->deleted = true;
		break;
	case 6:
		if (call("Pause", &pause_request.base, NULL) == 0)
			call("Resume", &resume_request.base, NULL);
		break;
	case 9:
		update(c);
		break;
	case 7:
	case 8:
		/* A script that ends by itself. */
		if (p && p->expect != ANY && p->waits && !until(has_no_waits, p))
			wrong("%s does not end", p->id);
		break;
	default:
		for (int i = 0; i < 4; i++)
			loop_turn(t.loop, 10);
	}
}

static bool has_oom(void *data)
{
	return ((struct container *)data)->oom;
}

static void end_of_process(struct container *c, struct proc *p, bool needed)
{
	if (!until(has_no_waits, p))
		wrong("Wait for %s is not answered", p->id);
	if (!needed)
		return;
	if (!until(has_exited, p))
		wrong("no exit event of %s", p->id);
	else if (!p->ended)
		wrong("%s has not ended", p->id);
	else if (p->expect != ANY && p->status != (uint32_t)p->expect && p->status != 137)
		wrong("%s ended with %u", p->id, p->status);
	if (!p->started)
		wrong("no start event of %s", p->id);
	/* Its hungry child was killed, and it lived to say so. */
	if (p->expect == 12 && p->status == 12 && !until(has_oom, c))
		wrong("no oom event of %s", p->id);
}

static bool is_deleted(void *data)
{
	return ((struct container *)data)->init.deleted;
}

static void end_of_life(struct container *c)
{
	uint32_t status = 0;

	for (unsigned i = 0; dice(3) && i < c->n_execs; i++)
		if (c->execs[i].expect != ANY && !until(has_no_waits, &c->execs[i]))
			wrong("%s does not end", c->execs[i].id);
	kill_proc(c, &c->init, SIGKILL);
	if (dice(2))
		kill_proc(c, &c->init, SIGKILL);
	end_of_process(c, &c->init, c->init.asked_start);
	for (unsigned i = 0; i < c->n_execs; i++)
		end_of_process(c, &c->execs[i], c->execs[i].asked_start);
	if (dice(2))
		add_exec(c);
	for (unsigned i = 0; i < c->n_execs; i++)
		if (!c->execs[i].deleted && dice(2))
			delete_proc(c, &c->execs[i], &status);
	if (delete_proc(c, &c->init, &status) < 0)
		wrong("%s cannot be deleted", c->id);
	else if (c->init.ended && status != c->init.status)
		wrong("Delete said %u, Wait %u", status, c->init.status);
	if (!until(is_deleted, c))
		wrong("no delete event of %s", c->id);
}

static void one_life(unsigned round)
{
	static const char *const inits[] = {"exec sleep 1000", "exec sleep 1000", "exec sleep 1000",
					    "sleep 0.1; exit 5", "exit 0"};
	struct container *c = &t.current;
	char address[256];
	unsigned steps = dice(14);

	t.trace_len = 0;
	*c = (struct container){.init.expect = ANY};
	snprintf(c->id, sizeof(c->id), "c%u", round);
	if (create(c, inits[dice(ARRAY_SIZE(inits))], "container", address, sizeof(address)) < 0) {
		wrong("it cannot be created");
		return;
	}
	if (dice(8)) {
		begin_wait(c, &c->init);
		if (start(c, &c->init) < 0)
			wrong("it cannot be started");
	}
	for (unsigned i = 0; c->init.asked_start && i < steps; i++)
		random_step(c);
	if (c->init.asked_start)
		end_of_life(c);
	else {
		uint32_t status;

		/* Created only: either way it goes. */
		if (dice(2))
			kill_proc(c, &c->init, SIGKILL);
		for (int i = 0; i < 100 && delete_proc(c, &c->init, &status) < 0; i++)
			loop_turn(t.loop, 20);
		if (!until(is_deleted, c))
			wrong("no delete event of %s", c->id);
	}
}

static int begin_pod(unsigned round)
{
	char address[256];
	int r;

	t.sandbox = (struct container){.init.expect = ANY};
	snprintf(t.sandbox.id, sizeof(t.sandbox.id), "s%u", round);
	r = create(&t.sandbox, "exec sleep 10000", "sandbox", address, sizeof(address));
	if (r == 0)
		begin_wait(&t.sandbox, &t.sandbox.init);
	return r == 0 ? start(&t.sandbox, &t.sandbox.init) : r;
}

static void end_pod(void)
{
	Task__ShutdownRequest request = TASK__SHUTDOWN_REQUEST__INIT;
	struct container *c = &t.sandbox;
	uint32_t status;

	t.trace_len = 0;
	kill_proc(c, &c->init, SIGKILL);
	end_of_process(c, &c->init, true);
	if (delete_proc(c, &c->init, &status) < 0)
		wrong("the sandbox cannot be deleted");
	if (!until(is_deleted, c))
		wrong("no delete event of the sandbox");
	request.id = c->id;
	call("Shutdown", &request.base, NULL);
	rpc_conn_close(TAKE_PTR(t.task));
}

int main(int argc, char **argv)
{
	struct source *source;
	struct stat st;
	unsigned rounds;
	int dirfd;

	if (argc != 6)
		fatal("usage: host_events SHIM ROOTFS WORKDIR ROUNDS SEED");
	t.shim = argv[1];
	t.rootfs = argv[2];
	t.work = argv[3];
	rounds = (unsigned)strtoul(argv[4], NULL, 10);
	t.random = strtoull(argv[5], NULL, 10) * 2654435761u + 88172645463325252ull;
	signal(SIGPIPE, SIG_IGN);
	if (stat(t.rootfs, &st) < 0)
		fatal("%s: %m", t.rootfs);
	t.image = S_ISREG(st.st_mode);
	dirfd = open(t.work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0 || loop_create(&t.loop) < 0 ||
	    sock_listen_at(dirfd, "events", 16, &t.listen_fd) < 0 ||
	    loop_add_io(t.loop, t.listen_fd, EPOLLIN, on_sink, NULL, &source) < 0)
		fatal("%s: cannot listen for events", t.work);
	for (unsigned i = 0; i < rounds; i++) {
		if (i % PER_POD == 0 && begin_pod(i) < 0) {
			wrong("the pod cannot be started");
			break;
		}
		one_life(i);
		if (getenv("SBX_TRACE"))
			printf("#%s\n", t.trace);
		if (i % PER_POD == PER_POD - 1 || i == rounds - 1)
			end_pod();
	}
	printf("# %u lives, %d events, %d of them oom, %d wrong\n", rounds, t.events, t.ooms,
	       t.failures);
	return t.failures != 0;
}
