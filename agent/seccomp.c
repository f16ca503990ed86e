/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/seccomp.h"

#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>

#include "common/cleanup.h"

/* All but those that return a descriptor, for which nobody would wait. */
#define FLAGS (SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW)

int seccomp_parse(const Spec__Seccomp *spec, struct seccomp *ret, struct err *err)
{
	size_t len = spec ? spec->program.len : 0, n = len / sizeof(struct sock_filter);

	*ret = (struct seccomp){0};
	if (!spec)
		return 0;
	if (!n || len % sizeof(struct sock_filter) || n > BPF_MAXINSNS)
		return err_set(err, EINVAL, "linux.seccomp: %zu bytes are no program", len);
	if (spec->flags & ~(uint32_t)FLAGS)
		return err_set(err, EINVAL, "linux.seccomp: flags %#x", spec->flags);
	*ret = (struct seccomp){(struct sock_filter *)spec->program.data, n, spec->flags};
	return 0;
}

int seccomp_copy(const struct seccomp *from, struct seccomp *ret)
{
	struct sock_filter *insns = NULL;

	if (from->n) {
		insns = calloc(from->n, sizeof(*insns));
		if (!insns)
			return -ENOMEM;
		memcpy(insns, from->insns, from->n * sizeof(*insns));
	}
	*ret = (struct seccomp){insns, from->n, from->flags};
	return 0;
}

void seccomp_finish(struct seccomp *seccomp)
{
	free(seccomp->insns);
	*seccomp = (struct seccomp){0};
}

int seccomp_load(const struct seccomp *seccomp)
{
	struct sock_fprog program = {
		.len = (unsigned short)seccomp->n,
		.filter = seccomp->insns,
	};

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, seccomp->flags, &program) < 0 ? -errno
											   : 0;
}
