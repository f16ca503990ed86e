/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_agent DIR COMMAND... - tests of the agent in the guest that COMMAND boots with its vsock in
 * DIR and three disks: the built-in image, a hostile one, an empty ext4. Prints "ok NAME" or "not
 * ok NAME: why" for each.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/loop.h"
#include "tests/integration/agent_calls.h"
#include "tests/integration/agent_cases.h"

static char why[2048];
static int failures;

bool __attribute__((format(printf, 1, 2))) no(const char *fmt, ...)
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

bool expect(struct spec *spec, uint32_t status, const char *out)
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

bool expect_script(const char *script, uint32_t status, const char *out)
{
	struct spec spec;

	spec_init(&spec, "c1", script);
	return expect(&spec, status, out);
}

/* --- the guest's own beginning and end ------------------------------------------------------- */

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

static bool case_shutdown(void)
{
	Google__Empty req = GOOGLE__EMPTY__INIT;
	struct err err = ERR_INIT;
	int status;

	if (host_call("Shutdown", &req.base, NULL, &err) < 0)
		return no("%s", err.msg);
	status = host_wait_end(60000); /* a sanitizer looks for leaks first */
	return status == 0 ? true : no("the monitor's status: %d", status);
}

static const struct agent_case setup = {"setup", case_setup},
			       shutdown = {"shutdown", case_shutdown};

static void run_case(const struct agent_case *c)
{
	uint64_t start = now_ns();

	why[0] = 0;
	if (c->fn()) {
		printf("ok agent %s\n", c->name);
	} else {
		printf("not ok agent %s: %s\n", c->name, why);
		failures++;
	}
	fprintf(stderr, "# %s: %" PRIu64 " ms\n", c->name, (now_ns() - start) / 1000000);
	fflush(stdout);
}

static void run_cases(const struct agent_case *cases)
{
	for (; cases->name; cases++)
		run_case(cases);
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
	run_case(&setup);
	run_cases(agent_cases_process);
	run_cases(agent_cases_stream);
	run_cases(agent_cases_wall);
	run_case(&shutdown);
	return failures != 0;
}
