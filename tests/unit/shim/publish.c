/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/publish.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "common/cleanup.h"

Test(publish, what_is_understood)
{
	struct publish p;

	cr_assert_eq(publish_parse("8080:80", &p), 0);
	cr_expect(p.host == 8080 && p.guest == 80 && !p.udp && !p.address[0]);
	cr_assert_eq(publish_parse("127.0.0.1:53:5353/udp", &p), 0);
	cr_expect(p.host == 53 && p.guest == 5353 && p.udp);
	cr_expect_str_eq(p.address, "127.0.0.1");
	cr_assert_eq(publish_parse("255.255.255.255:1:65535/tcp", &p), 0);
	cr_expect_str_eq(p.address, "255.255.255.255");
}

Test(publish, what_is_not)
{
	static const char *const bad[] = {
		"",
		":",
		"80",
		"80:",
		":80",
		"0:80",
		"80:65536",
		"80:80/",
		"80:80/sctp",
		"80:80/tcp/",
		"a:80",
		"-1:80",
		"80:80 ",
		"1.2.3:80:80",
		"::1:80:80",
		"1.2.3.4.5:80:80",
		"255.255.255.2555:80:80",
		":80:80",
		"80:+80",
		"00000000080:80",
		"1.2.3.4,5:80:80",
	};
	struct publish p;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_eq(publish_parse(bad[i], &p), -EINVAL, "%s", bad[i]);
}
