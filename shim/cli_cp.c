/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sbx cp: files into a running sandbox and out of it.
 *
 * Theory of Operation: the far end is an exec of the agent's that is a copy (proto/agent.proto), with a
 * tree of files (common/tree.h) as its input or output. What comes out of a guest is a stranger's: it is
 * received beneath one directory, without following links, and never setuid.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "any.pb-c.h"
#include "common/io.h"
#include "common/path.h"
#include "common/tree.h"
#include "shim/cli.h"
#include "shim/cli_pod.h"
#include "task.pb-c.h"

#define MAX_WORDS 65536

struct cp_options {
	bool archive, help;
};

static const struct opt rows[] = {
	CLI_OPT(cp_options, 'a', "archive", FLAG, archive, NULL, "keep the files' owners"),
	CLI_OPT(cp_options, 'h', "help", FLAG, help, NULL, "this text"),
};

static const struct opts_spec spec = CLI_OPTS("sbx cp [options] SANDBOX:PATH PATH\n"
					      "       sbx cp [options] PATH SANDBOX:PATH",
					      rows);

/* One copy and its exec. */
struct copying {
	struct cli_shim shim;
	const char *id;
	char exec_id[24];
	Task__Copy request;
	int data, words; /* our ends of its stream and of its standard error */
};

static int open_pipe(int *ret_read, int *ret_write)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	*ret_read = pair[0];
	*ret_write = pair[1];
	return 0;
}

static int add(struct copying *c, struct err *err)
{
	char type[] = "types.containerd.io/opencontainers/runtime-spec/1/Process";
	static const char process[] = "{\"args\":[\"cp\"],\"cwd\":\"/\"}";
	char first[] = "fd:0", second[] = "fd:1", none[] = "";
	Task__ExecProcessRequest request = TASK__EXEC_PROCESS_REQUEST__INIT;
	_cleanup_close_ int far = -1, words = -1;
	Google__Any any = GOOGLE__ANY__INIT;
	bool in = c->request.in;
	int r = in ? open_pipe(&far, &c->data) : open_pipe(&c->data, &far);

	if (r == 0)
		r = open_pipe(&c->words, &words);
	if (r < 0)
		return err_set_errno(err, -r, "pipe");
	any.type_url = type;
	any.value.data = (uint8_t *)(uintptr_t)process;
	any.value.len = strlen(process);
	request.id = (char *)(uintptr_t)c->id;
	request.exec_id = c->exec_id;
	request.stdin = in ? first : none;
	request.stdout = in ? none : first;
	request.stderr = second;
	request.spec = &any;
	request.copy = &c->request;
	request.stand_in = (uint32_t)getpid();
	return cli_task(&c->shim, "Exec", &request.base, (const int[]){far, words}, 2, NULL, err);
}

static int start(struct copying *c, struct err *err)
{
	Task__StartRequest request = TASK__START_REQUEST__INIT;

	request.id = (char *)(uintptr_t)c->id;
	request.exec_id = c->exec_id;
	return cli_task(&c->shim, "Start", &request.base, NULL, 0, NULL, err);
}

/* Prints what the far end has to say, a line each, but for the last: that is why it failed, if it did. */
static void read_words(int fd, struct err *ret_last)
{
	_cleanup_free_ char *text = malloc(MAX_WORDS + 1);
	char *line, *save = NULL, *last = NULL;
	size_t n = 0;

	while (text && n < MAX_WORDS) {
		ssize_t got = read(fd, text + n, MAX_WORDS - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	if (!text)
		return;
	/* A guest's words are not to reach the terminal's own language. */
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)text[i] < ' ' && text[i] != '\n') || text[i] == 0x7f)
			text[i] = '?';
	text[n] = '\0';
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (last)
			fprintf(stderr, "sbx: cp: %s\n", last);
		last = line;
	}
	if (last)
		err_set(ret_last, EIO, "%.400s", last);
}

static int wait_end(struct copying *c, uint32_t *ret_status, struct err *err)
{
	Task__DeleteRequest delete = TASK__DELETE_REQUEST__INIT;
	Task__WaitRequest request = TASK__WAIT_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;
	int r;

	request.id = delete.id = (char *)(uintptr_t)c->id;
	request.exec_id = delete.exec_id = c->exec_id;
	r = cli_task(&c->shim, "Wait", &request.base, NULL, 0, &reply, err);
	if (r < 0)
		return r;
	*ret_status = ((Task__WaitResponse *)reply)->exit_status;
	protobuf_c_message_free_unpacked(reply, NULL);
	cli_task(&c->shim, "Delete", &delete.base, NULL, 0, NULL, NULL);
	return 0;
}

/* near does our half of it. Whoever failed first has the better reason, and closes the stream. */
static int run_copy(struct copying *c, int (*near)(struct copying *c, void *data, struct err *err),
		    void *data, struct err *err)
{
	struct err ours = ERR_INIT, theirs = ERR_INIT;
	uint32_t status = 0;
	int r = add(c, err);

	if (r == 0)
		r = start(c, err);
	if (r < 0)
		return r;
	near(c, data, &ours);
	close_fd(&c->data);
	read_words(c->words, &theirs);
	r = wait_end(c, &status, err);
	if (r < 0)
		return r;
	if (status == 0 && theirs.code)
		fprintf(stderr, "sbx: cp: %s\n", theirs.msg);
	if (ours.code && (ours.code != EPIPE || !status || !theirs.code))
		return err_set(err, ours.code, "%s", ours.msg);
	if (status == 0)
		return 0;
	return err_set(err, EIO, "%s",
		       theirs.code ? theirs.msg : "the sandbox has not finished the copy");
}

/* --- the two ways ----------------------------------------------------------------------------- */

struct near_end {
	int dirfd;
	char name[NAME_MAX + 1];
	bool keep_owners;
};

static void left_out(const char *name, const char *why, void *data)
{
	fprintf(stderr, "sbx: cp: %s: left out: %s\n", name, why);
}

static int near_send(struct copying *c, void *data, struct err *err)
{
	const struct near_end *end = data;

	return tree_send(end->dirfd, end->name, c->data, left_out, NULL, err);
}

static int near_receive(struct copying *c, void *data, struct err *err)
{
	const struct near_end *end = data;
	const struct tree_receiver receiver = {
		.dirfd = end->dirfd,
		.name = end->name,
		.mask = 0777,
		.keep_owners = end->keep_owners,
		.uid = -1,
		.gid = -1,
	};

	return tree_receive(c->data, &receiver, err);
}

static int open_parent(const char *path, struct near_end *ret, struct err *err)
{
	char dir[PATH_MAX];
	int r = path_split(path, dir, ret->name);

	if (r < 0)
		return err_set_errno(err, -r, "%.256s", path);
	ret->dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return ret->dirfd < 0 ? err_set_errno(err, errno, "%.256s", dir) : 0;
}

static int copy_in(struct copying *c, const char *path, struct err *err)
{
	struct near_end end = {.dirfd = -1};
	int r = open_parent(path, &end, err);

	c->request.in = true;
	c->request.name = end.name;
	if (r == 0)
		r = run_copy(c, near_send, &end, err);
	close_fd(&end.dirfd);
	c->request.name = NULL;
	return r;
}

/* Whether path can be the name of what is not there yet. */
static bool may_be_new(const char *path, int why)
{
	size_t n = strlen(path);

	return why == ENOTDIR || (why == ENOENT && n && path[n - 1] != '/');
}

/* Into path, where it is a directory, under the name that it had; else it gets this name. */
static int copy_out(struct copying *c, const char *path, struct err *err)
{
	struct near_end end = {.keep_owners = c->request.keep_owners};
	char dir[PATH_MAX];
	int r = path_split(c->request.path, dir, end.name);

	if (r < 0)
		return err_set_errno(err, -r, "%.256s", c->request.path);
	end.dirfd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (end.dirfd < 0 && may_be_new(path, errno))
		r = open_parent(path, &end, err);
	else if (end.dirfd < 0)
		r = err_set_errno(err, errno, "%.256s", path);
	if (r == 0)
		r = run_copy(c, near_receive, &end, err);
	close_fd(&end.dirfd);
	return r;
}

/* Splits SANDBOX:PATH; a colon behind a slash is a file's. NULL: it is no such thing. */
static char *split_remote(char *operand)
{
	char *colon = operand + strcspn(operand, ":/");

	if (colon == operand || *colon != ':')
		return NULL;
	*colon = '\0';
	return colon + 1;
}

static int copy(const struct cp_options *o, char *from, char *to, struct err *err)
{
	char *remote_from = split_remote(from), *remote_to = split_remote(to);
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = NULL;
	struct copying c = {.request = TASK__COPY__INIT, .data = -1, .words = -1};
	uint64_t random;
	int r;

	if (!remote_from == !remote_to)
		return err_set(err, EINVAL, "one of the two has to be SANDBOX:PATH");
	c.request.path = remote_from ? remote_from : remote_to;
	c.request.keep_owners = o->archive;
	if (!c.request.path[0])
		return err_set(err, EINVAL, "no path after the colon");
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return err_set_errno(err, errno, "getrandom");
	snprintf(c.exec_id, sizeof(c.exec_id), "%016llx", (unsigned long long)random);
	r = cli_find_pod(remote_from ? from : to, &pod, NULL, err);
	if (r == 0)
		r = cli_shim_connect(pod, &c.shim, err);
	if (r < 0)
		return r;
	c.id = pod->id;
	r = remote_from ? copy_out(&c, to, err) : copy_in(&c, from, err);
	close_fd(&c.data);
	close_fd(&c.words);
	cli_shim_close(&c.shim);
	return r;
}

int cli_cp(int argc, char **argv)
{
	struct cp_options o = {0};
	struct err err = ERR_INIT;
	int first = opts_parse(&spec, argc, argv, &o, NULL, &err);

	if (first < 0)
		return cli_fail("cp", &err);
	if (o.help) {
		opts_help(&spec);
		return 0;
	}
	if (argc - first != 2) {
		err_set(&err, EINVAL, "a source and a destination are needed; sbx cp --help");
		return cli_fail("cp", &err);
	}
	return copy(&o, argv[first], argv[first + 1], &err) < 0 ? cli_fail("cp", &err) : 0;
}
