/* SPDX-License-Identifier: Apache-2.0 */
/* A user to look for, then a passwd and a group file, apart by NUL bytes. */
#include <stdint.h>
#include <string.h>

#include "agent/passwd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *end = text + size, *sep;
	static struct passwd_user user;
	struct passwd_text passwd, group = {0};
	struct err err = ERR_INIT;
	char spec[64], home[32];

	sep = memchr(text, 0, size);
	if (!sep || (size_t)(sep - text) >= sizeof(spec))
		return 0;
	memcpy(spec, text, (size_t)(sep - text) + 1);
	passwd.data = sep + 1;
	passwd.size = (size_t)(end - passwd.data);
	sep = memchr(passwd.data, 0, passwd.size);
	if (sep) {
		passwd.size = (size_t)(sep - passwd.data);
		group = (struct passwd_text){sep + 1, (size_t)(end - sep - 1)};
	}
	if (passwd_resolve(spec, passwd, group, &user, &err) == 0) {
		if (user.uid == UINT32_MAX || user.gid == UINT32_MAX ||
		    user.n_groups > PASSWD_MAX_GROUPS || strlen(user.home) >= sizeof(user.home))
			__builtin_trap();
	} else if (!err.code || !err.msg[0]) {
		__builtin_trap();
	}
	passwd_home(passwd, 1000, home, sizeof(home));
	return 0;
}
