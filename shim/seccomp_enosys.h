/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes before a seccomp program: ENOSYS for the system calls that are newer than its profile. A
 * profile that denies what it does not name was written when there were no others; its EPERM would tell
 * a libc that the new call is forbidden, and not that the old one is to be tried. Pure.
 */
#ifndef SHIM_SECCOMP_ENOSYS_H
#define SHIM_SECCOMP_ENOSYS_H

#include <linux/filter.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>

#define SECCOMP_ENOSYS_MAX                                                                         \
	(3 * 6) /* instructions: architectures of an x86-64 guest, a section each */

struct spec_seccomp;

/*
 * The instructions for ctx's architectures, with which the filter's own follow on; returns their number.
 * 0: the profile's default lets new calls pass, or says ENOSYS by itself.
 */
size_t seccomp_enosys(scmp_filter_ctx ctx, const struct spec_seccomp *profile,
		      uint32_t default_action, struct sock_filter ret[SECCOMP_ENOSYS_MAX]);

#endif
