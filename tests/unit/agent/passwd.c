/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/passwd.h"

#define TEXT(s)                                                                                    \
	{                                                                                          \
		(s), sizeof(s) - 1                                                                 \
	}

static const struct passwd_text passwd = TEXT("# comment\n"
					      "root:x:0:0:root:/root:/bin/sh\n"
					      "broken line\n"
					      ":x:5:5::/:\n"
					      "bad:x:12a:1::/:\n"
					      "huge:x:4294967295:1::/:\n"
					      "toolong:x:99999999999:1::/:\n"
					      "app:x:1000:100::/home/app:/bin/sh\n"
					      "2000:x:7:8::relative:/bin/sh\n"
					      "last:x:3:4::/last");
static const struct passwd_text group = TEXT("root:x:0:\n"
					     "wheel:x:10:root,app\n"
					     "users:x:100:app\n"
					     "half:x:11\n"
					     "almost:x:12:apple,ap,\n"
					     "bad:x:nan:app\n"
					     "video:x:44:x,app,y");
static const struct passwd_text none = {0};

static struct passwd_user user;
static struct err err;

static int resolve(const char *spec)
{
	return passwd_resolve(spec, passwd, group, &user, &err);
}

Test(passwd, by_name)
{
	cr_assert_eq(resolve("app"), 0);
	cr_assert(user.uid == 1000 && user.gid == 100);
	cr_assert_str_eq(user.home, "/home/app");
	cr_assert_eq(user.n_groups, 3);
	cr_assert(user.groups[0] == 10 && user.groups[1] == 100 && user.groups[2] == 44);
	cr_assert_eq(resolve("last"), 0);
	cr_assert(user.uid == 3 && user.gid == 4 && user.n_groups == 0);
	cr_assert_str_eq(user.home, "/last");
}

Test(passwd, by_number)
{
	cr_assert_eq(resolve("1000"), 0);
	cr_assert(user.uid == 1000 && user.gid == 100 && user.n_groups == 3);
	cr_assert_eq(resolve("555"), 0);
	cr_assert(user.uid == 555 && user.gid == 0 && user.n_groups == 0 && !user.home[0]);
	/* A name of digits wins over the number. */
	cr_assert_eq(resolve("2000"), 0);
	cr_assert(user.uid == 7 && user.gid == 8);
	cr_assert(!user.home[0], "a relative home is none");
}

Test(passwd, with_group)
{
	cr_assert_eq(resolve("app:video"), 0);
	cr_assert(user.uid == 1000 && user.gid == 44 && user.n_groups == 0);
	cr_assert_eq(resolve("12:34"), 0);
	cr_assert(user.uid == 12 && user.gid == 34);
	cr_assert_eq(resolve("root:half"), 0);
	cr_assert_eq(user.gid, 11);
}

Test(passwd, refused)
{
	cr_assert_eq(resolve("nobody"), -ENOENT);
	cr_assert(strstr(err.msg, "nobody"));
	cr_assert_eq(resolve("app:nogroup"), -ENOENT);
	cr_assert_eq(resolve(""), -EINVAL);
	cr_assert_eq(resolve(":root"), -EINVAL);
	cr_assert_eq(resolve("app:"), -EINVAL);
	cr_assert_eq(resolve("bad"), -ENOENT, "its line makes no sense");
	/* (uid_t)-1 would mean "do not change" to the kernel: the process would stay root. */
	cr_assert_eq(resolve("4294967295"), -ENOENT);
	cr_assert_eq(resolve("huge"), -ENOENT);
	cr_assert_eq(resolve("4294967296"), -ENOENT);
	cr_assert_eq(resolve("0:4294967295"), -ENOENT);
	cr_assert_eq(resolve("-1"), -ENOENT);
	cr_assert_eq(resolve("0x10"), -ENOENT);
}

Test(passwd, no_files)
{
	cr_assert_eq(passwd_resolve("0", none, none, &user, &err), 0);
	cr_assert(user.uid == 0 && user.gid == 0);
	cr_assert_eq(passwd_resolve("root", none, none, &user, &err), -ENOENT);
}

Test(passwd, too_many_groups)
{
	static char text[64 * (PASSWD_MAX_GROUPS + 1)];
	size_t n = 0;
	struct passwd_text many;

	for (int i = 0; i <= PASSWD_MAX_GROUPS; i++) {
		n += (size_t)snprintf(text + n, sizeof(text) - n, "g%d:x:%d:app\n", i, i);
		many = (struct passwd_text){text, n};
		cr_assert_eq(passwd_resolve("app", passwd, many, &user, &err),
			     i < PASSWD_MAX_GROUPS ? 0 : -E2BIG);
	}
}

Test(passwd, home)
{
	char home[32] = "kept";

	cr_assert(passwd_home(passwd, 1000, home, sizeof(home)));
	cr_assert_str_eq(home, "/home/app");
	cr_assert_not(passwd_home(passwd, 4242, home, sizeof(home)));
	cr_assert_str_eq(home, "/home/app");
}
