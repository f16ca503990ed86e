/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An attack ruins something about a device that runs. What must hold after each: the device resets,
 * starts and serves again, and the canary page is as it was; where the attack says so, the device has
 * noticed (NEEDS_RESET), or has answered in a certain way.
 */
#ifndef TESTS_HOSTILE_ATTACK_H
#define TESTS_HOSTILE_ATTACK_H

#include "device.h"

enum outcome {
	OUTCOME_SAFE,   /* whatever: the device survives it */
	OUTCOME_BROKEN, /* it has to ask for a reset */
	OUTCOME_WRONG,  /* the attack itself says that the device did wrong */
};

/* Runs one attack by its name, if it is meant for this device, and judges what is left. */
void attack_begin(struct device *dev, const char *kind, const char *name);
/* expected: what must be; seen: OUTCOME_SAFE, or OUTCOME_WRONG. */
void attack_end(struct device *dev, enum outcome expected, enum outcome seen);

/* Each runs all of its attacks on dev. */
void attack_rings(struct device *dev);
void attack_registers(struct device *dev);
void attack_blk(struct device *dev);
void attack_vsock(struct device *dev);
/* What a disk that is read-only has to refuse, whether it was said to be or not; nothing of others. */
void attack_image(struct device *dev);
void attack_fs(struct device *dev);
/* Public advisories about shared folders, by their names. */
void attack_folders(struct device *dev);
void attack_balloon(struct device *dev);
void attack_mem(struct device *dev);

/* A good request of the device's own kind, from a reset on. True also where it has nothing to serve. */
bool device_serves(struct device *dev);
bool fs_serves(struct device *dev);
bool mem_serves(struct device *dev);
/* Whether somebody stands behind the device, so that it looks into its queue. */
bool device_listens(const struct device *dev);

#endif
