/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sbx-seccomp PROFILE FILE: a step of the build. Compiles the profile as `sbx run` without options
 * would have it compiled, and leaves the program in FILE (seccomp_ready.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/log.h"
#include "shim/run_options.h"
#include "shim/run_seccomp.h"
#include "shim/run_spec.h"
#include "shim/seccomp_ready.h"
#include "shim/spec.h"
#include "shim/spec_guest.h"

static int read_profile(const char *path, json_t **ret, struct err *err)
{
	char run[] = "run", dashes[] = "--", program[] = "true";
	char *argv[] = {run, dashes, program, NULL};
	_cleanup_free_ char *text = NULL;
	struct run_options options;
	size_t size;
	int r = run_options_parse(3, argv, &options, err);

	if (r < 0)
		return r;
	r = io_read_file(AT_FDCWD, path, RUN_SECCOMP_MAX_BYTES, &text, &size);
	if (r < 0)
		return err_set_errno(err, -r, "%s", path);
	return run_seccomp_parse(text, size, run_spec_has_capability, &options, false, ret, err);
}

static int write_program(const char *path, const struct spec_seccomp *profile,
			 const ProtobufCBinaryData *program, struct err *err)
{
	uint8_t header[SECCOMP_READY_HEADER];
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int r = fd < 0 ? -errno : 0;

	seccomp_ready_header(profile, header);
	if (r == 0)
		r = io_write_full(fd, header, sizeof(header));
	if (r == 0)
		r = io_write_full(fd, program->data, program->len);
	return r < 0 ? err_set_errno(err, -r, "%s", path) : 0;
}

int main(int argc, char **argv)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	struct err err = ERR_INIT;
	json_t *profile = NULL;
	Spec__Spec *guest;
	int r;

	log_open(STDERR_FILENO, LOG_WARN, "sbx-seccomp");
	if (argc != 3)
		fatal("usage: sbx-seccomp PROFILE FILE");
	r = read_profile(argv[1], &profile, &err);
	if (r == 0)
		r = run_seccomp_compile(profile, &spec, &guest, &err);
	if (r == 0)
		r = write_program(argv[2], spec->config.linux->seccomp,
				  &guest->linux->seccomp->program, &err);
	json_decref(profile);
	if (r < 0)
		fatal("%s", err.msg);
	return 0;
}
