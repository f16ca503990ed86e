/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was once seen of a KVM device, kept in the run-time directory: the probe makes a virtual machine,
 * and every `sbx run` would pay for that. Only a good end is kept, and only for this boot and this device
 * node; whoever replaces KVM's modules is told by the start that fails.
 */
#ifndef SHIM_KVM_PROBE_CACHE_H
#define SHIM_KVM_PROBE_CACHE_H

#include <stdbool.h>

/* Whether device was found usable since the machine booted, and may still be opened. */
bool kvm_probe_was_usable(const char *device);

/* Keeps that it is. A directory that cannot be written costs the next run its probe, no more. */
void kvm_probe_keep_usable(const char *device);

#endif
