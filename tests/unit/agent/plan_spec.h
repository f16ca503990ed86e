/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A spec to be changed by a test, and the plan made of it, compared with tests/golden/agent/NAME.txt.
 * With SBX_GOLDEN_UPDATE set the files are written instead, for a person to read and commit. The state
 * is the including file's own.
 */
#ifndef TESTS_PLAN_SPEC_H
#define TESTS_PLAN_SPEC_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/plan.h"
#include "common/io.h"
#include "common/strbuf.h"

/* protobuf-c has its strings as char *; nothing writes to them. */
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"

static Spec__Spec spec;
static Spec__Process process;
static Spec__User user;
static Spec__Linux linux_spec;
static Spec__Resources resources;
static Spec__Namespace namespaces[8], *namespace_list[8];
static Spec__Mount mount;
static char *args[] = {"/bin/sh", "-c", "true"}, *env[] = {"PATH=/bin", "A=b=c"};

static inline void add_namespace(char *type)
{
	size_t i = linux_spec.n_namespaces++;

	spec__namespace__init(&namespaces[i]);
	namespaces[i].type = type;
	namespace_list[i] = &namespaces[i];
	linux_spec.namespaces = namespace_list;
}

static inline void setup(void)
{
	spec__spec__init(&spec);
	spec__process__init(&process);
	spec__user__init(&user);
	spec__linux__init(&linux_spec);
	spec__resources__init(&resources);
	spec__mount__init(&mount);
	spec.process = &process;
	spec.linux = &linux_spec;
	process.user = &user;
	process.args = args;
	process.n_args = 3;
	process.env = env;
	process.n_env = 2;
	process.cwd = "/";
	linux_spec.n_namespaces = 0;
	add_namespace("mount");
	add_namespace("pid");
	mount.destination = "/data";
	mount.type = "tmpfs";
	mount.source = "tmpfs";
}

/* Compares the plan of spec with tests/golden/agent/NAME.txt. */
static inline void golden(const char *name)
{
	_cleanup_close_ int dir = open("tests/golden/agent", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *want = NULL, *got = NULL;
	_cleanup_plan_ struct plan plan = {0};
	struct err err = ERR_INIT;
	char file[64];

	snprintf(file, sizeof(file), "%s.txt", name);
	cr_assert_eq(plan_make(&spec, &plan, &err), 0, "%s", err.msg);
	got = plan_print(&plan);
	if (getenv("SBX_GOLDEN_UPDATE"))
		io_write_atomic(dir, file, got, strlen(got), 0644);
	cr_assert_eq(io_read_file(dir, file, 65536, &want, NULL), 0, "%s", file);
	cr_assert_str_eq(got, want);
}

/* spec makes no plan: -code, and word in the text. */
static inline void refused(int code, const char *word)
{
	_cleanup_plan_ struct plan plan = {0};
	struct err err = ERR_INIT;

	cr_assert_eq(plan_make(&spec, &plan, &err), -code, "%s: %s", word, err.msg);
	cr_assert(strstr(err.msg, word), "\"%s\" does not name \"%s\"", err.msg, word);
	cr_assert_null(plan.ops);
}

#endif
