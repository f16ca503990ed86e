/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_events SHIM ROOTFS WORKDIR ROUNDS SEED - is containerd towards a shim: starts it, drives random
 * sequences of calls of the Task service through it, is the sink of its events, and judges order and
 * completeness. ROOTFS is a file (EROFS) or a directory (bind); the rest is containerd's contract, so
 * that any shim v2 can be judged. With SBX_TRACE set each life is printed. With SBX_OURS
 * the shim has to do more: of those pods that are told to shut down the name is free at once, the
 * others (half of them) end as well.
 *
 * Theory of Operation: a pod of PER_POD containers at a time, the first its sandbox container, then
 * one after the other a container with a random life. Each call is made with rpc_call_sync(), which
 * turns the loop, so events come in at any moment, as they do in containerd. Everything is noted per
 * process; the rules are checked as events come, and that none is missing when a container is deleted.
 */
#include "tests/integration/events.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/rpc.h"
#include "task.pb-c.h"

#define PER_POD 10

struct judged t;

/* xorshift64: the same seed, the same sequences. */
static uint32_t dice(uint32_t n)
{
	t.random ^= t.random << 13;
	t.random ^= t.random >> 7;
	t.random ^= t.random << 17;
	return (uint32_t)(t.random >> 32) % n;
}

/* --- one life --------------------------------------------------------------------------------- */

#define HOG_KILLED (137 - 125)

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
		/* 137, if it is killed; else it says how it ended. A pause cuts its read short. */
		{"dd if=/dev/zero of=/dev/null bs=96M count=1 iflag=fullblock 2>&1; r=$?; "
		 "exit $((r < 125 ? 100 + r : r - 125))",
		 HOG_KILLED},
	};
	Task__ExecProcessRequest request = TASK__EXEC_PROCESS_REQUEST__INIT;
	Google__Any spec = GOOGLE__ANY__INIT;
	unsigned which = dice(ARRAY_SIZE(scripts));
	struct proc *p;
	char text[512];
	int r;

	if (c->n_execs == MAX_EXECS)
		return;
	/* Beside another one, that holds all the memory, a shell may not even find its dd. */
	if (scripts[which].expect == HOG_KILLED && c->hogs++)
		which = 0;
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
	if (r < 0)
		return;
	if (dice(8) == 0) {
		if (kill_proc(c, p, SIGTERM) == 0)
			wrong("%s was never started, and takes a signal", p->id);
		return;
	}
	if (dice(2))
		begin_wait(c, p);
	if (start(c, p) == 0 && p->waits == 0)
		begin_wait(c, p);
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
		trace(" pause(%s)", c->id);
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
	unsigned steps = dice(14);

	t.trace_len = 0;
	*c = (struct container){.init.expect = ANY};
	snprintf(c->id, sizeof(c->id), "c%u", round);
	if (create(c, inits[dice(ARRAY_SIZE(inits))], "container") < 0) {
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

/* --- pods ------------------------------------------------------------------------------------- */

static int begin_pod(unsigned number)
{
	int r;

	t.sandbox = (struct container){.init.expect = ANY};
	snprintf(t.sandbox.id, sizeof(t.sandbox.id), "s%u", number);
	r = create(&t.sandbox, "exec sleep 10000", "sandbox");
	if (r == 0)
		begin_wait(&t.sandbox, &t.sandbox.init);
	if (r == 0)
		r = start(&t.sandbox, &t.sandbox.init);
	/* Where no process stands for the pod there is none that ends by these. */
	if (r == 0 && getenv("SBX_OURS") &&
	    (kill_proc(&t.sandbox, &t.sandbox.init, 0) < 0 ||
	     kill_proc(&t.sandbox, &t.sandbox.init, SIGUSR1) < 0 || t.sandbox.init.ended))
		wrong("a signal that asks for no end ends the sandbox, or is refused");
	return r;
}

/* containerd waits three seconds for the answer to its Shutdown, and goes; on a busy machine it may not even ask. */
static void end_pod(bool asks)
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
	if (asks)
		call("Shutdown", &request.base, NULL);
	rpc_conn_close(TAKE_PTR(t.task));
}

int main(int argc, char **argv)
{
	bool ours = getenv("SBX_OURS");
	struct stat st;
	unsigned rounds, pod = 0;

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
	if (loop_create(&t.loop) < 0 || sink_listen() < 0)
		fatal("%s: cannot listen for events", t.work);
	for (unsigned i = 0; i < rounds; i++) {
		if (i % PER_POD == 0 && begin_pod(pod) < 0) {
			wrong("the pod cannot be started");
			break;
		}
		one_life(i);
		if (getenv("SBX_TRACE"))
			printf("#%s\n", t.trace);
		if (i % PER_POD == PER_POD - 1 || i == rounds - 1) {
			bool asks = !ours || dice(2);

			end_pod(asks);
			if (ours && asks)
				remove_bundle(t.sandbox.id);
			else
				pod++;
		}
	}
	printf("# %u lives, %d events, %d of them oom, %d wrong\n", rounds, t.events, t.ooms,
	       t.failures);
	return t.failures != 0;
}
