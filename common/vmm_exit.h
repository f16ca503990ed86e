/* SPDX-License-Identifier: Apache-2.0 */
/* What sbx-vmm's exit status says to its owner. 0: the guest powered off, or Stop was asked for. */
#ifndef COMMON_VMM_EXIT_H
#define COMMON_VMM_EXIT_H

#define VMM_EXIT_CRASH  3   /* the guest's kernel panicked or met a triple fault */
#define VMM_EXIT_KVM    4   /* KVM could not run the guest any further */
#define VMM_EXIT_FAILED 125 /* sbx-vmm's own failure; one line on standard error */

#endif
