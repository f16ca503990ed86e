/* SPDX-License-Identifier: Apache-2.0 */
#include "common/utf8.h"

#include <criterion/criterion.h>
#include <stdio.h>

static void check(const char *text, const char *want)
{
	char copy[64];

	snprintf(copy, sizeof(copy), "%s", text);
	utf8_clean(copy);
	cr_expect_str_eq(copy, want);
}

Test(utf8, characters_stay)
{
	check("", "");
	check("plain", "plain");
	check("\u00e9 \u20ac \U0001f600 \ud7ff \ue000 \U0010ffff",
	      "\u00e9 \u20ac \U0001f600 \ud7ff \ue000 \U0010ffff");
}

Test(utf8, the_rest_does_not)
{
	check("caf\xe9", "caf?");
	check("\x80\xbf\xff\xc0\xc1", "?????");
	check("cut \xe2\x82", "cut ??");
	check("cut \xf0\x9f\x98", "cut ???");
	check("\xe2\x82z\xe2z", "??z?z");
	check("overlong \xc0\xaf \xe0\x80\xaf \xf0\x80\x80\xaf", "overlong ?? ??? ????");
	check("surrogate \xed\xa0\x80", "surrogate ???");
	check("beyond \xf4\x90\x80\x80 \xf5\x80\x80\x80", "beyond ???? ????");
}
