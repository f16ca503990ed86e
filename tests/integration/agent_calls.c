/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/agent_calls.h"

#include <errno.h>
#include <string.h>

int call_process(const char *method, const char *id, const char *exec_id, struct err *err)
{
	Agent__ProcessRequest req = AGENT__PROCESS_REQUEST__INIT;

	req.id = (char *)(uintptr_t)id;
	req.exec_id = (char *)(uintptr_t)exec_id;
	return host_call(method, &req.base, NULL, err);
}

int call_container(const char *method, const char *id, ProtobufCMessage **ret, struct err *err)
{
	Agent__ContainerRequest req = AGENT__CONTAINER_REQUEST__INIT;

	req.id = (char *)(uintptr_t)id;
	return host_call(method, &req.base, ret, err);
}

int call_kill(const char *id, const char *exec_id, int signo, bool all, struct err *err)
{
	Agent__KillRequest req = AGENT__KILL_REQUEST__INIT;

	req.id = (char *)(uintptr_t)id;
	req.exec_id = (char *)(uintptr_t)exec_id;
	req.signal = (uint32_t)signo;
	req.all = all;
	return host_call("Kill", &req.base, NULL, err);
}

int call_wait(const char *id, const char *exec_id, struct result *result, struct err *err)
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

/* --- lives --------------------------------------------------------------------------------- */

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

int create(struct spec *spec, struct result *result, struct err *err)
{
	give_streams(&spec->streams, spec->process.terminal, result);
	return host_call("Create", &spec->create.base, NULL, err);
}

int exec(struct spec *spec, const char *id, const char *exec_id, struct result *result,
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

bool streams_ended(void *data)
{
	struct result *result = data;

	return result->out->ended && (!result->err || result->err->ended);
}

const char *text(const struct stream *stream)
{
	return stream && stream->data.data ? stream->data.data : "";
}

int begin(struct spec *spec, struct result *result, struct err *err)
{
	int r = create(spec, result, err);

	return r < 0 ? r : call_process("Start", spec->create.id, "", err);
}

int finish(struct spec *spec, struct result *result, struct err *err)
{
	int r = call_wait(spec->create.id, "", result, err);

	if (r < 0)
		return r;
	if (!host_until(streams_ended, result, 5000))
		return err_set(err, ETIMEDOUT, "the streams do not end");
	return call_process("Delete", spec->create.id, "", err);
}

int run(struct spec *spec, struct result *result, struct err *err)
{
	int r = begin(spec, result, err);

	return r < 0 ? r : finish(spec, result, err);
}
