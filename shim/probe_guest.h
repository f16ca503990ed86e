/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest of the KVM probe: position-independent 64-bit code without a stack, in three parts that
 * are entered one by one. Each ends with `out %eax, $PROBE_GUEST_PORT`, which is legal in ring 3
 * too since the guest runs with IOPL 3; any fault ends the VM, as there is no IDT.
 */
#ifndef SHIM_PROBE_GUEST_H
#define SHIM_PROBE_GUEST_H

#include <stdint.h>

#define PROBE_GUEST_PORT 0x10

/* Entered in ring 3: executes syscall. */
extern const uint8_t probe_guest_user[];
/* What LSTAR points at: eax = CS. */
extern const uint8_t probe_guest_syscall[];
/* Ring 0: instructions of every kernel that poor emulators lack. rsi: 16 aligned bytes. */
extern const uint8_t probe_guest_instructions[];
/* Ring 0: two instructions, rcx times. */
extern const uint8_t probe_guest_loop[];

extern const uint8_t probe_guest_begin[], probe_guest_end[];

#endif
