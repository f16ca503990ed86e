/* SPDX-License-Identifier: Apache-2.0 */
/* Stdio: input and its end, bytes that must not be lost, back-pressure, terminals. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "common/loop.h"
#include "tests/integration/agent_calls.h"
#include "tests/integration/agent_cases.h"

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

/* As who writes them into a file wants it. */
static bool case_terminal_newlines(void)
{
	struct result result = {0};
	struct err err = ERR_INIT;
	struct spec spec;

	spec_init(&spec, "c1", "echo a; stty -a 2>/dev/null | grep -o -- -onlcr; echo b");
	spec.process.terminal = true;
	spec.streams.clear_onlcr = true;
	if (run(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	if (strcmp(text(result.out), "a\n-onlcr\nb\n") != 0)
		return no("\"%s\"", text(result.out));
	return true;
}

static bool stream_ended(void *data)
{
	return ((struct stream *)data)->ended;
}

static int forward(uint32_t port, const struct stream *stream, struct err *err)
{
	Agent__ForwardRequest req = AGENT__FORWARD_REQUEST__INIT;

	req.port = port;
	req.stream = stream->id;
	return host_call("Forward", &req.base, NULL, err);
}

/* A port of the pod's own loopback address, and ports where nobody is. */
static bool case_forward(void)
{
	struct stream *stream = host_stream(), *refused = host_stream();
	struct result result = {0};
	struct err err = ERR_INIT;
	struct spec spec;

	spec_init(&spec, "c1",
		  "httpd -p 127.0.0.1:8080 -h /etc; "
		  "until grep -q :1F90 /proc/net/tcp; do sleep 0.1; done; echo up; exec sleep 100");
	/* On the pod's network: that namespace is the last one. */
	spec.linux.n_namespaces--;
	if (begin(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	while (!strstr(text(result.out), "up"))
		loop_turn(host.loop, 100);
	if (forward(0, refused, &err) >= 0 || err.code != EINVAL)
		return no("port 0: %d", err.code);
	err = (struct err)ERR_INIT;
	if (forward(8099, refused, &err) >= 0)
		return no("a port where nobody listens was forwarded");
	err = (struct err)ERR_INIT;
	if (forward(8080, stream, &err) < 0)
		return no("%s", err.msg);
	host_send(stream, "GET /passwd HTTP/1.0\r\n\r\n", 24, false);
	if (!host_until(stream_ended, stream, 20000) || !strstr(text(stream), "root:"))
		return no("\"%s\"", text(stream));
	err = (struct err)ERR_INIT;
	return call_kill("c1", "", SIGKILL, true, &err) == 0 && finish(&spec, &result, &err) == 0
		       ? true
		       : no("%s", err.msg);
}

const struct agent_case agent_cases_stream[] = {
	{"stdin", case_stdin},
	{"close stdin", case_close_stdin},
	{"stdin unread", case_stdin_unread},
	{"bulk", case_bulk},
	{"nothing lost", case_nothing_lost},
	{"terminal", case_terminal},
	{"a terminal's newlines", case_terminal_newlines},
	{"forward", case_forward},
	{NULL, NULL},
};
