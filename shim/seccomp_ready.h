/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One seccomp profile's program, compiled when sbx was built: libseccomp takes 4 ms of a start for
 * `sbx run`'s own profile, which is the same each time. The file says by a hash which profile it is of;
 * any other is compiled as ever. Pure.
 *
 *	0   "sbxbpf 1"
 *	8   SHA-256 of the profile: each of its parts, with its length before it
 *	40  the program, struct sock_filter after struct sock_filter
 */
#ifndef SHIM_SECCOMP_READY_H
#define SHIM_SECCOMP_READY_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

#define SECCOMP_READY_FILE   "seccomp.bpf" /* among sbx's shared files */
#define SECCOMP_READY_HEADER 40
#define SECCOMP_READY_MAX    (SECCOMP_READY_HEADER + 4096 * 8) /* BPF_MAXINSNS */

struct spec_seccomp;

/* The header of the file for this profile. */
void seccomp_ready_header(const struct spec_seccomp *profile, uint8_t ret[SECCOMP_READY_HEADER]);

/* The program for this profile, a part of file; empty where the file is of another, or is none. */
struct bytes seccomp_ready_find(struct bytes file, const struct spec_seccomp *profile);

#endif
