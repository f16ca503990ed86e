/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of fs_cases share; see fs_cases.c. */
#ifndef FS_CASES_H
#define FS_CASES_H

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* One line of output. */
void say(const char *what, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "ok", or errno's name. */
const char *result(long r);
void make_file(const char *name, const char *text);
/* Removes what is in a directory. */
void clean(const char *name);

/* fs_cases_names.c */
void test_open(void);
void test_rename(void);
void test_names(void);
void test_limits(void);
void test_directories(void);
/* fs_cases_attr.c */
void test_permissions(void);
void test_suid(void);
void test_ownership(void);
void test_xattr(void);
void test_times(void);
/* fs_cases_data.c */
void test_data(void);
void test_sparse(void);
void test_mmap(void);
void test_unlinked(void);
/* fs_cases_race.c */
void test_locks(void);
void test_races(void);

#endif
