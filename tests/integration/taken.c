/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sbx-vmm and sbx-share taken over: the programs themselves, linked so that at the moment when they begin
 * to serve (loop_run()) attacker code runs in their place (attack.h).
 *
 *	SBX_ATTACK unset	every attempt that the jail itself is to stand against, without the lists of
 *				system calls; then the program goes on as if nothing had been
 *	SBX_ATTACK=N		attempt N alone, with everything: most end the process
 *
 * sbx-share, while it serves a VM, is attacked at its first request: then it has folders.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/loop.h"
#include "tests/integration/attack.h"
#include "vmm/seccomp.h"
#include "vmm/share.h"

int __real_loop_run(struct loop *loop);
int __wrap_loop_run(struct loop *loop);
int __real_seccomp_enter(enum seccomp_list list);
int __wrap_seccomp_enter(enum seccomp_list list);
size_t __real_share_serve(struct share *share, const uint8_t *buf, size_t len, int fd_in,
			  uint8_t *reply, int *ret_fd);
size_t __wrap_share_serve(struct share *share, const uint8_t *buf, size_t len, int fd_in,
			  uint8_t *reply, int *ret_fd);

static void attack_all(void)
{
	bool owner = strstr(program_invocation_short_name, "share") && geteuid() == 0;

	for (size_t i = 0; i < attack_count(); i++) {
		unsigned flags = attack_at(i)->flags;

		if (!(flags & ATTACK_BY_LIST) && !(owner && flags & ATTACK_OWNER))
			attack_run(i, STDERR_FILENO);
	}
}

static const char *chosen(void)
{
	return getenv("SBX_ATTACK");
}

int __wrap_seccomp_enter(enum seccomp_list list)
{
	return chosen() ? __real_seccomp_enter(list) : 0;
}

int __wrap_loop_run(struct loop *loop)
{
	const char *number = chosen();

	if (number) {
		attack_run(strtoul(number, NULL, 10), STDERR_FILENO);
		_exit(0);
	}
	if (!getenv("SBX_ATTACK_LATER"))
		attack_all();
	return __real_loop_run(loop);
}

size_t __wrap_share_serve(struct share *share, const uint8_t *buf, size_t len, int fd_in,
			  uint8_t *reply, int *ret_fd)
{
	static bool done;

	if (!done && getenv("SBX_ATTACK_LATER"))
		attack_all();
	done = true;
	return __real_share_serve(share, buf, len, fd_in, reply, ret_fd);
}
