/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile front end: the input is a byte stream on the session's socket, a byte in front of each
 * piece saying how long it is and which descriptors go with it.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/io.h"
#include "common/log.h"
#include "common/loop.h"
#include "vmm/vhost_user.h"
#include "vmm/virtio_rng.h"

#define MAX_PIECES 64

static struct loop *loop;
static int memory, bell, null;

static void set_up(void)
{
	log_open(-1, LOG_ERROR, "fuzz");
	memory = memfd_create("guest", MFD_CLOEXEC);
	bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (loop_create(&loop) < 0 || ftruncate(memory, 65536) < 0 || bell < 0 || null < 0)
		abort();
}

static void on_close(int why, void *data)
{
	*(bool *)data = true;
}

static void send_piece(int fd, const uint8_t *data, size_t n, unsigned kind)
{
	const int sets[4][2] = {{memory, memory}, {bell, memory}, {null, bell}, {bell, bell}};
	size_t n_fds = kind & 3;

	if (n_fds > 2)
		n_fds = 2;
	sock_send(fd, data, n, sets[kind >> 2 & 3], n_fds, MSG_DONTWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct virtio_device *dev;
	struct vhost_user *vu;
	bool closed = false;
	uint8_t reply[4096];
	int pair[2];

	if (!loop)
		set_up();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0 ||
	    virtio_rng_create(&dev) < 0 ||
	    vhost_user_create(loop, pair[0], dev, 1, on_close, &closed, &vu) < 0)
		abort();
	for (unsigned i = 0; i < MAX_PIECES && size > 2 && !closed; i++) {
		size_t n = data[0] < size - 2 ? data[0] : size - 2;

		if (n)
			send_piece(pair[1], data + 2, n, data[1]);
		data += 2 + n;
		size -= 2 + n;
		eventfd_write(bell, 1);
		loop_turn(loop, 0);
		if (recv(pair[1], reply, sizeof(reply), MSG_DONTWAIT) < 0)
			continue;
	}
	vhost_user_destroy(vu);
	close(pair[1]);
	loop_turn(loop, 0);
	return 0;
}
