/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/kvm_probe_cache.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/io.h"

static char root[] = "/tmp/sbx-unit-XXXXXX";

static void make_root(void)
{
	cr_assert_not_null(mkdtemp(root));
	setenv("SBX_ROOT", root, 1);
}

static void remove_root(void)
{
	io_remove_tree(AT_FDCWD, root);
}

TestSuite(kvm_probe_cache, .init = make_root, .fini = remove_root);

Test(kvm_probe_cache, keeps_one_device_of_one_boot)
{
	char path[64];
	FILE *file;

	cr_assert_not(kvm_probe_was_usable("/dev/null"));
	kvm_probe_keep_usable("/dev/null");
	cr_assert(kvm_probe_was_usable("/dev/null"));
	cr_assert_not(kvm_probe_was_usable("/dev/zero"));
	cr_assert_not(kvm_probe_was_usable("/dev/nonexistent"));

	snprintf(path, sizeof(path), "%s/run/.kvm-usable", root);
	file = fopen(path, "r+");
	cr_assert_not_null(file);
	fputc('X', file); /* of another boot */
	fclose(file);
	cr_assert_not(kvm_probe_was_usable("/dev/null"));
}

Test(kvm_probe_cache, a_missing_device_is_not_kept)
{
	kvm_probe_keep_usable("/dev/nonexistent");
	cr_assert_not(kvm_probe_was_usable("/dev/nonexistent"));
}
