/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile agent, as the shim hears it: hello, Setup and then what the shim asks of every container, each
 * answered with the fuzzer's bytes in a well formed frame, so that what is inside is reached. Between the
 * answers come frames that nobody asked for. Numbers that are the guest's word are put into containerd's
 * metrics.
 *
 * The input is a list of {kind, length (2 bytes), bytes}: kind 0 to 1 the payload of the next answer, 2 an
 * error, 3 an answer to a number of the input's own, 4 bytes as they are.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/io.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/ports.h"
#include "common/ttrpc.h"
#include "shim/agent_client.h"
#include "shim/task_stats.h"
#include "ttrpc.pb-c.h"

#define MAX_STEPS 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct loop *loop;
	struct agent_client *client;
	int peer;
	uint32_t stream; /* of the next answer */
	bool lost;
} f;

static void on_stats(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	for (int legacy = 0; reply && legacy < 2; legacy++) {
		Google__Any any = GOOGLE__ANY__INIT;

		if (task_stats_pack((const Agent__StatsResponse *)reply, legacy, &any) == 0)
			free(any.value.data);
	}
}

/* What is read of an answer is read: a pointer or length of its own would be found. */
static void on_reply(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	if (reply)
		(void)protobuf_c_message_get_packed_size(reply);
}

static void on_connected(void *data)
{
}

static void on_ready(const Agent__SetupResponse *setup, void *data)
{
	static const Google__Empty empty = GOOGLE__EMPTY__INIT;
	static const Agent__ContainerRequest one = AGENT__CONTAINER_REQUEST__INIT;
	static const Agent__ProcessRequest process = AGENT__PROCESS_REQUEST__INIT;
	static const Agent__OomRequest oom = AGENT__OOM_REQUEST__INIT;

	on_reply(&setup->base, NULL, NULL);
	agent_client_call(f.client, "Stats", &one.base, 0, on_stats, NULL);
	agent_client_call(f.client, "Pids", &one.base, 0, on_reply, NULL);
	agent_client_call(f.client, "Wait", &process.base, 0, on_reply, NULL);
	agent_client_call(f.client, "WaitOom", &oom.base, 0, on_reply, NULL);
	agent_client_call(f.client, "Shutdown", &empty.base, 0, on_reply, NULL);
}

static void on_lost(const struct err *err, void *data)
{
	if (f.lost)
		abort(); /* said once */
	f.lost = true;
}

static void turns(void)
{
	for (int i = 0; i < 4; i++)
		loop_turn(f.loop, 0);
}

/* Nobody reads what the shim says: it is as well formed as the shim is. */
static void drain(void)
{
	char sink[4096];

	while (read(f.peer, sink, sizeof(sink)) > 0)
		;
}

static void put_frame(uint32_t stream, const uint8_t *body, size_t size)
{
	const struct ttrpc_header header = {
		.length = (uint32_t)size, .stream = stream, .type = TTRPC_RESPONSE};
	uint8_t head[TTRPC_HEADER_SIZE];

	ttrpc_header_encode(&header, head);
	if (write(f.peer, head, sizeof(head)) < 0 || write(f.peer, body, size) < 0)
		return;
}

static void answer(uint32_t stream, const uint8_t *payload, size_t size, bool error)
{
	Ttrpc__Response response = TTRPC__RESPONSE__INIT;
	Ttrpc__Status status = TTRPC__STATUS__INIT;
	static uint8_t packed[70000];
	char text[64] = "";

	response.payload = (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)payload};
	if (error) {
		status.code = size ? payload[0] : 0;
		for (size_t i = 0; i + 1 < sizeof(text) && i + 1 < size; i++)
			text[i] = (char)(payload[i + 1] & 0x7f);
		status.message = text;
		response.status = &status;
		response.payload.len = 0;
	}
	put_frame(stream, packed, protobuf_c_message_pack(&response.base, packed));
}

static void greet(void)
{
	Ttrpc__HelloMessage hello = TTRPC__HELLO_MESSAGE__INIT;
	uint8_t packed[128];

	hello.major = RPC_MAJOR;
	hello.role = (char *)(uintptr_t) "agent";
	answer(f.stream, packed, protobuf_c_message_pack(&hello.base, packed), false);
	f.stream += 2;
}

static void step(unsigned kind, const uint8_t *body, size_t size)
{
	switch (kind % 5) {
	case 0:
	case 1:
		answer(f.stream, body, size, false);
		f.stream += 2;
		break;
	case 2:
		answer(f.stream, body, size, true);
		f.stream += 2;
		break;
	case 3:
		if (size)
			answer(body[0], body + 1, size - 1, size & 1);
		break;
	default:
		if (write(f.peer, body, size) < 0)
			return;
	}
	turns();
	drain();
}

static int dial(int dirfd)
{
	int fd = -1;

	if (sock_connect_at(dirfd, PORT_SOCKET(PORT_AGENT), &fd) < 0)
		abort();
	io_set_nonblock(fd, true);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct agent_setup setup = {.hostname = "h", .cpus = 1};
	static const struct agent_events events = {
		.connected = on_connected, .ready = on_ready, .lost = on_lost};
	static char dir[] = "/tmp/sbx-fuzz-XXXXXX";
	static int dirfd = -1;

	if (dirfd < 0) {
		log_open(-1, LOG_ERROR, "fuzz");
		if (!mkdtemp(dir) || (dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
			abort();
	}
	f.stream = 1;
	f.lost = false;
	if (loop_create(&f.loop) < 0 ||
	    agent_client_create(f.loop, dirfd, &setup, &events, &f.client, NULL) < 0)
		abort();
	f.peer = dial(dirfd);
	turns();
	if (size && data[0] & 1)
		greet();
	for (unsigned i = 0; i < MAX_STEPS && size >= 3; i++) {
		size_t n = (size_t)data[1] << 8 | data[2];
		unsigned kind = data[0] >> 1;

		data += 3;
		size -= 3;
		if (n > size)
			n = size;
		step(kind, data, n);
		data += n;
		size -= n;
	}
	agent_client_destroy(f.client);
	loop_destroy(f.loop);
	close(f.peer);
	unlinkat(dirfd, PORT_SOCKET(PORT_AGENT), 0);
	return 0;
}
