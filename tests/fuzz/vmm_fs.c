/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data half of the file server against a hostile guest: requests on two open files, each with segments
 * of its own choice; the driver's side of the ring is well formed, so that what is inside is reached. The
 * name half is this program, which answers OPEN with a descriptor and everything else with an error.
 *
 * An answer is never longer than its room, and nothing but the two files is ever read or written.
 */
#include <errno.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/io.h"
#include "common/log.h"
#include "common/loop.h"
#include "tests/unit/vmm/guest_driver.h"
#include "vmm/fuse_proto.h"
#include "vmm/virtio_fs.h"

#define RAM_SIZE     (256 << 10)
#define AREA         (32 << 10)
#define FILE_MAX     (1 << 20)
#define REQUEST      24 /* bytes of input for each */
#define MAX_REQUESTS 48
#define OPENED       2
#define QUEUE        1

static struct loop *loop;
static struct virtio_device *dev;
static int share_fd;

static void set_up(void)
{
	const struct rlimit files = {FILE_MAX, FILE_MAX};
	int pair[2];

	log_open(-1, LOG_ERROR, "fuzz");
	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &files) < 0 || loop_create(&loop) < 0 ||
	    virtio_fs_create(loop, &dev) < 0 || dev->ops->start(dev) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0 ||
	    virtio_fs_attach(dev, pair[0], NULL) < 0)
		abort();
	share_fd = pair[1];
}

/* sbx-share. */
static void answer(int file)
{
	static uint8_t buf[FUSE_PROTO_MAX_REQUEST];
	struct {
		struct fuse_out_header head;
		struct fuse_open_out open;
	} reply = {.open.open_flags = FOPEN_KEEP_CACHE};
	struct fuse_in_header in;
	int fds[IO_MAX_FDS];
	size_t n_fds = 0;
	bool opens;

	while (sock_recv(share_fd, buf, sizeof(buf), fds, &n_fds, 0) >= (ssize_t)sizeof(in)) {
		memcpy(&in, buf, sizeof(in));
		for (size_t i = 0; i < n_fds; i++)
			close(fds[i]);
		opens = in.opcode == FUSE_OPEN && file >= 0;
		reply.head.unique = in.unique;
		reply.head.error = opens ? 0 : -EACCES;
		reply.head.len = opens ? sizeof(reply) : sizeof(reply.head);
		if (!fuse_is_silent(in.opcode))
			sock_send(share_fd, &reply, reply.head.len, &file, opens, 0);
	}
}

static void settle(int file)
{
	for (int i = 0; i < 3; i++) {
		answer(file);
		loop_turn(loop, 0);
		/* Waits for the workers. */
		dev->ops->pause(dev, true);
		dev->ops->pause(dev, false);
	}
}

static uint64_t open_file(struct driver_queue *q, uint64_t area, int file)
{
	const struct fuse_in_header head = {.len = sizeof(head) + sizeof(struct fuse_open_in),
					    .opcode = FUSE_OPEN,
					    .nodeid = 1};
	const struct driver_segment segs[] = {
		{area, head.len, false},
		{area + 1024, sizeof(struct fuse_out_header) + sizeof(struct fuse_open_out), true},
	};
	struct fuse_open_out out;

	memset(guest_at(q->guest, area), 0, head.len);
	memcpy(guest_at(q->guest, area), &head, sizeof(head));
	driver_add(q, segs, 2);
	virtio_kick(dev, QUEUE);
	settle(file);
	memcpy(&out, guest_at(q->guest, area + 1024 + sizeof(struct fuse_out_header)), sizeof(out));
	return out.fh;
}

/* Offsets and lengths that make sense, those at the edges, and any. */
static uint64_t number(uint8_t kind, uint16_t value)
{
	const uint64_t of[] = {value,           value % 64, 0, ~0ull, (uint64_t)value << 48,
			       FILE_MAX - value};

	return of[kind % 6];
}

/* Byte 0: the opcode; 1, 2: handles; 3-11: numbers; 12-23: segments. */
static void add_request(struct driver_queue *q, uint64_t gpa, const uint8_t *in, const uint64_t *fh)
{
	static const uint32_t opcodes[] = {
		FUSE_READ,    FUSE_WRITE,           FUSE_FSYNC,   FUSE_FALLOCATE,
		FUSE_LSEEK,   FUSE_COPY_FILE_RANGE, FUSE_RELEASE, FUSE_WRITE,
		FUSE_GETATTR, FUSE_FLUSH,
	};
	uint64_t args[8] = {fh[in[1] % 3], number(in[3], (uint16_t)(in[4] << 8 | in[5])),
			    number(in[6], (uint16_t)(in[7] << 8 | in[8])), in[9]};
	struct fuse_in_header head = {
		.opcode = opcodes[in[0] % ARRAY_SIZE(opcodes)], .unique = in[2], .nodeid = 1};
	struct driver_segment segs[6];
	unsigned n_out = 1 + in[12] % 3, n_in = in[13] % 4;

	if (head.opcode == FUSE_COPY_FILE_RANGE) {
		args[2] = 1;
		args[3] = fh[in[2] % 3];
		args[4] = number(in[6], (uint16_t)(in[7] << 8 | in[8]));
		args[5] = number(in[10], in[11]);
	}
	head.len = sizeof(head) + sizeof(args);
	if (head.opcode == FUSE_READ || head.opcode == FUSE_WRITE)
		args[2] = (uint32_t)args[2] | (uint64_t)in[10] << 32;
	memcpy(guest_at(q->guest, gpa), &head, sizeof(head));
	memcpy((uint8_t *)guest_at(q->guest, gpa) + sizeof(head), args, sizeof(args));
	for (unsigned i = 0; i < n_out + n_in; i++) {
		const uint32_t lens[] = {40, 80, 104, in[14 + i], in[14 + i] * 64u, 16, 0, 4096};

		segs[i] = (struct driver_segment){
			.gpa = gpa + (i ? 128u * i : 0),
			.len = lens[in[18 + i % 6] % 8],
			.in = i >= n_out,
		};
	}
	driver_add(q, segs, n_out + n_in);
}

static void check_answers(struct driver_queue *q)
{
	uint32_t head, len, room;

	while (driver_get(q, &head, &len)) {
		room = 0;
		for (uint16_t at = (uint16_t)head;; at = q->desc[at].next) {
			if (q->desc[at].flags & VRING_DESC_F_WRITE)
				room += q->desc[at].len;
			if (!(q->desc[at].flags & VRING_DESC_F_NEXT))
				break;
		}
		if (len > room)
			abort();
	}
}

static void run(struct driver_queue *q, uint64_t area, const uint8_t *data, size_t size,
		const int *files)
{
	uint64_t fh[3] = {0};

	for (int i = 0; i < OPENED; i++)
		fh[i] = open_file(q, area, files[i]);
	fh[2] = size ? data[0] : 0;
	for (unsigned i = 0; i < MAX_REQUESTS && size >= REQUEST && !dev->failed; i++) {
		add_request(q, area + (i % 4) * 6144, data, fh);
		virtio_kick(dev, QUEUE);
		/* One by one, or some at once. */
		if (data[23] & 1)
			settle(-1);
		data += REQUEST;
		size -= REQUEST;
	}
	settle(-1);
	check_answers(q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake_transport transport;
	struct driver_queue queues[VIRTIO_FS_QUEUES];
	struct guest g;
	int files[OPENED], bystander = memfd_create("bystander", MFD_CLOEXEC);

	if (!loop)
		set_up();
	for (int i = 0; i < OPENED; i++) {
		files[i] = memfd_create("file", MFD_CLOEXEC);
		if (files[i] < 0 || ftruncate(files[i], 4096) < 0)
			abort();
	}
	guest_init(&g, RAM_SIZE);
	fake_transport_attach(&transport, dev, &g, loop);
	if (fake_transport_start(dev, &g, queues, 0) < 0)
		abort();
	run(&queues[QUEUE], guest_alloc(&g, AREA), data, size, files);
	if (lseek(bystander, 0, SEEK_END) != 0)
		abort();
	virtio_reset(dev);
	guest_finish(&g);
	for (int i = 0; i < OPENED; i++)
		close(files[i]);
	close(bystander);
	return 0;
}
