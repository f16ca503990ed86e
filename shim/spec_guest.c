/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/spec_guest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shim/run_options.h"
#include "shim/spec_guest_internal.h"

int spec_make_messages(const struct builder *b, size_t n, const ProtobufCMessageDescriptor *desc,
		       size_t *ret_n, void *ret_array)
{
	size_t size = desc->sizeof_message;
	char *block = json_doc_alloc(&b->spec->doc, n, size);
	void **array = json_doc_alloc(&b->spec->doc, n, sizeof(*array));

	if (!block || !array)
		return no_memory(b);
	for (size_t i = 0; i < n; i++) {
		array[i] = block + i * size;
		protobuf_c_message_init(desc, array[i]);
	}
	*ret_n = n;
	*(void ***)ret_array = array;
	return 0;
}

static int build_user(const struct builder *b, const struct spec_user *user, Spec__User **ret)
{
	static const struct spec_user root;
	Spec__User *out = json_doc_alloc(&b->spec->doc, 1, sizeof(*out));

	if (!out)
		return no_memory(b);
	if (!user)
		user = &root;
	spec__user__init(out);
	out->uid = (uint32_t)user->uid.v;
	out->gid = (uint32_t)user->gid.v;
	out->has_umask = user->umask.set;
	out->umask = (uint32_t)user->umask.v;
	out->n_additional_gids = user->additional_gids.n;
	out->additional_gids = user->additional_gids.items;
	out->username = text(user->username);
	*ret = out;
	return 0;
}

static bool is_known(const char *name)
{
	for (int i = 0; i < RUN_N_CAPABILITIES; i++)
		if (strcmp(run_capabilities[i], name) == 0)
			return true;
	return false;
}

static void note_unknown(struct spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->n_unknown_caps; i++)
		if (strcmp(spec->unknown_caps[i], name) == 0)
			return;
	if (spec->n_unknown_caps < SPEC_MAX_UNKNOWN_CAPS)
		spec->unknown_caps[spec->n_unknown_caps++] = name;
}

/*
 * The runtime-spec: what cannot be granted is warned of, and is no reason to fail. A name that no
 * capability could ever have stays, for the agent to refuse.
 */
static int known_capabilities(const struct builder *b, const struct json_array *from, size_t *ret_n,
			      char ***ret)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	char **names = json_doc_alloc(&b->spec->doc, from->n, sizeof(*names));
	size_t n = 0;

	if (!names)
		return no_memory(b);
	for (size_t i = 0; i < from->n; i++) {
		char *name = ((char **)from->items)[i];

		if (is_known(name) || !name[0] || name[strspn(name, letters)])
			names[n++] = name;
		else
			note_unknown(b->spec, name);
	}
	*ret_n = n;
	*ret = names;
	return 0;
}

static int build_capabilities(const struct builder *b, const struct spec_capabilities *caps,
			      Spec__Capabilities **ret)
{
	Spec__Capabilities *out = json_doc_alloc(&b->spec->doc, 1, sizeof(*out));
	int r;

	if (!out)
		return no_memory(b);
	spec__capabilities__init(out);
	r = known_capabilities(b, &caps->bounding, &out->n_bounding, &out->bounding);
	if (r == 0)
		r = known_capabilities(b, &caps->effective, &out->n_effective, &out->effective);
	if (r == 0)
		r = known_capabilities(b, &caps->inheritable, &out->n_inheritable,
				       &out->inheritable);
	if (r == 0)
		r = known_capabilities(b, &caps->permitted, &out->n_permitted, &out->permitted);
	if (r == 0)
		r = known_capabilities(b, &caps->ambient, &out->n_ambient, &out->ambient);
	*ret = out;
	return r;
}

static int build_rlimits(const struct builder *b, const struct json_array *rlimits,
			 Spec__Process *out)
{
	const struct spec_rlimit *from = rlimits->items;
	int r = spec_make_messages(b, rlimits->n, &spec__rlimit__descriptor, &out->n_rlimits,
				   &out->rlimits);

	for (size_t i = 0; r == 0 && i < rlimits->n; i++) {
		if (from[i].soft.v > from[i].hard.v)
			return err_set(b->err, EINVAL,
				       "%s: process.rlimits[%zu]: soft is above hard",
				       b->spec->doc.what, i);
		for (size_t j = 0; j < i; j++)
			if (strcmp(from[i].type, from[j].type) == 0)
				return err_set(b->err, EINVAL, "%s: process.rlimits[%zu]: twice",
					       b->spec->doc.what, i);
		out->rlimits[i]->type = text(from[i].type);
		out->rlimits[i]->soft = from[i].soft.v;
		out->rlimits[i]->hard = from[i].hard.v;
	}
	return r;
}

static int build_scheduler(const struct builder *b, const struct spec_scheduler *from,
			   Spec__Scheduler **ret)
{
	Spec__Scheduler *out = json_doc_alloc(&b->spec->doc, 1, sizeof(*out));

	if (!out)
		return no_memory(b);
	spec__scheduler__init(out);
	out->policy = text(from->policy);
	out->nice = (int32_t)from->nice.v;
	out->priority = (int32_t)from->priority.v;
	out->flags = strings(&from->flags, &out->n_flags);
	out->runtime = from->runtime.v;
	out->deadline = from->deadline.v;
	out->period = from->period.v;
	*ret = out;
	return 0;
}

/* Scheduler, I/O priority and CPUs. */
static int build_tuning(const struct builder *b, const struct spec_process *from,
			Spec__Process *out)
{
	Spec__IoPriority *io = json_doc_alloc(&b->spec->doc, 1, sizeof(*io));
	Spec__CpuAffinity *cpus = json_doc_alloc(&b->spec->doc, 1, sizeof(*cpus));

	if (!io || !cpus)
		return no_memory(b);
	if (from->io_priority) {
		spec__io_priority__init(io);
		io->class_ = text(from->io_priority->class);
		io->priority = (int32_t)from->io_priority->priority.v;
		out->io_priority = io;
	}
	if (from->exec_cpu_affinity) {
		spec__cpu_affinity__init(cpus);
		cpus->initial = text(from->exec_cpu_affinity->initial);
		cpus->final = text(from->exec_cpu_affinity->final);
		out->exec_cpu_affinity = cpus;
	}
	return from->scheduler ? build_scheduler(b, from->scheduler, &out->scheduler) : 0;
}

int spec_guest_build_sysctl(struct spec *spec, size_t *ret_n, Spec__KeyValue ***ret,
			    struct err *err)
{
	const struct builder b = {.spec = spec, .err = err};

	return spec->config.linux ? spec_build_pairs(&b, &spec->config.linux->sysctl, ret_n, ret)
				  : 0;
}

int spec_guest_build_process(struct spec *spec, const struct spec_process *process,
			     Spec__Process **ret, struct err *err)
{
	const struct builder b = {.spec = spec, .err = err};
	Spec__Process *out = json_doc_alloc(&spec->doc, 1, sizeof(*out));
	int r;

	if (!out)
		return no_memory(&b);
	if (process->args.n == 0)
		return err_set(err, EINVAL, "%s: process.args: empty", spec->doc.what);
	if (process->cwd[0] != '/')
		return err_set(err, EINVAL, "%s: process.cwd: not an absolute path",
			       spec->doc.what);
	spec__process__init(out);
	out->terminal = process->terminal;
	if (process->console_size) {
		out->console_rows = (uint32_t)process->console_size->height.v;
		out->console_columns = (uint32_t)process->console_size->width.v;
	}
	out->args = strings(&process->args, &out->n_args);
	out->env = strings(&process->env, &out->n_env);
	out->cwd = text(process->cwd);
	out->no_new_privileges = process->no_new_privileges;
	out->has_oom_score_adj = process->oom_score_adj.set;
	out->oom_score_adj = (int32_t)process->oom_score_adj.v;
	r = build_user(&b, process->user, &out->user);
	if (r == 0 && process->capabilities)
		r = build_capabilities(&b, process->capabilities, &out->capabilities);
	if (r == 0)
		r = build_rlimits(&b, &process->rlimits, out);
	if (r == 0)
		r = build_tuning(&b, process, out);
	if (r == 0)
		*ret = out;
	return r;
}

/* Without what made a bind mount of it. */
static int build_kernel_mount(const struct builder *b, const struct spec_mount *from,
			      Spec__Mount *m)
{
	const char *const *options = from->options.items;
	char **kept = json_doc_alloc(&b->spec->doc, from->options.n, sizeof(*kept));

	if (!kept)
		return no_memory(b);
	m->type = m->source = text(spec_mount_kernel_type(from));
	m->options = kept;
	m->n_options = 0;
	for (size_t i = 0; i < from->options.n; i++)
		if (strcmp(options[i], "bind") != 0 && strcmp(options[i], "rbind") != 0)
			kept[m->n_options++] = text(options[i]);
	return 0;
}

static int build_volume(const struct builder *b, const struct spec_volume *from, Spec__Mount *m)
{
	Spec__Volume *out = json_doc_alloc(&b->spec->doc, 1, sizeof(*out));

	if (!out)
		return no_memory(b);
	spec__volume__init(out);
	out->name = text(from->name);
	out->options = (char **)(uintptr_t)from->options;
	out->n_options = from->n_options;
	out->path = text(from->path);
	out->mode = from->mode;
	out->uid = from->uid;
	out->gid = from->gid;
	m->type = text("bind");
	m->source = text(NULL);
	m->volume = out;
	return 0;
}

/* A bind's source is a path of the host, which the guest does not see: it gets the share's name. */
static int build_bind(const struct builder *b, const struct spec_mount *from, size_t i,
		      Spec__Mount *m)
{
	struct spec_shares *shares = &b->spec->shares;
	struct spec_share *share = &shares->items[shares->n];
	const char *prefix = shares->prefix ? shares->prefix : "share";
	size_t size = strlen(prefix) + 24;
	char *name = json_doc_alloc(&b->spec->doc, size, 1);

	if (!name)
		return no_memory(b);
	if (!from->source || !from->source[0])
		return err_set(b->err, EINVAL, "%s: mounts[%zu].source: missing", b->spec->doc.what,
			       i);
	snprintf(name, size, "%s.%zu", prefix, shares->n++);
	*share = (struct spec_share){
		.path = from->source,
		.name = name,
		.readonly = spec_mount_has(from, "ro") || spec_mount_has(from, "rro"),
		.recursive = spec_mount_has(from, "rbind"),
	};
	m->type = text("bind");
	m->source = text(NULL);
	m->share = name;
	return 0;
}

static int build_mounts(const struct builder *b, const struct json_array *mounts, Spec__Spec *out)
{
	const struct spec_mount *from = mounts->items;
	int r = spec_make_messages(b, mounts->n, &spec__mount__descriptor, &out->n_mounts,
				   &out->mounts);

	b->spec->shares.n = 0;
	b->spec->shares.items =
		json_doc_alloc(&b->spec->doc, mounts->n, sizeof(*b->spec->shares.items));
	if (r == 0 && !b->spec->shares.items)
		r = no_memory(b);
	for (size_t i = 0; r == 0 && i < mounts->n; i++) {
		Spec__Mount *m = out->mounts[i];

		if (!from[i].destination[0])
			return err_set(b->err, EINVAL, "%s: mounts[%zu].destination: empty",
				       b->spec->doc.what, i);
		m->destination = text(from[i].destination);
		m->type = text(from[i].type);
		m->source = text(from[i].source);
		m->options = strings(&from[i].options, &m->n_options);
		r = spec_build_mappings(b, &from[i].uid_mappings, &m->n_uid_mappings,
					&m->uid_mappings);
		if (r == 0)
			r = spec_build_mappings(b, &from[i].gid_mappings, &m->n_gid_mappings,
						&m->gid_mappings);
		if (r == 0 && from[i].volume)
			r = build_volume(b, from[i].volume, m);
		else if (r == 0 && spec_mount_is_bind(&from[i]))
			r = build_bind(b, &from[i], i, m);
		else if (r == 0 && spec_mount_kernel_type(&from[i]))
			r = build_kernel_mount(b, &from[i], m);
	}
	return r;
}

int spec_guest_build(struct spec *spec, Spec__Spec **ret, struct err *err)
{
	const struct builder b = {.spec = spec, .err = err};
	const struct spec_config *config = &spec->config;
	Spec__Spec *out = json_doc_alloc(&spec->doc, 1, sizeof(*out));
	int r;

	if (!out)
		return no_memory(&b);
	if (strncmp(config->oci_version, "1.", 2) != 0)
		return err_set(err, EINVAL, "config.json: ociVersion: not 1.x");
	if (!config->process)
		return err_set(err, EINVAL, "config.json: process: missing");
	spec__spec__init(out);
	out->hostname = text(config->hostname);
	out->domainname = text(config->domainname);
	out->init = spec_annotation(spec, "sbx.init") != NULL;
	out->root_readonly = config->root && config->root->readonly;
	r = spec_guest_build_process(spec, config->process, &out->process, err);
	if (r == 0)
		r = build_mounts(&b, &config->mounts, out);
	if (r == 0 && config->linux)
		r = spec_build_linux(&b, config->linux, &out->linux);
	if (r == 0 && config->hooks)
		r = spec_build_hooks(&b, config->hooks, &out->hooks);
	if (r == 0)
		*ret = out;
	return r;
}
