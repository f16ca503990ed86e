/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/report.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/cleanup.h"
#include "common/io.h"

int report_send(int sock, const struct report *report, int fd)
{
	ssize_t n = sock_send(sock, report, sizeof(*report), &fd, fd >= 0, MSG_NOSIGNAL);

	return n < 0 ? (int)n : 0;
}

void report_fail(int sock, const struct err *err, int status)
{
	struct report report = {
		.kind = REPORT_ERROR,
		.code = err->code ? err->code : EIO,
		.status = status,
	};

	snprintf(report.text, sizeof(report.text), "%s", err->msg);
	report_send(sock, &report, -1);
	_exit(status);
}

int report_recv(int sock, struct report *ret, int *ret_fd)
{
	struct report report;
	int fds[IO_MAX_FDS];
	size_t n_fds = 0;
	ssize_t n;

	n = sock_recv(sock, &report, sizeof(report), fds, &n_fds, MSG_DONTWAIT);
	if (n < 0)
		return (int)n;
	if (n == 0)
		return 0;
	for (size_t i = 1; i < n_fds; i++)
		close(fds[i]);
	if (n != sizeof(report)) {
		if (n_fds)
			close(fds[0]);
		return -EPROTO;
	}
	report.text[sizeof(report.text) - 1] = 0;
	*ret = report;
	*ret_fd = n_fds ? fds[0] : -1;
	return 1;
}

int report_wait_go(int sock)
{
	char byte;
	ssize_t n;

	do
		n = recv(sock, &byte, 1, 0);
	while (n < 0 && errno == EINTR);
	return n == 1 && byte == REPORT_GO ? 0 : -EPIPE;
}
