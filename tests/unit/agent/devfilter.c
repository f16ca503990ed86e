/* SPDX-License-Identifier: Apache-2.0 */
/* The generated program, run by a small interpreter and compared with the rules' plain meaning. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/devfilter.h"
#include "common/cleanup.h"

#define R 2
#define W 4
#define M 1
#define C BPF_DEVCG_DEV_CHAR
#define B BPF_DEVCG_DEV_BLOCK
#define A DEVFILTER_ANY

_Static_assert(R == BPF_DEVCG_ACC_READ && W == BPF_DEVCG_ACC_WRITE && M == BPF_DEVCG_ACC_MKNOD,
	       "access bits");

static uint64_t alu(uint8_t op, uint64_t a, uint64_t b)
{
	switch (op) {
	case BPF_MOV:
		return b;
	case BPF_AND:
		return a & b;
	case BPF_OR:
		return a | b;
	case BPF_XOR:
		return a ^ b;
	case BPF_ADD:
		return a + b;
	case BPF_RSH:
		return a >> b;
	case BPF_MUL:
		return a * b;
	}
	cr_assert_fail("no such operation: %#x", op);
	return 0;
}

/* What the kernel would do; stops the test at anything that its verifier would refuse. */
static uint64_t interpret(const struct devfilter *f, const struct bpf_cgroup_dev_ctx *ctx)
{
	uint64_t reg[11] = {0};
	size_t steps = 0;

	for (size_t pc = 0; pc < f->n && steps <= f->n; pc++, steps++) {
		const struct bpf_insn *i = &f->insns[pc];
		uint64_t operand =
			BPF_SRC(i->code) == BPF_X ? reg[i->src_reg] : (uint64_t)(int64_t)i->imm;
		uint32_t word;

		cr_assert(i->dst_reg < 10 && i->src_reg < 11);
		switch (BPF_CLASS(i->code)) {
		case BPF_LDX:
			cr_assert(i->code == (BPF_LDX | BPF_MEM | BPF_W) && i->src_reg == 1);
			cr_assert(i->off >= 0 && (size_t)i->off + 4 <= sizeof(*ctx));
			memcpy(&word, (const char *)ctx + i->off, 4);
			reg[i->dst_reg] = word;
			break;
		case BPF_ALU64:
			reg[i->dst_reg] = alu(BPF_OP(i->code), reg[i->dst_reg], operand);
			break;
		case BPF_ALU:
			cr_assert_eq(BPF_OP(i->code), BPF_XOR);
			reg[i->dst_reg] = (uint32_t)(reg[i->dst_reg] ^ operand);
			break;
		case BPF_JMP:
			cr_assert_eq(BPF_OP(i->code), BPF_EXIT, "no jumps");
			return reg[0];
		default:
			cr_assert_fail("no such class: %#x", i->code);
		}
	}
	cr_assert_fail("the program runs off its end");
	return 0;
}

static bool matches(const struct device_rule *r, uint32_t type, uint32_t major, uint32_t minor)
{
	return (!r->type || r->type == type) && (r->major == A || r->major == (int64_t)major) &&
	       (r->minor == A || r->minor == (int64_t)minor);
}

/* Each requested bit by the last rule that covers it, without any cleverness. */
static bool plain(const struct device_rule *rules, size_t n, uint32_t type, uint32_t major,
		  uint32_t minor, uint32_t access)
{
	bool matched = false;

	for (uint32_t bit = 1; bit <= 4; bit <<= 1) {
		bool allowed = false;

		if (!(access & bit))
			continue;
		for (size_t i = 0; i < n; i++) {
			const struct device_rule *r = &rules[i];

			if (matches(r, type, major, minor) && (r->access & bit))
				allowed = r->allow;
		}
		if (!allowed)
			return false;
	}
	/* No bit at all is asked for of a device that some rule allows. */
	for (size_t i = 0; i < n; i++)
		matched |= rules[i].allow && matches(&rules[i], type, major, minor);
	return matched;
}

static void compare(const struct device_rule *rules, size_t n)
{
	struct devfilter f;

	cr_assert_eq(devfilter_generate(rules, n, &f), 0);
	cr_assert_leq(f.n, f.cap);
	for (uint32_t type = 1; type <= 2; type++) {
		for (uint32_t major = 0; major < 4; major++) {
			for (uint32_t minor = 0; minor < 4; minor++) {
				for (uint32_t access = 0; access < 8; access++) {
					struct bpf_cgroup_dev_ctx ctx = {
						.access_type = access << 16 | type,
						.major = major,
						.minor = minor,
					};
					bool want = plain(rules, n, type, major, minor, access);

					cr_assert_eq(interpret(&f, &ctx), want,
						     "type %u %u:%u access %u", type, major, minor,
						     access);
				}
			}
		}
	}
	devfilter_finish(&f);
}

Test(devfilter, nothing_is_allowed_without_a_rule)
{
	compare(NULL, 0);
}

Test(devfilter, last_rule_wins)
{
	const struct device_rule rules[] = {
		{false, 0, A, A, 7},     {true, C, 1, 3, R | W | M}, {true, C, 1, A, R},
		{false, C, 1, 2, R | W}, {true, 0, 2, A, M},         {true, B, A, 1, W},
		{false, B, 3, 1, M | W},
	};

	for (size_t n = 0; n <= ARRAY_SIZE(rules); n++)
		compare(rules, n);
}

Test(devfilter, bits_are_decided_apart)
{
	const struct device_rule split[] = {{true, C, 1, 3, R}, {true, C, 1, 3, W}};
	const struct device_rule taken[] = {{true, C, 1, 3, R | W}, {false, C, 1, 3, W}};

	compare(split, 2);
	compare(taken, 2);
}

Test(devfilter, random_rules)
{
	srand(20);
	for (int round = 0; round < 300; round++) {
		struct device_rule rules[12];
		size_t n = (size_t)rand() % ARRAY_SIZE(rules);

		for (size_t i = 0; i < n; i++) {
			rules[i] = (struct device_rule){
				.allow = rand() & 1,
				.type = (uint32_t)(rand() % 3),
				.major = rand() % 5 - 1,
				.minor = rand() % 5 - 1,
				.access = 1 + (uint32_t)(rand() % 7),
			};
		}
		compare(rules, n);
	}
}

Test(devfilter, bounded)
{
	static struct device_rule rules[DEVFILTER_MAX_RULES + 1];
	struct devfilter f;

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		rules[i] = (struct device_rule){true, C, (int64_t)i, 1, R};
	cr_assert_eq(devfilter_generate(rules, ARRAY_SIZE(rules), &f), -E2BIG);
	cr_assert_eq(devfilter_generate(rules, DEVFILTER_MAX_RULES, &f), 0);
	cr_assert_leq(f.n, f.cap);
	devfilter_finish(&f);
}
