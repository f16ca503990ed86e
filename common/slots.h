/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots: the devices that every VM has and that are filled while it runs.
 *
 * Disk slots, as the VM monitor shows them and the agent reads them: the disk of slot N has the
 * serial "sbxN". A parked slot, one without a disk, is DISK_PARKED_SECTORS long: the guest's kernel
 * announces a change of size (uevent RESIZE) only between sizes that are not zero.
 *
 * Net slots: the interface of slot N has the permanent address 02:73:62:78:00:N, by which the agent
 * finds it. The address and the MTU that the network wants are set by the agent: the guest's driver
 * reads its configuration at boot, before anybody knows of a network. There is one: each costs every
 * boot about fifty exits, and a pod with two interfaces is refused by name.
 */
#ifndef COMMON_SLOTS_H
#define COMMON_SLOTS_H

#define DISK_MAX_SLOTS      26
#define DISK_PARKED_SECTORS 8

#define NET_MAX_SLOTS 1
#define NET_MAX_PAIRS 4 /* queue pairs of a slot, no more than the VM's CPUs */
#define NET_SLOT_MAC(n)                                                                            \
	{                                                                                          \
		0x02, 0x73, 0x62, 0x78, 0x00, (n)                                                  \
	}

#endif
