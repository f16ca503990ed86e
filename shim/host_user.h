/* SPDX-License-Identifier: Apache-2.0 */
/* Who a number is on the host. */
#ifndef SHIM_HOST_USER_H
#define SHIM_HOST_USER_H

#include <sys/types.h>

/* By /etc/passwd alone; good until the next call. NULL: nobody there. */
const char *host_user_name(uid_t uid);

#endif
