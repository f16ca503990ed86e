/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the kernel asks the program about (type, access bits, major, minor). The
 * rules are walked from the last to the first with the set of bits still undecided in a register:
 *
 *	r2 type   r3 undecided bits   r4 major   r5 minor
 *	for each rule that matches the device, last rule first:
 *		deny:  return 0 if it covers an undecided bit
 *		allow: take its bits away; return 1 if none is left
 *	return 0
 *
 * so that "allow rw, then deny w" and "allow r, then allow w" both mean what they say. All jumps go
 * forward: the verifier needs no loops, and time is bounded by the number of rules.
 */
#include "agent/devfilter.h"

#include <string.h>
#include <sys/syscall.h>

#include "common/cleanup.h"

enum { R_RESULT, R_CTX, R_TYPE, R_LEFT, R_MAJOR, R_MINOR, R_HIT };

#define INSN(c, d, s, o, i)                                                                        \
	((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define LOAD32(d, offset)  INSN(BPF_LDX | BPF_MEM | BPF_W, d, R_CTX, offset, 0)
#define MOV_REG(d, s)      INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOV_IMM(d, i)      INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define AND_IMM(d, i)      INSN(BPF_ALU64 | BPF_AND | BPF_K, d, 0, 0, i)
#define RSH_IMM(d, i)      INSN(BPF_ALU64 | BPF_RSH | BPF_K, d, 0, 0, i)
#define JNE_IMM(d, i, off) INSN(BPF_JMP32 | BPF_JNE | BPF_K, d, 0, off, i)
#define JEQ_IMM(d, i, off) INSN(BPF_JMP32 | BPF_JEQ | BPF_K, d, 0, off, i)
#define RETURN             INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

#define MAX_PER_RULE 8 /* three tests of the device, and five instructions to deny */
#define OVERHEAD     8 /* six to load the request, two to end */

static void emit(struct devfilter *f, struct bpf_insn insn)
{
	f->insns[f->n++] = insn;
}

static void emit_rule(struct devfilter *f, const struct device_rule *rule)
{
	size_t jumps[3], n_jumps = 0;

	/* Each test jumps over the rest of the rule; where that ends is known only below. */
	if (rule->type) {
		jumps[n_jumps++] = f->n;
		emit(f, JNE_IMM(R_TYPE, (int32_t)rule->type, 0));
	}
	if (rule->major != DEVFILTER_ANY) {
		jumps[n_jumps++] = f->n;
		emit(f, JNE_IMM(R_MAJOR, (int32_t)rule->major, 0));
	}
	if (rule->minor != DEVFILTER_ANY) {
		jumps[n_jumps++] = f->n;
		emit(f, JNE_IMM(R_MINOR, (int32_t)rule->minor, 0));
	}
	if (rule->allow) {
		emit(f, AND_IMM(R_LEFT, (int32_t)~rule->access));
		emit(f, JNE_IMM(R_LEFT, 0, 2));
		emit(f, MOV_IMM(R_RESULT, 1));
		emit(f, RETURN);
	} else {
		emit(f, MOV_REG(R_HIT, R_LEFT));
		emit(f, AND_IMM(R_HIT, (int32_t)rule->access));
		emit(f, JEQ_IMM(R_HIT, 0, 2));
		emit(f, MOV_IMM(R_RESULT, 0));
		emit(f, RETURN);
	}
	for (size_t i = 0; i < n_jumps; i++)
		f->insns[jumps[i]].off = (int16_t)(f->n - jumps[i] - 1);
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
	emit(&f, MOV_REG(R_LEFT, R_TYPE));
	emit(&f, AND_IMM(R_TYPE, 0xffff));
	emit(&f, RSH_IMM(R_LEFT, 16));
	emit(&f, LOAD32(R_MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major)));
	emit(&f, LOAD32(R_MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor)));
	for (size_t i = n; i-- > 0;)
		emit_rule(&f, &rules[i]);
	emit(&f, MOV_IMM(R_RESULT, 0));
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
