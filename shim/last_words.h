/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person is told of a VM that has ended: from its console and from its monitor's log, the
 * part that says why, on one line of printable characters. Pure.
 */
#ifndef SHIM_LAST_WORDS_H
#define SHIM_LAST_WORDS_H

#include <stddef.h>

/*
 * From the newest n bytes of a console: the lines where a kernel says why it dies, where there are any,
 * else the last few lines; joined by " | ". Returns the length; buf is max bytes with the NUL.
 */
size_t last_words_console(const char *tail, size_t n, char *buf, size_t max);

/* From the newest n bytes of shim.log: the last line that is not the shim's own, without its head. */
size_t last_words_log(const char *tail, size_t n, char *buf, size_t max);

#endif
