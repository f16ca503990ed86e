/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of sbx-vmm. Pure: strings in, a struct or one line of what is wrong out; nothing
 * is opened. Pointers go into argv.
 *
 * A file is "fd:N", a descriptor that the caller left open for us, or a path. An owner always passes
 * descriptors; paths are for people and tests.
 */
#ifndef VMM_CONFIG_H
#define VMM_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/opts.h"
#include "vmm/throttle.h"

#define CONFIG_MAX_SLOTS 12

struct config_file {
	bool given;
	int fd;           /* -1: see path */
	const char *path; /* not NUL-terminated */
	size_t path_len;
};

struct config_disk {
	struct config_file file;
	bool readonly;
};

struct config {
	struct config_file kvm, kernel, initrd, vsock_dir, control, console_ring, console_file;
	const char *cmdline;
	uint64_t memory;     /* bytes, whole pages */
	uint64_t max_memory; /* bytes */
	unsigned cpus;       /* online from the start */
	unsigned max_cpus;
	unsigned uid;          /* to run as, where root starts it; 0: stay */
	bool no_net, no_share; /* the guest has no slot for them */
	unsigned slots;        /* disk slots, parked ones included */
	unsigned n_disks;
	struct config_disk disks[CONFIG_MAX_SLOTS];
	struct rate disk_rate, net_rate;
	uint64_t console_rate; /* bytes a second; 0: no limit */
	bool console_stdout;
	bool debug;
	bool help, version;
};

/* argv without the program. -EINVAL with one line, which names the option. With help or version set nothing else counts. */
int config_parse(int argc, char **argv, struct config *ret, struct err *err);
void config_print_help(void);

#endif
