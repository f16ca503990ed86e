/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's shared folders: roots of the VM's one file system device, by the names that the host
 * chose. The device's directory of roots is mounted at SHARE_WORK in the mount namespace of who puts
 * a container together, and goes with it; what containers get is a mount of what lies beneath.
 */
#ifndef AGENT_SHARE_H
#define AGENT_SHARE_H

#include "common/err.h"

#define SHARE_WORK "/run/share"

/* Judges a name without touching anything; what: of which field. -EINVAL. */
int share_check(const char *name, const char *what, struct err *err);

/* Mounts the directory of roots. Must run in a mount namespace of its own. Waits for the host. */
int share_mount(struct err *err);

/* Opens a root, O_PATH: a directory or a file. */
int share_open(const char *name, struct err *err);

#endif
