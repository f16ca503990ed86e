/* SPDX-License-Identifier: Apache-2.0 */
/* A tree of files from a guest: entries, and then the whole stream into a directory that is made for it. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/path.h"
#include "common/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char base[] = "/dev/shm/sbx-fuzz-XXXXXX";
static int base_fd = -1;

static void remove_base(void)
{
	io_remove_tree(AT_FDCWD, base);
}

static void check_entry(const uint8_t *data, size_t size)
{
	uint8_t again[TREE_MAX_BYTES];
	static struct tree_entry entry;
	ssize_t n = size < TREE_HEADER_BYTES ? -1 : tree_entry_size(data);

	if (n < 0 || (size_t)n > size || tree_entry_decode(data, (size_t)n, &entry) < 0)
		return;
	if (tree_entry_encode(&entry, again) != (size_t)n || memcmp(again, data, (size_t)n) != 0)
		__builtin_trap();
	if (entry.name[0] && !path_is_name(entry.name) && strcmp(entry.name, ".") != 0)
		__builtin_trap();
}

/* Whatever comes: beside the directory there is nothing. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_close_ int in = memfd_create("stream", MFD_CLOEXEC), to = -1;
	struct tree_receiver receiver = {.name = "n", .mask = 0777, .uid = -1, .gid = -1};
	struct err err = ERR_INIT;
	struct stat st;

	if (base_fd < 0) {
		if (!mkdtemp(base))
			abort();
		atexit(remove_base);
		base_fd = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	check_entry(data, size);
	if (mkdirat(base_fd, "to", 0700) < 0)
		abort();
	to = openat(base_fd, "to", O_PATH | O_DIRECTORY | O_CLOEXEC);
	receiver.dirfd = to;
	if (io_write_full(in, data, size) < 0 || lseek(in, 0, SEEK_SET) < 0)
		abort();
	if (tree_receive(in, &receiver, &err) < 0 && !err.code)
		__builtin_trap();
	if (fstatat(base_fd, ".", &st, 0) < 0 || st.st_nlink != 3)
		__builtin_trap();
	/* Some of it may be unreadable by its modes, but not to root. */
	io_remove_tree(base_fd, "to");
	return 0;
}
