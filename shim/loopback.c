/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the kernel asks a program of type sk_lookup, attached to the namespace, which
 * socket a new connection is for, before it looks for one itself:
 *
 *	if TCP and to 127.0.0.1: socket = map[0]
 *	if TCP and to ::1:       socket = map[1]
 *	if there is one: it is for that
 *	pass
 *
 * Nothing of it has a name, nothing stays: with the descriptor of the attachment it is gone, however we
 * end. A connection's own address still is the one that was dialled, which tells the port.
 */
#include "shim/loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "shim/netns.h"

#define BACKLOG 64

enum { R_RESULT, R_ARG1, R_ARG2, R_ARG3, R_CTX = 6, R_SOCKET, R_FRAME = 10 };

/* --- the program ------------------------------------------------------------------------------ */

#define INSN(c, d, s, o, i)                                                                        \
	((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define LOAD32(d, field)                                                                           \
	INSN(BPF_LDX | BPF_MEM | BPF_W, d, R_CTX, offsetof(struct bpf_sk_lookup, field), 0)
#define MOV_REG(d, s) INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOV_IMM(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ADD_IMM(d, i) INSN(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
/* Jumps to where the program passes; the distance is filled in at the end. */
#define PASS_IF_NOT(d, i)      INSN(BPF_JMP32 | BPF_JNE | BPF_K, d, 0, 0, i)
#define PASS_IF_NULL(d)        INSN(BPF_JMP | BPF_JEQ | BPF_K, d, 0, 0, 0)
#define JUMP_IF_NOT(d, i, off) INSN(BPF_JMP32 | BPF_JNE | BPF_K, d, 0, off, i)
#define JUMP(off)              INSN(BPF_JMP | BPF_JA, 0, 0, off, 0)
#define CALL(helper)           INSN(BPF_JMP | BPF_CALL, 0, 0, 0, helper)
#define RETURN                 INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

size_t loopback_generate(int map_fd, struct bpf_insn ret[LOOPBACK_MAX_INSNS])
{
	const struct bpf_insn insns[] = {
		MOV_REG(R_CTX, R_ARG1),
		LOAD32(R_RESULT, protocol),
		PASS_IF_NOT(R_RESULT, IPPROTO_TCP),
		LOAD32(R_RESULT, family),
		JUMP_IF_NOT(R_RESULT, AF_INET, 4),
		LOAD32(R_RESULT, local_ip4),
		PASS_IF_NOT(R_RESULT, (int32_t)htonl(INADDR_LOOPBACK)),
		MOV_IMM(R_RESULT, LOOPBACK_V4),
		JUMP(10),
		PASS_IF_NOT(R_RESULT, AF_INET6),
		LOAD32(R_RESULT, local_ip6[0]),
		PASS_IF_NOT(R_RESULT, 0),
		LOAD32(R_RESULT, local_ip6[1]),
		PASS_IF_NOT(R_RESULT, 0),
		LOAD32(R_RESULT, local_ip6[2]),
		PASS_IF_NOT(R_RESULT, 0),
		LOAD32(R_RESULT, local_ip6[3]),
		PASS_IF_NOT(R_RESULT, (int32_t)htonl(1)),
		MOV_IMM(R_RESULT, LOOPBACK_V6),
		/* The key, on the stack. */
		INSN(BPF_STX | BPF_MEM | BPF_W, R_FRAME, R_RESULT, -4, 0),
		INSN(BPF_LD | BPF_IMM | BPF_DW, R_ARG1, BPF_PSEUDO_MAP_FD, 0, map_fd),
		INSN(0, 0, 0, 0, 0),
		MOV_REG(R_ARG2, R_FRAME),
		ADD_IMM(R_ARG2, -4),
		CALL(BPF_FUNC_map_lookup_elem),
		PASS_IF_NULL(R_RESULT),
		MOV_REG(R_SOCKET, R_RESULT),
		MOV_REG(R_ARG1, R_CTX),
		MOV_REG(R_ARG2, R_SOCKET),
		MOV_IMM(R_ARG3, 0),
		CALL(BPF_FUNC_sk_assign),
		MOV_REG(R_ARG1, R_SOCKET),
		CALL(BPF_FUNC_sk_release),
		/* Pass. */
		MOV_IMM(R_RESULT, SK_PASS),
		RETURN,
	};
	const size_t n = ARRAY_SIZE(insns);

	_Static_assert(ARRAY_SIZE(insns) <= LOOPBACK_MAX_INSNS, "the program's room");
	memcpy(ret, insns, sizeof(insns));
	for (size_t i = 0; i < n; i++) {
		uint8_t class = BPF_CLASS(ret[i].code), op = BPF_OP(ret[i].code);

		if (((class == BPF_JMP32 && op == BPF_JNE) ||
		     (class == BPF_JMP && op == BPF_JEQ)) &&
		    ret[i].off == 0)
			ret[i].off = (int16_t)(n - 2 - i - 1);
	}
	return n;
}

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	int r = (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return r < 0 ? -errno : r;
}

static int make_map(const struct loopback *loopback)
{
	_cleanup_close_ int map = -1;
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_SOCKMAP,
		.key_size = sizeof(uint32_t),
		.value_size = sizeof(uint64_t),
		.max_entries = LOOPBACK_FAMILIES,
	};
	int r = map = sys_bpf(BPF_MAP_CREATE, &attr);

	for (uint32_t i = 0; i < LOOPBACK_FAMILIES && r >= 0; i++) {
		uint64_t fd = (uint64_t)loopback->listen_fds[i];

		if (loopback->listen_fds[i] < 0)
			continue;
		attr = (union bpf_attr){.map_fd = (uint32_t)map};
		attr.key = (uintptr_t)&i;
		attr.value = (uintptr_t)&fd;
		r = sys_bpf(BPF_MAP_UPDATE_ELEM, &attr);
	}
	return r < 0 ? r : TAKE_FD(map);
}

static int attach(struct loopback *loopback, int netns_fd)
{
	_cleanup_close_ int map = make_map(loopback), prog = -1;
	struct bpf_insn insns[LOOPBACK_MAX_INSNS];
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SK_LOOKUP,
		.expected_attach_type = BPF_SK_LOOKUP,
		.insns = (uintptr_t)insns,
		.license = (uintptr_t) "Apache-2.0",
	};

	if (map < 0)
		return map;
	attr.insn_cnt = (uint32_t)loopback_generate(map, insns);
	prog = sys_bpf(BPF_PROG_LOAD, &attr);
	if (prog < 0)
		return prog;
	attr = (union bpf_attr){0};
	attr.link_create.prog_fd = (uint32_t)prog;
	attr.link_create.target_fd = (uint32_t)netns_fd;
	attr.link_create.attach_type = BPF_SK_LOOKUP;
	loopback->link_fd = sys_bpf(BPF_LINK_CREATE, &attr);
	return loopback->link_fd;
}

/* --- in the namespace ------------------------------------------------------------------------- */

static int listen_on(const struct sockaddr *addr, socklen_t len)
{
	_cleanup_close_ int fd =
		socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, addr, len) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int open_in_namespace(void *data, struct netns_reply *reply, struct err *err)
{
	const struct sockaddr_in v4 = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const struct sockaddr_in6 v6 = {
		.sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};
	const int *netns_fd = data;
	struct loopback loopback = LOOPBACK_INIT;
	int r;

	loopback.listen_fds[LOOPBACK_V4] = listen_on((const struct sockaddr *)&v4, sizeof(v4));
	if (loopback.listen_fds[LOOPBACK_V4] < 0)
		return err_set_errno(err, -loopback.listen_fds[LOOPBACK_V4], "127.0.0.1");
	/* A host may be without IPv6. */
	loopback.listen_fds[LOOPBACK_V6] = listen_on((const struct sockaddr *)&v6, sizeof(v6));
	r = attach(&loopback, *netns_fd);
	if (r < 0)
		return err_set_errno(err, -r, "steering connections");
	reply->fds[reply->n_fds++] = loopback.link_fd;
	for (int i = 0; i < LOOPBACK_FAMILIES; i++)
		if (loopback.listen_fds[i] >= 0)
			reply->fds[reply->n_fds++] = loopback.listen_fds[i];
	return 0;
}

int loopback_open(const char *path, struct loopback *ret, struct err *err)
{
	_cleanup_free_ struct netns_reply *reply = calloc(1, sizeof(*reply));
	_cleanup_close_ int fd = -1;
	struct netns_id id;
	int r;

	if (!reply)
		return err_set(err, ENOMEM, "out of memory");
	fd = netns_open(path, &id, err);
	if (fd < 0)
		return fd;
	r = netns_run(fd, open_in_namespace, &fd, reply, err);
	if (r < 0)
		return r;
	*ret = (struct loopback)LOOPBACK_INIT;
	for (size_t i = 0; i < reply->n_fds; i++) {
		if (i == 0)
			ret->link_fd = reply->fds[i];
		else if (i <= LOOPBACK_FAMILIES)
			ret->listen_fds[i - 1] = reply->fds[i];
		else
			close(reply->fds[i]);
	}
	return 0;
}

void loopback_close(struct loopback *loopback)
{
	close_fd(&loopback->link_fd);
	for (int i = 0; i < LOOPBACK_FAMILIES; i++)
		close_fd(&loopback->listen_fds[i]);
}
