/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/container.h"

#include <linux/sched.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/cgroup.h"
#include "agent/oom.h"
#include "agent/plan.h"

#define EMPTY_TIMEOUT_NS 10000000000ull

static struct container *lookup(struct agent *agent, const char *id)
{
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &agent->containers) {
		struct container *c = list_entry(it, struct container, link);

		if (!strcmp(c->id, id))
			return c;
	}
	return NULL;
}

static void free_container(struct container *container)
{
	struct list *it, *tmp;

	cgroup_watch_remove(container->watch);
	oom_watch_cancel(container->oom);
	process_destroy(container->init);
	list_for_each_safe (it, tmp, &container->execs) {
		process_destroy(list_entry(it, struct process, link));
	}
	list_remove(&container->link);
	container->agent->n_containers--;
	close_fd(&container->cgroup_fd);
	seccomp_finish(&container->seccomp);
	free(container->id);
	free(container);
}

int container_create(struct agent *agent, const char *id, const struct plan *plan,
		     struct container **ret, struct err *err)
{
	struct container *container;
	int r;

	if (lookup(agent, id))
		return err_set(err, EEXIST, "container %s exists already", id);
	if (agent->n_containers >= CONTAINERS_MAX)
		return err_set(err, ENOBUFS, "the pod has %d containers", CONTAINERS_MAX);
	container = calloc(1, sizeof(*container));
	if (!container)
		return err_set(err, ENOMEM, "out of memory");
	*container = (struct container){
		.agent = agent,
		.id = strdup(id),
		.cgroup_fd = -1,
		.namespaces = plan_entered(plan),
		.shares_pids = !(plan->namespaces & CLONE_NEWPID),
		.personality = plan->personality,
		.caps = plan->process.caps,
		.n_rlimits = plan->process.n_rlimits,
		.oom_score_adj = plan->process.oom_score_adj,
	};
	memcpy(container->rlimits, plan->process.rlimits,
	       plan->process.n_rlimits * sizeof(*container->rlimits));
	if (plan->namespaces & CLONE_NEWUSER) {
		container->root_uid = plan_map_id(plan->idmaps.uid, plan->idmaps.n_uid, 0);
		container->root_gid = plan_map_id(plan->idmaps.gid, plan->idmaps.n_gid, 0);
	}
	list_init(&container->execs);
	list_init(&container->link);
	list_append(&agent->containers, &container->link);
	agent->n_containers++;
	if (!container->id || seccomp_copy(&plan->seccomp, &container->seccomp) < 0)
		r = err_set(err, ENOMEM, "out of memory");
	else
		r = cgroup_create(id, err);
	if (r < 0) {
		free_container(container);
		return r;
	}
	container->cgroup_fd = r;
	r = cgroup_apply(container->cgroup_fd, plan, err);
	if (r < 0) {
		cgroup_remove(id);
		free_container(container);
		return r;
	}
	*ret = container;
	return 0;
}

static void on_empty(int result, void *data)
{
	struct container *container = data;
	container_freed_fn fn = container->freed;
	void *fn_data = container->freed_data;

	/* The watch frees itself with its one call. */
	container->watch = NULL;
	if (result == 0)
		result = cgroup_remove(container->id);
	free_container(container);
	fn(result, fn_data);
}

void container_destroy(struct container *container, container_freed_fn fn, void *data)
{
	struct list *it, *tmp;
	int r;

	container->deleting = true;
	container->freed = fn;
	container->freed_data = data;
	cgroup_watch_remove(TAKE_PTR(container->watch));
	/* First the processes of ours outside the cgroup: a helper would make new ones in it. */
	process_destroy(TAKE_PTR(container->init));
	list_for_each_safe (it, tmp, &container->execs) {
		process_destroy(list_entry(it, struct process, link));
	}
	cgroup_kill(container->cgroup_fd);
	r = cgroup_watch_add(container->agent->loop, container->cgroup_fd, "populated", 0,
			     EMPTY_TIMEOUT_NS, on_empty, container, &container->watch);
	if (r < 0) {
		container->watch = NULL;
		on_empty(r, container);
	}
}

static struct container *lookup_live(struct agent *agent, const char *id, struct err *err)
{
	struct container *container = lookup(agent, id);

	if (container && !container->deleting)
		return container;
	err_set(err, ENOENT, "no container %.128s", id);
	return NULL;
}

int container_find(struct agent *agent, const char *id, struct container **ret, struct err *err)
{
	struct container *container = lookup_live(agent, id, err);

	if (!container)
		return -ENOENT;
	*ret = container;
	return 0;
}

int container_find_process(struct agent *agent, const char *id, const char *exec_id,
			   struct process **ret, struct err *err)
{
	struct container *container = lookup_live(agent, id, err);
	struct list *it, *tmp;

	if (!container)
		return -ENOENT;
	if (!exec_id[0] && container->init) {
		*ret = container->init;
		return 0;
	}
	list_for_each_safe (it, tmp, &container->execs) {
		struct process *process = list_entry(it, struct process, link);

		if (!process->failed && !strcmp(process->exec_id, exec_id)) {
			*ret = process;
			return 0;
		}
	}
	return err_set(err, ENOENT, "no process \"%.128s\" in container %s", exec_id, id);
}

/* Once it has exited, its number is anybody's. */
static bool is_process(const struct process *process, pid_t pid)
{
	return process->pid == pid && process->state != PROCESS_EXITED;
}

void container_reaped(struct agent *agent, pid_t pid, int wait_status)
{
	struct list *it, *tmp, *pit, *ptmp;

	list_for_each_safe (it, tmp, &agent->containers) {
		struct container *container = list_entry(it, struct container, link);

		if (container->init && is_process(container->init, pid)) {
			process_reaped(container->init, wait_status);
			return;
		}
		list_for_each_safe (pit, ptmp, &container->execs) {
			struct process *process = list_entry(pit, struct process, link);

			if (is_process(process, pid)) {
				process_reaped(process, wait_status);
				return;
			}
		}
	}
}
