/* SPDX-License-Identifier: Apache-2.0 */
/* sbx-oci pause and resume. */
#include "shim/oci_container.h"

static const struct opt rows[] = {{.name = NULL}};

static const struct opts_spec pause_spec = CLI_OPTS("sbx-oci pause CONTAINER", rows);
static const struct opts_spec resume_spec = CLI_OPTS("sbx-oci resume CONTAINER", rows);

/* Both requests have the same one field. */
static int ask(const struct oci *oci, const char *id, const char *method,
	       const ProtobufCMessage *request, struct err *err)
{
	_cleanup_oci_container_ struct oci_container container = {0};
	int r = oci_container_open_running(oci, id, &container, err);

	return r < 0 ? r : cli_task(&container.shim, method, request, NULL, 0, NULL, err);
}

static int run_pause(const struct oci *oci, int argc, char **argv, struct err *err)
{
	Task__PauseRequest request = TASK__PAUSE_REQUEST__INIT;
	int first, r = oci_parse(&oci_pause_verb, argc, argv, NULL, 1, 1, &first, err);

	if (r < 0)
		return r;
	request.id = argv[first];
	return ask(oci, argv[first], "Pause", &request.base, err);
}

static int run_resume(const struct oci *oci, int argc, char **argv, struct err *err)
{
	Task__ResumeRequest request = TASK__RESUME_REQUEST__INIT;
	int first, r = oci_parse(&oci_resume_verb, argc, argv, NULL, 1, 1, &first, err);

	if (r < 0)
		return r;
	request.id = argv[first];
	return ask(oci, argv[first], "Resume", &request.base, err);
}

const struct oci_verb oci_pause_verb = {
	.name = "pause",
	.help = "stop all processes of a container",
	.opts = &pause_spec,
	.run = run_pause,
};

const struct oci_verb oci_resume_verb = {
	.name = "resume",
	.help = "let a paused container go on",
	.opts = &resume_spec,
	.run = run_resume,
};
