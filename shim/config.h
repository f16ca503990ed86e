/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sbx.conf: what the owner of the machine decides for pods that containerd and sbx-oci ask for, and
 * which annotations of a pod may decide otherwise. docs/containerd.md lists the keys.
 *
 *	as root		/etc/sbx/sbx.conf
 *	as a user	$XDG_CONFIG_HOME/sbx/sbx.conf, or ~/.config/sbx/sbx.conf
 *	SBX_ROOT=DIR	DIR/etc/sbx.conf, for either
 *
 * then sbx.conf.d/NAME.conf beside it, in the order of their names. A later value wins.
 */
#ifndef SHIM_CONFIG_H
#define SHIM_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "shim/hypervisor.h"

struct spec;

/* All zero is what there is without a file. */
struct config {
	char *hypervisor; /* "vmm" or "qemu"; NULL: vmm, or qemu where emulation is allowed and KVM is
			    * not usable */
	bool emulation;   /* qemu may be used */
	char *kernel;     /* a path; NULL: our own */
	bool debug;       /* the guest's kernel log is wanted */
	uint64_t memory;     /* of a pod that says nothing; 0: pod_size.h's */
	unsigned cpus;       /* the same */
	uint64_t max_memory; /* how far a pod may grow; 0: as far as the host goes */
	unsigned max_cpus;   /* the same */
	struct hypervisor_rates rates;
	char *annotations; /* which of them count, blanks between them; NULL: CONFIG_ANNOTATIONS */
};

/* Of those that pod_size.h and this configuration know: no paths, no programs. */
#define CONFIG_ANNOTATIONS "sbx.memory sbx.cpus"

/* One file's text over *config; what names it in errors. Pure. */
int config_parse(const char *text, size_t size, const char *what, struct config *config,
		 struct err *err);

/*
 * The file at path with its drop-ins, PATH.d; NULL: the one above, which may be missing. -EPERM where
 * others than its owner, who is root or we, can write one of them.
 */
int config_load(const char *path, struct config *ret, struct err *err);
void config_finish(struct config *config);
#define _cleanup_config_ _cleanup_(config_finish)

/* -EPERM where the pod has an annotation that would count if it were allowed. Pure. */
int config_check_annotations(const struct config *config, const struct spec *spec, struct err *err);

#endif
