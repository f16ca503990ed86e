/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the VM monitor's serials say which disk is which slot (common/slots.h), and
 * the kernel shows them as /sys/block/vdX/serial; the letter X tells nothing. The host attaches a
 * disk and then calls Create, and the device's interrupt may still be on its way when we look: we
 * listen for the kernel's uevents first, look, and look again at each of them.
 */
#include "agent/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/loop.h"
#include "common/opts.h"
#include "common/slots.h"

/*
 * What is read at once around a page that a program touches. The kernel's 128 KiB suit a disk that has to seek;
 * here a request costs as much as copying that does, and the file lies in the host's memory as a rule.
 */
#define READ_AHEAD_KB "512"

static int open_uevents(void)
{
	struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_groups = 1};
	_cleanup_close_ int fd = -1;

	fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* One line of a sysfs attribute, without its newline and padding. */
static int read_attr(const char *disk, const char *attr, char *buf, size_t size)
{
	_cleanup_free_ char *data = NULL;
	char path[128];
	size_t n;
	int r;

	snprintf(path, sizeof(path), "/sys/block/%.32s/%s", disk, attr);
	r = io_read_file(AT_FDCWD, path, 4096, &data, &n);
	if (r < 0)
		return r;
	data[strcspn(data, "\n ")] = 0;
	snprintf(buf, size, "%s", data);
	return 0;
}

static void set_read_ahead(const char *disk)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/block/%.32s/bdi/read_ahead_kb", disk);
	/* Slower without, that is all. (Its twin in queue/ freezes the disk for a grace period.) */
	io_write_value(AT_FDCWD, path, READ_AHEAD_KB);
}

/* 1: found with a disk in it. 0: found, parked. -ENOENT. */
static int look(const char *serial, char *path, size_t size)
{
	DIR *dir = opendir("/sys/block");
	struct dirent *entry;
	int r = -ENOENT;

	if (!dir)
		return -errno;
	while (r == -ENOENT && (entry = readdir(dir))) {
		char value[64];
		uint64_t sectors;

		if (strncmp(entry->d_name, "vd", 2) != 0 ||
		    read_attr(entry->d_name, "serial", value, sizeof(value)) < 0 ||
		    strcmp(value, serial) != 0)
			continue;
		if (read_attr(entry->d_name, "size", value, sizeof(value)) < 0 ||
		    parse_uint(value, &sectors) < 0)
			continue;
		snprintf(path, size, "/dev/%.32s", entry->d_name);
		r = sectors > DISK_PARKED_SECTORS;
		if (r)
			set_read_ahead(entry->d_name);
	}
	closedir(dir);
	return r;
}

int disk_find(uint32_t slot, char *path, size_t size, struct err *err)
{
	uint64_t deadline = now_ns() + DISK_TIMEOUT_MS * 1000000ull, now;
	_cleanup_close_ int uevents = -1;
	char serial[32], event[4096];
	int r;

	if (slot >= DISK_MAX_SLOTS)
		return err_set(err, EINVAL, "there is no disk slot %u", slot);
	snprintf(serial, sizeof(serial), "sbx%u", slot);
	uevents = open_uevents();
	if (uevents < 0)
		return err_set_errno(err, -uevents, "listening for disks");
	while ((r = look(serial, path, size)) == 0) {
		struct pollfd pfd = {.fd = uevents, .events = POLLIN};

		now = now_ns();
		if (now >= deadline)
			return err_set(err, ETIMEDOUT, "disk slot %u is empty after %d ms", slot,
				       DISK_TIMEOUT_MS);
		poll(&pfd, 1, (int)((deadline - now) / 1000000) + 1);
		/* One look for all that has come; -ENOBUFS, lost events, is a reason to look as well. */
		while (recv(uevents, event, sizeof(event), 0) > 0)
			;
	}
	if (r < 0)
		return err_set(err, -r, "no disk says that it is slot %u", slot);
	return 0;
}
