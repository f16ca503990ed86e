/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/run_prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "common/io.h"
#include "shim/env_file.h"
#include "shim/kvm_probe.h"
#include "shim/kvm_probe_cache.h"
#include "shim/places.h"
#include "shim/run_seccomp.h"
#include "shim/run_spec.h"
#include "shim/shim.h"
#include "shim/terminal.h"

/* --- before the pod ------------------------------------------------------------------------- */

static int add_variable(const char *entry, void *data)
{
	return env_list_set_option(data, entry);
}

static int add_file(const char *path, struct env_list *env, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r = io_read_file(AT_FDCWD, path, ENV_FILE_MAX_BYTES, &text, &size);

	if (r < 0)
		return err_set_errno(err, -r, "--env-file %s", path);
	r = env_file_parse(text, size, add_variable, env, err);
	if (r == -E2BIG || r == -ENOMEM)
		return err_set_errno(err, -r, "--env-file %s", path);
	return r < 0 ? err_wrap(err, "--env-file %s", path) : 0;
}

/* docker's order: what sbx sets, then the image, then files, then single variables. */
static int gather_env(const struct run *run, struct env_list *env, struct err *err)
{
	const struct run_options *o = &run->options;
	char hostname[80];
	int r;

	snprintf(hostname, sizeof(hostname), "HOSTNAME=%s", o->hostname ? o->hostname : run->id);
	r = env_list_set(env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	if (r == 0)
		r = env_list_set(env, hostname);
	if (r == 0 && o->tty)
		r = env_list_set(env, "TERM=xterm");
	for (size_t i = 0; r == 0 && run->image.env[i]; i++)
		r = strchr(run->image.env[i], '=') ? env_list_set(env, run->image.env[i]) : 0;
	for (size_t i = 0; r == 0 && i < o->env_files.n; i++) {
		r = add_file(o->env_files.items[i], env, err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; r == 0 && i < o->env.n; i++)
		r = env_list_set_option(env, o->env.items[i]);
	return r < 0 ? err_set_errno(err, -r, "the environment") : 0;
}

static int make_id(char id[13], struct err *err)
{
	uint8_t bytes[6];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return err_set_errno(err, errno, "getrandom");
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(id + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

/* Our own profile, a file of the caller's, or none. */
static int read_seccomp(const struct run_options *o, json_t **ret, struct err *err)
{
	_cleanup_free_ char *own = NULL, *text = NULL;
	const char *path = o->seccomp;
	size_t size;
	int r = 0;

	if (path && strcmp(path, "unconfined") == 0)
		return 0;
	if (!path) {
		r = places_find_share("seccomp.json", &own, err);
		path = own;
	}
	if (r < 0)
		return r;
	r = io_read_file(AT_FDCWD, path, RUN_SECCOMP_MAX_BYTES, &text, &size);
	if (r < 0)
		return err_set_errno(err, -r, "seccomp profile %s", path);
	r = run_seccomp_parse(text, size, run_spec_has_capability, o, o->seccomp, ret, err);
	return r < 0 ? err_wrap(err, "seccomp profile %s", path) : 0;
}

/* --- the pod's directory ---------------------------------------------------------------------- */

static int check_name(struct pod_dir *pod, void *data)
{
	_cleanup_record_ struct record record = {0};
	const char *name = data;

	if (strcmp(pod->id, name) == 0)
		return -EEXIST;
	if (pod_dir_read_record(pod, &record, NULL) < 0 || !record.name)
		return 0;
	return strcmp(record.name, name) == 0 ? -EEXIST : 0;
}

static int write_config(struct run *run, json_t *config, struct err *err)
{
	_cleanup_free_ char *text = json_dumps(config, JSON_COMPACT);
	int r = text ? io_write_atomic(run->pod->dirfd, "config.json", text, strlen(text), 0600)
		     : -ENOMEM;

	return r < 0 ? err_set_errno(err, -r, "%s/config.json", run->pod->path) : 0;
}

static int write_record(struct run *run, json_t *config, struct err *err)
{
	json_t *args = json_object_get(json_object_get(config, "process"), "args");
	size_t n = json_array_size(args);
	_cleanup_free_ const char **items = calloc(n + 1, sizeof(*items));
	struct record record = {
		.id = run->id,
		.namespace = SHIM_OWN_NAMESPACE,
		.name = run->options.name,
		.image = run->options.image,
		.status = RECORD_CREATED,
		.detached = run->options.detach,
		.remove = run->options.remove,
	};
	struct timespec now;

	if (!items)
		return err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		items[i] = json_string_value(json_array_get(args, i));
	record.args = (struct json_array){.items = items, .n = n};
	clock_gettime(CLOCK_REALTIME, &now);
	record.created_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	return pod_dir_write_record(run->pod, &record, err);
}

/* Choosing a name and writing it down is one step under the namespace's lock. */
static int make_pod(struct run *run, json_t *config, struct err *err)
{
	_cleanup_close_ int lock = pod_dir_lock_namespace(SHIM_OWN_NAMESPACE, err);
	const char *name = run->options.name;
	int r;

	if (lock < 0)
		return lock;
	if (name && pod_dir_for_each(SHIM_OWN_NAMESPACE, check_name, (void *)name, NULL) == -EEXIST)
		return err_set(err, EEXIST, "--name %s: taken; sbx rm %s frees it", name, name);
	r = pod_dir_create_locked(SHIM_OWN_NAMESPACE, run->id, &run->pod, err);
	if (r < 0)
		return r;
	r = write_config(run, config, err);
	if (r == 0)
		r = write_record(run, config, err);
	if (r < 0) {
		close_fd(&lock);
		pod_dir_remove(run->pod, NULL);
		pod_dir_free(TAKE_PTR(run->pod));
	}
	return r;
}

/* Without usable KVM the program still runs, and whoever started it knows what that is worth. */
static void choose_hypervisor(struct run_options *o)
{
	struct kvm_probe probe;

	if (!o->hypervisor) {
		if (kvm_probe_was_usable(KVM_DEVICE))
			return;
		kvm_probe_run(&probe);
		if (kvm_probe_is_usable(&probe)) {
			kvm_probe_keep_usable(KVM_DEVICE);
			return;
		}
		o->hypervisor = "qemu";
		fprintf(stderr,
			"sbx: warning: no usable KVM (%s): isolation rests on an emulator, QEMU; "
			"sbx "
			"doctor says more\n",
			probe.reason);
	} else if (strcmp(o->hypervisor, "qemu") == 0) {
		fprintf(stderr,
			"sbx: warning: --hypervisor qemu: isolation rests on an emulator\n");
	}
}

int run_prepare(struct run *run, struct err *err)
{
	struct run_spec_input input = {
		.id = run->id,
		.options = &run->options,
		.image = &run->image,
	};
	_cleanup_env_list_ struct env_list env = {0};
	_cleanup_free_ char *cwd = getcwd(NULL, 0);
	json_t *config = NULL;
	int r = make_id(run->id, err);

	if (r == 0)
		r = pod_dir_sweep(SHIM_OWN_NAMESPACE, err);
	if (r == 0)
		r = image_resolve(run->options.image, &run->image, err);
	if (r == 0)
		r = gather_env(run, &env, err);
	if (r == 0)
		r = read_seccomp(&run->options, &input.seccomp, err);
	if (r < 0)
		return r;
	choose_hypervisor(&run->options);
	input.env = &env;
	input.cwd = cwd;
	if (run->options.tty)
		terminal_size(STDIN_FILENO, &input.rows, &input.columns);
	r = run_spec_build(&input, &config, err);
	if (r == 0)
		r = make_pod(run, config, err);
	json_decref(config);
	json_decref(input.seccomp);
	return r;
}
