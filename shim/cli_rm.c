/* SPDX-License-Identifier: Apache-2.0 */
/* sbx rm: the record and the logs of a sandbox that has ended; with --force, of any. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "common/loop.h"
#include "shim/cli.h"
#include "shim/cli_each.h"
#include "shim/cli_pod.h"

#define LOCK_WAIT_NS (5 * 1000000000ull)

struct rm_options {
	bool force, help;
};

static const struct opt rows[] = {
	CLI_OPT(rm_options, 'f', "force", FLAG, force, NULL, "end those that still run"),
	CLI_OPT(rm_options, 'h', "help", FLAG, help, NULL, "this text"),
};

static const struct opts_spec spec = CLI_OPTS("sbx rm [options] SANDBOX...", rows);

/* Ends the pod, whatever it is doing. The shim may go at any step of it. */
static void end_pod(struct pod_dir *pod)
{
	_cleanup_cli_shim_ struct cli_shim shim = {0};

	if (cli_shim_connect(pod, &shim, NULL) == 0)
		cli_task_shut_down(&shim, pod->id, NULL);
}

/* A shim that ends frees the lock within moments; a sweep holds it for less. */
static int lock_soon(struct pod_dir *pod, uint64_t wait_ns)
{
	uint64_t begin = now_ns();
	int r = pod_dir_try_lock(pod);

	while (r == -EBUSY && now_ns() - begin < wait_ns) {
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
		r = pod_dir_try_lock(pod);
	}
	return r;
}

static int rm_one(const char *ref, void *data, struct err *err)
{
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = NULL;
	_cleanup_record_ struct record record = {0};
	struct rm_options *o = data;
	int r = cli_find_pod(ref, &pod, &record, err);

	if (r < 0)
		return r;
	if (record.status != RECORD_STOPPED && !o->force)
		return err_set(err, EBUSY, "%s is running; sbx stop it first, or give --force",
			       ref);
	if (record.status != RECORD_STOPPED)
		end_pod(pod);
	r = lock_soon(pod, LOCK_WAIT_NS);
	/* With --rm the shim has removed it itself. */
	if (r < 0 && r != -ENOENT)
		return err_set_errno(err, -r, "%s: its owner process does not end", ref);
	if (r == 0)
		r = pod_dir_remove(pod, err);
	if (r < 0 && r != -ENOENT)
		return r;
	printf("%s\n", ref);
	return 0;
}

int cli_rm(int argc, char **argv)
{
	struct rm_options o = {0};

	return cli_each("rm", &spec, argc, argv, &o, &o.help, rm_one);
}
