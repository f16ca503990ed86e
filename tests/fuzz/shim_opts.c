/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of `sbx run`, its words split at newlines; and what is accepted, as config.json,
 * which the shim must accept in turn.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shim/run_spec.h"
#include "shim/spec_guest.h"

#define MAX_WORDS 128

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *none[] = {NULL};
static char shell[] = "sh", dir[] = "/", nobody[] = "";
static char *command[] = {shell, NULL};

static void check_accepted(const struct run_options *options)
{
	struct image image = {
		.entrypoint = none, .cmd = command, .env = none, .user = nobody, .workdir = dir};
	struct env_list env = {0};
	const struct run_spec_input input = {
		.id = "id", .options = options, .image = &image, .env = &env};
	struct spec *spec = NULL;
	json_t *config = NULL;
	Spec__Spec *guest;
	char *text;

	if (run_spec_build(&input, &config, NULL) < 0)
		return;
	text = json_dumps(config, 0);
	if (!text)
		abort();
	/* Text that JSON holds and the shim refuses: a mount option, say, or a limit given twice. */
	if (spec_parse(text, strlen(text), &spec, NULL) == 0)
		spec_guest_build(spec, &guest, NULL);
	spec_free(spec);
	json_decref(config);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *words[MAX_WORDS], *rest = text;
	struct run_options options;
	struct err err = ERR_INIT;
	int n = 0;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	while (rest && n < MAX_WORDS)
		words[n++] = strsep(&rest, "\n");
	if (run_options_parse(n, words, &options, &err) < 0) {
		if (err.code != EINVAL || !err.msg[0])
			abort();
	} else if (!options.help) {
		if (options.cpus < 1 || options.cpus > 32 || options.memory < (64u << 20) ||
		    !options.image[0] || options.n_command < 0)
			abort();
		check_accepted(&options);
	}
	free(text);
	return 0;
}
