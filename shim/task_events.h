/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What containerd is told of a container's life, in its messages. Who calls in which order keeps the
 * contract: create < start < exit < delete, exec-added < exec-started < exit, and every exec's exit
 * before init's. Each is queued before the call that caused it is answered.
 */
#ifndef SHIM_TASK_EVENTS_H
#define SHIM_TASK_EVENTS_H

#include <stdbool.h>

#include "task.pb-c.h"

struct container;
struct process;

void task_event_created(const struct container *container, const Task__CreateTaskRequest *req);
void task_event_exec_added(const struct process *process);
void task_event_started(const struct process *process);
void task_event_exited(const struct process *process);
/* Init's deletion is the container's; an exec's is not told, as by containerd's runc shim. */
void task_event_deleted(const struct process *process);
void task_event_paused(const struct container *container, bool paused);
void task_event_oom(const struct container *container);

#endif
