/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of a life: events in order, each once, none missing at the end, and the statuses that
 * events and answers give are one. The rules of runc's shim where containerd leaves them open.
 */
#include "tests/integration/events.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "events.pb-c.h"

void __attribute__((format(printf, 1, 2))) trace(const char *fmt, ...)
{
	va_list ap;
	size_t left = sizeof(t.trace) - t.trace_len;

	va_start(ap, fmt);
	t.trace_len += (size_t)vsnprintf(t.trace + t.trace_len, left, fmt, ap);
	va_end(ap);
	if (t.trace_len >= sizeof(t.trace))
		t.trace_len = sizeof(t.trace) - 1;
}

void __attribute__((format(printf, 1, 2))) wrong(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("# wrong: ");
	vprintf(fmt, ap);
	printf(" (after:%s)\n", t.trace);
	va_end(ap);
	t.failures++;
}

/* --- as events come --------------------------------------------------------------------------- */

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

/* Each of them begins with the container's id. */
struct any_event {
	ProtobufCMessage base;
	char *container_id;
};

void take_event(const char *topic, const ProtobufCMessage *msg)
{
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

/* --- at the end ------------------------------------------------------------------------------- */

bool has_no_waits(void *data)
{
	return ((struct proc *)data)->waits == 0;
}

static bool has_exited(void *data)
{
	return ((struct proc *)data)->exited;
}

static bool has_oom(void *data)
{
	return ((struct container *)data)->oom;
}

bool is_deleted(void *data)
{
	return ((struct container *)data)->init.deleted;
}

void end_of_process(struct container *c, struct proc *p, bool needed)
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
