/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets from the guest into the mux, in between those to the guest taken, and the host's processes
 * doing things: the input is a list of steps. Port 1 has a listener.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/io.h"
#include "common/log.h"
#include "common/loop.h"
#include "vmm/vsock_mux.h"

#define CID       3
#define STEP      16
#define MAX_STEPS 256
#define N_SOCKETS 8

static struct loop *loop;
static int dirfd, listener;

static void on_wake(void *data)
{
}

static char dir[] = "/tmp/fuzz-vsock-XXXXXX";

static void clean_up(void)
{
	io_remove_tree(AT_FDCWD, dir);
}

static void set_up(void)
{
	log_open(-1, LOG_ERROR, "fuzz");
	if (!mkdtemp(dir) || loop_create(&loop) < 0)
		abort();
	atexit(clean_up);
	dirfd = open(dir, O_RDONLY | O_DIRECTORY);
	if (sock_listen_at(dirfd, "vsock_1", 64, &listener) < 0)
		abort();
}

static void send_packet(struct vsock_mux *mux, const uint8_t *in)
{
	static uint8_t payload[VSOCK_MAX_PAYLOAD];
	static const uint32_t lens[] = {0, 1, 100, 65536, 32768, 4096, 7, 0};
	struct vsock_packet packet = {
		.src_cid = in[1] & 0x80 ? in[2] : CID,
		.dst_cid = in[1] & 0x40 ? in[3] : VSOCK_HOST_CID,
		.src_port = in[4] % 4,
		.dst_port = in[5] % 4 ? 1 : in[6] | 0x40000000u,
		.len = lens[in[7] % 8],
		.type = in[1] & 0x20 ? in[8] : VIRTIO_VSOCK_TYPE_STREAM,
		.op = in[1] & 0x10 ? in[9] : in[9] % 8,
		.flags = in[10],
		.buf_alloc = in[11] & 1 ? 262144 : in[12] * 16777259u,
		.fwd_cnt = in[13] * 257u,
	};
	struct iovec iov[2] = {
		{.iov_base = payload, .iov_len = packet.len / 2},
		{.iov_base = payload + packet.len / 2, .iov_len = packet.len - packet.len / 2},
	};

	if (vsock_mux_can_receive(mux))
		vsock_mux_receive(mux, &packet, iov, 2);
}

static void take_packets(struct vsock_mux *mux, const uint8_t *in)
{
	static uint8_t buf[4][4096];
	struct iovec iov[4];
	struct vsock_slot slots[4];
	unsigned n = 1 + in[1] % 4;

	for (unsigned i = 0; i < n; i++) {
		iov[i] = (struct iovec){.iov_base = buf[i], .iov_len = 1 + in[2] * 16u};
		slots[i] = (struct vsock_slot){
			.payload = &iov[i], .n = 1, .room = (uint32_t)iov[i].iov_len};
	}
	n = vsock_mux_fill(mux, slots, n);
	for (unsigned i = 0; i < n; i++)
		if (slots[i].packet.len > slots[i].room)
			abort();
}

static void host_step(int *sockets, const uint8_t *in)
{
	static uint8_t buf[40000];
	int *fd = &sockets[in[1] % N_SOCKETS];

	switch (in[2] % 8) {
	case 0:
		close_fd(fd);
		*fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		break;
	case 1:
		close_fd(fd);
		if (sock_connect_at(dirfd, "vsock", fd) == 0 &&
		    send(*fd, in[3] & 1 ? "CONNECT 2\n" : "CONN", in[3] & 1 ? 10 : 4,
			 MSG_NOSIGNAL) < 0)
			close_fd(fd);
		break;
	case 2:
		close_fd(fd);
		break;
	case 3:
		shutdown(*fd, in[3] % 3);
		break;
	case 4:
	case 5:
		if (recv(*fd, buf, in[3] * 150u, MSG_DONTWAIT) < 0)
			break;
		break;
	default:
		if (send(*fd, buf, in[3] * 150u, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vsock_counters counters = {0};
	struct vsock_mux_config config = {.guest_cid = CID, .wake = on_wake, .counters = &counters};
	int sockets[N_SOCKETS], fd;
	struct vsock_mux *mux;

	if (!loop)
		set_up();
	config.dirfd = dirfd;
	if (vsock_mux_create(loop, &config, &mux) < 0)
		abort();
	vsock_mux_set_open(mux, true);
	for (unsigned i = 0; i < N_SOCKETS; i++)
		sockets[i] = -1;
	for (unsigned i = 0; i < MAX_STEPS && size >= STEP; i++, data += STEP, size -= STEP) {
		switch (data[0] % 4) {
		case 0:
		case 1:
			send_packet(mux, data);
			break;
		case 2:
			take_packets(mux, data);
			break;
		default:
			host_step(sockets, data);
		}
		if (data[15] & 1)
			loop_turn(loop, 0);
	}
	vsock_mux_destroy(mux);
	for (unsigned i = 0; i < N_SOCKETS; i++)
		close_fd(&sockets[i]);
	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(fd);
	loop_turn(loop, 0);
	unlinkat(dirfd, "vsock", 0);
	return 0;
}
