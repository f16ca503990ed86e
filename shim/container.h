/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container of the pod: from its bundle to the agent's Create, and the life of its processes.
 * Calls are answered here where the answer is the container's; errors before that are returned.
 */
#ifndef SHIM_CONTAINER_H
#define SHIM_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/list.h"
#include "shim/container_net.h"
#include "shim/container_share.h"
#include "shim/pod_size.h"
#include "shim/process.h"
#include "shim/rootfs.h"
#include "spec.pb-c.h"
#include "task.pb-c.h"

struct hooks_due;
struct hooks_run;
struct rpc_call;
struct shim;
struct source;
struct spec;
struct spec_resources;

enum container_state {
	CONTAINER_NEW,     /* waits for the VM */
	CONTAINER_CREATED, /* exists in the guest */
};

struct container {
	struct list link;
	struct shim *shim;
	char *id, *bundle;
	enum container_state state;
	struct process init;
	struct list execs; /* struct process */
	struct spec *spec; /* until the guest has it; longer where hooks will want it */
	Spec__Spec *guest_spec;
	struct rpc_call
		*create; /* the call of Create, while it is open; owns what rootfs points at */
	struct rootfs_plan rootfs;
	struct pod_demand demand; /* of the pod's machine */
	int slot;                 /* the image's disk slot; -1: none yet */
	struct container_shares shares;
	int image_fd;            /* keeps the image locked while the VM uses it */
	struct hooks_run *hooks; /* the host's, that run or ran last */
	bool hooks_begun;        /* those of create: however it ends, poststop is due */
	bool asked;              /* the guest was, to make it */
	struct hooks_due *due;   /* that poststop is, for who deletes it when we have gone */
	struct err failed;       /* why create failed, while poststop runs; or start */
	uint64_t timeout_ns;
	struct source *timeout;
	bool timed_out;
	bool paused;
	int oom_score; /* as it asks for; oom_score.h */
	pid_t stand_in; /* the host's process that it dies with (oci_standin.h); 0: none, or no more */
	bool orphan;    /* its stand-in has gone while it was being created */
	bool alone;     /* no other one is ever in its pod */
	bool own_net;               /* it has what its client makes a network of; container_net.h */
	container_net_fn net_taken; /* while that is taken */
	bool undoing, undone;       /* poststop hooks after a create that failed: they run once */
	bool letting_go;            /* it has ended, and the machine with it */
	bool cri; /* of CRI's; never of sbx-oci's, whose callers write the same annotations */
	bool cpuset_noted; /* see container_take_resources() */
	bool sandbox; /* CRI's sandbox container: stands for the pod, runs nothing in the guest */
	uint64_t oom_kills;       /* that containerd was told of */
	struct source *oom_pause; /* before the next is asked for; NULL: not yet */
	struct rpc_call *delete;  /* a Delete that waits for init's end, or Create's */
	const Task__CreateTaskRequest *request; /* of create, while that is open */
};

/* Reads the bundle and opens streams and image; the guest knows nothing yet. call is kept. */
int container_create(struct shim *shim, const Task__CreateTaskRequest *req, struct rpc_call *call,
		     struct container **ret, struct err *err);
void container_free(struct container *container);

/* Nothing more can run in it. */
static inline bool container_has_ended(const struct container *container)
{
	return container->init.state == PROCESS_STOPPED || container->letting_go;
}

/* The VM is ready: creates the container in it and answers Create. */
void container_enter(struct container *container);
/* Its deletion waits, in container->delete: what is under way ends as soon as it can. May free it. */
void container_cancel(struct container *container);
/*
 * Its init has ended in the guest. Whether that ends the machine first, of which nobody has a use any more:
 * then container_fail() follows when it is gone. The task stays for as long as containerd keeps it.
 */
bool container_lets_go(struct container *container);
/* The VM is gone: answers everything open with err; a Create when what its hooks made is undone. May free it. */
void container_fail(struct container *container, const struct err *err);

/*
 * What Create and Start answer where the guest refuses, as runc's shim does: a text. Who reads NotFound takes
 * it for the container's; the end of the connection, and what may come right by itself, keep their codes.
 */
struct err container_refusal(const struct err *why);

/* Starts process, which is in state CREATED, and answers call. */
void container_start_process(struct process *process, struct rpc_call *call);
/*
 * Answers the Start that is open, if one is: it returns once the last hook has run, whatever came of that, which
 * poststart tells; NULL: all is well.
 */
void container_answer_start(struct process *process, const struct err *poststart);
/* Registers an exec. */
int container_add_exec(struct container *container, const Task__ExecProcessRequest *req,
		       struct rpc_call *call, struct err *err);
/* Everything ends: frees it; a Delete that waits for hooks is answered before. */
void container_let_go(struct container *container);
/* Frees a stopped process and, for init, the container, also in the guest; answers call. */
void container_delete_process(struct process *process, struct rpc_call *call);

struct container *container_find(struct shim *shim, const char *id);
/* exec_id "": init. */
struct process *container_find_process(struct container *container, const char *exec_id);

/*
 * process.c asks when both halves of an exit are there: whether it may become STOPPED. An init waits
 * for its execs, whose end it is, too.
 */
bool container_process_may_stop(struct process *process);
/* process.c tells: the guest does not end init, which was killed. Called again while that is so. */
void container_unkillable(struct container *container);
/* process.c tells: the process is in state STOPPED now; its waiters hear of it next. */
void container_process_stopped(struct process *process);
/* And now they have. May free the process. */
void container_process_settled(struct process *process);
/* Ends an init that waits for its start. */
void container_end_created(struct container *container);
/* Signals init, or all of the container's processes. What comes of it is seen in their ends. */
void container_kill(struct container *container, uint32_t signo, bool all);

/* Its stand-in has gone: it ends, now or when it has been created. May shut the pod down. */
void container_end_orphan(struct container *container);
/* The same of an exec, now or when it has been started. May free it. */
void container_end_exec(struct process *exec);
/* Frees an orphan that does not run, also in the guest: nobody will ask for that. */
void container_drop_exec(struct process *exec);
/* The process pid of the host has gone: whatever it stood for, or wanted to start, ends. */
void container_end_orphans(struct shim *shim, pid_t pid);

/* Reads config.json into spec, guest_spec and what else follows from it alone. */
int container_read_bundle(struct container *container, struct err *err);
/*
 * Resources that somebody asks for, at first or later: of CRI's the cpuset is dropped, and the first time said so. The
 * kubelet's CPU manager hands out the host's processors; the guest has its own, by other numbers.
 */
void container_take_resources(struct container *container, struct spec_resources *resources);
/* Says what of the spec has no effect (JSON_FIELD_NOTED). */
void container_log_notes(const struct spec *spec);

Google__Timestamp *container_timestamp(uint64_t ns, Google__Timestamp *ret);

#endif
