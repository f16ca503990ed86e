/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sbx-agent: PID 1 of the guest.
 *
 * Theory of Operation: stages, in this order, each noted with its time for the host's report:
 *
 *	signals blocked, then the agent's own root and the kernel's file systems, then its cgroup;
 *	loopback up; the host's port dialled; and then the loop, until the connection ends.
 *
 * The host's connection is the guest's life: without it nobody can ask for anything or be told of
 * an end, so when it goes, all is synced and the machine is off. The same happens if a stage
 * fails, after one line on the console. Nothing else ends this process: there is one loop,
 * in which nothing waits; what may wait happens in children (child.c), or, where it is about what a
 * process reads and writes, on a thread (relay.c).
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/cgroup.h"
#include "agent/container.h"
#include "agent/dial.h"
#include "agent/early.h"
#include "agent/net.h"
#include "agent/ns.h"
#include "agent/service.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/ports.h"
#include "common/rpc.h"

/* The largest request is a Create with a whole spec. */
#define MAX_FRAME (1u << 20)

void agent_stage(struct agent *agent, const char *name)
{
	struct timespec now;

	if (agent->n_stages == AGENT_MAX_STAGES)
		return;
	clock_gettime(CLOCK_BOOTTIME, &now);
	agent->stages[agent->n_stages++] = (struct agent_stage){
		.name = name,
		.boot_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
	};
}

static void on_sigchld(struct source *source, uint32_t events, void *data)
{
	struct agent *agent = data;
	int status;
	pid_t pid;

	/* Everybody's orphans end up here, too; they are reaped and forgotten. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		container_reaped(agent, pid, status);
}

static void on_host_gone(struct rpc_conn *conn, int why, void *data)
{
	struct agent *agent = data;

	if (!agent->shutting_down)
		log_warn("the host's connection has ended: %s", strerror(-why));
	loop_exit(agent->loop, 0);
}

/*
 * 0, 1 and 2 exist, so that no descriptor of ours is ever taken for a standard stream. The last is
 * the console, for the log and for a sanitizer's or the C library's last words. Each character
 * there costs an exit: warnings and errors only.
 */
static int open_standard_fds(void)
{
	static const char *const paths[] = {"/dev/null", "/dev/null", "/dev/console"};

	for (int i = 0; i < 3; i++) {
		int fd = open(paths[i], O_RDWR | O_NOCTTY);

		/* A kernel may run without a console. */
		if (fd < 0)
			fd = open("/dev/null", O_RDWR);
		if (fd < 0 || dup2(fd, i) < 0)
			return -errno;
		if (fd > 2)
			close(fd);
	}
	log_open(STDERR_FILENO, LOG_WARN, "sbx-agent");
	return 0;
}

static int prepare(struct agent *agent, struct err *err)
{
	int r;

	r = early_mounts(err);
	if (r < 0)
		return r;
	r = open_standard_fds();
	if (r < 0)
		return err_set_errno(err, -r, "/dev/null");
	r = early_harden(err);
	if (r < 0)
		return r;
	agent_stage(agent, "file systems mounted");
	r = cgroup_init(err);
	if (r < 0)
		return r;
	r = net_loopback_up();
	return r < 0 ? err_set_errno(err, -r, "loopback interface") : 0;
}

static int serve(struct agent *agent, struct err *err)
{
	static const struct rpc_service *const services[] = {&agent_service, NULL};
	const struct rpc_config config = {
		.services = services,
		.data = agent,
		.on_close = on_host_gone,
		.max_frame = MAX_FRAME,
		.role = "agent",
		.need_hello = true,
	};
	struct source *sigchld;
	int fd, r;

	r = loop_create(&agent->loop);
	if (r < 0)
		return err_set_errno(err, -r, "event loop");
	r = loop_add_signal(agent->loop, SIGCHLD, on_sigchld, agent, &sigchld);
	if (r < 0)
		return err_set_errno(err, -r, "SIGCHLD");
	fd = dial_wait(PORT_AGENT);
	if (fd < 0)
		return err_set_errno(err, -fd, "dialling the host");
	agent_stage(agent, "host connected");
	r = rpc_conn_create(agent->loop, fd, &config, &agent->host);
	if (r < 0)
		return err_set_errno(err, -r, "serving the host");
	return loop_run(agent->loop);
}

int main(int argc, char **argv)
{
	struct agent agent = {.pod = {-1, -1}};
	struct err err = ERR_INIT;
	sigset_t all;

	if (argc == 3 && !strcmp(argv[1], "pod") && getpid() == 1)
		ns_run_pod_init(argv[2]);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	agent_stage(&agent, "agent started");
	list_init(&agent.containers);
	if (getpid() != 1) {
		static const char text[] = "sbx-agent is the init process of a micro-VM\n";

		return write(STDERR_FILENO, text, sizeof(text) - 1) < 0 ? 1 : 2;
	}
	if (prepare(&agent, &err) < 0 || serve(&agent, &err) < 0)
		log_error("%s", err.msg);
	early_power_off();
}
