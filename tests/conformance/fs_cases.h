/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files of fs_cases share; see fs_cases.c. */
#ifndef FS_CASES_H
#define FS_CASES_H

/* One line of output. */
void say(const char *what, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "ok", or errno's name. */
const char *result(long r);
void make_file(const char *name, const char *text);
/* Removes what is in a directory. */
void clean(const char *name);

void test_limits(void);
void test_data(void);
void test_sparse(void);
void test_xattr(void);
void test_locks(void);
void test_mmap(void);
void test_times(void);
void test_unlinked(void);
void test_directories(void);
void test_races(void);

#endif
