/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entered as a Linux kernel is: 64-bit mode, the first GiB mapped, boot_params in rsi. The devices lie
 * higher, and memory that comes later from 4 GiB on, so the first 5 GiB are mapped here, one to one, in
 * pages of 2 MiB.
 */
	.section .text.start, "ax"
	.globl _start
_start:
	cli
	movabs $stack_top, %rsp
	mov %rsi, %rbp
	movabs $pd, %rdi
	mov $0x83, %rax
	mov $2560, %ecx
1:	mov %rax, (%rdi)
	add $0x200000, %rax
	add $8, %rdi
	dec %ecx
	jnz 1b
	movabs $pdpt, %rdi
	movabs $pd, %rax
	or $3, %rax
	mov $5, %ecx
2:	mov %rax, (%rdi)
	add $0x1000, %rax
	add $8, %rdi
	dec %ecx
	jnz 2b
	movabs $pml4, %rdi
	movabs $pdpt, %rax
	or $3, %rax
	mov %rax, (%rdi)
	mov %rdi, %cr3
	mov %rbp, %rdi
	call hostile_main
3:	hlt
	jmp 3b

	.bss
	.balign 4096
pml4:	.skip 4096
pdpt:	.skip 4096
pd:	.skip 5 * 4096
	.skip 65536
stack_top:
	.section .note.GNU-stack, "", @progbits
