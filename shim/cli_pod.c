/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/cli_pod.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "any.pb-c.h"
#include "common/io.h"
#include "common/loop.h"
#include "common/opts.h"
#include "common/rpc.h"
#include "sbx.pb-c.h"
#include "shim/cli.h"
#include "shim/pod_socket.h"
#include "shim/shim.h"
#include "task.pb-c.h"

#define HELLO_TIMEOUT_MS 60000

int cli_fail(const char *verb, const struct err *err)
{
	char line[sizeof(err->msg)];
	size_t n = 0;

	/* Some of it may be the guest's words; they are not to drive a person's terminal. */
	for (; err->msg[n] && n + 1 < sizeof(line); n++)
		line[n] = (unsigned char)err->msg[n] < 0x20 || err->msg[n] == 0x7f ? '?'
										   : err->msg[n];
	line[n] = '\0';
	fprintf(stderr, "sbx: %s: %s\n", verb, line);
	return CLI_FAILED;
}

/* --- finding ---------------------------------------------------------------------------------- */

struct search {
	const char *ref;
	char id[POD_ID_MAX + 1];
	unsigned n_prefix;
	bool exact;
};

static int look_at(struct pod_dir *pod, void *data)
{
	_cleanup_record_ struct record record = {0};
	struct search *search = data;
	bool named;

	named = pod_dir_read_record(pod, &record, NULL) == 0 && record.name &&
		strcmp(record.name, search->ref) == 0;
	if (!named && strncmp(pod->id, search->ref, strlen(search->ref)) != 0)
		return 0;
	if (search->exact)
		return 0;
	search->exact = named || strcmp(pod->id, search->ref) == 0;
	search->n_prefix++;
	snprintf(search->id, sizeof(search->id), "%s", pod->id);
	return 0;
}

int cli_find_pod(const char *ref, struct pod_dir **ret, struct record *ret_record, struct err *err)
{
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = NULL;
	struct search search = {.ref = ref};
	int r;

	if (!ref[0])
		return err_set(err, EINVAL, "an empty name");
	r = pod_dir_sweep(SHIM_OWN_NAMESPACE, err);
	if (r == 0)
		r = pod_dir_for_each(SHIM_OWN_NAMESPACE, look_at, &search, err);
	if (r < 0)
		return r;
	if (search.n_prefix == 0)
		return err_set(err, ENOENT, "%.80s: no such sandbox; sbx ps -a lists them", ref);
	if (search.n_prefix > 1 && !search.exact)
		return err_set(err, EINVAL, "%.80s: fits several sandboxes; give more of the id",
			       ref);
	r = pod_dir_open(SHIM_OWN_NAMESPACE, search.id, &pod, err);
	if (r == 0 && ret_record)
		r = pod_dir_read_record(pod, ret_record, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(pod);
	return 0;
}

/* --- asking ----------------------------------------------------------------------------------- */

static void on_close(struct rpc_conn *conn, int why, void *data)
{
	struct cli_shim *shim = data;

	shim->lost = true;
}

int cli_shim_open(int fd, struct cli_shim *ret, struct err *err)
{
	const struct rpc_config config = {.data = ret, .on_close = on_close, .role = "cli"};
	int r;

	*ret = (struct cli_shim){0};
	r = loop_create(&ret->loop);
	if (r < 0)
		close(fd);
	else
		r = rpc_conn_create(ret->loop, fd, &config, &ret->conn);
	if (r < 0) {
		cli_shim_close(ret);
		return err_set_errno(err, -r, "cannot talk to the shim");
	}
	return rpc_hello_sync(ret->conn, HELLO_TIMEOUT_MS, err);
}

int cli_shim_connect(const struct pod_dir *pod, struct cli_shim *ret, struct err *err)
{
	_cleanup_close_ int dirfd = -1;
	char name[33];
	int fd = -1, r = pod_socket_dir(&dirfd, NULL, err);

	if (r < 0)
		return r;
	pod_socket_name(pod->namespace, pod->id, name);
	r = sock_connect_at(dirfd, name, &fd);
	if (r == -ENOENT || r == -ECONNREFUSED)
		return err_set(err, ENOENT, "%s has ended", pod->id);
	if (r < 0)
		return err_set_errno(err, -r, "cannot reach the shim of %s", pod->id);
	return cli_shim_open(fd, ret, err);
}

void cli_shim_close(struct cli_shim *shim)
{
	rpc_conn_close(shim->conn);
	loop_destroy(shim->loop);
	*shim = (struct cli_shim){0};
}

int cli_task(struct cli_shim *shim, const char *method, const ProtobufCMessage *request,
	     const int *fds, size_t n_fds, ProtobufCMessage **ret_reply, struct err *err)
{
	const struct rpc_invocation inv = {
		.service = &task__task__descriptor,
		.method = method,
		.request = request,
		.fds = fds,
		.n_fds = n_fds,
	};

	return rpc_call_sync(shim->conn, &inv, ret_reply, err);
}

int cli_sandbox(struct cli_shim *shim, const char *method, ProtobufCMessage **ret_reply,
		struct err *err)
{
	static const Google__Empty empty = GOOGLE__EMPTY__INIT;
	const struct rpc_invocation inv = {
		.service = &sandbox__sandbox__descriptor,
		.method = method,
		.request = &empty.base,
	};

	return rpc_call_sync(shim->conn, &inv, ret_reply, err);
}

int cli_task_kill(struct cli_shim *shim, const char *id, int timeout_ms, uint32_t signo,
		  struct err *err)
{
	Task__KillRequest request = TASK__KILL_REQUEST__INIT;
	const struct rpc_invocation inv = {
		.service = &task__task__descriptor,
		.method = "Kill",
		.request = &request.base,
		.timeout_ms = timeout_ms,
	};

	request.id = (char *)id;
	request.signal = signo;
	return rpc_call_sync(shim->conn, &inv, NULL, err);
}

int cli_task_wait(struct cli_shim *shim, const char *id, int timeout_ms, uint32_t *ret_status,
		  struct err *err)
{
	Task__WaitRequest request = TASK__WAIT_REQUEST__INIT;
	const struct rpc_invocation inv = {
		.service = &task__task__descriptor,
		.method = "Wait",
		.request = &request.base,
		.timeout_ms = timeout_ms,
	};
	ProtobufCMessage *reply = NULL;
	int r;

	request.id = (char *)id;
	r = rpc_call_sync(shim->conn, &inv, &reply, err);
	if (r < 0)
		return r;
	*ret_status = ((Task__WaitResponse *)reply)->exit_status;
	protobuf_c_message_free_unpacked(reply, NULL);
	return 0;
}

int cli_task_end(struct cli_shim *shim, const char *id, int timeout_ms, struct err *err)
{
	uint32_t status;
	int r = cli_task_kill(shim, id, timeout_ms, SIGKILL, err);

	/* On its way: nothing of it runs yet, and its Delete ends that. */
	if (r == -EBUSY)
		return 0;
	/* What has ended already may be waited for still. */
	if (r != -ETIMEDOUT)
		r = cli_task_wait(shim, id, timeout_ms, &status, err);
	return r;
}

void cli_shim_await_end(struct cli_shim *shim, int ms)
{
	uint64_t begin = now_ns(), gone_ms = 0;

	while (shim->conn && !shim->lost && gone_ms < (uint64_t)ms) {
		if (loop_turn(shim->loop, ms - (int)gone_ms) < 0)
			return;
		gone_ms = (now_ns() - begin) / 1000000;
	}
}

int cli_task_shut_down(struct cli_shim *shim, const char *id, struct err *err)
{
	Task__ShutdownRequest request = TASK__SHUTDOWN_REQUEST__INIT;
	int r;

	request.id = (char *)id;
	request.now = true;
	r = cli_task(shim, "Shutdown", &request.base, NULL, 0, NULL, err);
	while (r == 0 && !shim->lost)
		r = loop_turn(shim->loop, -1);
	return r;
}

int cli_parse_signal(const char *text)
{
	uint64_t n;

	if (parse_uint(text, &n) == 0)
		return n > 0 && n < (uint64_t)NSIG ? (int)n : -EINVAL;
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (int signo = 1; signo < NSIG; signo++) {
		const char *name = sigabbrev_np(signo);

		if (name && strcasecmp(name, text) == 0)
			return signo;
	}
	return -EINVAL;
}
