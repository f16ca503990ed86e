/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of `sbx run`. Pure: strings in, a struct or one line of what is wrong out. */
#ifndef SHIM_RUN_OPTIONS_H
#define SHIM_RUN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/opts.h"

struct run_options {
	uint64_t memory, cpus, timeout_ns, disk_size;
	uint64_t disk_rate, disk_ops, net_rate; /* a second; 0: no limit */
	struct opt_list publish, env, env_files, tmpfs, volumes, mounts, ulimits, cap_add, cap_drop,
		security;
	const char *workdir, *user, *name, *entrypoint, *hostname, *kernel, *hypervisor, *network;
	bool interactive, tty, remove, detach, read_only, no_init, debug, explain, help;
	/* Of --security-opt: seccomp NULL is our own profile, "unconfined" none, else a file. */
	const char *seccomp;
	bool no_new_privileges;
	/* Operands. */
	const char *image; /* "builtin" where none was given */
	char **command;
	int n_command;
};

/* argv[0] is the first argument after "run". Pointers go into argv. */
int run_options_parse(int argc, char **argv, struct run_options *ret, struct err *err);
void run_options_help(void);
/* Of -e: NAME=VALUE or NAME. -EINVAL: no name. */
int run_options_check_env(const struct opt_list *env, struct err *err);

/* "NAME=SOFT[:HARD]" of --ulimit; the name without RLIMIT_, in lower case: "nofile". */
struct run_ulimit {
	char type[32]; /* RLIMIT_NOFILE */
	uint64_t soft, hard;
};
int run_options_parse_ulimit(const char *text, struct run_ulimit *ret);

/*
 * "CAP_NET_RAW", "net_raw" -> the index into run_capabilities; -EINVAL. ALL is the caller's.
 */
extern const char *const run_capabilities[];
#define RUN_N_CAPABILITIES 41
int run_options_find_capability(const char *text);

#endif
