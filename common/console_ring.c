// SPDX-License-Identifier: Apache-2.0
#include "common/console_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define MAP_SIZE (CONSOLE_RING_DATA + CONSOLE_RING_SIZE)
#define SEALS    (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

struct console_ring {
	uint8_t *map;
};

int console_ring_memfd(void)
{
	_cleanup_close_ int fd = memfd_create("console", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, MAP_SIZE) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int console_ring_open(int fd, struct console_ring **ret)
{
	struct console_ring *ring;
	struct stat st;
	int seals;
	void *p;

	if (fstat(fd, &st) < 0)
		return -errno;
	/* A file that shrinks later would turn an access into a SIGBUS. */
	seals = fcntl(fd, F_GET_SEALS);
	if (st.st_size != MAP_SIZE || seals < 0 || !(seals & F_SEAL_SHRINK))
		return -EINVAL;
	p = mmap(NULL, MAP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	ring = malloc(sizeof(*ring));
	if (!ring) {
		munmap(p, MAP_SIZE);
		return -ENOMEM;
	}
	ring->map = p;
	*ret = ring;
	return 0;
}

void console_ring_close(struct console_ring *ring)
{
	if (!ring)
		return;
	munmap(ring->map, MAP_SIZE);
	free(ring);
}

/* The count is the other process's too: it is read and written whole, never trusted as an index. */
static uint64_t *count_of(const struct console_ring *ring)
{
	return (uint64_t *)ring->map;
}

void console_ring_write(struct console_ring *ring, const void *data, size_t n)
{
	uint64_t count = __atomic_load_n(count_of(ring), __ATOMIC_RELAXED);
	const uint8_t *p = data;

	if (n > CONSOLE_RING_SIZE) {
		count += n - CONSOLE_RING_SIZE;
		p += n - CONSOLE_RING_SIZE;
		n = CONSOLE_RING_SIZE;
	}
	while (n) {
		size_t at = count % CONSOLE_RING_SIZE, part = CONSOLE_RING_SIZE - at;

		if (part > n)
			part = n;
		memcpy(ring->map + CONSOLE_RING_DATA + at, p, part);
		p += part;
		n -= part;
		count += part;
	}
	/* Pairs with the load in console_ring_tail(): the bytes are there before they count. */
	__atomic_store_n(count_of(ring), count, __ATOMIC_RELEASE);
}

size_t console_ring_tail(const struct console_ring *ring, char *buf, size_t max)
{
	uint64_t count = __atomic_load_n(count_of(ring), __ATOMIC_ACQUIRE);
	size_t n = count < CONSOLE_RING_SIZE ? count : CONSOLE_RING_SIZE, at, part;

	if (n > max)
		n = max;
	at = (count - n) % CONSOLE_RING_SIZE;
	part = CONSOLE_RING_SIZE - at;
	if (part > n)
		part = n;
	memcpy(buf, ring->map + CONSOLE_RING_DATA + at, part);
	memcpy(buf + part, ring->map + CONSOLE_RING_DATA, n - part);
	return n;
}
