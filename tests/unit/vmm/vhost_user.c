/* SPDX-License-Identifier: Apache-2.0 */
/* A session with a front end of our own around a virtio-rng. */
#include "vmm/vhost_user.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/io.h"
#include "common/loop.h"
#include "tests/unit/vmm/guest_driver.h"
#include "vmm/fuse_proto.h"
#include "vmm/vhost_user_proto.h"
#include "vmm/virtio_fs.h"
#include "vmm/virtio_rng.h"

#define RAM_SIZE   (1u << 20)
#define FRONT_ADDR 0x7f1234000000ull /* where the front end has guest memory */

static struct loop *loop;
static struct virtio_device *dev;
static struct vhost_user *vu;
static struct guest g;
static struct virtq ring; /* where q's rings lie */
static struct driver_queue q;
static int front, memory, kick, call;
static int closed; /* 1: cleanly; -errno */

static void on_close(int why, void *data)
{
	closed = why ? why : 1;
}

static void connect_to_device(void)
{
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	front = pair[0];
	cr_assert_eq(vhost_user_create(loop, pair[1], dev, 1, on_close, NULL, &vu), 0);
}

static void setup(void)
{
	cr_assert_eq(loop_create(&loop), 0);
	cr_assert_eq(virtio_rng_create(&dev), 0);
	connect_to_device();
	memory = memfd_create("guest", MFD_CLOEXEC);
	cr_assert_eq(ftruncate(memory, RAM_SIZE), 0);
	g = (struct guest){.size = RAM_SIZE};
	g.ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	driver_queue_init(&q, &g, &ring, 64);
	kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static void teardown(void)
{
	vhost_user_destroy(vu);
	loop_destroy(loop);
	munmap(g.ram, RAM_SIZE);
	close(front);
	close(memory);
	close(kick);
	close(call);
}

TestSuite(vhost_user, .init = setup, .fini = teardown);

static void turn(void)
{
	for (unsigned i = 0; i < 4; i++)
		loop_turn(loop, 0);
}

static void say_fds(uint32_t request, uint32_t flags, const void *payload, uint32_t size,
		    const int *fds, size_t n_fds)
{
	uint8_t buf[VHOST_USER_HEADER_SIZE + 600];
	uint32_t header[] = {request, flags, size};

	memcpy(buf, header, sizeof(header));
	memcpy(buf + sizeof(header), payload, size);
	cr_assert_gt(sock_send(front, buf, sizeof(header) + size, fds, n_fds, 0), 0);
	turn();
}

static void say(uint32_t request, const void *payload, uint32_t size)
{
	say_fds(request, 1, payload, size, NULL, 0);
}

static void say_state(uint32_t request, uint32_t number)
{
	uint32_t state[] = {0, number};

	say(request, state, sizeof(state));
}

/* The reply's payload as a number; its header must fit. */
static uint64_t hear(uint32_t request)
{
	struct {
		uint32_t request, flags, size;
		uint8_t payload[8];
	} reply = {0};
	uint64_t value;
	ssize_t n = recv(front, &reply, sizeof(reply), MSG_DONTWAIT);

	cr_assert_eq(n, sizeof(reply), "no reply");
	cr_assert_eq(reply.request, request);
	cr_assert_eq(reply.flags, 5);
	cr_assert_eq(reply.size, 8);
	memcpy(&value, reply.payload, sizeof(value));
	return value;
}

static void say_memory(uint64_t size, uint64_t offset)
{
	struct {
		uint32_t n, padding;
		uint64_t gpa, size, front_addr, offset;
	} table = {1, 0, GUEST_BASE, size, FRONT_ADDR, offset};

	say_fds(VHOST_USER_SET_MEM_TABLE, 1, &table, sizeof(table), &memory, 1);
}

static void say_ring(uint32_t base)
{
	struct {
		uint32_t index, flags;
		uint64_t desc, used, avail, log;
	} addr = {0,
		  0,
		  FRONT_ADDR + ring.desc_gpa - GUEST_BASE,
		  FRONT_ADDR + ring.used_gpa - GUEST_BASE,
		  FRONT_ADDR + ring.avail_gpa - GUEST_BASE,
		  0};
	uint64_t index = 0;

	say_state(VHOST_USER_SET_VRING_NUM, 64);
	say_state(VHOST_USER_SET_VRING_BASE, base);
	say(VHOST_USER_SET_VRING_ADDR, &addr, sizeof(addr));
	say_fds(VHOST_USER_SET_VRING_KICK, 1, &index, sizeof(index), &kick, 1);
	say_fds(VHOST_USER_SET_VRING_CALL, 1, &index, sizeof(index), &call, 1);
}

static void start(void)
{
	uint64_t features;

	say(VHOST_USER_SET_OWNER, "", 0);
	say(VHOST_USER_GET_FEATURES, "", 0);
	features = hear(VHOST_USER_GET_FEATURES);
	cr_assert(features & VHOST_USER_F_PROTOCOL_FEATURES);
	say(VHOST_USER_SET_FEATURES, &features, sizeof(features));
	say_memory(RAM_SIZE, 0);
	say_ring(0);
	cr_assert_not(dev->active);
	say_state(VHOST_USER_SET_VRING_ENABLE, 1);
	cr_assert(dev->active);
}

static void expect_served(uint64_t page)
{
	struct driver_segment seg = {page, 32, true};
	uint32_t head, len;
	uint64_t n;

	q.avail->ring[q.size] = q.last_used; /* "interrupt me at the next one" */
	driver_add(&q, &seg, 1);
	eventfd_write(kick, 1);
	turn();
	cr_assert(driver_get(&q, &head, &len));
	cr_expect_eq(len, 32);
	cr_expect_eq(read(call, &n, sizeof(n)), sizeof(n));
}

Test(vhost_user, a_session_serves_its_queue)
{
	start();
	expect_served(guest_alloc(&g, 4096));
	cr_expect_eq(closed, 0);
}

Test(vhost_user, a_queue_that_is_stopped_goes_on_where_it_was)
{
	struct driver_segment seg = {guest_alloc(&g, 4096), 32, true};
	uint32_t head, len;

	start();
	expect_served(seg.gpa);
	expect_served(seg.gpa);
	say_state(VHOST_USER_GET_VRING_BASE, 0);
	cr_expect_eq(hear(VHOST_USER_GET_VRING_BASE) >> 32, 2);
	driver_add(&q, &seg, 1);
	eventfd_write(kick, 1);
	turn();
	cr_expect_not(driver_get(&q, &head, &len));
	say_ring(2);
	cr_expect(driver_get(&q, &head, &len)); /* what waited */
	expect_served(seg.gpa);
}

Test(vhost_user, a_driver_that_begins_anew_resets_the_device)
{
	uint64_t page = guest_alloc(&g, 4096);

	start();
	expect_served(page);
	say_state(VHOST_USER_GET_VRING_BASE, 0);
	hear(VHOST_USER_GET_VRING_BASE);
	memset(q.avail, 0, 6);
	memset(q.used, 0, 6);
	q.avail_idx = q.last_used = 0;
	say_ring(0);
	expect_served(page);
}

Test(vhost_user, new_memory_takes_the_place_of_the_old)
{
	uint64_t page = guest_alloc(&g, 4096);

	start();
	expect_served(page);
	say_memory(RAM_SIZE, 0);
	expect_served(page);
}

static void *answer_late(void *data)
{
	static uint8_t buf[FUSE_PROTO_MAX_REQUEST];
	struct fuse_out_header out = {.len = sizeof(out), .error = -ENOENT};
	int share = *(int *)data;
	struct fuse_in_header in;

	if (recv(share, buf, sizeof(buf), 0) < (ssize_t)sizeof(in))
		return NULL;
	memcpy(&in, buf, sizeof(in));
	out.unique = in.unique;
	usleep(200000);
	send(share, &out, sizeof(out), 0);
	return NULL;
}

/* The names are served by another thread, whose answer goes to where the request was. */
Test(vhost_user, memory_goes_after_what_is_with_the_share_has_been_answered)
{
	struct {
		struct fuse_in_header head;
		char name[2];
	} __attribute__((packed))
	lookup = {{.len = sizeof(lookup), .opcode = FUSE_LOOKUP, .unique = 7, .nodeid = 1}, "a"};
	uint64_t page = guest_alloc(&g, 4096), base;
	struct driver_segment segs[] = {{page, sizeof(lookup), false}, {page + 2048, 256, true}};
	struct fuse_out_header out;
	uint32_t head, len;
	pthread_t share;
	int pair[2];

	vhost_user_destroy(vu);
	close(front);
	cr_assert_eq(virtio_fs_create(loop, &dev), 0);
	connect_to_device();
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	cr_assert_eq(virtio_fs_attach(dev, pair[0], NULL), 0);
	cr_assert_eq(dev->ops->start(dev), 0);
	start();
	memcpy(guest_at(&g, page), &lookup, sizeof(lookup));
	driver_add(&q, segs, 2);
	eventfd_write(kick, 1);
	turn();
	cr_assert_eq(pthread_create(&share, NULL, answer_late, &pair[1]), 0);
	say_state(VHOST_USER_GET_VRING_BASE, 0);
	base = hear(VHOST_USER_GET_VRING_BASE) >> 32;
	cr_expect_eq(base, 1);
	say_memory(RAM_SIZE, 0);
	cr_assert(driver_get(&q, &head, &len));
	memcpy(&out, guest_at(&g, page + 2048), sizeof(out));
	cr_expect_eq(out.unique, 7);
	cr_expect_eq(out.error, -ENOENT);
	pthread_join(share, NULL);
	close(pair[1]);
}

Test(vhost_user, need_reply_is_answered)
{
	uint64_t features = VHOST_USER_PROTOCOL_F_REPLY_ACK, one = 1ull << 30;

	say(VHOST_USER_SET_PROTOCOL_FEATURES, &features, 8);
	say_fds(VHOST_USER_SET_FEATURES, 1 | 8, &one, 8, NULL, 0);
	cr_expect_eq(hear(VHOST_USER_SET_FEATURES), 0);
	say_fds(99, 1 | 8, &one, 8, NULL, 0);
	cr_expect_eq(hear(99), 1);
	cr_expect_eq(closed, 0);
}

Test(vhost_user, a_message_in_pieces_is_one_message)
{
	uint32_t header[] = {VHOST_USER_GET_QUEUE_NUM, 1, 0};

	for (unsigned i = 0; i < sizeof(header); i++) {
		cr_assert_eq(send(front, (uint8_t *)header + i, 1, 0), 1);
		turn();
	}
	cr_expect_eq(hear(VHOST_USER_GET_QUEUE_NUM), 1);
}

Test(vhost_user, the_end_of_the_socket_ends_the_session)
{
	shutdown(front, SHUT_WR);
	turn();
	cr_expect_eq(closed, 1);
}

/* --- front ends that break the rules ------------------------------------------------------- */

Test(vhost_user, a_message_cut_short_is_an_error)
{
	cr_assert_eq(send(front, "\1\0\0", 3, 0), 3);
	shutdown(front, SHUT_WR);
	turn();
	cr_expect_lt(closed, 0);
}

Test(vhost_user, a_queue_that_is_not_there_ends_the_session)
{
	uint32_t state[] = {1, 64};

	say(VHOST_USER_SET_VRING_NUM, state, sizeof(state));
	cr_expect_eq(closed, -EPROTO);
}

Test(vhost_user, memory_that_is_smaller_than_it_claims_ends_the_session)
{
	say_memory(RAM_SIZE, 1);
	cr_expect_eq(closed, -EPROTO);
}

Test(vhost_user, memory_that_is_no_file_ends_the_session)
{
	int pipes[2];

	close(memory);
	cr_assert_eq(pipe(pipes), 0);
	memory = pipes[0];
	say_memory(4096, 0);
	cr_expect_eq(closed, -EPROTO);
	close(pipes[1]);
}

Test(vhost_user, rings_outside_memory_leave_the_session_and_the_device_down)
{
	uint64_t features = 1ull << 32;

	say(VHOST_USER_SET_FEATURES, &features, 8);
	say_memory(4096, 0);
	say_ring(0);
	cr_expect_eq(closed, 0);
	cr_expect_not(dev->active);
}
