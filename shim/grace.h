/* SPDX-License-Identifier: Apache-2.0 */
/* A wait of the host's kernel that need not be ours, see grace.c. */
#ifndef SHIM_GRACE_H
#define SHIM_GRACE_H

/*
 * Call it some milliseconds before a VM is made or ended. Returns at once; has no effect that anybody
 * could notice but the time that KVM takes, and none at all where we are not root.
 */
void grace_begin(void);

#endif
