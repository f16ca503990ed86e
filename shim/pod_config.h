/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the machine of a pod is to be that somebody else than `sbx run` asked for: containerd's options,
 * sbx.conf, and those of the pod's annotations that it allows, together.
 */
#ifndef SHIM_POD_CONFIG_H
#define SHIM_POD_CONFIG_H

#include "any.pb-c.h"
#include "common/err.h"
#include "shim/config.h"

struct spec;

/* Fills ret, of which hypervisor, kernel and debug then are the pod's; config_finish() frees it. */
int pod_config_read(const struct spec *spec, const Google__Any *options, struct config *ret,
		    struct err *err);
/* For a pod of sbx itself, whose annotations are its own words: the rates alone. */
int pod_config_own(const struct spec *spec, struct config *ret, struct err *err);

#endif
