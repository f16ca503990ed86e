/* SPDX-License-Identifier: Apache-2.0 */
/* Processes: init and what is executed beside it, their ends, signals, and the freezer. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/loop.h"
#include "tests/integration/agent_calls.h"
#include "tests/integration/agent_cases.h"

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
	if (create(&spec, &result, &err) < 0 || call_kill("c1", "", SIGTERM, false, &err) < 0 ||
	    call_wait("c1", "", &result, &err) < 0 || call_process("Delete", "c1", "", &err) < 0)
		return no("SIGTERM: %s", err.msg);
	if (result.status != 128 + SIGTERM)
		return no("SIGTERM: status %u", result.status);
	if (create(&spec, &result, &err) < 0 || call_process("Delete", "c1", "", &err) < 0)
		return no("deleting a created one: %s", err.msg);
	return true;
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

/* As ps would show them. */
static bool has_rows(const char *id)
{
	Agent__ContainerRequest request = AGENT__CONTAINER_REQUEST__INIT;
	const Agent__PidsResponse *reply;
	ProtobufCMessage *msg = NULL;
	struct err err = ERR_INIT;
	bool good;

	request.id = (char *)(uintptr_t)id;
	request.rows = true;
	if (host_call("Pids", &request.base, &msg, &err) < 0)
		return no("%s", err.msg);
	reply = (const Agent__PidsResponse *)msg;
	good = reply->n_rows >= 1 && !reply->n_pids && reply->rows[0]->pid > 1 &&
	       reply->rows[0]->start_ns && strcmp(reply->rows[0]->command, "sh") == 0;
	if (!good)
		no("%zu rows, \"%s\"", reply->n_rows, reply->n_rows ? reply->rows[0]->command : "");
	protobuf_c_message_free_unpacked(msg, NULL);
	return good;
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
	if (!has_rows("c1"))
		return false;
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

static int call_network(const char *id, struct err *err)
{
	Agent__UpdateNetworkRequest req = AGENT__UPDATE_NETWORK_REQUEST__INIT;

	req.container_id = (char *)(uintptr_t)id;
	return host_call("UpdateNetwork", &req.base, NULL, err);
}

/* A container's own: between its creation and its start. */
static bool case_network(void)
{
	struct result result = {0};
	struct err err = ERR_INIT;
	struct spec spec;

	if (call_network("nobody", &err) >= 0)
		return no("there is no such container");
	spec_init(&spec, "c1", "read line");
	if (create(&spec, &result, &err) < 0 || call_network("c1", &err) < 0 ||
	    call_process("Start", "c1", "", &err) < 0)
		return no("%s", err.msg);
	if (call_network("c1", &err) >= 0 || !strstr(err.msg, "does not wait for its start"))
		return no("while it runs: %s", err.msg);
	if (call_kill("c1", "", SIGKILL, false, &err) < 0 || finish(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	return true;
}

const struct agent_case agent_cases_process[] = {
	{"hello", case_hello},
	{"statuses", case_statuses},
	{"exec errors", case_exec_errors},
	{"signals", case_signals},
	{"kill created", case_kill_created},
	{"exec", case_exec},
	{"short execs", case_short_execs},
	{"pause", case_pause},
	{"many", case_many},
	{"network", case_network},
	{NULL, NULL},
};
