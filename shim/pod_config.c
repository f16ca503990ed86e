/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/pod_config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "shim/host_cgroup.h"
#include "shim/kvm_probe.h"
#include "shim/kvm_probe_cache.h"
#include "shim/spec.h"
#include "shim/task_options.h"

/* An annotation goes the way of the same key in the file, and is judged like it. */
static int apply_annotation(struct config *config, const struct spec *spec, const char *annotation,
			    const char *key, struct err *err)
{
	const char *value = spec_annotation(spec, annotation);
	char text[192];
	int n;

	if (!value)
		return 0;
	n = snprintf(text, sizeof(text), "[vm]\n%s = %s\n", key, value);
	if (strpbrk(value, "\n\r;") || n >= (int)sizeof(text))
		return err_set(err, EINVAL, "config.json: annotation %s: not a value", annotation);
	return config_parse(text, (size_t)n, annotation, config, err);
}

static int apply_rates(struct config *config, const struct spec *spec, struct err *err)
{
	int r = apply_annotation(config, spec, "sbx.disk-rate", "disk-rate", err);

	if (r == 0)
		r = apply_annotation(config, spec, "sbx.disk-ops", "disk-ops", err);
	return r < 0 ? r : apply_annotation(config, spec, "sbx.net-rate", "net-rate", err);
}

static int apply_annotations(struct config *config, const struct spec *spec, struct err *err)
{
	int r = config_check_annotations(config, spec, err);

	if (r == 0)
		r = apply_annotation(config, spec, "sbx.hypervisor", "hypervisor", err);
	if (r == 0)
		r = apply_annotation(config, spec, "sbx.kernel", "kernel", err);
	if (r == 0)
		r = apply_rates(config, spec, err);
	return r < 0 ? r : apply_annotation(config, spec, "sbx.debug", "debug", err);
}

/* An emulator is no wall that anybody has asked for by not asking. */
static int choose_hypervisor(struct config *config, struct err *err)
{
	struct kvm_probe probe;

	if (config->hypervisor && strcmp(config->hypervisor, "qemu") == 0 && !config->emulation)
		return err_set(
			err, EPERM,
			"hypervisor qemu: isolation would rest on an emulator; sbx.conf does "
			"not say emulation = yes");
	if (config->hypervisor || !config->emulation || kvm_probe_was_usable(KVM_DEVICE))
		return 0;
	kvm_probe_run(&probe);
	if (kvm_probe_is_usable(&probe)) {
		kvm_probe_keep_usable(KVM_DEVICE);
		return 0;
	}
	log_warn("no usable KVM (%s): isolation rests on an emulator", probe.reason);
	config->hypervisor = strdup("qemu");
	return config->hypervisor ? 0 : err_set(err, ENOMEM, "out of memory");
}

static int enter_shim_cgroup(const char *asked, struct err *err)
{
	char path[PATH_MAX];
	int r;

	if (!asked || geteuid() != 0)
		return 0;
	r = host_cgroup_path(asked, path, err);
	return r < 0 ? r : host_cgroup_enter(path, getpid(), err);
}

int pod_config_own(const struct spec *spec, struct config *ret, struct err *err)
{
	return apply_rates(ret, spec, err);
}

int pod_config_read(const struct spec *spec, const Google__Any *any, struct config *ret,
		    struct err *err)
{
	_cleanup_task_options_ struct task_options options = {0};
	_cleanup_config_ struct config config = {0};
	int r = task_options_decode(any, &options, err);

	if (r == 0)
		r = config_load(options.config_path, &config, err);
	if (r == 0 && options.config_body)
		r = config_parse(options.config_body, options.config_body_size,
				 "options: config_body", &config, err);
	if (r == 0)
		r = apply_annotations(&config, spec, err);
	if (r == 0)
		r = choose_hypervisor(&config, err);
	if (r == 0)
		r = enter_shim_cgroup(options.shim_cgroup, err);
	if (r < 0)
		return r;
	*ret = config;
	config = (struct config){0};
	return 0;
}
