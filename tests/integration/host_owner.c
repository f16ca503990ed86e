/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An owner of sbx-vmm, as the shim is one, driven by lines on standard input:
 *
 *	host_owner SBX_VMM [OPTION...]	runs it with --control and --console-ring of our making
 *
 *	status | pause | resume | stop | metrics
 *	attach SLOT FILE [ro] | detach SLOT
 *	memory SIZE	that the guest may have
 *	net		a network that takes everything and never says anything
 *	share SBX_SHARE DIR	a file server of our making, with DIR as its root "r", read-only as "ro"
 *	ring		the last 2000 bytes of the console
 *	count TEXT	how often the console's ring holds TEXT
 *	await TEXT	until the ring holds TEXT, at most 20 s
 *	sleep MS
 *	close		the control connection
 *	wait		for the end of sbx-vmm: "exit N" or "signal N"
 *
 * Each answers with one line (metrics: one per counter); "error CODE TEXT" where it failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/console_ring.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/opts.h"
#include "common/rpc.h"
#include "share.pb-c.h"
#include "vmm.pb-c.h"

#define AWAIT_NS 20000000000ull
#define RPC_MS   10000

struct owner {
	struct loop *loop;
	struct rpc_conn *conn, *share;
	struct console_ring *ring;
	pid_t pid;
};

/* Passes fd to the child under its own number. */
static void inherit(int fd)
{
	fcntl(fd, F_SETFD, 0);
}

static void start(struct owner *owner, int argc, char **argv, struct err *err)
{
	const struct rpc_config config = {.role = "test"};
	char control[32], ring[32], *args[64] = {NULL};
	int pair[2], ring_fd, n = 0;

	ring_fd = console_ring_memfd();
	if (ring_fd < 0 || console_ring_open(ring_fd, &owner->ring) < 0)
		fatal("no console ring");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		fatal("socketpair: %m");
	snprintf(control, sizeof(control), "--control=fd:%d", pair[1]);
	snprintf(ring, sizeof(ring), "--console-ring=fd:%d", ring_fd);
	for (int i = 0; i < argc && n < 60; i++)
		args[n++] = argv[i];
	args[n++] = control;
	args[n++] = ring;
	owner->pid = fork();
	if (owner->pid == 0) {
		inherit(pair[1]);
		inherit(ring_fd);
		execv(args[0], args);
		fatal("%s: %m", args[0]);
	}
	close(pair[1]);
	close(ring_fd);
	if (rpc_conn_create(owner->loop, pair[0], &config, &owner->conn) < 0 ||
	    rpc_hello_sync(owner->conn, RPC_MS, err) < 0)
		printf("error %d %s\n", err->code, err->msg);
	else
		printf("hello\n");
}

static void show_status(const ProtobufCMessage *msg)
{
	static const char *const states[] = {"starting", "running", "paused"};
	const Vmm__StatusResponse *reply = (const Vmm__StatusResponse *)msg;

	printf("status %s cpus %u memory %llu stages %zu:", states[reply->state % 3], reply->cpus,
	       (unsigned long long)reply->memory, reply->n_stages);
	for (size_t i = 0; i < reply->n_stages; i++)
		printf(" %s=%lluus", reply->stages[i]->name,
		       (unsigned long long)(reply->stages[i]->at_ns - reply->stages[0]->at_ns) /
			       1000);
	printf("\n");
}

static void show_metrics(const ProtobufCMessage *msg)
{
	const Vmm__MetricsResponse *reply = (const Vmm__MetricsResponse *)msg;

	for (size_t i = 0; i < reply->n_counters; i++)
		printf("metric %s %llu\n", reply->counters[i]->name,
		       (unsigned long long)reply->counters[i]->value);
}

static void call_on(struct rpc_conn *conn, const ProtobufCServiceDescriptor *service,
		    const char *method, const ProtobufCMessage *request, int fd,
		    void (*show)(const ProtobufCMessage *))
{
	const struct rpc_invocation inv = {.service = service,
					   .method = method,
					   .request = request,
					   .fds = &fd,
					   .n_fds = fd >= 0,
					   .timeout_ms = RPC_MS};
	ProtobufCMessage *reply = NULL;
	struct err err = ERR_INIT;

	if (!conn || rpc_call_sync(conn, &inv, &reply, &err) < 0) {
		printf("error %d %s\n", err.code, err.msg);
		return;
	}
	if (show)
		show(reply);
	else
		printf("%s ok\n", method);
	if (reply)
		protobuf_c_message_free_unpacked(reply, NULL);
}

static void call(struct owner *owner, const char *method, const ProtobufCMessage *request, int fd,
		 void (*show)(const ProtobufCMessage *))
{
	call_on(owner->conn, &vmm__control__descriptor, method, request, fd, show);
}

/* The other end is a process that reads, and ends with the monitor. */
static void attach_net(struct owner *owner)
{
	Vmm__AttachNetRequest request = VMM__ATTACH_NET_REQUEST__INIT;
	char sink[65536];
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		fatal("socketpair: %m");
	if (fork() == 0) {
		close(pair[0]);
		rpc_conn_close(owner->conn);
		while (read(pair[1], sink, sizeof(sink)) > 0)
			;
		_exit(0);
	}
	close(pair[1]);
	request.mtu = 1500;
	request.stream = true;
	call(owner, "AttachNet", &request.base, pair[0], NULL);
	close(pair[0]);
}

static void add_root(struct owner *owner, const char *name, const char *dir, bool readonly)
{
	Share__AddRootRequest request = SHARE__ADD_ROOT_REQUEST__INIT;
	_cleanup_close_ int fd = open(dir, O_PATH | O_CLOEXEC);

	request.name = (char *)(uintptr_t)name;
	request.readonly = readonly;
	call_on(owner->share, &share__share__descriptor, "AddRoot", &request.base, fd, NULL);
}

static void attach_share(struct owner *owner, const char *program, const char *dir)
{
	const struct rpc_config config = {.role = "test"};
	const Google__Empty empty = GOOGLE__EMPTY__INIT;
	char fuse_arg[32], control_arg[32];
	struct err err = ERR_INIT;
	int fuse[2], control[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fuse) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, control) < 0)
		fatal("socketpair: %m");
	if (fork() == 0) {
		inherit(fuse[1]);
		inherit(control[1]);
		snprintf(fuse_arg, sizeof(fuse_arg), "--fuse=fd:%d", fuse[1]);
		snprintf(control_arg, sizeof(control_arg), "--control=fd:%d", control[1]);
		execl(program, program, fuse_arg, control_arg, NULL);
		fatal("%s: %m", program);
	}
	close(fuse[1]);
	close(control[1]);
	if (rpc_conn_create(owner->loop, control[0], &config, &owner->share) < 0 ||
	    rpc_hello_sync(owner->share, RPC_MS, &err) < 0)
		fatal("%s: %s", program, err.msg);
	add_root(owner, "r", dir, false);
	add_root(owner, "ro", dir, true);
	call(owner, "AttachShare", &empty.base, fuse[0], NULL);
	close(fuse[0]);
}

static void attach(struct owner *owner, const char *slot, const char *path, const char *mode)
{
	Vmm__AttachDiskRequest request = VMM__ATTACH_DISK_REQUEST__INIT;
	bool readonly = mode && !strcmp(mode, "ro");
	_cleanup_close_ int fd = open(path ? path : "", (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);

	request.slot = (uint32_t)strtoul(slot ? slot : "0", NULL, 10);
	request.readonly = readonly;
	call(owner, "AttachDisk", &request.base, fd, NULL);
}

static unsigned count(const struct owner *owner, const char *text)
{
	static char buf[CONSOLE_RING_SIZE];
	size_t n = console_ring_tail(owner->ring, buf, sizeof(buf)), len = strlen(text);
	unsigned found = 0;

	for (const char *p = buf; (p = memmem(p, n - (size_t)(p - buf), text, len)); p += len)
		found++;
	return found;
}

static void await(const struct owner *owner, const char *text)
{
	uint64_t end = now_ns() + AWAIT_NS;

	while (!count(owner, text) && now_ns() < end)
		usleep(5000);
	printf("await %s\n", count(owner, text) ? "ok" : "timeout");
}

static void wait_exit(struct owner *owner)
{
	int status = 0;

	waitpid(owner->pid, &status, 0);
	if (WIFEXITED(status))
		printf("exit %d\n", WEXITSTATUS(status));
	else
		printf("signal %d\n", WTERMSIG(status));
}

static void show_ring(const struct owner *owner)
{
	char buf[2000];
	size_t n = console_ring_tail(owner->ring, buf, sizeof(buf));

	fwrite(buf, 1, n, stdout);
	printf("\n");
}

static void serve(struct owner *owner, char *line)
{
	const Google__Empty empty = GOOGLE__EMPTY__INIT;
	const char *verb = strsep(&line, " "), *rest = line ? line : "";

	if (!strcmp(verb, "status"))
		call(owner, "Status", &empty.base, -1, show_status);
	else if (!strcmp(verb, "metrics"))
		call(owner, "Metrics", &empty.base, -1, show_metrics);
	else if (!strcmp(verb, "pause"))
		call(owner, "Pause", &empty.base, -1, NULL);
	else if (!strcmp(verb, "resume"))
		call(owner, "Resume", &empty.base, -1, NULL);
	else if (!strcmp(verb, "stop"))
		call(owner, "Stop", &empty.base, -1, NULL);
	else if (!strcmp(verb, "ring"))
		show_ring(owner);
	else if (!strcmp(verb, "count"))
		printf("count %u\n", count(owner, rest));
	else if (!strcmp(verb, "await"))
		await(owner, rest);
	else if (!strcmp(verb, "sleep"))
		usleep((useconds_t)strtoul(rest, NULL, 10) * 1000);
	else if (!strcmp(verb, "wait"))
		wait_exit(owner);
	else if (!strcmp(verb, "close")) {
		rpc_conn_close(owner->conn);
		owner->conn = NULL;
	} else if (!strcmp(verb, "attach")) {
		char *slot = strsep(&line, " "), *path = strsep(&line, " ");

		attach(owner, slot, path, line);
	} else if (!strcmp(verb, "memory")) {
		Vmm__ResizeMemoryRequest request = VMM__RESIZE_MEMORY_REQUEST__INIT;

		if (parse_size(rest, &request.memory) < 0)
			fatal("memory %s", rest);
		call(owner, "ResizeMemory", &request.base, -1, NULL);
	} else if (!strcmp(verb, "net")) {
		attach_net(owner);
	} else if (!strcmp(verb, "share")) {
		char *program = strsep(&line, " ");

		attach_share(owner, program, line ? line : "/");
	} else if (!strcmp(verb, "detach")) {
		Vmm__DetachDiskRequest request = VMM__DETACH_DISK_REQUEST__INIT;

		request.slot = (uint32_t)strtoul(rest, NULL, 10);
		call(owner, "DetachDisk", &request.base, -1, NULL);
	} else {
		printf("error %d unknown command %s\n", EINVAL, verb);
	}
}

int main(int argc, char **argv)
{
	struct owner owner = {0};
	struct err err = ERR_INIT;
	char line[4096];

	setlinebuf(stdout);
	if (argc < 2)
		fatal("usage: host_owner SBX_VMM [OPTION...]");
	if (loop_create(&owner.loop) < 0)
		fatal("no loop");
	start(&owner, argc - 1, argv + 1, &err);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0])
			serve(&owner, line);
	}
	rpc_conn_close(owner.conn);
	rpc_conn_close(owner.share);
	console_ring_close(owner.ring);
	loop_destroy(owner.loop);
	return 0;
}
