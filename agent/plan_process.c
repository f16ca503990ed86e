/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "agent/plan.h"
#include "agent/rlimit.h"

#define MAX_STRINGS 65536

static int copy_strings(char *const *from, size_t n, size_t spare, char ***ret)
{
	char **to;

	if (n > MAX_STRINGS)
		return -E2BIG;
	to = calloc(n + spare + 1, sizeof(*to));
	if (!to)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		to[i] = from[i];
	*ret = to;
	return 0;
}

struct variable {
	const char *text; /* NAME=VALUE */
	size_t name_len, at;
};

static int by_name(const void *a, const void *b)
{
	const struct variable *x = a, *y = b;
	int c = memcmp(x->text, y->text, x->name_len < y->name_len ? x->name_len : y->name_len);

	if (c)
		return c;
	if (x->name_len != y->name_len)
		return x->name_len < y->name_len ? -1 : 1;
	return x->at < y->at ? -1 : 1;
}

/* Of two of one name the later holds, as with runc: getenv(3) would find the earlier. */
static int drop_overridden(struct process_plan *plan)
{
	_cleanup_free_ struct variable *vars = calloc(plan->n_env + 1, sizeof(*vars));
	size_t n = 0;

	if (!vars)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n_env; i++)
		vars[i] = (struct variable){plan->envp[i], strcspn(plan->envp[i], "="), i};
	qsort(vars, plan->n_env, sizeof(*vars), by_name);
	for (size_t i = 1; i < plan->n_env; i++)
		if (vars[i - 1].name_len == vars[i].name_len &&
		    !memcmp(vars[i - 1].text, vars[i].text, vars[i].name_len))
			plan->envp[vars[i - 1].at] = NULL;
	for (size_t i = 0; i < plan->n_env; i++)
		if (plan->envp[i])
			plan->envp[n++] = plan->envp[i];
	/* HOME may still come behind the last: nothing must be there after it. */
	memset(&plan->envp[n], 0, (plan->n_env - n) * sizeof(*plan->envp));
	plan->n_env = n;
	return 0;
}

static int plan_env(const Spec__Process *process, struct process_plan *plan, struct err *err)
{
	for (size_t i = 0; i < process->n_env; i++) {
		const char *var = process->env[i];

		if (!strchr(var, '=') || var[0] == '=')
			return err_set(err, EINVAL, "process.env: \"%.64s\" is not NAME=VALUE",
				       var);
	}
	plan->n_env = process->n_env;
	if (copy_strings(process->env, process->n_env, 1, &plan->envp) < 0)
		return err_set(err, E2BIG, "process.env: too many");
	if (drop_overridden(plan) < 0)
		return err_set(err, ENOMEM, "process.env: out of memory");
	/* An empty HOME is as good as none: docker and runc fill it in. */
	for (size_t i = 0; i < plan->n_env; i++)
		plan->has_home |= !strncmp(plan->envp[i], "HOME=", 5) && plan->envp[i][5];
	return 0;
}

static int plan_user(const Spec__User *user, struct process_plan *plan, struct err *err)
{
	plan->umask = 022;
	if (!user)
		return 0;
	if (user->has_umask && user->umask > 0777)
		return err_set(err, EINVAL, "process.user.umask: 0%o", user->umask);
	if (user->n_additional_gids > PLAN_MAX_GROUPS)
		return err_set(err, E2BIG, "process.user.additionalGids: more than %d",
			       PLAN_MAX_GROUPS);
	/* (uid_t)-1 tells setresuid(2) to change nothing: the process would stay root. */
	if (user->uid == UINT32_MAX || user->gid == UINT32_MAX)
		return err_set(err, EINVAL, "process.user: no such id");
	if (user->has_umask)
		plan->umask = user->umask;
	plan->uid = user->uid;
	plan->gid = user->gid;
	plan->groups = user->additional_gids;
	plan->n_groups = user->n_additional_gids;
	plan->username = user->username[0] ? user->username : NULL;
	return 0;
}

static int plan_caps(const Spec__Capabilities *caps, struct process_plan *plan, struct err *err)
{
	struct caps *out = &plan->caps;

	if (!caps)
		return 0;
	plan->has_caps = true;
	if (caps_parse(caps->bounding, caps->n_bounding, &out->bounding, err) < 0 ||
	    caps_parse(caps->effective, caps->n_effective, &out->effective, err) < 0 ||
	    caps_parse(caps->inheritable, caps->n_inheritable, &out->inheritable, err) < 0 ||
	    caps_parse(caps->permitted, caps->n_permitted, &out->permitted, err) < 0 ||
	    caps_parse(caps->ambient, caps->n_ambient, &out->ambient, err) < 0)
		return err_wrap(err, "process.capabilities");
	/* The kernel would refuse it, but as a bare EPERM. */
	if (out->effective & ~out->permitted)
		return err_set(err, EINVAL, "process.capabilities: effective exceeds permitted");
	/* buildah asks for more than there can be; runc and crun leave out what the kernel refuses. */
	out->ambient &= out->permitted & out->inheritable;
	return 0;
}

static int plan_rlimits(const Spec__Process *process, struct process_plan *plan, struct err *err)
{
	uint32_t seen = 0;

	_Static_assert(RLIM_NLIMITS <= 32, "seen is too small");
	if (process->n_rlimits > RLIM_NLIMITS)
		return err_set(err, EINVAL, "process.rlimits: more than there are limits");
	plan->rlimits = calloc(process->n_rlimits + 1, sizeof(*plan->rlimits));
	if (!plan->rlimits)
		return err_set(err, ENOMEM, "process.rlimits: out of memory");
	for (size_t i = 0; i < process->n_rlimits; i++) {
		const Spec__Rlimit *limit = process->rlimits[i];
		int resource = rlimit_parse(limit->type);

		if (resource < 0)
			return err_set(err, EINVAL, "process.rlimits: no such limit: %.64s",
				       limit->type);
		if (seen & (1u << resource))
			return err_set(err, EINVAL, "process.rlimits: %s twice", limit->type);
		if (limit->soft > limit->hard)
			return err_set(err, EINVAL, "process.rlimits: %s: soft exceeds hard",
				       limit->type);
		seen |= 1u << resource;
		plan->rlimits[plan->n_rlimits++] = (struct plan_rlimit){
			.resource = resource,
			.limit = {.rlim_cur = limit->soft, .rlim_max = limit->hard},
		};
	}
	return 0;
}

static int plan_scalars(const Spec__Process *process, struct process_plan *plan, struct err *err)
{
	const char *cwd = process->cwd;

	if (!process->n_args || !process->args[0][0])
		return err_set(err, EINVAL, "process.args is empty");
	if (strlen(cwd) >= PATH_MAX)
		return err_set(err, EINVAL, "process.cwd: \"%.64s...\" is too long", cwd);
	if (cwd[0] != '/')
		return err_set(err, EINVAL, "process.cwd: \"%.128s\" is not an absolute path", cwd);
	if (process->has_oom_score_adj &&
	    (process->oom_score_adj < -1000 || process->oom_score_adj > 1000))
		return err_set(err, EINVAL, "process.oomScoreAdj: %d", process->oom_score_adj);
	if (process->console_rows > UINT16_MAX || process->console_columns > UINT16_MAX)
		return err_set(err, EINVAL, "process.consoleSize: too large");
	plan->cwd = cwd;
	plan->terminal = process->terminal;
	plan->rows = (uint16_t)process->console_rows;
	plan->columns = (uint16_t)process->console_columns;
	plan->no_new_privs = process->no_new_privileges;
	plan->has_oom_score_adj = process->has_oom_score_adj;
	plan->oom_score_adj = process->has_oom_score_adj ? process->oom_score_adj : 0;
	if (copy_strings(process->args, process->n_args, 0, &plan->argv) < 0)
		return err_set(err, E2BIG, "process.args: too many");
	return 0;
}

int plan_process(const Spec__Process *process, struct process_plan *ret, struct err *err)
{
	struct process_plan plan = {0};
	int r;

	if (!process)
		return err_set(err, EINVAL, "no process");
	r = plan_scalars(process, &plan, err);
	if (r >= 0)
		r = plan_env(process, &plan, err);
	if (r >= 0)
		r = plan_user(process->user, &plan, err);
	if (r >= 0)
		r = plan_caps(process->capabilities, &plan, err);
	if (r >= 0)
		r = plan_rlimits(process, &plan, err);
	if (r >= 0)
		r = tune_parse(process, &plan.tune, err);
	if (r < 0) {
		plan_process_finish(&plan);
		return r;
	}
	*ret = plan;
	return 0;
}

void plan_process_finish(struct process_plan *plan)
{
	free(plan->argv);
	free(plan->envp);
	free(plan->rlimits);
	*plan = (struct process_plan){0};
}
