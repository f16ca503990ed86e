/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sbx-oci's state directory: ROOT/<id>/state.json, one of them per container. What a record says is
 * never opened as it stands: the pod's id is checked, the cgroup is looked for beneath its hierarchy.
 */
#ifndef SHIM_OCI_STORE_H
#define SHIM_OCI_STORE_H

#include <stdbool.h>

#include "common/err.h"
#include "shim/oci_record.h"

/*
 * Makes the container's directory. *ret_lock is a descriptor that says, while it is open, that the
 * container is being created. -EEXIST where there is a container of that id.
 */
int oci_store_create(const char *root, const char *id, int *ret_lock, struct err *err);
/* Waits until nobody is creating the container, timeout_ms at most; -EBUSY: somebody still is. */
int oci_store_wait(const char *root, const char *id, int timeout_ms);
int oci_store_write(const char *root, const struct oci_record *record, struct err *err);
/* -ENOENT where there is no such container. */
int oci_store_read(const char *root, const char *id, struct oci_record *ret, struct err *err);
/*
 * Waits until nobody else is deleting that very container. Returns a descriptor by which, while it is open, it is
 * the caller's to delete; -ENOENT: it has been deleted, and its id may be another one's.
 */
int oci_store_claim(const char *root, const struct oci_record *record, struct err *err);
void oci_store_remove(const char *root, const char *id);

/* The path of the note that poststop hooks are due (hooks_due.h), which the caller frees; NULL: no memory. */
char *oci_store_poststop(const char *root, const char *id);

/* Calls fn for every container that has a record, in the order of their ids; a negative return ends the walk. */
typedef int (*oci_store_fn)(const struct oci_record *record, void *data);
int oci_store_for_each(const char *root, oci_store_fn fn, void *data, struct err *err);

/* Who made the container, by its directory; -ENOENT. */
int oci_store_owner(const char *root, const char *id, uid_t *ret);

/* When the process was started, as its record has it; -ESRCH. */
int oci_pid_started(pid_t pid, uint64_t *ret);
/* Whether the record's stand-in is still there. */
bool oci_standin_is_alive(const struct oci_record *record);

/* Whose stand-in pid is; -ENOENT. *ret is the caller's to finish. */
int oci_store_find_pid(const char *root, pid_t pid, struct oci_record *ret);

#endif
