/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of vmm/seccomp_*.def as a table, and how often each let something through: counted by programs
 * of ours that are linked with counted.c, in a file that all of them share, and read by host_rules.c.
 */
#ifndef TESTS_INTEGRATION_RULES_H
#define TESTS_INTEGRATION_RULES_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "vmm/seccomp.h"

#define RULES_MAX 160

struct seccomp_condition {
	unsigned arg;
	bool greater;
	uint64_t mask, value;
};

struct seccomp_rule {
	int nr;
	const char *text;
	enum { RULE_SEEN, RULE_SEEN_BESIDE_QEMU, RULE_UNSEEN } seen; /* as its reason says */
	unsigned n;
	struct seccomp_condition conditions[6];
};

struct rule_counts {
	uint64_t hits[SECCOMP_LISTS][RULES_MAX];
	uint64_t unlisted
		[SECCOMP_LISTS]; /* 1 and the number of a call that no rule allows; 0: none */
};

#define SECCOMP_RULES
#include "seccomp_devices.inc"
#include "seccomp_main.inc"
#include "seccomp_share.inc"
#include "seccomp_vcpu.inc"
#include "seccomp_worker.inc"

#define RULES(name)                                                                                \
	{                                                                                          \
#name, name##_rules, ARRAY_SIZE(name##_rules)                                      \
	}

static const struct rule_list {
	const char *name;
	const struct seccomp_rule *rules;
	unsigned n;
} rule_lists[] = {
	[SECCOMP_MAIN] = RULES(main),       [SECCOMP_VCPU] = RULES(vcpu),
	[SECCOMP_WORKER] = RULES(worker),   [SECCOMP_SHARE] = RULES(share),
	[SECCOMP_DEVICES] = RULES(devices),
};

#endif
