/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: three streams at most, each one relay between a client's descriptor and a
 * guest connection; with a terminal the first two share one connection and there is no third.
 *
 * A stream's end travels: the end of a client's input half-closes the guest connection, the end of
 * a guest's output closes the client's descriptor. An output stream that has a client is drained
 * once its relay has ended. A process has exited when the agent says so *and* its output streams are
 * drained; the agent's word alone comes while bytes are still on their way.
 */
#include "shim/stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/io.h"
#include "common/loop.h"
#include "common/opts.h"
#include "common/rpc.h"
#include "shim/binary_log.h"
#include "shim/log_file.h"
#include "shim/relay.h"
#include "shim/stream_hub.h"
#include "shim/uri.h"

#define LOG_FLAGS (O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW)

enum { STREAM_IN, STREAM_OUT, STREAM_ERR, N_STREAMS };

struct stream {
	struct stdio *stdio;
	int client, guest; /* -1: none, or not yet, or no more */
	struct relay *relay;
	struct stream_wait *wait;
	bool ended, is_log;
};

struct stdio {
	struct loop *loop;
	struct stream streams[N_STREAMS];
	bool terminal, clear_onlcr, own_files;
	int keep_fifo; /* a fifo's write end: no end of input until the client says so */
	bool in_is_fifo;
	struct binary_log *binary; /* the program that takes the output; NULL: none */
	struct source *tell;
	bool told;
	stdio_fn drained;
	void *data;
};

bool stdio_is_drained(const struct stdio *stdio)
{
	return stdio->streams[STREAM_OUT].ended && stdio->streams[STREAM_ERR].ended;
}

static void on_tell(struct source *source, uint32_t events, void *data)
{
	struct stdio *stdio = data;

	if (stdio->told)
		return;
	stdio->told = true;
	stdio->drained(stdio, stdio->data);
}

static void stream_close(struct stream *stream)
{
	relay_destroy(TAKE_PTR(stream->relay));
	stream_wait_cancel(TAKE_PTR(stream->wait));
	close_fd(&stream->client);
	close_fd(&stream->guest);
	stream->ended = true;
	if (stdio_is_drained(stream->stdio) && !stream->stdio->told)
		source_defer(stream->stdio->tell);
}

static void on_relay_end(struct relay *relay, int why, void *data)
{
	struct stream *stream = data;
	struct stdio *stdio = stream->stdio;

	if (stream != &stdio->streams[STREAM_IN]) {
		stream_close(stream);
		return;
	}
	/* The guest's end stays open, half-closed, so that nothing on its way is cut off. */
	relay_destroy(TAKE_PTR(stream->relay));
	close_fd(&stream->client);
	if (!stdio->terminal)
		shutdown(stream->guest, SHUT_WR);
}

static void start_relay(struct stream *stream)
{
	bool in = stream == &stream->stdio->streams[STREAM_IN];
	int r;

	if (stream->client < 0 || stream->guest < 0)
		return;
	r = relay_create(stream->stdio->loop, in ? stream->client : stream->guest,
			 in ? stream->guest : stream->client, on_relay_end, stream, &stream->relay);
	if (r < 0)
		stream_close(stream);
	else if (stream->is_log)
		relay_keep(stream->relay, LOG_FILE_KEEP);
}

static void on_guest(int fd, void *data)
{
	struct stream *stream = data;
	struct stream *in = &stream->stdio->streams[STREAM_IN];

	stream->wait = NULL;
	stream->guest = fd;
	if (stream->stdio->terminal && stream != in && in->client >= 0) {
		in->guest = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		start_relay(in);
	}
	/* No more input was announced before the guest had dialled. */
	if (stream == in && stream->client < 0)
		shutdown(fd, SHUT_WR);
	start_relay(stream);
}

/* --- the client's ends ------------------------------------------------------------------------ */

static int take_fd_of(struct rpc_call *call, const char *number, int *ret, struct err *err)
{
	uint64_t index;
	int fd;

	if (!call || parse_uint(number, &index) < 0 || index >= IO_MAX_FDS)
		return err_set(err, EINVAL, "stream fd:%.20s: not a number of a descriptor",
			       number);
	fd = rpc_call_take_fd(call, (size_t)index);
	if (fd < 0)
		return err_set(err, EINVAL, "stream fd:%.20s: no such descriptor came along",
			       number);
	io_set_nonblock(fd, true);
	*ret = fd;
	return 0;
}

static int open_path(const char *path, int flags, int *ret, struct err *err)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0600);

	if (fd < 0)
		return err_set_errno(err, errno, "stream %s", path);
	*ret = fd;
	return 0;
}

/*
 * A fifo is opened for both directions: opening does not wait for the other side, and a reader that
 * comes and goes (containerd restarts) breaks nothing.
 */
static int open_fifo(struct stdio *stdio, unsigned which, const char *path, int *ret,
		     struct err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_set_errno(err, errno, "stream %s", path);
	if (!S_ISFIFO(st.st_mode))
		return err_set(err, EINVAL, "stream %s: not a fifo", path);
	if (which == STREAM_IN) {
		int r = open_path(path, O_RDWR | O_NONBLOCK, &stdio->keep_fifo, err);

		stdio->in_is_fifo = true;
		return r < 0 ? r : open_path(path, O_RDONLY | O_NONBLOCK, ret, err);
	}
	return open_path(path, O_RDWR | O_NONBLOCK, ret, err);
}

static int make_parents(char *path)
{
	char *slash = strrchr(path, '/');
	int r;

	*slash = '\0';
	r = io_mkdirs(path, 0755);
	*slash = '/';
	return r;
}

/* As containerd's own shim makes it: whoever collects logs need not be root, so our umask does not count. */
static int open_log_file(const char *uri, int *ret, struct err *err)
{
	_cleanup_free_ char *path = NULL;
	int fd, r = uri_file_path(uri, &path, err);
	mode_t mask;

	if (r < 0)
		return r;
	mask = umask(0022);
	fd = open(path, LOG_FLAGS | O_CLOEXEC | O_NOCTTY, 0644);
	if (fd < 0 && errno == ENOENT) {
		r = make_parents(path);
		fd = r < 0 ? r : open(path, LOG_FLAGS | O_CLOEXEC | O_NOCTTY, 0644);
		if (r < 0)
			errno = -r;
	}
	r = fd < 0 ? err_set_errno(err, errno, "stream %s", path) : 0;
	umask(mask);
	if (r == 0)
		*ret = fd;
	return r;
}

static int open_client(struct stdio *stdio, unsigned which, struct rpc_call *call, const char *uri,
		       struct err *err)
{
	int *ret = &stdio->streams[which].client;

	if (strncmp(uri, "fd:", 3) == 0)
		return take_fd_of(call, uri + 3, ret, err);
	if (strncmp(uri, URI_FILE, strlen(URI_FILE)) == 0) {
		if (which == STREAM_IN)
			return err_set(err, EINVAL, "stream %s: stdin cannot be a file", uri);
		stdio->streams[which].is_log = stdio->own_files;
		/* sbx's own is a plain path in the pod's directory, and its user's alone. */
		if (stdio->own_files)
			return open_path(uri + strlen(URI_FILE), LOG_FLAGS, ret, err);
		return open_log_file(uri, ret, err);
	}
	if (strncmp(uri, "fifo://", 7) == 0)
		return open_fifo(stdio, which, uri + 7, ret, err);
	if (uri[0] == '/')
		return open_fifo(stdio, which, uri, ret, err);
	return err_set(err, EINVAL, "stream %.200s: not a form that is supported", uri);
}

/* Both outputs are one program's; with a terminal there is nothing on its second descriptor. */
static int open_program(struct stdio *stdio, const struct stdio_request *request, struct err *err)
{
	int fds[2];
	int r = binary_log_start(stdio->loop, request->out, request->id ? request->id : "",
				 request->namespace ? request->namespace : "", fds, &stdio->binary,
				 err);

	if (r < 0)
		return r;
	stdio->streams[STREAM_OUT].client = fds[0];
	if (stdio->terminal)
		close(fds[1]);
	else
		stdio->streams[STREAM_ERR].client = fds[1];
	return 0;
}

static bool is_program(const char *uri)
{
	return strncmp(uri, BINARY_LOG_SCHEME, strlen(BINARY_LOG_SCHEME)) == 0;
}

int stdio_create(struct loop *loop, struct rpc_call *call, const struct stdio_request *request,
		 stdio_fn drained, void *data, struct stdio **ret, struct err *err)
{
	_cleanup_(stdio_destroy_p) struct stdio *stdio = calloc(1, sizeof(*stdio));
	const char *uris[N_STREAMS] = {request->in, request->out,
				       request->terminal ? "" : request->err};
	int r;

	if (!stdio)
		return err_set(err, ENOMEM, "out of memory");
	stdio->loop = loop;
	stdio->terminal = request->terminal;
	stdio->clear_onlcr = request->clear_onlcr;
	stdio->own_files = request->own_files;
	stdio->drained = drained;
	stdio->data = data;
	stdio->keep_fifo = -1;
	for (unsigned i = 0; i < N_STREAMS; i++)
		stdio->streams[i] = (struct stream){.stdio = stdio, .client = -1, .guest = -1};
	r = loop_add_defer(loop, on_tell, stdio, &stdio->tell);
	if (r < 0)
		return err_set_errno(err, -r, "cannot watch the streams");
	if (is_program(request->out)) {
		r = open_program(stdio, request, err);
		if (r < 0)
			return r;
	}
	for (unsigned i = 0; i < N_STREAMS; i++) {
		struct stream *stream = &stdio->streams[i];

		if (stream->client >= 0)
			continue;
		if (!uris[i][0]) {
			stream->ended = true;
			continue;
		}
		/* A terminal's client may have one descriptor for both directions. */
		if (i == STREAM_OUT && request->terminal && strcmp(uris[i], request->in) == 0 &&
		    strncmp(uris[i], "fd:", 3) == 0) {
			stream->client =
				fcntl(stdio->streams[STREAM_IN].client, F_DUPFD_CLOEXEC, 3);
			r = stream->client < 0 ? err_set_errno(err, errno, "dup") : 0;
		} else {
			r = open_client(stdio, i, call, uris[i], err);
		}
		if (r < 0)
			return r;
	}
	*ret = TAKE_PTR(stdio);
	return 0;
}

void stdio_destroy(struct stdio *stdio)
{
	if (!stdio)
		return;
	stdio->told = true;
	stdio_drop(stdio);
	binary_log_end(stdio->binary);
	source_remove(stdio->tell);
	free(stdio);
}

/* --- the guest's ends ------------------------------------------------------------------------- */

static int expect(struct stdio *stdio, unsigned which, struct stream_hub *hub, uint64_t *ret_id)
{
	struct stream *stream = &stdio->streams[which];

	if (stream->ended)
		return 0;
	return stream_hub_expect(hub, on_guest, stream, ret_id, &stream->wait);
}

int stdio_expect(struct stdio *stdio, struct stream_hub *hub, Agent__Streams *ret)
{
	int r = expect(stdio, STREAM_OUT, hub, &ret->stdout);

	ret->clear_onlcr = stdio->clear_onlcr;
	if (r == 0 && !stdio->terminal)
		r = expect(stdio, STREAM_IN, hub, &ret->stdin);
	if (r == 0)
		r = expect(stdio, STREAM_ERR, hub, &ret->stderr);
	/* Nothing to drain at all is drained. */
	if (r == 0 && stdio_is_drained(stdio))
		source_defer(stdio->tell);
	return r;
}

void stdio_close_stdin(struct stdio *stdio)
{
	struct stream *in = &stdio->streams[STREAM_IN];

	/* With a fifo the client's own end comes next, after what it still holds. */
	if (stdio->in_is_fifo) {
		close_fd(&stdio->keep_fifo);
		return;
	}
	relay_destroy(TAKE_PTR(in->relay));
	close_fd(&in->client);
	if (in->guest >= 0 && !stdio->terminal)
		shutdown(in->guest, SHUT_WR);
}

void stdio_drop(struct stdio *stdio)
{
	close_fd(&stdio->keep_fifo);
	for (unsigned i = 0; i < N_STREAMS; i++)
		stream_close(&stdio->streams[i]);
}
