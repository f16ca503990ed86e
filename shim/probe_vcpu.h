/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the KVM probe's guest, in the probe's child process: what it creates ends with that. */
#ifndef SHIM_PROBE_VCPU_H
#define SHIM_PROBE_VCPU_H

struct kvm_probe_facts;

/* Fills facts (zeroed). Returns NULL, or the name of a step of KVM's that failed, with errno. */
const char *probe_vcpu_run(int kvm_fd, struct kvm_probe_facts *facts);

#endif
