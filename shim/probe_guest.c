/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/probe_guest.h"

#ifdef __x86_64__

#define STRING(x) #x
#define PORT(x)   STRING(x)

__asm__(".pushsection .rodata.probe_guest, \"a\"\n"
	".balign 16\n"
	".globl probe_guest_begin, probe_guest_end, probe_guest_user\n"
	".globl probe_guest_syscall, probe_guest_instructions, probe_guest_loop\n"
	"probe_guest_begin:\n"

	"probe_guest_user:\n"
	"	syscall\n"

	"probe_guest_syscall:\n"
	"	mov	%cs, %eax\n"
	"	out	%eax, $" PORT(
		PROBE_GUEST_PORT) "\n"

				  "probe_guest_instructions:\n"
				  "	popcnt	%rsi, %rax\n"
				  "	lock cmpxchg16b (%rsi)\n"
				  "	out	%eax, $" PORT(
					  PROBE_GUEST_PORT) "\n"

							    "probe_guest_loop:\n"
							    "1:	dec	%rcx\n"
							    "	jnz	1b\n"
							    "	out	%eax, $" PORT(
								    PROBE_GUEST_PORT) "\n"

										      "probe_guest_"
										      "end:\n"
										      ".popsection"
										      "\n");

#endif
