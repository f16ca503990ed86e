/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: between our own streams and pipes of which the shim has the far ends there is
 * a relay each; with a terminal one socket pair carries both directions. Our own descriptors are
 * shared with whoever started us, so they are never switched to non-blocking: pipes and terminals are
 * opened anew for that, which gives an open file of our own.
 *
 * The end: the shim answers Wait once it has written everything into its ends, and closes them; the
 * output relays then run dry and end. Only both together end a session, so nothing is lost to the
 * order in which they come.
 */
#include "shim/cli_session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io.h"
#include "common/loop.h"
#include "common/rpc.h"
#include "shim/relay.h"
#include "shim/terminal.h"
#include "task.pb-c.h"

static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

enum { IN, OUT, ERR, N_CHANNELS };

struct channel {
	struct session *session;
	int own, near; /* our own stream's descriptor; our end of the pipe */
	struct relay *relay;
	bool ended;
};

struct session {
	struct cli_shim *shim;
	const char *id, *exec_id;
	bool tty, holds_signals, started, exited;
	unsigned held; /* of forwarded, a bit each */
	int terminal;
	struct channel channels[N_CHANNELS];
	int far[N_CHANNELS];
	struct session_streams streams;
	struct source *signals[ARRAY_SIZE(forwarded)], *winch;
	sigset_t mask; /* before ours; the loop blocks what it watches */
	uint32_t status;
	struct err err;
};

/* --- our own streams -------------------------------------------------------------------------- */

static int open_own(int fd, int flags)
{
	char path[32];
	struct stat st;
	int own;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		own = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		/* ENXIO: a pipe that nobody reads any more. */
		if (own >= 0 || errno == ENXIO)
			return own < 0 ? -EPIPE : own;
	}
	own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return own < 0 ? -errno : own;
}

static void channel_close(struct channel *channel)
{
	relay_destroy(TAKE_PTR(channel->relay));
	close_fd(&channel->own);
	close_fd(&channel->near);
	channel->ended = true;
}

static void on_relay_end(struct relay *relay, int why, void *data)
{
	struct channel *channel = data;
	struct session *session = channel->session;

	/* A terminal's input does not end with ours: there is no end to be told, and the socket is also
	 * the way out. */
	if (session->tty && channel == &session->channels[IN]) {
		relay_destroy(TAKE_PTR(channel->relay));
		channel->ended = true;
		return;
	}
	channel_close(channel);
}

static int start_channel(struct channel *channel, int fd)
{
	bool in = channel == &channel->session->channels[IN];
	int r;

	channel->own = open_own(fd, in ? O_RDONLY : O_WRONLY);
	if (channel->own < 0) {
		/* Closed, or nobody there: as an end of input, as a broken pipe of output. */
		channel->own = -1;
		channel_close(channel);
		return 0;
	}
	r = relay_create(channel->session->shim->loop, in ? channel->own : channel->near,
			 in ? channel->near : channel->own, on_relay_end, channel, &channel->relay);
	return r;
}

/* --- signals ---------------------------------------------------------------------------------- */

static void on_answer(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	/* A signal that comes too late finds no process; there is nobody to tell. */
}

static void invoke(struct session *session, const char *method, const ProtobufCMessage *request)
{
	const struct rpc_invocation inv = {
		.service = &task__task__descriptor,
		.method = method,
		.request = request,
	};

	rpc_invoke(session->shim->conn, &inv, on_answer, session);
}

static void forward(struct session *session, size_t i)
{
	Task__KillRequest request = TASK__KILL_REQUEST__INIT;
	int signo = forwarded[i];

	if (!session->started && session->holds_signals) {
		session->held |= 1u << i;
		return;
	}
	if (!session->started) {
		terminal_restore();
		_exit(128 + signo);
	}
	request.id = (char *)session->id;
	request.exec_id = (char *)session->exec_id;
	request.signal = (uint32_t)signo;
	invoke(session, "Kill", &request.base);
}

static void on_signal(struct source *source, uint32_t events, void *data)
{
	struct session *session = data;

	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
		if (session->signals[i] == source)
			forward(session, i);
}

static void resize(struct session *session)
{
	Task__ResizePtyRequest request = TASK__RESIZE_PTY_REQUEST__INIT;

	if (!session->tty || terminal_size(session->terminal, &request.height, &request.width) < 0)
		return;
	request.id = (char *)session->id;
	request.exec_id = (char *)session->exec_id;
	invoke(session, "ResizePty", &request.base);
}

static void on_winch(struct source *source, uint32_t events, void *data)
{
	struct session *session = data;

	if (session->started)
		resize(session);
}

static int watch_signals(struct session *session)
{
	struct loop *loop = session->shim->loop;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(forwarded); i++)
		r = loop_add_signal(loop, forwarded[i], on_signal, session, &session->signals[i]);
	if (r == 0 && session->tty)
		r = loop_add_signal(loop, SIGWINCH, on_winch, session, &session->winch);
	return r;
}

void session_hold_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
		sigaddset(&set, forwarded[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* --- the streams' far ends -------------------------------------------------------------------- */

static const char *add_far(struct session *session, int fd)
{
	static const char *const uris[] = {"fd:0", "fd:1", "fd:2"};
	size_t n = session->streams.n_fds++;

	session->far[n] = session->streams.fds[n] = fd;
	return uris[n];
}

static int make_pipe(struct session *session, unsigned which, const char **ret_uri)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	session->channels[which].near = pair[which == IN ? 1 : 0];
	*ret_uri = add_far(session, pair[which == IN ? 0 : 1]);
	return 0;
}

static int make_terminal(struct session *session, const struct session_options *options)
{
	struct channel *channels = session->channels;
	int pair[2], r = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	channels[OUT].near = pair[0];
	session->streams.out = add_far(session, pair[1]);
	if (options->interactive) {
		channels[IN].near = fcntl(pair[0], F_DUPFD_CLOEXEC, 3);
		session->streams.in = session->streams.out;
		if (channels[IN].near < 0)
			return -errno;
		r = terminal_make_raw(session->terminal, options->onlcr);
	}
	return r;
}

static int make_streams(struct session *session, const struct session_options *options)
{
	int r = 0;

	if (session->tty)
		return make_terminal(session, options);
	if (options->interactive)
		r = make_pipe(session, IN, &session->streams.in);
	if (r == 0)
		r = make_pipe(session, OUT, &session->streams.out);
	if (r == 0)
		r = make_pipe(session, ERR, &session->streams.err);
	return r;
}

/* --- life ------------------------------------------------------------------------------------- */

int session_check(const struct session_options *options, struct err *err)
{
	if (options->tty && options->interactive && !isatty(options->terminal))
		return err_set(err, ENOTTY, "-t: standard input is not a terminal; leave -t out");
	return 0;
}

int session_create(struct cli_shim *shim, const struct session_options *options,
		   struct session **ret, struct session_streams *ret_streams, struct err *err)
{
	_cleanup_(session_destroy_p) struct session *session = NULL;
	int r = session_check(options, err);

	if (r < 0)
		return r;
	session = calloc(1, sizeof(*session));
	if (!session)
		return err_set(err, ENOMEM, "out of memory");
	session->shim = shim;
	session->id = options->id;
	session->exec_id = options->exec_id;
	session->tty = options->tty;
	session->holds_signals = options->holds_signals;
	session->terminal = options->terminal;
	session->streams = (struct session_streams){.in = "", .out = "", .err = ""};
	for (unsigned i = 0; i < N_CHANNELS; i++) {
		session->channels[i] = (struct channel){.session = session, .own = -1, .near = -1};
		session->far[i] = -1;
	}
	sigprocmask(SIG_SETMASK, NULL, &session->mask);
	r = watch_signals(session);
	if (r == 0)
		r = make_streams(session, options);
	if (r < 0)
		return err_set_errno(err, -r, "cannot make the streams");
	*ret_streams = session->streams;
	*ret = TAKE_PTR(session);
	return 0;
}

void session_destroy(struct session *session)
{
	if (!session)
		return;
	terminal_restore();
	for (unsigned i = 0; i < N_CHANNELS; i++) {
		channel_close(&session->channels[i]);
		close_fd(&session->far[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
		source_remove(session->signals[i]);
	source_remove(session->winch);
	sigprocmask(SIG_SETMASK, &session->mask, NULL);
	free(session);
}

int session_attach(struct session *session, struct err *err)
{
	int r = 0;

	for (unsigned i = 0; i < N_CHANNELS; i++)
		close_fd(&session->far[i]);
	for (unsigned i = 0; r == 0 && i < N_CHANNELS; i++) {
		if (session->channels[i].near >= 0)
			r = start_channel(&session->channels[i], (int)i);
		else
			session->channels[i].ended = true;
	}
	/* A container's own process waits for its start with the terminal made: it finds the right size. */
	if (r == 0 && !session->exec_id[0])
		resize(session);
	return r < 0 ? err_set_errno(err, -r, "cannot relay the streams") : 0;
}

void session_started(struct session *session)
{
	session->started = true;
	resize(session);
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
		if (session->held & 1u << i)
			forward(session, i);
}

static void on_exit_reply(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	struct session *session = data;

	session->exited = true;
	if (err)
		session->err = *err;
	else
		session->status = ((const Task__WaitResponse *)reply)->exit_status;
}

int session_wait(struct session *session, uint32_t *ret_status, struct err *err)
{
	Task__WaitRequest request = TASK__WAIT_REQUEST__INIT;
	const struct rpc_invocation inv = {
		.service = &task__task__descriptor,
		.method = "Wait",
		.request = &request.base,
	};
	int r;

	request.id = (char *)session->id;
	request.exec_id = (char *)session->exec_id;
	r = rpc_invoke(session->shim->conn, &inv, on_exit_reply, session);
	while (r >= 0 && !(session->exited &&
			   (session->err.code ||
			    (session->channels[OUT].ended && session->channels[ERR].ended))))
		r = loop_turn(session->shim->loop, -1);
	if (r < 0)
		return err_set_errno(err, -r, "cannot wait for the end");
	if (session->err.code && session->shim->lost)
		return err_set(err, EPIPE, "the sandbox's owner process ended unexpectedly");
	if (session->err.code) {
		*err = session->err;
		return -err->code;
	}
	*ret_status = session->status;
	return 0;
}
