/* SPDX-License-Identifier: Apache-2.0 */
/* sbx-oci delete: what is left of a container that has stopped, or, with --force, of any. */
#include <errno.h>
#include <string.h>

#include "shim/oci_container.h"
#include "shim/oci_pod.h"
#include "shim/oci_store.h"

#define KILL_WAIT_MS 10000

struct delete_options {
	bool force;
};

static const struct opt rows[] = {
	CLI_OPT(delete_options, 'f', "force", FLAG, force, NULL, "kill it where it runs"),
};

static const struct opts_spec spec =
	CLI_OPTS("sbx-oci delete [options] CONTAINER", rows, .permute = true);

static int kill_and_wait(struct oci_container *container, struct err *err)
{
	int r = cli_task_end(&container->shim, container->record.id, KILL_WAIT_MS, err);

	return container->shim.lost || r == -ENOENT ? 0 : r;
}

static int look_for_another(const struct oci_record *record, void *data)
{
	const struct oci_record *one = data;

	return strcmp(record->pod, one->pod) == 0 && strcmp(record->id, one->id) != 0 ? -EEXIST : 0;
}

/* Somebody may be at it for as long as its hooks take. It ends with its machine, or in one that has others by itself. */
static void end_creation(const struct oci *oci, const char *id)
{
	_cleanup_oci_container_ struct oci_container container = {0};
	Task__DeleteRequest request = TASK__DELETE_REQUEST__INIT;

	if (oci_container_open(oci, id, &container, NULL) < 0 || !container.creating ||
	    !container.shim.conn)
		return;
	request.id = (char *)(uintptr_t)id;
	if (oci_store_for_each(oci->root, look_for_another, &container.record, NULL) == 0)
		cli_task_shut_down(&container.shim, id, NULL);
	else
		cli_task(&container.shim, "Delete", &request.base, NULL, 0, NULL, NULL);
}

/* A container whose making was cut short may have no record; its own pod is the best guess. */
static int delete_remains(const struct oci *oci, const char *id)
{
	oci_pod_sweep(oci, id);
	oci_store_remove(oci->root, id);
	return 0;
}

static int run(const struct oci *oci, int argc, char **argv, struct err *err)
{
	_cleanup_oci_container_ struct oci_container container = {0};
	struct delete_options o = {0};
	int first, r = oci_parse(&oci_delete_verb, argc, argv, &o, 1, 1, &first, err);

	if (r < 0)
		return r;
	if (o.force)
		end_creation(oci, argv[first]);
	r = oci_container_open_made(oci, argv[first], &container, err);
	/* None, or one that nobody can read. */
	if ((r == -ENOENT || r == -EINVAL) && o.force && pod_id_is_valid(argv[first]))
		return delete_remains(oci, argv[first]);
	if (r < 0)
		return r;
	if (!o.force &&
	    (container.status == TASK__STATUS__RUNNING || container.status == TASK__STATUS__PAUSED))
		return err_set(err, EBUSY, "cannot delete container %s that is not stopped: %s",
			       argv[first], oci_container_status(&container));
	/* A created one may be on its way, in hooks that take their time. */
	if (o.force && container.status != TASK__STATUS__STOPPED)
		r = kill_and_wait(&container, err);
	return r < 0 ? r : oci_container_delete(oci, &container, err);
}

const struct oci_verb oci_delete_verb = {
	.name = "delete",
	.help = "delete a container",
	.opts = &spec,
	.run = run,
};
