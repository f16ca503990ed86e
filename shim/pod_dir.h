/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a pod's directory, RUN/<namespace>/<id>, and who may touch it.
 *
 * The directory's lock file is held (flock) by whoever owns the pod: first the process that makes
 * the directory, then the shim, which inherits the very same open file. So the lock goes with the
 * last process that holds it, however that ends, and a directory whose lock is free belongs to
 * nobody alive: whoever gets its lock may change or remove it. Removal happens only under the lock;
 * a maker that locks finds out whether its directory was removed meanwhile and starts again.
 *
 *	lock		see above
 *	record.json	the run's record (record.h)
 *	address		where the shim listens, as containerd has it
 *	vsock/		the sockets between VM and shim
 *	cgroup		the path of the host's cgroup around the VM
 *	shim.log, config.json, stdout.log, stderr.log
 */
#ifndef SHIM_POD_DIR_H
#define SHIM_POD_DIR_H

#include <stdbool.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "shim/record.h"

struct net_joint;

struct pod_dir {
	char *namespace, *id, *path;
	int dirfd;
	int lock_fd; /* -1: not ours */
};

#define POD_ID_MAX 76 /* as containerd */

/* True for [A-Za-z0-9] and then any of that and "._+-", at most 76: all of containerd's, and runc's. */
bool pod_id_is_valid(const char *id);

/* The stricter half, containerd's own rule: single "._-", and only in between. */
bool pod_name_is_valid(const char *name);
/* That, for a namespace; "@" before it makes it one that containerd cannot have. */
bool pod_namespace_is_valid(const char *name);

/* Makes the directory (0700) and locks it. -EEXIST where there is one already. */
int pod_dir_create(const char *namespace, const char *id, struct pod_dir **ret, struct err *err);
/* The same for who holds the namespace's lock. */
int pod_dir_create_locked(const char *namespace, const char *id, struct pod_dir **ret,
			  struct err *err);
/* Opens an existing one, not locked. -ENOENT where there is none. */
int pod_dir_open(const char *namespace, const char *id, struct pod_dir **ret, struct err *err);
/* Closes; whatever lock it held goes where no other process has it too. */
void pod_dir_free(struct pod_dir *pod);
DEFINE_CLEANUP(struct pod_dir, pod_dir_free)

/* Locks without waiting: -EBUSY where a live process owns the pod, -ENOENT where it is gone. */
int pod_dir_try_lock(struct pod_dir *pod);
/* Takes over lock_fd, inherited from the maker; -EINVAL where it is not the pod's lock file. */
int pod_dir_adopt_lock(struct pod_dir *pod, int lock_fd);

int pod_dir_read_record(struct pod_dir *pod, struct record *ret, struct err *err);
int pod_dir_write_record(struct pod_dir *pod, const struct record *record, struct err *err);

/* Notes the host's cgroup of the pod, which pod_dir_remove() then removes, too. */
int pod_dir_write_cgroup(struct pod_dir *pod, const char *path, struct err *err);

/* Notes the network namespace that the pod is joined to, for whoever cleans up after us; and that it
 * is no more. */
int pod_dir_write_network(struct pod_dir *pod, const char *path, const struct net_joint *joint,
			  struct err *err);
void pod_dir_forget_network(struct pod_dir *pod);

/* Removes the pod's socket, its cgroup and the directory with all in it. Under its lock only, and not the namespace's. */
int pod_dir_remove(struct pod_dir *pod, struct err *err);
/* Removes what only a live pod needs: sockets, address, what it left in its network namespace. Under
 * the lock only. */
void pod_dir_remove_sockets(struct pod_dir *pod);

/* Calls fn for every pod of a namespace; a negative return ends the walk and is returned. */
typedef int (*pod_fn)(struct pod_dir *pod, void *data);
int pod_dir_for_each(const char *namespace, pod_fn fn, void *data, struct err *err);

/*
 * Cleans up after pods whose owner died: those to be removed are, the others' records say that they
 * have ended. Cheap where there is nothing to do.
 */
int pod_dir_sweep(const char *namespace, struct err *err);
/* The same where somebody else keeps the records: nothing is left of them. */
int pod_dir_remove_dead(const char *namespace, struct err *err);

/* Holds a namespace's own lock, while names are chosen; makes its directory. Returns the fd, which ends it on close. */
int pod_dir_lock_namespace(const char *namespace, struct err *err);

#endif
