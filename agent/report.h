/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process on its way to exec tells the agent, over a SOCK_SEQPACKET pair: one datagram a
 * report. The other direction carries the single byte that lets it go on.
 *
 *	CHILD	 pid, and its pidfd: the process proper exists
 *	TERMINAL the master of its pty
 *	READY	 everything is built, it waits for the byte
 *	ERROR	 code (an errno), status (what Wait is to answer), text: it exits
 *	end of file  after the byte: exec has closed the descriptor
 */
#ifndef AGENT_REPORT_H
#define AGENT_REPORT_H

#include <stdint.h>

#include "common/err.h"

#define REPORT_GO         'g'
#define EXIT_SETUP        125 /* exit statuses as docker and the shells have them */
#define EXIT_NOT_RUNNABLE 126
#define EXIT_NOT_FOUND    127

enum report_kind { REPORT_CHILD = 1, REPORT_TERMINAL, REPORT_READY, REPORT_ERROR };

struct report {
	uint32_t kind;
	int32_t code;
	int32_t status;
	int32_t pid;
	char text[sizeof(((struct err *)0)->msg)];
};

/* Sends, with fd (borrowed) attached where it is not -1. */
int report_send(int sock, const struct report *report, int fd);
/* Sends err as an ERROR and ends the process with status. */
void report_fail(int sock, const struct err *err, int status) __attribute__((noreturn));
/*
 * Receives one without waiting: 1, with *ret_fd -1 or the caller's; 0 at end of file; -EAGAIN;
 * -EPROTO for what is no report.
 */
int report_recv(int sock, struct report *ret, int *ret_fd);
/* Waits for the byte. -EPIPE: the agent does not want the process any more. */
int report_wait_go(int sock);

#endif
