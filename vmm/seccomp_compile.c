// SPDX-License-Identifier: Apache-2.0
/*
 * A build-time tool: lists of system calls (seccomp_*.def) to a BPF program in C, so that nothing has to
 * be compiled, and no compiler has to be there, when a monitor starts.
 *
 *	seccomp_compile NAME FILE.def...	to standard output
 *
 * A line is one rule, and says why it is there:
 *
 *	NAME [CONDITION[, CONDITION]...]  # reason
 *	argN == VALUE  |  argN > VALUE  |  argN & MASK == VALUE
 *
 * Several lines of one name: any of them. A value is a number or one of the names below. What no line
 * allows kills the process. The tests need every rule (94-rules.sh, which has them as a table,
 * SECCOMP_RULES), but for those whose reason begins with "unseen:" and says why they never do; those of
 * "qemu:" they need beside QEMU alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/prctl.h>

#include "common/cleanup.h"
#include "common/log.h"

#define MAX_CONDITIONS 6
#define MAX_CALLS      512
#define MAX_RULES      160
#define OPTIMIZE_TREE  2 /* of libseccomp: a binary search */

#define VALUE(name)                                                                                \
	{                                                                                          \
#name, name                                                                        \
	}

static const struct {
	const char *name;
	uint64_t value;
} values[] = {
	VALUE(AF_UNIX),
	VALUE(AT_EMPTY_PATH),
	VALUE(CLONE_THREAD),
	VALUE(F_DUPFD_CLOEXEC),
	VALUE(F_GETFD),
	VALUE(F_GETFL),
	VALUE(F_SETFD),
	VALUE(F_SETFL),
	VALUE(KVM_RUN),
	VALUE(KVM_SIGNAL_MSI),
	VALUE(KVM_SET_USER_MEMORY_REGION),
	VALUE(PROT_EXEC),
	VALUE(PR_SET_NAME),
	VALUE(SOCK_STREAM),
	VALUE(SOL_SOCKET),
	VALUE(SO_SNDBUF),
	VALUE(SO_TYPE),
	VALUE(SO_RCVBUF),
	VALUE(TUNGETIFF),
	VALUE(TUNSETOFFLOAD),
	VALUE(TUNSETQUEUE),
	VALUE(TUNSETVNETHDRSZ),
	VALUE(MADV_DONTNEED),
	VALUE(MADV_DONTDUMP),
	VALUE(S_IFMT),
	VALUE(S_IFCHR),
	VALUE(S_IFBLK),
};

/* By whom a rule is needed, as its reason says; tests/integration/rules.h has the same. */
enum seen { SEEN, SEEN_BESIDE_QEMU, UNSEEN };

struct rule {
	int nr;
	char text[96];
	enum seen seen;
	struct scmp_arg_cmp conditions[MAX_CONDITIONS];
	unsigned n;
};

struct list {
	scmp_filter_ctx ctx;
	const char *file;
	unsigned line;
	int calls[MAX_CALLS];
	unsigned n_calls;
	struct rule rules[MAX_RULES];
	unsigned n_rules;
};

static void __attribute__((noreturn)) bad(const struct list *list, const char *what)
{
	fatal("%s:%u: %s", list->file, list->line, what);
}

static uint64_t value_of(const struct list *list, const char *word)
{
	char *end;
	uint64_t value;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		if (strcmp(values[i].name, word) == 0)
			return values[i].value;
	errno = 0;
	value = strtoull(word, &end, 0);
	if (errno || *end || end == word)
		bad(list, "neither a number nor a known name");
	return value;
}

static struct scmp_arg_cmp condition(const struct list *list, const char *text)
{
	char mask[32], value[32], rest[2];
	unsigned arg;

	if (sscanf(text, " arg%u & %31s == %31s %1s", &arg, mask, value, rest) == 3 && arg < 6)
		return (struct scmp_arg_cmp){.arg = arg,
					     .op = SCMP_CMP_MASKED_EQ,
					     .datum_a = value_of(list, mask),
					     .datum_b = value_of(list, value)};
	if (sscanf(text, " arg%u == %31s %1s", &arg, value, rest) == 2 && arg < 6)
		return (struct scmp_arg_cmp){
			.arg = arg, .op = SCMP_CMP_EQ, .datum_a = value_of(list, value)};
	if (sscanf(text, " arg%u > %31s %1s", &arg, value, rest) == 2 && arg < 6)
		return (struct scmp_arg_cmp){
			.arg = arg, .op = SCMP_CMP_GT, .datum_a = value_of(list, value)};
	bad(list, "not a condition");
}

static void remember(struct list *list, int nr)
{
	for (unsigned i = 0; i < list->n_calls; i++)
		if (list->calls[i] == nr)
			return;
	if (list->n_calls == MAX_CALLS)
		bad(list, "too many system calls");
	list->calls[list->n_calls++] = nr;
}

static void add_rule(struct list *list, char *text, enum seen seen)
{
	struct rule *rule = &list->rules[list->n_rules];
	char *name, *word;
	int r;

	if (list->n_rules == MAX_RULES || strlen(text) >= sizeof(rule->text))
		bad(list, "too many rules, or too long a one");
	rule->seen = seen;
	memcpy(rule->text, text, strlen(text) + 1);
	name = strsep(&text, " \t");
	rule->nr = seccomp_syscall_resolve_name(name);
	if (rule->nr < 0)
		bad(list, "no such system call");
	while (text && (word = strsep(&text, ",")))
		if (word[strspn(word, " \t")]) {
			if (rule->n == MAX_CONDITIONS)
				bad(list, "too many conditions");
			rule->conditions[rule->n++] = condition(list, word);
		}
	r = seccomp_rule_add_array(list->ctx, SCMP_ACT_ALLOW, rule->nr, rule->n, rule->conditions);
	/* Another file may have it already. */
	if (r < 0 && r != -EEXIST)
		bad(list, strerror(-r));
	remember(list, rule->nr);
	list->n_rules++;
}

static enum seen seen_by(const char *reason)
{
	if (strncmp(reason, "unseen:", strlen("unseen:")) == 0)
		return UNSEEN;
	return strncmp(reason, "qemu:", strlen("qemu:")) == 0 ? SEEN_BESIDE_QEMU : SEEN;
}

static void add_line(struct list *list, char *line)
{
	char *reason = strchr(line, '#');
	size_t n;

	line += strspn(line, " \t\n");
	if (!*line || line == reason)
		return;
	if (!reason || !reason[1 + strspn(reason + 1, " \t\n")])
		bad(list, "a rule without a reason");
	*reason++ = '\0';
	reason += strspn(reason, " \t");
	n = strlen(line);
	while (n && (line[n - 1] == ' ' || line[n - 1] == '\t'))
		line[--n] = '\0';
	add_rule(list, line, seen_by(reason));
}

static void add_file(struct list *list, const char *file)
{
	_cleanup_fclose_ FILE *f = fopen(file, "re");
	char line[512];

	if (!f)
		fatal("%s: %s", file, strerror(errno));
	list->file = file;
	for (list->line = 1; fgets(line, sizeof(line), f); list->line++)
		add_line(list, line);
}

/* arg & mask == value, or arg > value. */
static void print_rule(const struct rule *rule)
{
	printf("\t{%d, \"%s\", %d, %u, {", rule->nr, rule->text, rule->seen, rule->n);
	for (unsigned i = 0; i < rule->n; i++) {
		const struct scmp_arg_cmp *c = &rule->conditions[i];
		bool masked = c->op == SCMP_CMP_MASKED_EQ;

		printf("{%u, %d, %#llxull, %#llxull},", c->arg, c->op == SCMP_CMP_GT,
		       masked ? (unsigned long long)c->datum_a : ~0ull,
		       (unsigned long long)(masked ? c->datum_b : c->datum_a));
	}
	printf("}},\n");
}

static void print(const struct list *list, const char *name)
{
	_cleanup_fclose_ FILE *f = tmpfile();
	struct sock_filter insn;

	if (!f || seccomp_export_bpf(list->ctx, fileno(f)) < 0)
		fatal("cannot compile %s", name);
	rewind(f);
	printf("/* Made by seccomp_compile; not to be edited. */\n");
	printf("static const struct sock_filter %s_filter[] = {\n", name);
	while (fread(&insn, sizeof(insn), 1, f) == 1)
		printf("\t{0x%04x, %u, %u, 0x%08x},\n", insn.code, insn.jt, insn.jf, insn.k);
	printf("};\nstatic const short %s_calls[] = {", name);
	for (unsigned i = 0; i < list->n_calls; i++)
		printf("%s%d,", i % 12 ? " " : "\n\t", list->calls[i]);
	printf("\n};\n#ifdef SECCOMP_RULES\nstatic const struct seccomp_rule %s_rules[] = {\n",
	       name);
	for (unsigned i = 0; i < list->n_rules; i++)
		print_rule(&list->rules[i]);
	printf("};\n#endif\n");
}

int main(int argc, char **argv)
{
	static struct list list;

	log_open(STDERR_FILENO, LOG_WARN, "seccomp_compile");
	if (argc < 3)
		fatal("seccomp_compile NAME FILE.def...");
	list.ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!list.ctx ||
	    seccomp_attr_set(list.ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) < 0 ||
	    seccomp_attr_set(list.ctx, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE_TREE) < 0)
		fatal("libseccomp");
	for (int i = 2; i < argc; i++)
		add_file(&list, argv[i]);
	print(&list, argv[1]);
	seccomp_release(list.ctx);
	return 0;
}
