/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/kvm_probe_cache.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "shim/places.h"

#define CACHE_FILE ".kvm-usable"
#define CACHE_MAX  256

/* What the verdict holds for: this boot, this node. */
static int describe(const char *device, char text[CACHE_MAX])
{
	_cleanup_free_ char *boot = NULL;
	struct stat st;
	size_t size;

	if (stat(device, &st) < 0 ||
	    io_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &boot, &size) < 0)
		return -1;
	return snprintf(text, CACHE_MAX, "%.36s %" PRIx64 " %" PRIx64 " %" PRIx64 "\n", boot,
			(uint64_t)st.st_dev, (uint64_t)st.st_ino, (uint64_t)st.st_rdev);
}

static int open_run_dir(void)
{
	_cleanup_free_ char *run = NULL;

	return places_run_dir(&run, NULL) < 0 ? -1 : open(run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

bool kvm_probe_was_usable(const char *device)
{
	_cleanup_close_ int dir = open_run_dir();
	/* Opened, not asked for: the filter of a cgroup for devices speaks only then. */
	_cleanup_close_ int fd = open(device, O_RDWR | O_CLOEXEC);
	_cleanup_free_ char *kept = NULL;
	char now[CACHE_MAX];
	size_t size;

	return dir >= 0 && fd >= 0 && describe(device, now) > 0 &&
	       io_read_file(dir, CACHE_FILE, CACHE_MAX, &kept, &size) == 0 &&
	       strcmp(kept, now) == 0;
}

void kvm_probe_keep_usable(const char *device)
{
	_cleanup_close_ int dir = open_run_dir();
	char now[CACHE_MAX];
	int n = dir < 0 ? -1 : describe(device, now);

	if (n > 0)
		io_write_atomic(dir, CACHE_FILE, now, (size_t)n, 0600);
}
