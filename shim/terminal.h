/* SPDX-License-Identifier: Apache-2.0 */
/* The caller's terminal: raw while a program inside has one, and always given back as it was. */
#ifndef SHIM_TERMINAL_H
#define SHIM_TERMINAL_H

#include <stdint.h>

/* Makes fd's terminal raw until terminal_restore() or the process's exit. -ENOTTY where it is none. */
int terminal_make_raw(int fd);
void terminal_restore(void);

/* -ENOTTY where fd is no terminal. */
int terminal_size(int fd, uint32_t *ret_rows, uint32_t *ret_columns);

#endif
