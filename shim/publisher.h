/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of events to containerd: in order, one at a time, kept while nobody listens.
 */
#ifndef SHIM_PUBLISHER_H
#define SHIM_PUBLISHER_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "common/cleanup.h"

struct loop;
struct publisher;

/* address: containerd's ttrpc socket, a path with or without "unix://". Strings are copied. */
int publisher_create(struct loop *loop, const char *address, const char *namespace,
		     struct publisher **ret);
/* What has not been sent is lost. NULL is a no-op, here and below. */
void publisher_destroy(struct publisher *publisher);
DEFINE_CLEANUP(struct publisher, publisher_destroy)

/* Queues a copy of event; its type URL is the message's name. */
void publisher_send(struct publisher *publisher, const char *topic, const ProtobufCMessage *event);

/* True where nothing waits to be sent. */
bool publisher_is_idle(const struct publisher *publisher);
/* Calls fn, once, at the end of the first turn after which nothing waits. */
void publisher_on_idle(struct publisher *publisher, void (*fn)(void *data), void *data);

#endif
