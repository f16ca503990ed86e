/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sbx run. Theory of Operation: the image is resolved first, which may take long and needs nothing
 * else. Then the pod's directory is made and locked, with its record and config.json in it; then the
 * shim is started and handed the lock and one end of a socket pair, the other end of which is our
 * connection. From here on the pod dies with us (Hold) until we have seen the program's end, or, with
 * --detach, until it runs. The shim does everything else; we only ask and relay.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/rpc.h"
#include "shim/cli.h"
#include "shim/cli_explain.h"
#include "shim/cli_pod.h"
#include "shim/cli_session.h"
#include "shim/cli_spawn.h"
#include "shim/grace.h"
#include "shim/run_prepare.h"
#include "task.pb-c.h"

static struct session_options session_of(const struct run *run)
{
	return (struct session_options){
		.id = run->id,
		.exec_id = "",
		.interactive = run->options.interactive,
		.tty = run->options.tty,
		.terminal = STDIN_FILENO,
	};
}

static int create(struct run *run, struct cli_shim *shim, const struct session_streams *streams,
		  struct err *err)
{
	Task__CreateTaskRequest request = TASK__CREATE_TASK_REQUEST__INIT;
	Task__Mount base = TASK__MOUNT__INIT, scratch = TASK__MOUNT__INIT;
	Task__Mount *mounts[] = {&base, &scratch};
	char readonly[] = "ro", erofs[] = "erofs", layer[] = "sbx-scratch", size[32];
	char *base_options[] = {readonly}, *scratch_options[] = {size};

	snprintf(size, sizeof(size), "size=%" PRIu64, run->options.disk_size);
	base.type = erofs;
	base.source = run->image.path;
	base.options = base_options;
	base.n_options = 1;
	scratch.type = layer;
	scratch.options = scratch_options;
	scratch.n_options = 1;
	request.id = run->id;
	request.bundle = run->pod->path;
	request.rootfs = mounts;
	request.n_rootfs = ARRAY_SIZE(mounts);
	request.terminal = run->options.tty;
	request.stdin = (char *)streams->in;
	request.stdout = (char *)streams->out;
	request.stderr = (char *)streams->err;
	return cli_task(shim, "Create", &request.base, streams->fds, streams->n_fds, NULL, err);
}

static int start(struct run *run, struct cli_shim *shim, struct err *err)
{
	Task__StartRequest request = TASK__START_REQUEST__INIT;

	request.id = run->id;
	return cli_task(shim, "Start", &request.base, NULL, 0, NULL, err);
}

/* What Wait answers of a detached run, whose shim may be gone as soon as the program has ended. */
struct ending {
	bool told;
	int r;
	uint32_t status;
};

static void on_end(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	struct ending *ending = data;

	ending->told = true;
	ending->r = err ? -err->code : 0;
	if (!err)
		ending->status = ((const Task__WaitResponse *)reply)->exit_status;
}

static int await_end(struct run *run, struct cli_shim *shim, struct ending *ending)
{
	Task__WaitRequest request = TASK__WAIT_REQUEST__INIT;
	const struct rpc_invocation inv = {
		.service = &task__task__descriptor,
		.method = "Wait",
		.request = &request.base,
	};

	request.id = run->id;
	return rpc_invoke(shim->conn, &inv, on_end, ending);
}

/* A program that cannot be executed has ended, with 126 or 127: start_err says why, and the status is the run's. */
static int refused(struct cli_shim *shim, const struct ending *ending, const struct err *start_err,
		   uint32_t *ret_status)
{
	while (!ending->told && loop_turn(shim->loop, -1) >= 0)
		;
	if (!ending->told || ending->r < 0 || (ending->status != 126 && ending->status != 127))
		return -start_err->code;
	*ret_status = ending->status;
	cli_fail("run", start_err);
	return 0;
}

/* ending is there for as long as shim's connection. */
static int run_detached(struct run *run, struct cli_shim *shim, struct ending *ending,
			uint32_t *ret_status, struct err *err)
{
	_cleanup_free_ char *out = NULL, *error = NULL;
	struct session_streams streams = {.in = ""};
	int r;

	if (asprintf(&out, "file://%s/stdout.log", run->pod->path) < 0 ||
	    asprintf(&error, "file://%s/stderr.log", run->pod->path) < 0)
		return err_set(err, ENOMEM, "out of memory");
	streams.out = out;
	streams.err = error;
	r = create(run, shim, &streams, err);
	if (r < 0)
		return r;
	r = await_end(run, shim, ending);
	if (r < 0)
		return err_set_errno(err, -r, "cannot wait for the end");
	if (start(run, shim, err) < 0)
		return refused(shim, ending, err, ret_status);
	printf("%s\n", run->id);
	return 0;
}

/*
 * A program that cannot be executed has ended too, with 126 or 127: start_err says why, and the
 * status comes as of any other.
 */
static int attend(struct run *run, struct cli_shim *shim, uint32_t *ret_status,
		  struct err *start_err, struct err *err)
{
	_cleanup_(session_destroy_p) struct session *session = NULL;
	const struct session_options options = session_of(run);
	struct session_streams streams;
	int r = session_create(shim, &options, &session, &streams, err);

	if (r == 0)
		r = create(run, shim, &streams, err);
	if (r == 0)
		r = session_attach(session, err);
	if (r < 0)
		return r;
	if (start(run, shim, start_err) == 0)
		session_started(session);
	r = session_wait(session, ret_status, err);
	if (r < 0 && start_err->code)
		*err = *start_err;
	return r;
}

static int run_foreground(struct run *run, struct cli_shim *shim, uint64_t begin_ns,
			  uint32_t *ret_status, struct err *err)
{
	struct err start_err = ERR_INIT;
	int r = attend(run, shim, ret_status, &start_err, err);

	if (r < 0)
		return r;
	if (start_err.code)
		cli_fail("run", &start_err);
	if (run->options.explain || run->options.debug)
		cli_explain(shim, begin_ns, run->options.explain, run->options.debug);
	return 0;
}

/* The exit code, or -errno. */
static int run(struct run *run, uint64_t begin_ns, struct err *err)
{
	struct ending ending = {0};
	_cleanup_cli_shim_ struct cli_shim shim = {0};
	const struct session_options options = session_of(run);
	uint32_t status = 0;
	int r = session_check(&options, err);

	if (r == 0)
		r = run_prepare(run, err);
	if (r < 0)
		return r;
	r = cli_spawn_shim(run->pod, run->options.debug, &shim, err);
	if (r == 0)
		r = cli_sandbox(&shim, "Hold", NULL, err);
	if (r < 0 && run->pod->lock_fd >= 0)
		pod_dir_remove(run->pod, NULL);
	if (r < 0)
		return r;
	r = run->options.detach ? run_detached(run, &shim, &ending, &status, err)
				: run_foreground(run, &shim, begin_ns, &status, err);
	/* Whatever came of it: when we return, nothing runs that nobody asked to. */
	if (!shim.lost && !(r == 0 && status == 0 && run->options.detach))
		cli_task_shut_down(&shim, run->id, NULL);
	else if (r < 0 && (err->code == ECONNRESET || err->code == EPIPE))
		err_set(err, EPIPE,
			"the sandbox's owner process ended unexpectedly; its log is %s/shim.log",
			run->pod->path);
	return r < 0 ? r : (int)status;
}

int cli_run(int argc, char **argv)
{
	struct run what = {.image = IMAGE_INIT};
	uint64_t begin_ns = now_ns();
	struct err err = ERR_INIT;
	int r = run_options_parse(argc, argv, &what.options, &err);

	if (r == 0 && what.options.help) {
		run_options_help();
		return 0;
	}
	if (r == 0) {
		grace_begin();
		r = run(&what, begin_ns, &err);
	}
	image_finish(&what.image);
	pod_dir_free(what.pod);
	return r < 0 ? cli_fail("run", &err) : r;
}
