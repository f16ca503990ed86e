/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sbx exec: one more process in a sandbox that runs. It is what the sandbox's own process is, as
 * config.json says, but for its arguments, terminal and what the options change.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/io.h"
#include "shim/cli.h"
#include "shim/cli_pod.h"
#include "shim/cli_session.h"
#include "shim/env_file.h"
#include "shim/run_options.h"
#include "shim/run_spec.h"
#include "shim/spec.h"
#include "shim/terminal.h"
#include "task.pb-c.h"

struct exec_options {
	struct opt_list env;
	const char *workdir, *user;
	bool interactive, tty, help;
};

#define OPT(...) CLI_OPT(exec_options, __VA_ARGS__)

static const struct opt rows[] = {
	OPT('i', "interactive", FLAG, interactive, NULL, "pass standard input on"),
	OPT('t', "tty", FLAG, tty, NULL, "give the program a terminal"),
	OPT('e', "env", LIST, env, "NAME=VALUE", "set an environment variable; NAME: pass it on"),
	OPT('w', "workdir", STRING, workdir, "DIR", "start in this directory"),
	OPT('u', "user", STRING, user, "USER[:GROUP]", "run as this user, by name or number"),
	OPT('h', "help", FLAG, help, NULL, "this text"),
};

static const struct opts_spec spec = CLI_OPTS("sbx exec [options] SANDBOX COMMAND...", rows);

static int read_process(struct pod_dir *pod, json_t **ret, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	json_t *config, *process;
	size_t size;
	int r = io_read_file(pod->dirfd, "config.json", SPEC_MAX_BYTES, &text, &size);

	if (r < 0)
		return err_set_errno(err, -r, "%s/config.json", pod->path);
	config = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	process = json_incref(json_object_get(config, "process"));
	json_decref(config);
	if (!json_is_object(process)) {
		json_decref(process);
		return err_set(err, EINVAL, "%s/config.json: no process in it", pod->path);
	}
	*ret = process;
	return 0;
}

/* The sandbox's own variables, then the options'. NULL: out of memory, or not UTF-8. */
static json_t *merge_env(const json_t *own, const struct exec_options *o)
{
	const struct opt_list *more = &o->env;
	_cleanup_env_list_ struct env_list env = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_array_size(own); i++)
		r = env_list_set(&env, json_string_value(json_array_get(own, i)));
	if (r == 0 && o->tty && !env_list_has(&env, "TERM"))
		r = env_list_set(&env, "TERM=xterm");
	for (size_t i = 0; r == 0 && i < more->n; i++)
		r = env_list_set_option(&env, more->items[i]);
	return r < 0 ? NULL : run_spec_strings(env.items, env.n);
}

static int change_process(json_t *process, const struct exec_options *o, char **command, int n,
			  struct err *err)
{
	json_t *args = run_spec_strings(command, (size_t)n);
	json_t *env = merge_env(json_object_get(process, "env"), o);
	uint32_t rows_now = 0, columns = 0;

	json_object_set_new(process, "args", args);
	json_object_set_new(process, "env", env);
	if (!args || !env)
		return err_set(err, EINVAL, "an argument or a variable is not UTF-8");
	json_object_set_new(process, "terminal", json_boolean(o->tty));
	json_object_del(process, "consoleSize");
	if (o->tty && terminal_size(0, &rows_now, &columns) == 0)
		json_object_set_new(process, "consoleSize",
				    json_pack("{s:I,s:I}", "height", (json_int_t)rows_now, "width",
					      (json_int_t)columns));
	if (o->workdir && json_object_set_new(process, "cwd", json_string(o->workdir)) < 0)
		return err_set(err, EINVAL, "--workdir %.80s: not UTF-8", o->workdir);
	if (o->user && json_object_set_new(process, "user", run_spec_user(o->user)) < 0)
		return err_set(err, EINVAL, "--user %.80s: not UTF-8", o->user);
	return 0;
}

static int register_exec(struct cli_shim *shim, const char *id, const char *exec_id, bool tty,
			 const char *process, const struct session_streams *streams,
			 struct err *err)
{
	char type[] = "types.containerd.io/opencontainers/runtime-spec/1/Process";
	Task__ExecProcessRequest request = TASK__EXEC_PROCESS_REQUEST__INIT;
	Google__Any any = GOOGLE__ANY__INIT;

	any.type_url = type;
	any.value.data = (uint8_t *)process;
	any.value.len = strlen(process);
	request.id = (char *)id;
	request.exec_id = (char *)exec_id;
	request.terminal = tty;
	request.stdin = (char *)streams->in;
	request.stdout = (char *)streams->out;
	request.stderr = (char *)streams->err;
	request.spec = &any;
	request.stand_in = (uint32_t)getpid();
	return cli_task(shim, "Exec", &request.base, streams->fds, streams->n_fds, NULL, err);
}

static int attend(struct cli_shim *shim, const char *id, const char *exec_id,
		  const struct exec_options *o, const char *process, uint32_t *ret_status,
		  struct err *err)
{
	_cleanup_(session_destroy_p) struct session *session = NULL;
	Task__StartRequest start = TASK__START_REQUEST__INIT;
	const struct session_options options = {
		.id = id,
		.exec_id = exec_id,
		.interactive = o->interactive,
		.tty = o->tty,
		.terminal = STDIN_FILENO,
	};
	struct session_streams streams;
	struct err start_err = ERR_INIT;
	int r = session_create(shim, &options, &session, &streams, err);

	if (r == 0)
		r = register_exec(shim, id, exec_id, o->tty, process, &streams, err);
	if (r == 0)
		r = session_attach(session, err);
	if (r < 0)
		return r;
	start.id = (char *)id;
	start.exec_id = (char *)exec_id;
	if (cli_task(shim, "Start", &start.base, NULL, 0, NULL, &start_err) == 0)
		session_started(session);
	r = session_wait(session, ret_status, err);
	session_destroy(TAKE_PTR(session));
	if (start_err.code)
		cli_fail("exec", &start_err);
	return r;
}

/* The exit code, or -errno. */
static int exec(const char *ref, const struct exec_options *o, char **command, int n,
		struct err *err)
{
	Task__DeleteRequest delete = TASK__DELETE_REQUEST__INIT;
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = NULL;
	_cleanup_cli_shim_ struct cli_shim shim = {0};
	_cleanup_free_ char *text = NULL;
	json_t *process = NULL;
	char exec_id[24];
	uint64_t random;
	uint32_t status = 0;
	int r = cli_find_pod(ref, &pod, NULL, err);

	if (r == 0)
		r = cli_shim_connect(pod, &shim, err);
	if (r == 0)
		r = read_process(pod, &process, err);
	if (r < 0)
		return r;
	r = change_process(process, o, command, n, err);
	text = r < 0 ? NULL : json_dumps(process, JSON_COMPACT);
	json_decref(process);
	if (r < 0 || !text)
		return r < 0 ? r : err_set(err, ENOMEM, "out of memory");
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return err_set_errno(err, errno, "getrandom");
	snprintf(exec_id, sizeof(exec_id), "%016llx", (unsigned long long)random);
	r = attend(&shim, pod->id, exec_id, o, text, &status, err);
	if (r < 0)
		return r;
	/* The pod may have ended with its init meanwhile, and the exec with it. */
	delete.id = pod->id;
	delete.exec_id = exec_id;
	cli_task(&shim, "Delete", &delete.base, NULL, 0, NULL, NULL);
	return (int)status;
}

int cli_exec(int argc, char **argv)
{
	struct exec_options o = {0};
	struct err err = ERR_INIT;
	int first = opts_parse(&spec, argc, argv, &o, NULL, &err), r;

	if (first < 0)
		return cli_fail("exec", &err);
	if (o.help) {
		opts_help(&spec);
		return 0;
	}
	if (argc - first < 2) {
		err_set(&err, EINVAL, "a sandbox and a command are needed; sbx exec --help");
		return cli_fail("exec", &err);
	}
	if (run_options_check_env(&o.env, &err) < 0)
		return cli_fail("exec", &err);
	r = exec(argv[first], &o, argv + first + 1, argc - first - 1, &err);
	return r < 0 ? cli_fail("exec", &err) : r;
}
