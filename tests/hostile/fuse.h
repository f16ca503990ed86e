/* SPDX-License-Identifier: Apache-2.0 */
/* FUSE requests by hand, for whatever attacks the file server. */
#ifndef TESTS_HOSTILE_FUSE_H
#define TESTS_HOSTILE_FUSE_H

#include <linux/fuse.h>

#include "attack.h"

#define REQUEST BUFFER
#define REPLY   (BUFFER + 0x20000)
#define ROOT    1

struct fuse_attack {
	const char *name;
	uint32_t opcode;
	uint64_t node;
	uint8_t args[64]; /* what comes behind the header, zeros where nothing is said */
	uint32_t n_args;
	const char *text; /* a name, or names, behind the arguments */
	uint32_t n_text;  /* 0: the text and its NUL */
	uint32_t len;     /* what the header says; 0: the truth */
	uint32_t room;    /* for the reply; 0: 4096 */
	bool tolerated;   /* the answer may also be a good one */
};

#define NAME(t)  .text = (t)
#define NAMES(t) .text = (t), .n_text = sizeof(t)
#define BARE(t)  .text = (t), .n_text = sizeof(t) - 1
#define ZEROS(n) .n_args = (n)

/* Puts the request at REQUEST. Returns its length. */
uint32_t fuse_fill(const struct fuse_attack *a);
/* Sends it, and waits for whatever comes at REPLY. */
void fuse_send(struct device *dev, const struct fuse_attack *a);
/* The same; whether it was granted. */
bool fuse_ask(struct device *dev, const struct fuse_attack *a);
/* Begins a session, as a driver does first. */
bool fuse_begin(struct device *dev);
/* What is there after it: unanswered, which the reset mends, or refused in so many words. */
enum outcome fuse_judge(const struct device *dev, const struct fuse_attack *a);

#endif
