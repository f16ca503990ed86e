/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the kernel asks the program about (type, access bits, major, minor). The
 * rules are walked from the last to the first with the set of bits still undecided in a register:
 *
 *	left = access bits, denied = 0, matched = 0
 *	for each rule, last rule first:
 *		hit = 1 if the rule is about the device, else 0
 *		deny:  denied |= left & (hit * rule's bits)
 *		allow: left &= ~(hit * rule's bits); matched |= hit
 *	return left and denied are 0, and matched is not
 *
 * so that "allow rw, then deny w" and "allow r, then allow w" both mean what they say.
 *
 * The program has no jumps. For each it would have, the kernel's verifier goes on along both ways and
 * compares what it has learned: 3 ms of each start for the usual dozen rules, and more than
 * in proportion for more. So a test is arithmetic: x is 0 where equal, and (x - 1) >> 63 makes 1 of that
 * and 0 of anything else below 2^32. (A mask of all ones instead of 1 would have the verifier fork again: it
 * knows it for a disguised jump.)
 */
#include "agent/devfilter.h"

#include <string.h>
#include <sys/syscall.h>

#include "common/cleanup.h"

enum { R_RESULT, R_CTX, R_TYPE, R_LEFT, R_MAJOR, R_MINOR, R_HIT, R_DENIED, R_MATCHED, R_TEST };

#define INSN(c, d, s, o, i)                                                                        \
	((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define LOAD32(d, offset) INSN(BPF_LDX | BPF_MEM | BPF_W, d, R_CTX, offset, 0)
#define REG(op, d, s)     INSN(BPF_ALU64 | (op) | BPF_X, d, s, 0, 0)
/* A negative immediate is widened with its sign, in the 32-bit form with zeros. */
#define IMM(op, d, i)   INSN(BPF_ALU64 | (op) | BPF_K, d, 0, 0, i)
#define IMM32(op, d, i) INSN(BPF_ALU | (op) | BPF_K, d, 0, 0, i)
#define RETURN          INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

#define MAX_PER_RULE 14 /* eight to test the device, two for the hit, four to allow */
#define OVERHEAD     15 /* eight to begin, seven to end */

static void emit(struct devfilter *f, struct bpf_insn insn)
{
	f->insns[f->n++] = insn;
}

/* R_HIT gets a bit that is set for each way in which reg is not value. */
static void emit_test(struct devfilter *f, int reg, uint32_t value, bool *first)
{
	int to = *first ? R_HIT : R_TEST;

	emit(f, REG(BPF_MOV, to, reg));
	emit(f, IMM32(BPF_XOR, to, (int32_t)value));
	if (!*first)
		emit(f, REG(BPF_OR, R_HIT, R_TEST));
	*first = false;
}

static void emit_rule(struct devfilter *f, const struct device_rule *rule)
{
	bool any = true;

	if (rule->type)
		emit_test(f, R_TYPE, rule->type, &any);
	if (rule->major != DEVFILTER_ANY)
		emit_test(f, R_MAJOR, (uint32_t)rule->major, &any);
	if (rule->minor != DEVFILTER_ANY)
		emit_test(f, R_MINOR, (uint32_t)rule->minor, &any);
	if (any) {
		emit(f, IMM(BPF_MOV, R_HIT, 1));
	} else {
		emit(f, IMM(BPF_ADD, R_HIT, -1));
		emit(f, IMM(BPF_RSH, R_HIT, 63));
	}
	if (rule->allow) {
		emit(f, REG(BPF_OR, R_MATCHED, R_HIT));
		emit(f, IMM(BPF_MUL, R_HIT, (int32_t)rule->access));
		emit(f, IMM(BPF_XOR, R_HIT, -1));
		emit(f, REG(BPF_AND, R_LEFT, R_HIT));
	} else {
		emit(f, IMM(BPF_MUL, R_HIT, (int32_t)rule->access));
		emit(f, REG(BPF_AND, R_HIT, R_LEFT));
		emit(f, REG(BPF_OR, R_DENIED, R_HIT));
	}
}

int devfilter_generate(const struct device_rule *rules, size_t n, struct devfilter *ret)
{
	struct devfilter f = {0};

	if (n > DEVFILTER_MAX_RULES)
		return -E2BIG;
	f.cap = n * MAX_PER_RULE + OVERHEAD;
	f.insns = calloc(f.cap, sizeof(*f.insns));
	if (!f.insns)
		return -ENOMEM;
	emit(&f, LOAD32(R_TYPE, offsetof(struct bpf_cgroup_dev_ctx, access_type)));
	emit(&f, REG(BPF_MOV, R_LEFT, R_TYPE));
	emit(&f, IMM(BPF_AND, R_TYPE, 0xffff));
	emit(&f, IMM(BPF_RSH, R_LEFT, 16));
	emit(&f, LOAD32(R_MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major)));
	emit(&f, LOAD32(R_MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor)));
	emit(&f, IMM(BPF_MOV, R_DENIED, 0));
	emit(&f, IMM(BPF_MOV, R_MATCHED, 0));
	for (size_t i = n; i-- > 0;)
		emit_rule(&f, &rules[i]);
	emit(&f, REG(BPF_OR, R_LEFT, R_DENIED));
	emit(&f, IMM(BPF_ADD, R_LEFT, -1));
	emit(&f, IMM(BPF_RSH, R_LEFT, 63));
	emit(&f, REG(BPF_AND, R_LEFT, R_MATCHED));
	emit(&f, REG(BPF_MOV, R_RESULT, R_LEFT));
	emit(&f, IMM(BPF_AND, R_RESULT, 1));
	emit(&f, RETURN);
	*ret = f;
	return 0;
}

void devfilter_finish(struct devfilter *filter)
{
	free(filter->insns);
	*filter = (struct devfilter){0};
}

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

int devfilter_attach(int cgroup_fd, const struct devfilter *filter, struct err *err)
{
	union bpf_attr attr = {0};
	_cleanup_close_ int prog = -1;

	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.expected_attach_type = BPF_CGROUP_DEVICE;
	attr.insns = (uintptr_t)filter->insns;
	attr.insn_cnt = (uint32_t)filter->n;
	/* No helper is called, so any licence would do; this one names the file's. */
	attr.license = (uintptr_t) "Apache-2.0";
	prog = sys_bpf(BPF_PROG_LOAD, &attr);
	if (prog < 0)
		return err_set_errno(err, errno, "loading the device filter");

	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)cgroup_fd;
	attr.attach_bpf_fd = (uint32_t)prog;
	attr.attach_type = BPF_CGROUP_DEVICE;
	/* Nested containers may add their own; each must agree then. */
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	if (sys_bpf(BPF_PROG_ATTACH, &attr) < 0)
		return err_set_errno(err, errno, "attaching the device filter");
	return 0;
}
