/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of the container service share: a process and the calls that wait for it. */
#ifndef AGENT_SERVICE_PROCESS_H
#define AGENT_SERVICE_PROCESS_H

#include "agent/process.h"
#include "common/rpc.h"

/* Answers with the process's pid, or err. Ends process->call, where there is one. */
void service_answer_pid(struct process *process, const struct err *err);
/* Fails every call that waits for process, which is about to be freed. */
void service_fail_calls(struct process *process);
/* process_events.on_started and on_exited, of init and execs alike. */
void service_on_started(struct process *process, const struct err *err);
void service_on_exited(struct process *process);

#endif
