/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's device rules as an eBPF program for its cgroup. Generating is pure; attaching is
 * one system call in devfilter_attach().
 */
#ifndef AGENT_DEVFILTER_H
#define AGENT_DEVFILTER_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define DEVFILTER_MAX_RULES 512
#define DEVFILTER_ANY       (-1)

/* type: BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_DEV_CHAR, or 0 for both. access: BPF_DEVCG_ACC_* bits. */
struct device_rule {
	bool allow;
	uint32_t type;
	int64_t major, minor; /* or DEVFILTER_ANY */
	uint32_t access;
};

struct devfilter {
	struct bpf_insn *insns;
	size_t n, cap;
};

/*
 * The rules' meaning: each requested bit is decided by the last rule that covers it, and a bit that
 * no rule covers is denied. -E2BIG, -ENOMEM.
 */
int devfilter_generate(const struct device_rule *rules, size_t n, struct devfilter *ret);
void devfilter_finish(struct devfilter *filter);

/* Loads the program and attaches it to the cgroup. The kernel keeps it until the cgroup goes. */
int devfilter_attach(int cgroup_fd, const struct devfilter *filter, struct err *err);

#endif
