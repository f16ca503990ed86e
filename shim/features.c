/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/features.h"

#include <stdlib.h>
#include <sys/capability.h>

#include "common/cleanup.h"
#include "common/version.h"

static const char *const hooks[] = {"prestart",       "createRuntime", "createContainer",
				    "startContainer", "poststart",     "poststop"};
static const char *const mount_options[] = {
	"async",          "atime",       "bind",         "defaults",    "dev",
	"diratime",       "dirsync",     "exec",         "idmap",       "lazytime",
	"loud",           "mand",        "noatime",      "nodev",       "nodiratime",
	"noexec",         "nolazytime",  "nomand",       "norelatime",  "nostrictatime",
	"nosuid",         "nosymfollow", "private",      "ratime",      "rbind",
	"rdev",           "rdiratime",   "relatime",     "rexec",       "ridmap",
	"rnoatime",       "rnodev",      "rnodiratime",  "rnoexec",     "rnorelatime",
	"rnostrictatime", "rnosuid",     "rnosymfollow", "ro",          "rprivate",
	"rrelatime",      "rro",         "rrw",          "rshared",     "rslave",
	"rstrictatime",   "rsuid",       "rsymfollow",   "runbindable", "rw",
	"shared",         "silent",      "slave",        "strictatime", "suid",
	"symfollow",      "sync",        "tmpcopyup",    "unbindable",
};
/* The last one is not for everybody. */
static const char *const namespaces[] = {"cgroup", "ipc",  "mount", "network",
					 "pid",    "time", "uts",   "user"};
static const char *const actions[] = {
	"SCMP_ACT_ALLOW",       "SCMP_ACT_ERRNO", "SCMP_ACT_KILL",  "SCMP_ACT_KILL_PROCESS",
	"SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG",   "SCMP_ACT_TRACE", "SCMP_ACT_TRAP",
};
static const char *const operators[] = {"SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT",
					"SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ",
					"SCMP_CMP_NE"};
static const char *const archs[] = {"SCMP_ARCH_X86", "SCMP_ARCH_X86_64", "SCMP_ARCH_X32"};
static const char *const known_flags[] = {
	"SECCOMP_FILTER_FLAG_LOG",
	"SECCOMP_FILTER_FLAG_SPEC_ALLOW",
	"SECCOMP_FILTER_FLAG_TSYNC",
	"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
};
static const char *const flags[] = {"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
				    "SECCOMP_FILTER_FLAG_TSYNC"};

static json_t *strings(const char *const *items, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, json_string(items[i]));
	return array;
}
#define STRINGS(items) strings(items, ARRAY_SIZE(items))

/* Those that libcap knows by a name. */
static json_t *capabilities(void)
{
	json_t *array = json_array();

	for (cap_value_t cap = 0; cap <= CAP_LAST_CAP; cap++) {
		char *name = cap_to_name(cap);

		for (char *c = name; c && *c; c++)
			if (*c >= 'a' && *c <= 'z')
				*c = (char)(*c - 'a' + 'A');
		if (name)
			json_array_append_new(array, json_string(name));
		cap_free(name);
	}
	return array;
}

static json_t *linux_features(bool cri)
{
	json_t *seccomp =
		json_pack("{s:b,s:o,s:o,s:o,s:o,s:o}", "enabled", 1, "actions", STRINGS(actions),
			  "operators", STRINGS(operators), "archs", STRINGS(archs), "knownFlags",
			  STRINGS(known_flags), "supportedFlags", STRINGS(flags));
	json_t *cgroup = json_pack("{s:b,s:b,s:b,s:b,s:b}", "v1", 1, "v2", 1, "systemd", 1,
				   "systemdUser", 0, "rdma", 0);

	return json_pack("{s:o,s:o,s:o,s:o,s:{s:b},s:{s:b},s:{s:b},s:{s:{s:b}},s:{s:b}}",
			 "namespaces", strings(namespaces, ARRAY_SIZE(namespaces) - cri),
			 "capabilities", capabilities(), "cgroup", cgroup, "seccomp", seccomp,
			 "apparmor", "enabled", 0, "selinux", "enabled", 0, "intelRdt", "enabled",
			 0, "mountExtensions", "idmap", "enabled", !cri, "netDevices", "enabled",
			 0);
}

json_t *features_build(bool cri)
{
	return json_pack("{s:s,s:s,s:o,s:o,s:o,s:{s:s},s:[s,s,s,s,s]}", "ociVersionMin", "1.0.0",
			 "ociVersionMax", "1.2.0", "hooks", STRINGS(hooks), "mountOptions",
			 STRINGS(mount_options), "linux", linux_features(cri), "annotations",
			 "sbx.version", sbx_version, "potentiallyUnsafeConfigAnnotations",
			 "sbx.pod", "io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id",
			 "io.kubernetes.cri-o.SandboxID", "sbx.memory");
}
