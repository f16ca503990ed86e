/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/dial.h"

#include <linux/vm_sockets.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "common/cleanup.h"

static int open_socket(uint32_t port, struct sockaddr_storage *addr, socklen_t *ret_len)
{
	struct sockaddr_vm *vm = (struct sockaddr_vm *)addr;

	vm->svm_family = AF_VSOCK;
	vm->svm_cid = VMADDR_CID_HOST;
	vm->svm_port = port;
	*ret_len = sizeof(*vm);
	return socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int dial_start(uint32_t port)
{
	const struct timeval limit = {.tv_sec = DIAL_LIMIT_S};
	struct sockaddr_storage addr = {0};
	_cleanup_close_ int fd = -1;
	socklen_t len;

	fd = open_socket(port, &addr, &len);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &limit, sizeof(limit)) < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr, len) < 0 && errno != EINPROGRESS)
		return -errno;
	return TAKE_FD(fd);
}

int dial_wait(uint32_t port)
{
	_cleanup_close_ int fd = dial_start(port);
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};
	socklen_t len = sizeof(int);
	int error = 0, r;

	if (fd < 0)
		return fd;
	r = poll(&pfd, 1, DIAL_LIMIT_S * 1000);
	if (r <= 0)
		return r < 0 ? -errno : -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return error ? -error : TAKE_FD(fd);
}
