/* SPDX-License-Identifier: Apache-2.0 */
/* What vhost_user.c (messages) and vhost_user_device.c (what they make of the device) share. */
#ifndef VMM_VHOST_USER_INTERNAL_H
#define VMM_VHOST_USER_INTERNAL_H

#include "common/io.h"
#include "vmm/vhost_user.h"
#include "vmm/vhost_user_proto.h"
#include "vmm/virtio.h"

struct source;

struct queue {
	struct vhost_user *vu;
	unsigned index;
	int kick_fd, call_fd, err_fd;
	struct source *kick;
	bool enabled, has_addr;
	uint32_t num;
	uint16_t base;              /* where the front end wants it to begin */
	uint64_t desc, used, avail; /* the front end's addresses */
};

struct region {
	uint64_t front_addr;
	void *map;
	size_t map_size;
};

struct vhost_user {
	struct virtio_device *dev;
	unsigned n_queues;
	int fd;
	struct source *source;
	void (*on_close)(int why, void *data);
	void *data;

	uint64_t features, protocol_features;
	bool held; /* the device is active but its queues are not ready */
	struct memory mem;
	struct region regions[VHOST_USER_MAX_REGIONS];
	struct queue queues[VIRTIO_MAX_QUEUES];

	/* The message that is being read. */
	uint8_t buf[VHOST_USER_HEADER_SIZE + VHOST_USER_MAX_PAYLOAD];
	size_t have;
	struct vhost_user_header header;
	int fds[IO_MAX_FDS];
	size_t n_fds;
};

extern const struct virtio_transport_ops vhost_user_transport_ops;

/* Stops serving and notes where each queue stands; nothing where it does not run. */
void vhost_user_hold(struct vhost_user *vu);
/* A device that cannot start is the guest's doing, not the front end's: the session goes on. */
void vhost_user_start_if_complete(struct vhost_user *vu);
void vhost_user_reset(struct vhost_user *vu);

/* Adds a region of guest memory; fd is borrowed. */
int vhost_user_map(struct vhost_user *vu, const struct vhost_user_region *region, int fd);
void vhost_user_unmap(struct vhost_user *vu);

#endif
