/* SPDX-License-Identifier: Apache-2.0 */
/* The caller's terminal: raw while a program inside has one, and always given back as it was. */
#ifndef SHIM_TERMINAL_H
#define SHIM_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The caller's terminal, whatever of its streams is one: standard error, standard output, standard input,
 * else the controlling one. A descriptor that the caller closes; -ENOTTY where there is none at all.
 */
int terminal_find(void);

/*
 * Makes fd's terminal raw until terminal_restore() or the process's exit. -ENOTTY where it is none.
 * process_output: what is written to it is processed as it was before, a newline's carriage return above all.
 */
int terminal_make_raw(int fd, bool process_output);
void terminal_restore(void);

/* -ENOTTY where fd is no terminal. */
int terminal_size(int fd, uint32_t *ret_rows, uint32_t *ret_columns);

#endif
