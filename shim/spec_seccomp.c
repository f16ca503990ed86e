/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: linux.seccomp becomes a BPF program here, on the host, by libseccomp, and not in
 * the agent. So a profile that is wrong is refused before there is a VM, the static PID 1 of the guest
 * needs no compiler, and what it takes from the wire is bytes whose meaning its kernel verifies.
 *
 * The program is for the guest's kernel: libseccomp is told not to ask this one what it can. Names of
 * system calls that it does not know are skipped, as runc does: profiles name calls of other
 * architectures and of kernels to come. So are architectures that no program in an x86-64 guest can
 * have. To those to come seccomp_enosys.c answers.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/io.h"
#include "shim/seccomp_enosys.h"
#include "shim/seccomp_ready.h"
#include "shim/spec_guest_internal.h"

#define MAX_PROGRAM  (4096 * 8) /* BPF_MAXINSNS, struct sock_filter */
#define MAX_NAMES    16384      /* libseccomp's time grows with more than their number */
#define API_OF_GUEST 6 /* libseccomp's number for all that it knows of Linux 5.7 and later */

static const struct {
	const char *name;
	uint32_t action;
	bool takes_errno;
} actions[] = {
	{"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD, false},
	{"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS, false},
	{"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD, false},
	{"SCMP_ACT_TRAP", SCMP_ACT_TRAP, false},
	{"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0), true},
	{"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0), true},
	{"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW, false},
	{"SCMP_ACT_LOG", SCMP_ACT_LOG, false},
};

static const struct {
	const char *name;
	enum scmp_compare op;
} operators[] = {
	{"SCMP_CMP_NE", SCMP_CMP_NE},
	{"SCMP_CMP_LT", SCMP_CMP_LT},
	{"SCMP_CMP_LE", SCMP_CMP_LE},
	{"SCMP_CMP_EQ", SCMP_CMP_EQ},
	{"SCMP_CMP_GE", SCMP_CMP_GE},
	{"SCMP_CMP_GT", SCMP_CMP_GT},
	{"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
};

/* token 0: exists, but not in our guest. */
static const struct {
	const char *name;
	uint32_t token;
} architectures[] = {
	{"SCMP_ARCH_X86", SCMP_ARCH_X86},
	{"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},
	{"SCMP_ARCH_X32", SCMP_ARCH_X32},
	{"SCMP_ARCH_ARM", 0},
	{"SCMP_ARCH_AARCH64", 0},
	{"SCMP_ARCH_LOONGARCH64", 0},
	{"SCMP_ARCH_M68K", 0},
	{"SCMP_ARCH_MIPS", 0},
	{"SCMP_ARCH_MIPS64", 0},
	{"SCMP_ARCH_MIPS64N32", 0},
	{"SCMP_ARCH_MIPSEL", 0},
	{"SCMP_ARCH_MIPSEL64", 0},
	{"SCMP_ARCH_MIPSEL64N32", 0},
	{"SCMP_ARCH_PPC", 0},
	{"SCMP_ARCH_PPC64", 0},
	{"SCMP_ARCH_PPC64LE", 0},
	{"SCMP_ARCH_RISCV64", 0},
	{"SCMP_ARCH_S390", 0},
	{"SCMP_ARCH_S390X", 0},
	{"SCMP_ARCH_SH", 0},
	{"SCMP_ARCH_SHEB", 0},
	{"SCMP_ARCH_PARISC", 0},
	{"SCMP_ARCH_PARISC64", 0},
};

/*
 * Flags that say how the filter is loaded. How a listener waits means nothing without one; and every
 * process that gets the filter has one thread.
 */
static const struct {
	const char *name;
	uint32_t flag;
} flags[] = {
	{"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
	{"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
	{"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
	{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", 0},
};

static int __attribute__((format(printf, 2, 3)))
refuse(const struct builder *b, const char *fmt, ...)
{
	struct err err = ERR_INIT;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err.msg, sizeof(err.msg), fmt, ap);
	va_end(ap);
	return err_set(b->err, EINVAL, "%s: linux.seccomp%.900s", b->spec->doc.what, err.msg);
}

static int find_action(const struct builder *b, const char *where, const char *name,
		       const struct json_uint *errno_ret, uint32_t *ret)
{
	/* A listener would have to be a process in the guest: there is none that the spec could name. */
	if (strcmp(name, "SCMP_ACT_NOTIFY") == 0)
		return refuse(b, "%s: SCMP_ACT_NOTIFY is not supported", where);
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		if (strcmp(name, actions[i].name) != 0)
			continue;
		/* The runtime-spec: "the runtime MUST print an error". */
		if (errno_ret->set && !actions[i].takes_errno)
			return refuse(b, "%s: %s takes no errno", where, name);
		*ret = actions[i].action;
		if (actions[i].takes_errno)
			*ret |= errno_ret->set ? (uint32_t)errno_ret->v : EPERM;
		return 0;
	}
	return refuse(b, "%s: no such action: %.64s", where, name);
}

static int add_architectures(const struct builder *b, scmp_filter_ctx ctx,
			     const struct json_array *list)
{
	const char *const *names = list->items;

	for (size_t i = 0; i < list->n; i++) {
		size_t k = 0;
		int r = 0;

		while (k < ARRAY_SIZE(architectures) &&
		       strcmp(names[i], architectures[k].name) != 0)
			k++;
		if (k == ARRAY_SIZE(architectures))
			return refuse(b, ".architectures[%zu]: no such architecture: %.64s", i,
				      names[i]);
		if (architectures[k].token)
			r = seccomp_arch_add(ctx, architectures[k].token);
		/* Said twice, or the native one, which is always there. */
		if (r < 0 && r != -EEXIST)
			return refuse(b, ".architectures[%zu]: %s", i, strerror(-r));
	}
	return 0;
}

static int parse_arg(const struct builder *b, size_t rule, size_t i,
		     const struct spec_seccomp_arg *arg, struct scmp_arg_cmp *ret)
{
	for (size_t k = 0; k < ARRAY_SIZE(operators); k++) {
		if (strcmp(arg->op, operators[k].name) != 0)
			continue;
		/* The masked form has the mask in value, and what is wanted under it in valueTwo. */
		*ret = (struct scmp_arg_cmp){.arg = (unsigned int)arg->index.v,
					     .op = operators[k].op,
					     .datum_a = arg->value.v,
					     .datum_b = arg->value_two.v};
		return 0;
	}
	return refuse(b, ".syscalls[%zu].args[%zu].op: no such operator: %.64s", rule, i, arg->op);
}

/* One system call with all its conditions. -EEXIST: an equal rule is there already. */
static int add_call(scmp_filter_ctx ctx, uint32_t action, int nr, const struct scmp_arg_cmp *args,
		    size_t n, bool alternatives)
{
	int r = 0;

	if (!alternatives)
		return seccomp_rule_add_array(ctx, action, nr, (unsigned int)n, args);
	for (size_t i = 0; i < n && (r == 0 || r == -EEXIST); i++)
		r = seccomp_rule_add_array(ctx, action, nr, 1, &args[i]);
	return r;
}

static int add_rule(const struct builder *b, scmp_filter_ctx ctx, size_t i,
		    const struct spec_syscall *rule, uint32_t default_action)
{
	const struct spec_seccomp_arg *from = rule->args.items;
	const char *const *names = rule->names.items;
	struct scmp_arg_cmp args[64];
	bool alternatives = false;
	uint32_t action = default_action, seen = 0;
	char where[48];
	int r;

	snprintf(where, sizeof(where), ".syscalls[%zu].action", i);
	r = find_action(b, where, rule->action, &rule->errno_ret, &action);
	if (r == 0 && rule->names.n == 0)
		r = refuse(b, ".syscalls[%zu].names: empty", i);
	for (size_t k = 0; r == 0 && k < rule->args.n; k++) {
		r = parse_arg(b, i, k, &from[k], &args[k]);
		/* libseccomp holds one condition an argument; runc takes more as alternatives. */
		alternatives |= seen & (1u << from[k].index.v);
		seen |= 1u << from[k].index.v;
	}
	/* To libseccomp a rule that says what happens anyway is a mistake. */
	if (r < 0 || action == default_action)
		return r;
	for (size_t k = 0; r == 0 && k < rule->names.n; k++) {
		int nr = seccomp_syscall_resolve_name(names[k]);

		if (nr == __NR_SCMP_ERROR)
			continue;
		r = add_call(ctx, action, nr, args, rule->args.n, alternatives);
		if (r == -EEXIST)
			r = 0;
		if (r < 0)
			return refuse(b, ".syscalls[%zu]: %.64s: %s", i, names[k], strerror(-r));
	}
	return r;
}

static int parse_flags(const struct builder *b, const struct json_array *list, uint32_t *ret)
{
	const char *const *names = list->items;

	for (size_t i = 0; i < list->n; i++) {
		size_t k = 0;

		while (k < ARRAY_SIZE(flags) && strcmp(names[i], flags[k].name) != 0)
			k++;
		if (k == ARRAY_SIZE(flags))
			return refuse(b, ".flags[%zu]: no such flag: %.64s", i, names[i]);
		*ret |= flags[k].flag;
	}
	return 0;
}

/* libseccomp 2.5 exports to descriptors only. The n instructions of prelude come before its program. */
static int export(const struct builder *b, scmp_filter_ctx ctx, const struct sock_filter *prelude,
		  size_t n, ProtobufCBinaryData *ret)
{
	_cleanup_close_ int fd = memfd_create("seccomp", MFD_CLOEXEC);
	size_t before = n * sizeof(*prelude);
	off_t size;
	int r;

	if (fd < 0)
		return err_set_errno(b->err, errno, "linux.seccomp: memfd");
	r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return refuse(b, ": cannot be compiled: %s", strerror(-r));
	size = lseek(fd, 0, SEEK_END);
	if (size <= 0 || (size_t)size > MAX_PROGRAM - before)
		return refuse(b, ": more than the kernel's 4096 instructions");
	ret->data = json_doc_alloc(&b->spec->doc, 1, before + (size_t)size);
	if (!ret->data)
		return no_memory(b);
	ret->len = before + (size_t)size;
	memcpy(ret->data, prelude, before);
	if (lseek(fd, 0, SEEK_SET) < 0 || io_read_full(fd, ret->data + before, (size_t)size) < 0)
		return err_set_errno(b->err, EIO, "linux.seccomp: reading the program back");
	return 0;
}

/* 1: the program was there, made by these functions from an equal profile. */
static int take_ready(const struct builder *b, const struct spec_seccomp *from, Spec__Seccomp *out)
{
	struct bytes ready = seccomp_ready_find(b->spec->ready_seccomp, from);
	int r;

	if (!ready.size || ready.size > MAX_PROGRAM)
		return 0;
	r = parse_flags(b, &from->flags, &out->flags);
	if (r < 0)
		return r;
	out->program.data = json_doc_alloc(&b->spec->doc, 1, ready.size);
	if (!out->program.data)
		return no_memory(b);
	out->program.len = ready.size;
	memcpy(out->program.data, ready.data, ready.size);
	return 1;
}

static int compile(const struct builder *b, const struct spec_seccomp *from, scmp_filter_ctx ctx,
		   uint32_t default_action, Spec__Seccomp *out)
{
	const struct spec_syscall *rules = from->syscalls.items;
	struct sock_filter prelude[SECCOMP_ENOSYS_MAX];
	int r = add_architectures(b, ctx, &from->architectures);
	size_t n = 0;

	for (size_t i = 0; i < from->syscalls.n; i++)
		n += rules[i].names.n;
	if (r == 0 && n > MAX_NAMES)
		r = refuse(b, ".syscalls: more than %d names", MAX_NAMES);
	/*
	 * no_new_privs is the process's own affair. And a tree instead of a list: at each start the guest's
	 * kernel walks the program for each system call that there is, 900 times.
	 */
	if (r == 0 && (seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0) < 0 ||
		       seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2) < 0))
		r = refuse(b, ": libseccomp takes no attributes");
	for (size_t i = 0; r == 0 && i < from->syscalls.n; i++)
		r = add_rule(b, ctx, i, &rules[i], default_action);
	if (r == 0)
		r = parse_flags(b, &from->flags, &out->flags);
	if (r < 0)
		return r;
	n = seccomp_enosys(ctx, from, default_action, prelude);
	return export(b, ctx, prelude, n, &out->program);
}

int spec_build_seccomp(const struct builder *b, const struct spec_seccomp *from,
		       Spec__Seccomp **ret)
{
	Spec__Seccomp *out = json_doc_alloc(&b->spec->doc, 1, sizeof(*out));
	uint32_t default_action = 0;
	scmp_filter_ctx ctx;
	int r;

	if (!out)
		return no_memory(b);
	spec__seccomp__init(out);
	r = take_ready(b, from, out);
	if (r > 0)
		*ret = out;
	if (r != 0)
		return r < 0 ? r : 0;
	r = find_action(b, ".defaultAction", from->default_action, &from->default_errno_ret,
			&default_action);
	if (r < 0)
		return r;
	seccomp_api_set(API_OF_GUEST);
	ctx = seccomp_init(default_action);
	if (!ctx)
		return refuse(b, ".defaultAction: libseccomp does not take it");
	r = compile(b, from, ctx, default_action, out);
	seccomp_release(ctx);
	if (r == 0)
		*ret = out;
	return r;
}
