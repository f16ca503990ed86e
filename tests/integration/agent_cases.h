/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a case of host_agent.c is, and what it says: a file of cases for each side of the agent, its
 * table at the bottom.
 */
#ifndef TESTS_AGENT_CASES_H
#define TESTS_AGENT_CASES_H

#include <stdbool.h>
#include <stdint.h>

struct spec;

struct agent_case {
	const char *name;
	bool (*fn)(void);
};

/* Each ends with a nameless one. */
extern const struct agent_case agent_cases_process[]; /* init, execs, signals, pause */
extern const struct agent_case agent_cases_stream[];  /* stdio and terminals */
extern const struct agent_case agent_cases_wall[];    /* users, walls, images, limits */

/* Notes why a case fails, and is false. */
bool __attribute__((format(printf, 1, 2))) no(const char *fmt, ...);
/* Runs spec; it must exit with status and write out. */
bool expect(struct spec *spec, uint32_t status, const char *out);
bool expect_script(const char *script, uint32_t status, const char *out);

#endif
