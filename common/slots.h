/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disk slots, as the VM monitor shows them and the agent reads them: the disk of slot N has the
 * serial "sbxN". A parked slot, one without a disk, is DISK_PARKED_SECTORS long: the guest's kernel
 * announces a change of size (uevent RESIZE) only between sizes that are not zero.
 */
#ifndef COMMON_SLOTS_H
#define COMMON_SLOTS_H

#define DISK_MAX_SLOTS      26
#define DISK_PARKED_SECTORS 8

#endif
