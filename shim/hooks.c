/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a run walks the lists of its stage. next() starts a hook; its pidfd's end or its
 * timer ends it, and then comes the next one. What it says on its stderr is read all the while, so that it
 * never waits for us; a failure is told with the end of it. Where there is none, or a failure ends it all, the callback
 * is made from a deferred source, so that it never comes from within hooks_start().
 */
#include "shim/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/io.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/stderr_tail.h"
#include "shim/spawn.h"
#include "shim/spec.h"

#define NS_PER_S 1000000000ull

struct hooks_run {
	struct loop *loop;
	enum hooks_stage stage;
	const struct spec_hooks *hooks;
	size_t list, index; /* the hook at hand */
	char *state, *bundle;
	int pidfd;
	struct stderr_tail tail;
	struct source *ended, *said, *timer, *done;
	bool late;
	struct err err;
	hooks_fn fn;
	void *data;
};

static const char *const statuses[] = {
	[HOOKS_CREATE] = "creating",
	[HOOKS_STARTED] = "running",
	[HOOKS_STOPPED] = "stopped",
};

/* The i-th list of the stage; NULL: there is none. */
static const struct json_array *list_of(const struct spec_hooks *hooks, enum hooks_stage stage,
					size_t i, const char **ret_kind)
{
	const struct {
		enum hooks_stage stage;
		size_t i;
		const char *kind;
		const struct json_array *list;
	} lists[] = {
		{HOOKS_CREATE, 0, "prestart", &hooks->prestart},
		{HOOKS_CREATE, 1, "createRuntime", &hooks->create_runtime},
		{HOOKS_STARTED, 0, "poststart", &hooks->poststart},
		{HOOKS_STOPPED, 0, "poststop", &hooks->poststop},
	};

	for (size_t k = 0; k < ARRAY_SIZE(lists); k++) {
		if (lists[k].stage != stage || lists[k].i != i)
			continue;
		*ret_kind = lists[k].kind;
		return lists[k].list;
	}
	return NULL;
}

bool hooks_any(const struct spec *spec, enum hooks_stage stage)
{
	const struct spec_hooks *hooks = spec ? spec->config.hooks : NULL;
	const struct json_array *list;
	const char *kind;

	for (size_t i = 0; hooks && (list = list_of(hooks, stage, i, &kind)); i++)
		if (list->n)
			return true;
	return false;
}

static const struct spec_hook *current(const struct hooks_run *run, const char **ret_kind)
{
	const struct json_array *list = list_of(run->hooks, run->stage, run->list, ret_kind);

	return list && run->index < list->n ? &((const struct spec_hook *)list->items)[run->index]
					    : NULL;
}

static void next(struct hooks_run *run);

static void forget_hook(struct hooks_run *run)
{
	source_remove(TAKE_PTR(run->ended));
	source_remove(TAKE_PTR(run->said));
	source_arm(run->timer, 0);
	close_fd(&run->pidfd);
	stderr_tail_close(&run->tail);
	run->late = false;
}

/* err: how the hook at hand went wrong. */
static void hook_over(struct hooks_run *run, const struct err *err)
{
	if (err && !run->err.code)
		run->err = *err;
	if (err && run->stage != HOOKS_CREATE)
		log_warn("%s", err->msg);
	run->index++;
	if (err && run->stage == HOOKS_CREATE)
		source_defer(run->done);
	else
		next(run);
}

static void on_said(struct source *source, uint32_t events, void *data)
{
	struct hooks_run *run = data;

	/* It may have closed its stderr long before it ends. */
	if (stderr_tail_read(&run->tail) <= 0)
		source_remove(TAKE_PTR(run->said));
}

static void on_ended(struct source *source, uint32_t events, void *data)
{
	struct hooks_run *run = data;
	struct err err = ERR_INIT;
	const char *kind;
	const struct spec_hook *hook = current(run, &kind);
	char how[64];
	int status = spawn_reap(run->pidfd, how, sizeof(how));

	if (run->late)
		err_set(&err, ETIMEDOUT, "hooks.%s: %.200s: not done after %lu seconds", kind,
			hook->path, hook->timeout.v);
	else if (status != 0)
		err_set(&err, EIO, "hooks.%s: %.200s: %s", kind, hook->path,
			status < 0 ? strerror(-status) : how);
	if (err.code) {
		stderr_tail_read(&run->tail);
		stderr_tail_tell(&run->tail, &err);
	}
	forget_hook(run);
	hook_over(run, err.code ? &err : NULL);
}

static void on_timer(struct source *source, uint32_t events, void *data)
{
	struct hooks_run *run = data;

	/* Its end comes by the pidfd. */
	run->late = true;
	syscall(SYS_pidfd_send_signal, run->pidfd, SIGKILL, NULL, 0);
}

static void on_done(struct source *source, uint32_t events, void *data)
{
	struct hooks_run *run = data;

	run->fn(run->err.code ? &run->err : NULL, run->data);
}

/* A file, so that nobody has to write while the hook does not read. */
static int open_state(const char *text)
{
	_cleanup_close_ int fd = memfd_create("state", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = io_write_full(fd, text, strlen(text));
	if (r < 0)
		return r;
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : TAKE_FD(fd);
}

/* NULL-terminated; without any arguments the path is the program's name. */
static char **terminated(const struct json_array *strings, const char *fallback)
{
	char **list = calloc(strings->n + 2, sizeof(*list));

	if (!list)
		return NULL;
	for (size_t i = 0; i < strings->n; i++)
		list[i] = ((char **)strings->items)[i];
	if (!strings->n)
		list[0] = (char *)fallback;
	return list;
}

static int start_hook(struct hooks_run *run, const struct spec_hook *hook, struct err *err)
{
	_cleanup_free_ char **argv = terminated(&hook->args, hook->path);
	_cleanup_free_ char **envp = hook->env.n ? terminated(&hook->env, NULL) : NULL;
	_cleanup_close_ int state = open_state(run->state), err_fd = -1;
	struct spawn spawn = {
		.path = hook->path,
		.argv = (const char *const *)argv,
		/* Without one of its own it has ours, as runc's hooks have runc's. */
		.envp = (const char *const *)envp,
		.in_fd = state,
		.out_fd = -1,
		/* Where runc's run; by the time of poststop it may be gone. */
		.cwd = run->bundle,
		/* What hooks make in the root is for everybody in the container, not only for us. */
		.umask = 022,
		.die_with_us = true,
	};
	pid_t pid;
	int r;

	if (!argv || (hook->env.n && !envp) || state < 0)
		return err_set_errno(err, state < 0 ? -state : ENOMEM, "%s", hook->path);
	r = stderr_tail_open(&run->tail, &err_fd);
	if (r < 0)
		return err_set_errno(err, -r, "%s", hook->path);
	spawn.err_fd = err_fd;
	r = spawn_start(&spawn, &pid, &run->pidfd, err);
	if (r < 0)
		return r;
	r = loop_add_io(run->loop, run->pidfd, EPOLLIN, on_ended, run, &run->ended);
	if (r == 0)
		r = loop_add_io(run->loop, run->tail.fd, EPOLLIN, on_said, run, &run->said);
	if (r < 0) {
		syscall(SYS_pidfd_send_signal, run->pidfd, SIGKILL, NULL, 0);
		return err_set_errno(err, -r, "%s", hook->path);
	}
	if (hook->timeout.set)
		source_arm(run->timer, hook->timeout.v * NS_PER_S);
	return 0;
}

static void next(struct hooks_run *run)
{
	struct err err = ERR_INIT;
	const struct spec_hook *hook;
	const char *kind = NULL;

	while (!(hook = current(run, &kind))) {
		if (!list_of(run->hooks, run->stage, run->list, &kind)) {
			source_defer(run->done);
			return;
		}
		run->list++;
		run->index = 0;
	}
	if (start_hook(run, hook, &err) == 0)
		return;
	err_wrap(&err, "hooks.%s", kind);
	forget_hook(run);
	hook_over(run, &err);
}

static char *make_state(const struct hooks_subject *subject, enum hooks_stage stage)
{
	const struct json_array *annotations = &subject->spec->config.annotations;
	const struct json_pair *pairs = annotations->items;
	json_t *state =
		json_pack("{s:s,s:s,s:s,s:s}", "ociVersion", subject->spec->config.oci_version,
			  "id", subject->id, "status", statuses[stage], "bundle", subject->bundle);
	json_t *map = json_object();
	char *text;

	for (size_t i = 0; i < annotations->n; i++)
		json_object_set_new(map, pairs[i].key, json_string(pairs[i].value));
	if (subject->pid && stage != HOOKS_STOPPED)
		json_object_set_new(state, "pid", json_integer(subject->pid));
	json_object_set_new(state, "annotations", map);
	text = json_dumps(state, JSON_COMPACT);
	json_decref(state);
	return text;
}

int hooks_start(struct loop *loop, const struct hooks_subject *subject, enum hooks_stage stage,
		hooks_fn fn, void *data, struct hooks_run **ret, struct err *err)
{
	_cleanup_(hooks_cancel_p) struct hooks_run *run = calloc(1, sizeof(*run));
	int r;

	if (!run)
		return err_set(err, ENOMEM, "out of memory");
	*run = (struct hooks_run){
		.loop = loop,
		.stage = stage,
		.hooks = subject->spec->config.hooks,
		.state = make_state(subject, stage),
		.bundle = strdup(subject->bundle),
		.pidfd = -1,
		.tail = {.fd = -1},
		.fn = fn,
		.data = data,
	};
	if (!run->state || !run->bundle)
		return err_set(err, ENOMEM, "hooks: out of memory");
	r = loop_add_timer(loop, on_timer, run, &run->timer);
	if (r == 0)
		r = loop_add_defer(loop, on_done, run, &run->done);
	if (r < 0)
		return err_set_errno(err, -r, "hooks");
	next(run);
	*ret = TAKE_PTR(run);
	return 0;
}

void hooks_cancel(struct hooks_run *run)
{
	char how[64];

	if (!run)
		return;
	if (run->pidfd >= 0) {
		syscall(SYS_pidfd_send_signal, run->pidfd, SIGKILL, NULL, 0);
		spawn_reap(run->pidfd, how, sizeof(how));
	}
	source_remove(run->ended);
	source_remove(run->said);
	source_remove(run->timer);
	source_remove(run->done);
	close_fd(&run->pidfd);
	stderr_tail_close(&run->tail);
	free(run->state);
	free(run->bundle);
	free(run);
}
