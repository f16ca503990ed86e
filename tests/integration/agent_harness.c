/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/agent_harness.h"

#include <endian.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/loop.h"
#include "common/rpc.h"

struct host host;

uint8_t pattern_at(uint64_t offset)
{
	return (uint8_t)(offset * 131 + (offset >> 8) * 17 + (offset >> 16));
}

/* --- streams ------------------------------------------------------------------------------- */

static void end_stream(struct stream *stream)
{
	source_remove(TAKE_PTR(stream->source));
	close_fd(&stream->fd);
	stream->ended = true;
}

static void send_some(struct stream *stream)
{
	uint8_t buf[65536];

	while (stream->send_left) {
		size_t n = stream->send_left < sizeof(buf) ? stream->send_left : sizeof(buf);
		ssize_t w;

		for (size_t i = 0; i < n; i++)
			buf[i] = stream->send ? (uint8_t)stream->send[stream->sent + i]
					      : pattern_at(stream->sent + i);
		w = send(stream->fd, buf, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (w < 0 && errno == EAGAIN)
			return;
		if (w < 0) {
			stream->send_left = 0;
			return;
		}
		stream->sent += (uint64_t)w;
		stream->send_left -= (uint64_t)w;
	}
	if (stream->close_after) {
		stream->close_after = false;
		shutdown(stream->fd, SHUT_WR);
	}
}

static void update(struct stream *stream)
{
	uint32_t events = (stream->paused ? 0 : EPOLLIN) | (stream->send_left ? EPOLLOUT : 0);

	if (stream->source)
		source_set_events(stream->source, events);
}

static void on_stream(struct source *source, uint32_t events, void *data)
{
	struct stream *stream = data;
	char buf[65536];
	ssize_t n;

	if (events & EPOLLOUT)
		send_some(stream);
	if ((events & (EPOLLIN | EPOLLHUP)) && !stream->paused) {
		n = read(stream->fd, buf, sizeof(buf));
		if (n > 0) {
			for (ssize_t i = 0; stream->discard && i < n; i++) {
				if ((uint8_t)buf[i] != pattern_at(stream->received + (uint64_t)i))
					abort();
			}
			stream->received += (uint64_t)n;
			if (!stream->discard)
				strbuf_add(&stream->data, buf, (size_t)n);
		} else if (n == 0 || errno != EAGAIN) {
			end_stream(stream);
			return;
		}
	}
	update(stream);
}

static void on_connect(struct source *source, uint32_t events, void *data)
{
	_cleanup_close_ int fd = accept4(host.listen_stream, NULL, NULL, SOCK_CLOEXEC);
	uint64_t id;

	if (fd < 0 || io_read_full(fd, &id, sizeof(id)) < 0)
		return;
	id = le64toh(id);
	for (size_t i = 0; i < MAX_STREAMS; i++) {
		struct stream *stream = &host.streams[i];

		if (!stream->id || stream->id != id || stream->fd >= 0)
			continue;
		stream->fd = TAKE_FD(fd);
		io_set_nonblock(stream->fd, true);
		loop_add_io(host.loop, stream->fd, EPOLLIN, on_stream, stream, &stream->source);
		send_some(stream);
		if (!stream->ended)
			update(stream);
		return;
	}
}

struct stream *host_stream(void)
{
	/* The oldest one's place. */
	struct stream *stream = &host.streams[host.next_id % MAX_STREAMS];

	if (stream->id && stream->fd >= 0)
		end_stream(stream);
	strbuf_finish(&stream->data);
	*stream = (struct stream){.id = ++host.next_id, .fd = -1};
	return stream;
}

void host_send(struct stream *stream, const void *data, uint64_t n, bool close_after)
{
	stream->send = data;
	stream->send_left = n;
	stream->sent = 0;
	stream->close_after = close_after;
	if (stream->fd < 0)
		return;
	send_some(stream);
	update(stream);
}

/* --- the monitor and the agent --------------------------------------------------------------- */

static pid_t spawn(char **argv)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execvp(argv[0], argv);
	perror(argv[0]);
	_exit(127);
}

static void on_close(struct rpc_conn *conn, int why, void *data)
{
	host.agent = NULL;
}

static void on_agent(struct source *source, uint32_t events, void *data)
{
	static const struct rpc_config config = {.on_close = on_close, .role = "shim"};
	int fd = accept4(host.listen_agent, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0 && !host.agent)
		rpc_conn_create(host.loop, fd, &config, &host.agent);
}

static bool agent_is_there(void *data)
{
	return host.agent != NULL;
}

bool host_until(bool (*condition)(void *), void *data, int timeout_ms)
{
	uint64_t deadline = now_ns() + (uint64_t)timeout_ms * 1000000u;

	while (!condition(data)) {
		if (now_ns() > deadline || loop_turn(host.loop, 20) < 0)
			return false;
	}
	return true;
}

int host_start(const char *dir, char **argv, struct err *err)
{
	_cleanup_close_ int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct source *source;
	int r;

	r = loop_create(&host.loop);
	if (r >= 0)
		r = sock_listen_at(dir_fd, "vsock_1024", 4, &host.listen_agent);
	if (r >= 0)
		r = sock_listen_at(dir_fd, "vsock_1025", 128, &host.listen_stream);
	if (r >= 0)
		r = loop_add_io(host.loop, host.listen_agent, EPOLLIN, on_agent, NULL, &source);
	if (r >= 0)
		r = loop_add_io(host.loop, host.listen_stream, EPOLLIN, on_connect, NULL, &source);
	if (r < 0)
		return err_set_errno(err, -r, "listening in %s", dir);
	host.vmm = spawn(argv);
	host.vmm_fd = pidfd_open(host.vmm, 0);
	if (!host_until(agent_is_there, NULL, 30000))
		return err_set(err, ETIMEDOUT, "no agent after 30 s");
	return rpc_hello_sync(host.agent, 5000, err);
}

static bool vmm_ended(void *data)
{
	int *status = data;

	return waitpid(host.vmm, status, WNOHANG) == host.vmm;
}

int host_wait_end(int timeout_ms)
{
	int status = -1;

	return host_until(vmm_ended, &status, timeout_ms) ? status : -1;
}

int host_call(const char *method, const ProtobufCMessage *req, ProtobufCMessage **ret,
	      struct err *err)
{
	const struct rpc_invocation inv = {
		.service = &agent__agent__descriptor,
		.method = method,
		.request = req,
		.timeout_ms = 60000,
	};

	if (!host.agent)
		return err_set(err, EPIPE, "the agent's connection is gone");
	*err = (struct err)ERR_INIT;
	return rpc_call_sync(host.agent, &inv, ret, err);
}
