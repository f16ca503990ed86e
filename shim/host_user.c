/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/host_user.h"

#include <pwd.h>
#include <stdio.h>

/* getpwuid(3) would load modules of the C library, which a static program has not. */
const char *host_user_name(uid_t uid)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *pw = NULL;

	while (file && (pw = fgetpwent(file)) && pw->pw_uid != uid)
		;
	if (file)
		fclose(file);
	return pw ? pw->pw_name : NULL;
}
