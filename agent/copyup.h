/* SPDX-License-Identifier: Apache-2.0 */
/* The option tmpcopyup: a fresh tmpfs gets what the directory has that it goes over. */
#ifndef AGENT_COPYUP_H
#define AGENT_COPYUP_H

#include "common/err.h"

/*
 * Copies what from_fd (a directory of the image, O_PATH is enough) has to the directory to_fd: files,
 * directories, links, pipes and devices with their owners, modes and times; not sockets. The image is
 * not trusted: no link is followed, and -E2BIG where it is deeper or has more than is bearable.
 */
int copyup(int from_fd, int to_fd, struct err *err);

#endif
