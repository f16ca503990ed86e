/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/oom_score.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/log.h"
#include "shim/container.h"
#include "shim/shim.h"
#include "shim/spec.h"

static void name_file(pid_t pid, char path[48])
{
	if (pid)
		snprintf(path, 48, "/proc/%d/oom_score_adj", pid);
	else
		snprintf(path, 48, "/proc/self/oom_score_adj");
}

int oom_score_read(pid_t pid, int *ret)
{
	_cleanup_free_ char *text = NULL;
	char path[48], *end;
	size_t size;
	long score;
	int r;

	name_file(pid, path);
	r = io_read_file(AT_FDCWD, path, 32, &text, &size);
	if (r < 0)
		return r;
	score = strtol(text, &end, 10);
	if (end == text || score < OOM_SCORE_MIN || score > OOM_SCORE_MAX)
		return -EINVAL;
	*ret = (int)score;
	return 0;
}

int oom_score_write(pid_t pid, int score)
{
	char path[48], text[16];

	name_file(pid, path);
	snprintf(text, sizeof(text), "%d", score);
	return io_write_value(AT_FDCWD, path, text);
}

int oom_score_above(int parent)
{
	return parent < OOM_SCORE_MAX ? parent + 1 : OOM_SCORE_MAX;
}

int oom_score_of_spec(const struct spec *spec)
{
	const struct spec_process *process = spec->config.process;

	return process ? (int)process->oom_score_adj.v : 0;
}

/*
 * The lowest: where the kubelet gives containers of one pod different ones, that is the one with the largest
 * request, and nearest to what the pod would get as a whole. CRI's sandbox container says how dear a process is
 * that uses next to nothing, and counts for as long as it is alone.
 */
void oom_score_follow(struct shim *shim)
{
	struct hypervisor *hv = shim->sandbox.hv;
	int lowest = OOM_SCORE_MAX, r;
	struct list *it, *tmp;
	bool any = false;

	list_for_each_safe (it, tmp, &shim->containers) {
		const struct container *container = list_entry(it, struct container, link);

		if (container->sandbox)
			continue;
		any = true;
		if (container->oom_score < lowest)
			lowest = container->oom_score;
	}
	if (!any || !hv || lowest == hv->oom_score)
		return;
	r = hv->ops->set_oom_score(hv, lowest);
	/* An ordinary user may not lower it. */
	if (r < 0 && r != -EACCES)
		log_warn("the monitor's oom_score_adj: %s", strerror(-r));
}
