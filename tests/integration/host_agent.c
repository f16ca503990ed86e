/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_agent DIR COMMAND... - tests of the agent in the guest that COMMAND boots with its vsock in
 * DIR and three disks: the built-in image, a hostile one, an empty ext4. Prints "ok NAME" or "not
 * ok NAME: why" for each.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/loop.h"
#include "common/rpc.h"
#include "tests/integration/agent_harness.h"
#include "tests/integration/agent_spec.h"

static char why[2048];
static int failures;

/* Notes why a case fails, and is false. */
static bool __attribute__((format(printf, 1, 2))) no(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	for (char *p = why; *p; p++) {
		if (*p == '\n')
			*p = '|';
	}
	return false;
}

static void run_case(const char *name, bool (*fn)(void))
{
	uint64_t start = now_ns();

	why[0] = 0;
	if (fn()) {
		printf("ok agent %s\n", name);
	} else {
		printf("not ok agent %s: %s\n", name, why);
		failures++;
	}
	fprintf(stderr, "# %s: %" PRIu64 " ms\n", name, (now_ns() - start) / 1000000);
	fflush(stdout);
}

/* --- calls --------------------------------------------------------------------------------- */

struct result {
	uint32_t status;
	bool oom_killed;
	struct stream *in, *out, *err;
};

static int call_process(const char *method, const char *id, const char *exec_id, struct err *err)
{
	Agent__ProcessRequest req = AGENT__PROCESS_REQUEST__INIT;

	req.id = (char *)(uintptr_t)id;
	req.exec_id = (char *)(uintptr_t)exec_id;
	return host_call(method, &req.base, NULL, err);
}

static int call_container(const char *method, const char *id, ProtobufCMessage **ret,
			  struct err *err)
{
	Agent__ContainerRequest req = AGENT__CONTAINER_REQUEST__INIT;

	req.id = (char *)(uintptr_t)id;
	return host_call(method, &req.base, ret, err);
}

static int call_kill(const char *id, const char *exec_id, int signo, bool all, struct err *err)
{
	Agent__KillRequest req = AGENT__KILL_REQUEST__INIT;

	req.id = (char *)(uintptr_t)id;
	req.exec_id = (char *)(uintptr_t)exec_id;
	req.signal = (uint32_t)signo;
	req.all = all;
	return host_call("Kill", &req.base, NULL, err);
}

static int call_wait(const char *id, const char *exec_id, struct result *result, struct err *err)
{
	Agent__ProcessRequest req = AGENT__PROCESS_REQUEST__INIT;
	ProtobufCMessage *msg = NULL;
	const Agent__WaitResponse *reply;
	int r;

	req.id = (char *)(uintptr_t)id;
	req.exec_id = (char *)(uintptr_t)exec_id;
	r = host_call("Wait", &req.base, &msg, err);
	if (r < 0)
		return r;
	reply = (const Agent__WaitResponse *)msg;
	result->status = reply->exit_status;
	result->oom_killed = reply->oom_killed;
	protobuf_c_message_free_unpacked(msg, NULL);
	return 0;
}

static void give_streams(Agent__Streams *streams, bool terminal, struct result *result)
{
	result->in = terminal ? NULL : host_stream();
	result->out = host_stream();
	result->err = terminal ? NULL : host_stream();
	if (result->in)
		streams->stdin = result->in->id;
	streams->stdout = result->out->id;
	if (result->err)
		streams->stderr = result->err->id;
}

static int create(struct spec *spec, struct result *result, struct err *err)
{
	give_streams(&spec->streams, spec->process.terminal, result);
	return host_call("Create", &spec->create.base, NULL, err);
}

static bool streams_ended(void *data)
{
	struct result *result = data;

	return result->out->ended && (!result->err || result->err->ended);
}

static const char *text(const struct stream *stream)
{
	return stream && stream->data.data ? stream->data.data : "";
}

static int begin(struct spec *spec, struct result *result, struct err *err)
{
	int r = create(spec, result, err);

	return r < 0 ? r : call_process("Start", spec->create.id, "", err);
}

/* Waits for init, then for the ends of its streams, and deletes the container. */
static int finish(struct spec *spec, struct result *result, struct err *err)
{
	int r = call_wait(spec->create.id, "", result, err);

	if (r < 0)
		return r;
	if (!host_until(streams_ended, result, 5000))
		return err_set(err, ETIMEDOUT, "the streams do not end");
	return call_process("Delete", spec->create.id, "", err);
}

static int run(struct spec *spec, struct result *result, struct err *err)
{
	int r = begin(spec, result, err);

	return r < 0 ? r : finish(spec, result, err);
}

/* Runs spec; it must exit with status and write out. */
static bool expect(struct spec *spec, uint32_t status, const char *out)
{
	struct result result = {0};
	struct err err = ERR_INIT;

	if (run(spec, &result, &err) < 0) {
		struct err ignored;

		no("%s", err.msg);
		call_kill(spec->create.id, "", SIGKILL, false, &ignored);
		call_wait(spec->create.id, "", &result, &ignored);
		call_process("Delete", spec->create.id, "", &ignored);
		return false;
	}
	if (result.status != status || (out && strcmp(text(result.out), out) != 0))
		return no("status %u, stdout \"%.500s\", stderr \"%.500s\"", result.status,
			  text(result.out), text(result.err));
	return true;
}

static bool expect_script(const char *script, uint32_t status, const char *out)
{
	struct spec spec;

	spec_init(&spec, "c1", script);
	return expect(&spec, status, out);
}

/* --- cases --------------------------------------------------------------------------------- */

static uint32_t guest_cpus;

static bool case_setup(void)
{
	Agent__SetupRequest req = AGENT__SETUP_REQUEST__INIT;
	struct spec spec;
	struct result result = {0};
	ProtobufCMessage *msg = NULL;
	const Agent__SetupResponse *reply;
	struct err err = ERR_INIT;
	struct timespec now;
	uint8_t seed[64];
	bool ok;

	spec_init(&spec, "c1", "exit 0");
	if (create(&spec, &result, &err) != -EBUSY)
		return no("Create before Setup: %s", err.msg);
	clock_gettime(CLOCK_REALTIME, &now);
	memset(seed, 7, sizeof(seed));
	req.hostname = (char *)(uintptr_t) "pod";
	req.realtime_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	req.entropy = (ProtobufCBinaryData){sizeof(seed), seed};
	if (host_call("Setup", &req.base, &msg, &err) < 0)
		return no("%s", err.msg);
	reply = (const Agent__SetupResponse *)msg;
	guest_cpus = reply->cpus_online;
	fprintf(stderr, "# guest: %s, %u cpus, %" PRIu64 " bytes\n", reply->kernel,
		reply->cpus_online, reply->memory_bytes);
	for (size_t i = 0; i < reply->n_stages; i++)
		fprintf(stderr, "# stage %s at %.3f s\n", reply->stages[i]->name,
			(double)reply->stages[i]->boot_ns / 1e9);
	ok = reply->n_stages >= 4 && strstr(reply->kernel, "sbx") && reply->memory_bytes > 32 << 20;
	protobuf_c_message_free_unpacked(msg, NULL);
	if (!ok)
		return no("the answer lacks stages, kernel or memory");
	if (host_call("Setup", &req.base, NULL, &err) != -EEXIST)
		return no("a second Setup: %s", err.msg);
	return true;
}

static bool case_hello(void)
{
	return expect_script("echo hello; echo from $(hostname) >&2", 0, "hello\n");
}

static bool case_statuses(void)
{
	static const uint32_t statuses[] = {0, 1, 2, 77, 125, 126, 127, 128, 200, 255};
	char script[64];

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		snprintf(script, sizeof(script), "exit %u", statuses[i]);
		if (!expect_script(script, statuses[i], ""))
			return false;
	}
	return true;
}

static bool case_exec_errors(void)
{
	static const struct {
		const char *program;
		uint32_t status;
		int code;
	} rows[] = {
		{"/nowhere", 127, ENOENT},
		{"nowhere", 127, ENOENT},
		{"/etc/passwd", 126, EACCES},
		{"/etc", 126, EACCES},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct result result = {0};
		struct err err = ERR_INIT, start_err;
		struct spec spec;
		char number[16];
		int r;

		spec_init(&spec, "c1", "");
		spec.args[0] = (char *)(uintptr_t)rows[i].program;
		if (create(&spec, &result, &err) < 0)
			return no("Create: %s", err.msg);
		r = call_process("Start", "c1", "", &start_err);
		if (finish(&spec, &result, &err) < 0)
			return no("%s: %s", rows[i].program, err.msg);
		snprintf(number, sizeof(number), "%u", rows[i].status);
		if (r >= 0 || !strstr(start_err.msg, number) || result.status != rows[i].status)
			return no("%s: start %d \"%s\", status %u", rows[i].program, r,
				  start_err.msg, result.status);
	}
	return true;
}

static bool case_stdin(void)
{
	struct result result = {0};
	struct err err = ERR_INIT;
	struct spec spec;

	spec_init(&spec, "c1", "cat; echo end");
	if (create(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	host_send(result.in, "some input\n", 11, true);
	if (call_process("Start", "c1", "", &err) < 0 || finish(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	if (strcmp(text(result.out), "some input\nend\n") != 0)
		return no("stdout \"%s\"", text(result.out));
	return true;
}

static bool case_close_stdin(void)
{
	struct result result = {0};
	struct err err = ERR_INIT;
	struct spec spec;

	spec_init(&spec, "c1", "cat");
	if (begin(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	host_send(result.in, "x", 1, false);
	if (call_process("CloseStdin", "c1", "", &err) < 0 || finish(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	return result.status == 0;
}

/* Nobody reads what the host sends: the end must come all the same. */
static bool case_stdin_unread(void)
{
	struct result result = {0};
	struct err err = ERR_INIT;
	struct spec spec;

	spec_init(&spec, "c1", "sleep 0.2; echo done");
	if (create(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	host_send(result.in, NULL, 4 << 20, true);
	if (call_process("Start", "c1", "", &err) < 0 || finish(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	return strcmp(text(result.out), "done\n") == 0 ? true : no("\"%s\"", text(result.out));
}

/* Through cat, both ways, with the reader held back for a while: compared byte by byte. */
static bool case_bulk(void)
{
	const uint64_t size = 12 << 20;
	struct result result = {0};
	struct err err = ERR_INIT;
	struct spec spec;

	spec_init(&spec, "c1", "cat");
	if (create(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	result.out->discard = true;
	result.out->paused = true;
	host_send(result.in, NULL, size, true);
	if (call_process("Start", "c1", "", &err) < 0)
		return no("%s", err.msg);
	for (int i = 0; i < 20; i++)
		loop_turn(host.loop, 20);
	if (result.in->sent == size)
		return no("all of it went out while nobody read");
	result.out->paused = false;
	if (result.out->source)
		source_set_events(result.out->source, EPOLLIN);
	if (finish(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	if (result.out->received != size)
		return no("%" PRIu64 " bytes of %" PRIu64, result.out->received, size);
	return true;
}

/* The last bytes before an exit, many times. */
static bool case_nothing_lost(void)
{
	for (int i = 0; i < 10; i++) {
		struct result result = {0};
		struct err err = ERR_INIT;
		struct spec spec;

		spec_init(&spec, "c1",
			  "i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); done");
		if (run(&spec, &result, &err) < 0)
			return no("%s", err.msg);
		if (result.out->received != 10 * 7 + 90 * 8 + 200 * 9)
			return no("round %d: %" PRIu64 " bytes", i, result.out->received);
	}
	return true;
}

static bool case_signals(void)
{
	struct result result = {0}, second = {0};
	struct err err = ERR_INIT;
	struct spec spec;

	spec_init(&spec, "c1",
		  "trap 'echo term; exit 3' TERM; echo up; while :; do sleep 0.1; done");
	if (begin(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	while (!result.out->received)
		loop_turn(host.loop, 100);
	if (call_kill("c1", "", SIGTERM, false, &err) < 0 || call_wait("c1", "", &result, &err) < 0)
		return no("%s", err.msg);
	if (result.status != 3 || strcmp(text(result.out), "up\nterm\n") != 0)
		return no("status %u \"%s\"", result.status, text(result.out));
	if (call_kill("c1", "", SIGTERM, false, &err) != -ENOENT ||
	    !strstr(err.msg, "process already finished"))
		return no("kill after exit: %s", err.msg);
	if (call_wait("c1", "", &second, &err) < 0 || second.status != 3)
		return no("a second wait: %s", err.msg);
	if (call_process("Delete", "c1", "", &err) < 0)
		return no("%s", err.msg);
	spec_init(&spec, "c1", "sleep 100 & sleep 100");
	if (begin(&spec, &result, &err) < 0 || call_kill("c1", "", SIGKILL, true, &err) < 0 ||
	    finish(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	return result.status == 137 ? true : no("status %u", result.status);
}

static bool case_kill_created(void)
{
	struct result result = {0};
	struct err err = ERR_INIT;
	struct spec spec;

	spec_init(&spec, "c1", "echo never");
	if (create(&spec, &result, &err) < 0 || call_kill("c1", "", SIGKILL, false, &err) < 0 ||
	    call_wait("c1", "", &result, &err) < 0)
		return no("%s", err.msg);
	if (result.status != 137 || call_process("Start", "c1", "", &err) >= 0)
		return no("status %u", result.status);
	if (call_process("Delete", "c1", "", &err) < 0)
		return no("%s", err.msg);
	if (create(&spec, &result, &err) < 0 || call_process("Delete", "c1", "", &err) < 0)
		return no("deleting a created one: %s", err.msg);
	return true;
}

static bool case_terminal(void)
{
	Agent__ResizeRequest resize = AGENT__RESIZE_REQUEST__INIT;
	struct result result = {0};
	struct err err = ERR_INIT;
	struct spec spec;

	spec_init(&spec, "c1", "stty size; tty; read x; stty size; test -t 2 && echo \"got $x\"");
	spec.process.terminal = true;
	spec.process.console_rows = 33;
	spec.process.console_columns = 99;
	if (begin(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	while (!strstr(text(result.out), "pts"))
		loop_turn(host.loop, 100);
	resize.id = (char *)(uintptr_t) "c1";
	resize.rows = 40;
	resize.columns = 120;
	if (host_call("Resize", &resize.base, NULL, &err) < 0)
		return no("%s", err.msg);
	host_send(result.out, "word\n", 5, false);
	if (finish(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	if (strcmp(text(result.out), "33 99\r\n/dev/pts/0\r\nword\r\n40 120\r\ngot word\r\n") != 0)
		return no("\"%s\"", text(result.out));
	return true;
}

static int exec(struct spec *spec, const char *id, const char *exec_id, struct result *result,
		struct err *err)
{
	Agent__ExecRequest req = AGENT__EXEC_REQUEST__INIT;
	Agent__Streams streams = AGENT__STREAMS__INIT;

	give_streams(&streams, spec->process.terminal, result);
	req.id = (char *)(uintptr_t)id;
	req.exec_id = (char *)(uintptr_t)exec_id;
	req.process = &spec->process;
	req.streams = &streams;
	return host_call("Exec", &req.base, NULL, err);
}

static bool case_exec(void)
{
	struct result result = {0}, first = {0};
	struct err err = ERR_INIT;
	struct spec spec, in;

	spec_init(&spec, "c1", "echo secret >/tmp/file; echo up; exec sleep 1000");
	if (begin(&spec, &first, &err) < 0)
		return no("%s", err.msg);
	while (!first.out->received)
		loop_turn(host.loop, 100);
	spec_process(&in, "cat /tmp/file; hostname; readlink /proc/1/exe; cat /proc/self/cgroup; "
			  "(sleep 500; echo late) & exit 9");
	if (exec(&in, "c1", "e1", &result, &err) < 0 || call_wait("c1", "e1", &result, &err) < 0)
		return no("%s", err.msg);
	host_until(streams_ended, &result, 5000);
	if (result.status != 9 ||
	    strcmp(text(result.out), "secret\nbox\n/bin/busybox\n0::/\n") != 0)
		return no("status %u \"%s\" \"%s\"", result.status, text(result.out),
			  text(result.err));
	if (exec(&in, "c1", "e1", &result, &err) != -EEXIST)
		return no("an exec id twice: %s", err.msg);
	if (call_process("Delete", "c1", "e1", &err) < 0 ||
	    call_wait("c1", "e1", &result, &err) != -ENOENT)
		return no("deleting an exec: %s", err.msg);
	in.args[0] = (char *)(uintptr_t) "/nowhere";
	if (exec(&in, "c1", "e2", &result, &err) != -ENOENT || !strstr(err.msg, "127"))
		return no("exec of nothing: %s", err.msg);
	spec_process(&in, "stty size; tty");
	in.process.terminal = true;
	in.process.console_rows = 10;
	in.process.console_columns = 20;
	if (exec(&in, "c1", "e2", &result, &err) < 0 || call_wait("c1", "e2", &result, &err) < 0)
		return no("terminal: %s", err.msg);
	if (strcmp(text(result.out), "10 20\r\n/dev/pts/0\r\n") != 0)
		return no("terminal: \"%s\"", text(result.out));
	if (call_process("Delete", "c1", "", &err) != -EBUSY)
		return no("deleting a running container: %s", err.msg);
	if (call_kill("c1", "", SIGKILL, false, &err) < 0 || finish(&spec, &first, &err) < 0)
		return no("%s", err.msg);
	return exec(&in, "c1", "e3", &result, &err) == -ENOENT ? true : no("%s", err.msg);
}

/* A program may be gone before the helper that made it: its start is answered all the same. */
static bool case_short_execs(void)
{
	struct result result = {0}, first = {0};
	struct err err = ERR_INIT;
	struct spec spec, in;

	spec_init(&spec, "c1", "exec sleep 1000");
	if (begin(&spec, &first, &err) < 0)
		return no("%s", err.msg);
	spec_process(&in, "exit 3");
	for (int i = 0; i < 300; i++) {
		if (exec(&in, "c1", "e1", &result, &err) < 0 ||
		    call_wait("c1", "e1", &result, &err) < 0 ||
		    call_process("Delete", "c1", "e1", &err) < 0)
			return no("exec %d: %s", i, err.msg);
		if (result.status != 3)
			return no("exec %d: status %u", i, result.status);
	}
	if (call_kill("c1", "", SIGKILL, false, &err) < 0 || finish(&spec, &first, &err) < 0)
		return no("%s", err.msg);
	return true;
}

static bool case_pause(void)
{
	struct result result = {0};
	ProtobufCMessage *msg = NULL;
	struct err err = ERR_INIT;
	struct spec spec;
	uint64_t before;

	spec_init(&spec, "c1", "while :; do echo x; sleep 0.05; done");
	if (begin(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	while (!result.out->received)
		loop_turn(host.loop, 100);
	if (call_container("Pause", "c1", NULL, &err) < 0)
		return no("%s", err.msg);
	for (int i = 0; i < 20; i++)
		loop_turn(host.loop, 10);
	before = result.out->received;
	for (int i = 0; i < 50; i++)
		loop_turn(host.loop, 10);
	if (result.out->received != before)
		return no("it writes while paused");
	if (call_container("Pause", "c1", NULL, &err) != -EBUSY ||
	    call_container("Resume", "c1", NULL, &err) < 0)
		return no("%s", err.msg);
	for (int i = 0; i < 200 && result.out->received == before; i++)
		loop_turn(host.loop, 20);
	if (result.out->received == before)
		return no("it does not write after Resume");
	if (call_container("Pids", "c1", &msg, &err) < 0)
		return no("%s", err.msg);
	if (((const Agent__PidsResponse *)msg)->n_pids < 1)
		return no("no pids");
	protobuf_c_message_free_unpacked(msg, NULL);
	if (call_container("Stats", "c1", &msg, &err) < 0)
		return no("%s", err.msg);
	if (!((const Agent__StatsResponse *)msg)->memory_usage ||
	    !((const Agent__StatsResponse *)msg)->cpu_usage_usec)
		return no("empty stats");
	protobuf_c_message_free_unpacked(msg, NULL);
	if (call_container("Pause", "c1", NULL, &err) < 0 ||
	    call_kill("c1", "", SIGKILL, false, &err) < 0 || finish(&spec, &result, &err) < 0)
		return no("killing it while paused: %s", err.msg);
	return true;
}

static bool case_memory_limit(void)
{
	struct result result = {0};
	struct err err = ERR_INIT;
	struct spec spec;

	spec_init(&spec, "c1", "dd if=/dev/zero of=/dev/null bs=64M count=1; exit $?");
	spec.args[0] = (char *)(uintptr_t) "/bin/dd";
	spec.args[1] = (char *)(uintptr_t) "if=/dev/zero";
	spec.args[2] = (char *)(uintptr_t) "of=/dev/null";
	spec.args[3] = (char *)(uintptr_t) "bs=64M";
	spec.args[4] = (char *)(uintptr_t) "count=1";
	spec.process.n_args = 5;
	spec.resources.memory_limit = 16 << 20;
	if (run(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	return result.status == 137 && result.oom_killed
		       ? true
		       : no("status %u, oom_killed %d", result.status, result.oom_killed);
}

/* Without limits of its own: the pod's reserve must keep the agent alive. */
static bool case_memory_hog(void)
{
	struct result result = {0};
	struct err err = ERR_INIT;
	struct spec spec;

	spec_init(&spec, "c1", "exec tail /dev/zero");
	if (run(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	if (result.status != 137 || !result.oom_killed)
		return no("status %u, oom_killed %d", result.status, result.oom_killed);
	return expect_script("echo alive", 0, "alive\n");
}

static bool case_fork_bomb(void)
{
	struct result result = {0};
	struct err err = ERR_INIT;
	struct spec spec;

	spec_init(&spec, "c1", "f() { f | f & }; f; sleep 100");
	if (begin(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	for (int i = 0; i < 50; i++)
		loop_turn(host.loop, 20);
	if (call_kill("c1", "", SIGKILL, true, &err) < 0 || finish(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	return expect_script("echo alive", 0, "alive\n");
}

static bool case_full_disk(void)
{
	return expect_script("dd if=/dev/zero of=/big bs=1M count=64 2>/dev/null && exit 1; "
			     "rm /big; echo x >/small && cat /small",
			     0, "x\n");
}

static bool case_user(void)
{
	struct spec spec;

	spec_init(&spec, "c1",
		  "id -u; id -g; echo $HOME; touch /file 2>/dev/null && echo bad; "
		  "echo reopened >/dev/stdout; grep Cap /proc/self/status | head -5");
	spec.user.username = (char *)(uintptr_t) "nobody";
	spec.process.capabilities->n_effective = spec.process.capabilities->n_permitted = 0;
	if (!expect(&spec, 0, NULL))
		return false;
	spec_init(&spec, "c1", "id -u; id -g; id -G; umask; pwd");
	spec.user.uid = 1234;
	spec.user.gid = 55;
	uint32_t groups[] = {66, 77};
	spec.user.additional_gids = groups;
	spec.user.n_additional_gids = 2;
	spec.user.has_umask = true;
	spec.user.umask = 077;
	spec.process.cwd = (char *)(uintptr_t) "/made/for/me";
	if (!expect(&spec, 0, "1234\n55\n55 66 77\n0077\n/made/for/me\n"))
		return false;
	spec_init(&spec, "c1", "exit 0");
	spec.user.username = (char *)(uintptr_t) "martian";
	struct result result = {0};
	struct err err = ERR_INIT;
	if (create(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	if (call_process("Start", "c1", "", &err) >= 0 || !strstr(err.msg, "martian"))
		return no("an unknown user: %s", err.msg);
	return finish(&spec, &result, &err) < 0 ? no("%s", err.msg) : true;
}

static bool case_walls(void)
{
	struct spec spec;

	spec_init(&spec, "c1",
		  "echo 1 2>/dev/null >/proc/sys/kernel/hostname && echo sys-writable; "
		  "mount -t tmpfs x /tmp 2>/dev/null && echo mounts; "
		  "ls /proc | grep -c '^[0-9]'; "
		  "mknod /tmp/vda b 254 0 && cat /tmp/vda 2>/dev/null | head -c 1 | wc -c; "
		  "mknod /tmp/kmsg c 1 11 && cat /tmp/kmsg 2>/dev/null | head -c 1 | wc -c; "
		  "ls /sys/firmware | wc -l; cat /proc/keys | wc -c; "
		  "cat /proc/self/oom_score_adj; ls /run/rootfs 2>/dev/null; "
		  "ls /proc/self/fd | wc -l; cat /sys/fs/cgroup/cgroup.procs | head -1; "
		  "hostname; ip link show lo | grep -c UP; ls /dev | tr '\\n' ' '");
	return expect(
		&spec, 0,
		"3\n0\n0\n0\n0\n0\n4\n1\nbox\n1\n"
		"fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero ");
}

static bool case_readonly(void)
{
	struct spec spec;

	spec_init(&spec, "c1",
		  "touch /x 2>/dev/null && echo bad; touch /dev/shm/x && echo good; "
		  "grep NoNewPrivs /proc/self/status; ulimit -n");
	Spec__Rlimit limit = SPEC__RLIMIT__INIT, *limits[] = {&limit};

	limit.type = (char *)(uintptr_t) "RLIMIT_NOFILE";
	limit.soft = limit.hard = 77;
	spec.process.rlimits = limits;
	spec.process.n_rlimits = 1;
	spec.spec.root_readonly = true;
	spec.process.no_new_privileges = true;
	return expect(&spec, 0, "good\nNoNewPrivs:\t1\n77\n");
}

static bool case_user_namespace(void)
{
	Spec__IdMapping map = SPEC__ID_MAPPING__INIT, *maps[] = {&map};
	struct result result = {0}, first = {0};
	struct err err = ERR_INIT;
	struct spec spec, in;

	spec_init(&spec, "c1",
		  "id -u; tr -s ' ' </proc/self/uid_map; echo x >/dev/null; hostname; "
		  "ls -ln /dev/null | cut -c1-3; read x; echo >/dev/stdout; touch /x 2>&1");
	spec_add_namespace(&spec, "user");
	spec_add_namespace(&spec, "time");
	map.host_id = 100000;
	map.size = 65536;
	spec.linux.uid_mappings = spec.linux.gid_mappings = maps;
	spec.linux.n_uid_mappings = spec.linux.n_gid_mappings = 1;
	if (begin(&spec, &first, &err) < 0)
		return no("%s", err.msg);
	while (!strstr(text(first.out), "crw") && !first.out->ended)
		loop_turn(host.loop, 100);
	spec_process(&in, "id -u; cd /dev/shm; readlink /proc/self/ns/user /proc/self/ns/time >a; "
			  "readlink /proc/1/ns/user /proc/1/ns/time | cmp - a && echo same "
			  ">/dev/stdout");
	if (exec(&in, "c1", "e1", &result, &err) < 0 || call_wait("c1", "e1", &result, &err) < 0)
		return no("exec: %s", err.msg);
	host_until(streams_ended, &result, 5000);
	if (strcmp(text(result.out), "0\nsame\n") != 0)
		return no("exec: \"%s\" \"%s\"", text(result.out), text(result.err));
	host_send(first.in, "\n", 1, false);
	if (finish(&spec, &first, &err) < 0)
		return no("%s", err.msg);
	if (strcmp(text(first.out), "0\n 0 100000 65536\nbox\ncrw\n\n"
				    "touch: /x: Permission denied\n") != 0)
		return no("\"%s\" \"%s\"", text(first.out), text(first.err));
	return true;
}

static bool case_refusals(void)
{
	struct result result = {0};
	struct err err = ERR_INIT;
	struct spec spec;

	spec_init(&spec, "../c1", "exit 0");
	if (create(&spec, &result, &err) != -EINVAL)
		return no("bad id: %s", err.msg);
	spec_init(&spec, "c1", "exit 0");
	spec.mounts[0].type = (char *)(uintptr_t) "bind";
	if (create(&spec, &result, &err) != -ENOSYS || !strstr(err.msg, "/proc"))
		return no("bind: %s", err.msg);
	spec_init(&spec, "c1", "exit 0");
	spec.lower.slot = 9;
	if (create(&spec, &result, &err) >= 0 || !strstr(err.msg, "slot 9"))
		return no("slot: %s", err.msg);
	spec_init(&spec, "c1", "exit 0");
	spec.lower.fstype = (char *)(uintptr_t) "ext4";
	if (create(&spec, &result, &err) >= 0 || !strstr(err.msg, "ext4"))
		return no("fstype: %s", err.msg);
	/* Whatever failed has left nothing: the id is free. */
	return expect_script("echo again", 0, "again\n");
}

/* Creates spec, which must fail saying word. */
static bool refused(struct spec *spec, const char *word)
{
	struct result result = {0};
	struct err err = ERR_INIT;

	if (create(spec, &result, &err) >= 0)
		return no("created, where \"%s\" was to be refused", word);
	return strstr(err.msg, word) ? true : no("%s", err.msg);
}

/*
 * Disk 1 is an image whose names want to lead out: /proc is a link to /etc, /dev one to the
 * agent's own /run, /sys one beyond the root, /etc/passwd a pipe.
 */
static bool case_hostile_image(void)
{
	struct result result = {0};
	struct err err = ERR_INIT;
	struct spec spec;

	spec_init(&spec, "c1", "exit 0");
	spec.lower.slot = 1;
	if (!refused(&spec, "/proc"))
		return false;
	/* Without proc and sysfs, which bear no link, all lands inside. */
	spec_init(&spec, "c1", "echo /run/*; ls /run/agent | head -3 | tr '\\n' ' '; ls /escape");
	spec.lower.slot = 1;
	spec.spec.mounts = &spec.mount_list[1];
	spec.spec.n_mounts = 2;
	if (!expect(&spec, 1, "/run/agent\nfd full null "))
		return false;
	spec_init(&spec, "c1", "exit 0");
	spec.lower.slot = 1;
	spec.spec.mounts = &spec.mount_list[1];
	spec.spec.n_mounts = 1;
	spec.user.username = (char *)(uintptr_t) "root";
	if (create(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	if (call_process("Start", "c1", "", &err) >= 0 || !strstr(err.msg, "regular file"))
		return no("a pipe for a passwd: %s", err.msg);
	if (finish(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	return expect_script("test -c /dev/null && echo fine", 0, "fine\n");
}

/* Disk 2 is a writable layer: what one container writes the next one finds. */
static bool case_scratch_disk(void)
{
	Agent__Volume disk = AGENT__VOLUME__INIT;
	struct spec spec;

	disk.slot = 2;
	disk.fstype = (char *)(uintptr_t) "ext4";
	spec_init(&spec, "c1", "echo kept >/file; mkdir /upper; df -T / | grep -c overlay");
	spec.overlay.disk = &disk;
	if (!expect(&spec, 0, "1\n"))
		return false;
	spec_init(&spec, "c1", "cat /file; rmdir /upper && echo removed");
	spec.overlay.disk = &disk;
	return expect(&spec, 0, "kept\nremoved\n");
}

static bool case_many(void)
{
	enum { N = 8 };
	struct result results[N] = {0};
	struct spec specs[N];
	struct err err = ERR_INIT;
	char ids[N][16], want[32];

	for (int i = 0; i < N; i++) {
		snprintf(ids[i], sizeof(ids[i]), "m%d", i);
		spec_init(&specs[i], ids[i], "echo $ME; exit $ME");
		static char env[N][16];

		snprintf(env[i], sizeof(env[i]), "ME=%d", i);
		specs[i].env[1] = env[i];
		if (begin(&specs[i], &results[i], &err) < 0)
			return no("%d: %s", i, err.msg);
	}
	for (int i = 0; i < N; i++) {
		snprintf(want, sizeof(want), "%d\n", i);
		if (finish(&specs[i], &results[i], &err) < 0)
			return no("%d: %s", i, err.msg);
		if (results[i].status != (uint32_t)i || strcmp(text(results[i].out), want) != 0)
			return no("%d: status %u", i, results[i].status);
	}
	return true;
}

static bool case_shutdown(void)
{
	Google__Empty req = GOOGLE__EMPTY__INIT;
	struct err err = ERR_INIT;
	int status;

	if (host_call("Shutdown", &req.base, NULL, &err) < 0)
		return no("%s", err.msg);
	status = host_wait_end(10000);
	return status == 0 ? true : no("the monitor's status: %d", status);
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;

	if (argc < 3) {
		fprintf(stderr, "usage: host_agent DIR COMMAND...\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (host_start(argv[1], argv + 2, &err) < 0) {
		printf("not ok agent boot: %s\n", err.msg);
		return 1;
	}
	printf("ok agent boot\n");
	run_case("setup", case_setup);
	run_case("hello", case_hello);
	run_case("statuses", case_statuses);
	run_case("exec errors", case_exec_errors);
	run_case("stdin", case_stdin);
	run_case("close stdin", case_close_stdin);
	run_case("stdin unread", case_stdin_unread);
	run_case("bulk", case_bulk);
	run_case("nothing lost", case_nothing_lost);
	run_case("signals", case_signals);
	run_case("kill created", case_kill_created);
	run_case("terminal", case_terminal);
	run_case("exec", case_exec);
	run_case("short execs", case_short_execs);
	run_case("pause", case_pause);
	run_case("memory limit", case_memory_limit);
	run_case("fork bomb", case_fork_bomb);
	run_case("full disk", case_full_disk);
	run_case("user", case_user);
	run_case("walls", case_walls);
	run_case("readonly", case_readonly);
	run_case("user namespace", case_user_namespace);
	run_case("refusals", case_refusals);
	run_case("hostile image", case_hostile_image);
	run_case("scratch disk", case_scratch_disk);
	run_case("many", case_many);
	run_case("memory hog", case_memory_hog);
	run_case("shutdown", case_shutdown);
	return failures != 0;
}
