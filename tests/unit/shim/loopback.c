/* SPDX-License-Identifier: Apache-2.0 */
/* The steering program, run by an interpreter of the few instructions that it is made of. */
#include "shim/loopback.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#define MAP_FD 77
#define SOCKET 4711

struct machine {
	uint64_t reg[11];
	uint8_t stack[64];
	bool sockets[LOOPBACK_FAMILIES];
	int assigned; /* the key of the socket; -1: none */
	int held;     /* references that were not given back */
};

static void call(struct machine *m, int helper)
{
	uint32_t key;

	switch (helper) {
	case BPF_FUNC_map_lookup_elem:
		cr_assert_eq(m->reg[1], MAP_FD);
		memcpy(&key, (void *)(uintptr_t)m->reg[2], sizeof(key));
		cr_assert_lt(key, LOOPBACK_FAMILIES);
		m->reg[0] = m->sockets[key] ? SOCKET + key : 0;
		m->held += m->sockets[key];
		break;
	case BPF_FUNC_sk_assign:
		cr_assert_eq(m->reg[3], 0);
		m->assigned = (int)(m->reg[2] - SOCKET);
		break;
	case BPF_FUNC_sk_release:
		cr_assert_eq(m->reg[1], (uint64_t)(SOCKET + m->assigned));
		m->held--;
		break;
	default:
		cr_assert_fail("helper %d", helper);
	}
}

static uint64_t value_of(const struct machine *m, const struct bpf_insn *insn)
{
	return BPF_SRC(insn->code) == BPF_X ? m->reg[insn->src_reg] : (uint64_t)(int64_t)insn->imm;
}

/* How many instructions are left out. */
static int jump(const struct machine *m, const struct bpf_insn *insn)
{
	uint64_t a = m->reg[insn->dst_reg], b = value_of(m, insn);
	bool narrow = BPF_CLASS(insn->code) == BPF_JMP32;
	bool equal = narrow ? (uint32_t)a == (uint32_t)b : a == b;

	if (BPF_OP(insn->code) == BPF_JA)
		return insn->off;
	cr_assert(BPF_OP(insn->code) == BPF_JEQ || BPF_OP(insn->code) == BPF_JNE);
	return equal == (BPF_OP(insn->code) == BPF_JEQ) ? insn->off : 0;
}

static void step(struct machine *m, const struct bpf_insn *insn)
{
	uint64_t *dst = &m->reg[insn->dst_reg];

	switch (BPF_CLASS(insn->code)) {
	case BPF_LDX:
		cr_assert_eq(BPF_SIZE(insn->code), BPF_W);
		*dst = *(uint32_t *)(uintptr_t)(m->reg[insn->src_reg] + (uint64_t)insn->off);
		break;
	case BPF_STX:
		memcpy((void *)(uintptr_t)(*dst + (uint64_t)insn->off), &m->reg[insn->src_reg], 4);
		break;
	case BPF_LD:
		cr_assert_eq(insn->src_reg, BPF_PSEUDO_MAP_FD);
		*dst = (uint64_t)insn->imm;
		break;
	case BPF_ALU64:
		if (BPF_OP(insn->code) == BPF_MOV)
			*dst = value_of(m, insn);
		else
			*dst += value_of(m, insn);
		break;
	default:
		cr_assert_fail("instruction %#x", insn->code);
	}
}

static struct machine run(const struct bpf_sk_lookup *ctx, bool sockets)
{
	struct bpf_insn insns[LOOPBACK_MAX_INSNS];
	size_t n = loopback_generate(MAP_FD, insns);
	struct machine m = {.sockets = {sockets, sockets}, .assigned = -1};
	size_t at = 0;

	m.reg[1] = (uintptr_t)ctx;
	m.reg[10] = (uintptr_t)(m.stack + sizeof(m.stack));
	for (;;) {
		const struct bpf_insn *insn = &insns[at];
		uint8_t class = BPF_CLASS(insn->code);

		cr_assert_lt(at, n);
		if (class == BPF_JMP && BPF_OP(insn->code) == BPF_EXIT)
			break;
		if (class == BPF_JMP && BPF_OP(insn->code) == BPF_CALL)
			call(&m, insn->imm);
		else if (class == BPF_JMP || class == BPF_JMP32)
			at += (size_t)jump(&m, insn);
		else
			step(&m, insn);
		/* A constant of 64 bits is two instructions. */
		at += class == BPF_LD ? 2 : 1;
	}
	cr_assert_eq(m.reg[0], SK_PASS);
	cr_assert_eq(m.held, 0);
	return m;
}

static struct bpf_sk_lookup to_v4(const char *address)
{
	struct bpf_sk_lookup ctx = {.family = AF_INET, .protocol = IPPROTO_TCP, .local_port = 80};

	cr_assert_eq(inet_pton(AF_INET, address, &ctx.local_ip4), 1);
	return ctx;
}

static struct bpf_sk_lookup to_v6(const char *address)
{
	struct bpf_sk_lookup ctx = {.family = AF_INET6, .protocol = IPPROTO_TCP, .local_port = 80};

	cr_assert_eq(inet_pton(AF_INET6, address, ctx.local_ip6), 1);
	return ctx;
}

Test(loopback, steers_what_is_for_a_loopback_address)
{
	const struct bpf_sk_lookup v4 = to_v4("127.0.0.1"), v6 = to_v6("::1");

	cr_expect_eq(run(&v4, true).assigned, LOOPBACK_V4);
	cr_expect_eq(run(&v6, true).assigned, LOOPBACK_V6);
	/* A host without IPv6 has no socket for it. */
	cr_expect_eq(run(&v6, false).assigned, -1);
}

Test(loopback, leaves_the_rest_alone)
{
	static const char *const others4[] = {"127.0.0.2", "10.0.0.1", "0.0.0.0"};
	static const char *const others6[] = {"::",       "::2",     "1::1",
					      "0:0:1::1", "::1:0:1", "::ffff:127.0.0.1"};
	struct bpf_sk_lookup ctx = to_v4("127.0.0.1");

	ctx.protocol = IPPROTO_UDP;
	cr_expect_eq(run(&ctx, true).assigned, -1);
	ctx = to_v4("127.0.0.1");
	ctx.family = AF_UNIX;
	cr_expect_eq(run(&ctx, true).assigned, -1);
	for (size_t i = 0; i < sizeof(others4) / sizeof(others4[0]); i++) {
		ctx = to_v4(others4[i]);
		cr_expect_eq(run(&ctx, true).assigned, -1, "%s", others4[i]);
	}
	for (size_t i = 0; i < sizeof(others6) / sizeof(others6[0]); i++) {
		ctx = to_v6(others6[i]);
		cr_expect_eq(run(&ctx, true).assigned, -1, "%s", others6[i]);
	}
}
