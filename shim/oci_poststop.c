/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/oci_poststop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/io.h"
#include "common/loop.h"
#include "shim/hooks.h"
#include "shim/hooks_due.h"
#include "shim/oci_store.h"
#include "shim/spec.h"

/* One that ends at this moment first ends its VM. */
#define SHIM_WAIT_MS 10000

struct outcome {
	bool over;
	struct err err;
};

static void on_over(const struct err *err, void *data)
{
	struct outcome *outcome = data;

	outcome->over = true;
	if (err)
		outcome->err = *err;
}

static int run_in(struct loop *loop, const struct hooks_subject *subject, struct err *err)
{
	_cleanup_(hooks_cancel_p) struct hooks_run *run = NULL;
	struct outcome outcome = {.err = ERR_INIT};
	int r = hooks_start(loop, subject, HOOKS_STOPPED, on_over, &outcome, &run, err);

	if (r < 0)
		return r;
	while (r >= 0 && !outcome.over)
		r = loop_turn(loop, -1);
	if (r < 0)
		return err_set_errno(err, -r, "hooks.poststop");
	if (outcome.err.code)
		*err = outcome.err;
	return -outcome.err.code;
}

static int run_all(const struct oci_record *record, struct err *err)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	struct hooks_subject subject = {.id = record->id, .bundle = record->bundle};
	_cleanup_free_ char *path = NULL, *text = NULL;
	struct loop *loop = NULL;
	size_t size;
	int r;

	if (asprintf(&path, "%s/config.json", record->bundle) < 0)
		return err_set(err, ENOMEM, "out of memory");
	r = io_read_file(AT_FDCWD, path, SPEC_MAX_BYTES, &text, &size);
	if (r < 0)
		return err_set_errno(err, -r, "hooks.poststop: %s", path);
	r = spec_parse(text, size, &spec, err);
	if (r < 0 || !hooks_any(spec, HOOKS_STOPPED))
		return r;
	subject.spec = spec;
	r = loop_create(&loop);
	r = r < 0 ? err_set_errno(err, -r, "hooks.poststop") : run_in(loop, &subject, err);
	loop_destroy(loop);
	return r;
}

int oci_poststop_run(const char *root, const struct oci_record *record, struct err *err)
{
	_cleanup_free_ char *path = oci_store_poststop(root, record->id);
	struct hooks_due *due = NULL;
	int r = path ? hooks_due_take(path, SHIM_WAIT_MS, &due) : -ENOMEM;

	if (r < 0)
		return r == -ENOENT ? 0 : err_set_errno(err, -r, "hooks.poststop");
	r = run_all(record, err);
	hooks_due_over(due);
	return r;
}
