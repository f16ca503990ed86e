/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: one section for each architecture of the filter, each complete in itself:
 *
 *	ld   arch
 *	jeq  the section's          else: the next section
 *	ld   nr
 *	jset x32's bit              x86-64: the next section; x32: go on; i386: no such bit
 *	jgt  the highest named nr   else: the next section
 *	ret  ERRNO | ENOSYS
 *
 * Behind the last one is the filter's program, which begins by loading what it needs. x32 shares the
 * architecture of x86-64 and has a bit in its numbers instead: without a section of its own, its calls are
 * the filter's to judge, as a foreign architecture's.
 */
#include "shim/seccomp_enosys.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <string.h>

#include "common/cleanup.h"
#include "shim/spec.h"

#define X32_BIT 0x40000000u

/*
 * libseccomp's numbers for what i386 has behind socketcall and ipc are these negative ones; its rules
 * are for the calls' own numbers as well, of which this is the last.
 */
#define MULTIPLEXED_FIRST (-999)
#define MULTIPLEXED_LAST  (-2)
#define I386_LAST_DIRECT  402 /* msgctl */

static const struct {
	uint32_t token, audit;
	uint32_t bit;       /* tested in nr */
	uint8_t jset, jnot; /* instructions that are skipped where it is there, and where not */
} sections[] = {
	{SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64, X32_BIT, 2, 0},
	{SCMP_ARCH_X86, AUDIT_ARCH_I386, 0, 2, 0},
	{SCMP_ARCH_X32, AUDIT_ARCH_X86_64, X32_BIT, 0, 2},
};
_Static_assert(ARRAY_SIZE(sections) * 6 == SECCOMP_ENOSYS_MAX, "a section is six instructions");

/* As runc judges it: who traces a container answers for new calls, too. */
static bool is_permissive(uint32_t action)
{
	return action == SCMP_ACT_ALLOW || action == SCMP_ACT_LOG ||
	       (action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRACE;
}

/* False: the profile names no call that the architecture has. */
static bool find_highest(const struct spec_seccomp *profile, uint32_t token, uint32_t *ret)
{
	const struct spec_syscall *rules = profile->syscalls.items;
	bool found = false;

	for (size_t i = 0; i < profile->syscalls.n; i++) {
		const char *const *names = rules[i].names.items;

		for (size_t k = 0; k < rules[i].names.n; k++) {
			int nr = seccomp_syscall_resolve_name_arch(token, names[k]);

			if (nr >= MULTIPLEXED_FIRST && nr <= MULTIPLEXED_LAST)
				nr = I386_LAST_DIRECT;
			if (nr < 0 || (found && (uint32_t)nr <= *ret))
				continue;
			*ret = (uint32_t)nr;
			found = true;
		}
	}
	return found;
}

size_t seccomp_enosys(scmp_filter_ctx ctx, const struct spec_seccomp *profile,
		      uint32_t default_action, struct sock_filter ret[SECCOMP_ENOSYS_MAX])
{
	size_t n = 0;

	if (is_permissive(default_action) || default_action == SCMP_ACT_ERRNO(ENOSYS))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		uint32_t highest = 0;

		if (seccomp_arch_exist(ctx, sections[i].token) < 0 ||
		    !find_highest(profile, sections[i].token, &highest))
			continue;
		const struct sock_filter section[] = {
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, sections[i].audit, 0, 4),
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
			BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, sections[i].bit, sections[i].jset,
				 sections[i].jnot),
			BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, highest, 0, 1),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		};

		memcpy(&ret[n], section, sizeof(section));
		n += ARRAY_SIZE(section);
	}
	return n;
}
