/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that pass as far as criterion can see. Under the sanitizers each of them must fail the run. */
#include <criterion/criterion.h>
#include <limits.h>
#include <stdlib.h>

static void *volatile kept;
static volatile int top = INT_MAX;
static volatile size_t past = 8;

Test(canary, leak)
{
	kept = malloc(100);
	kept = NULL;
}

Test(canary, overflow)
{
	char *p = malloc(8);

	p[past] = 1;
	free(p);
}

Test(canary, undefined)
{
	top = top + 1;
}
