/* SPDX-License-Identifier: Apache-2.0 */
/* Whole specs, and the parts of them that are the container's: namespaces, mounts, devices, hooks. */
#include <linux/mount.h>

#include "tests/unit/agent/plan_spec.h"

TestSuite(plan, .init = setup);

static Spec__Mount *mounts[] = {&mount};

Test(plan, smallest)
{
	golden("smallest");
}

Test(plan, docker)
{
	static char *proc_options[] = {"nosuid", "noexec", "nodev"};
	static char *masked[] = {"/proc/kcore", "/sys/firmware"}, *readonly[] = {"/proc/sys"};
	static char *caps[] = {"CAP_CHOWN", "CAP_KILL"};
	static Spec__Capabilities capabilities;
	static uint32_t groups[] = {10, 20};

	add_namespace("ipc");
	add_namespace("uts");
	add_namespace("network");
	spec.hostname = "box";
	spec.domainname = "example";
	spec.root_readonly = true;
	mount.destination = "/proc";
	mount.type = mount.source = "proc";
	mount.options = proc_options;
	mount.n_options = 3;
	spec.mounts = mounts;
	spec.n_mounts = 1;
	linux_spec.masked_paths = masked;
	linux_spec.n_masked_paths = 2;
	linux_spec.readonly_paths = readonly;
	linux_spec.n_readonly_paths = 1;
	linux_spec.rootfs_propagation = "rslave";
	spec__capabilities__init(&capabilities);
	capabilities.bounding = capabilities.permitted = capabilities.effective = caps;
	capabilities.n_bounding = capabilities.n_permitted = capabilities.n_effective = 2;
	process.capabilities = &capabilities;
	process.no_new_privileges = true;
	process.terminal = true;
	process.console_rows = 24;
	process.console_columns = 80;
	process.has_oom_score_adj = true;
	process.oom_score_adj = 500;
	user.username = "app:wheel";
	user.additional_gids = groups;
	user.n_additional_gids = 2;
	user.has_umask = true;
	user.umask = 077;
	spec.init = true;
	golden("docker");
}

Test(plan, user_namespace)
{
	static Spec__IdMapping map, *maps[] = {&map};
	static Spec__KeyValue sysctl, *sysctls[] = {&sysctl};
	static Spec__Rlimit limit, *limits[] = {&limit};

	spec__id_mapping__init(&map);
	map.host_id = 100000;
	map.size = 65536;
	linux_spec.uid_mappings = linux_spec.gid_mappings = maps;
	linux_spec.n_uid_mappings = linux_spec.n_gid_mappings = 1;
	add_namespace("user");
	add_namespace("time");
	add_namespace("cgroup");
	add_namespace("network");
	spec__key_value__init(&sysctl);
	sysctl.key = "net.ipv4.ip_forward";
	sysctl.value = "1";
	linux_spec.sysctl = sysctls;
	linux_spec.n_sysctl = 1;
	spec__rlimit__init(&limit);
	limit.type = "RLIMIT_NOFILE";
	limit.soft = 1024;
	limit.hard = 4096;
	process.rlimits = limits;
	process.n_rlimits = 1;
	user.uid = 7;
	user.gid = 8;
	golden("user-namespace");
}

Test(plan, shared_namespaces)
{
	namespaces[1].type = "ipc";
	namespaces[1].container_id = "first";
	add_namespace("uts");
	namespaces[2].container_id = "second";
	golden("shared-namespaces");
	spec.init = true;
	refused(EINVAL, "pid namespace");
	spec.hostname = "h";
	spec.init = false;
	refused(EINVAL, "uts");
}

Test(plan, hooks)
{
	static Spec__Hook hook, *list[] = {&hook, &hook};
	static Spec__Hooks hooks;
	static char *hook_env[] = {"A=1"};

	spec__hook__init(&hook);
	hook.path = "/bin/hook";
	hook.args = args;
	hook.n_args = 2;
	hook.env = hook_env;
	hook.n_env = 1;
	hook.timeout_s = 5;
	spec__hooks__init(&hooks);
	hooks.create_container = hooks.start_container = list;
	hooks.n_create_container = 1;
	hooks.n_start_container = 2;
	spec.hooks = &hooks;
	golden("hooks");
	hook.timeout_s = 86401;
	refused(EINVAL, "day");
	hook.path = "hook";
	refused(EINVAL, "absolute");
	hooks.n_create_container = 65;
	refused(E2BIG, "createContainer");
}

Test(plan, mounts)
{
	static Spec__IdMapping map, *maps[] = {&map};
	static char *options[] = {"ro",        "rro",    "rnosuid", "ridmap",
				  "tmpcopyup", "rslave", "size=1m"};

	spec__id_mapping__init(&map);
	map.host_id = 1000;
	map.size = 10;
	mount.options = options;
	mount.n_options = ARRAY_SIZE(options);
	mount.uid_mappings = mount.gid_mappings = maps;
	mount.n_uid_mappings = mount.n_gid_mappings = 1;
	spec.mounts = mounts;
	spec.n_mounts = 1;
	golden("mounts");
	linux_spec.uid_mappings = linux_spec.gid_mappings = maps;
	linux_spec.n_uid_mappings = linux_spec.n_gid_mappings = 1;
	add_namespace("user");
	refused(ENOSYS, "/data: in a user namespace only a bind mount");
}

Test(plan, volumes)
{
	static char *options[] = {"rbind", "rprivate", "ro"};
	static char *of_volume[] = {"nosuid", "noexec", "mode=1777", "uid=0", "size=67108864"};
	Spec__Volume volume = SPEC__VOLUME__INIT;

	volume.name = "0.2a.5f.7";
	volume.path = "/a/b";
	volume.mode = 02750;
	volume.uid = 1;
	volume.gid = 2;
	volume.options = of_volume;
	volume.n_options = ARRAY_SIZE(of_volume);
	mount.type = "bind";
	mount.options = options;
	mount.n_options = ARRAY_SIZE(options);
	mount.volume = &volume;
	spec.mounts = mounts;
	spec.n_mounts = 1;
	golden("volumes");
	volume.path = "a/b";
	refused(EINVAL, "volume.path: \"a/b\" is not an absolute path");
	volume.path = "/a/../b";
	refused(EINVAL, "\"..\"");
	volume.path = "/";
	volume.name = "../share";
	refused(EINVAL, "\"../share\" is not the name of a volume");
	volume.name = "";
	refused(EINVAL, "is not the name of a volume");
	volume.name = "x";
	of_volume[1] = "remount";
	refused(ENOSYS, "/data: mount option \"remount\"");
	of_volume[1] = "noexec";
	options[2] = "size=1m";
	refused(EINVAL, "is no option of a bind mount");
}

/* What is to be in /dev comes before it is read-only; nothing else waits. */
Test(plan, readonly_dev)
{
	static char *options[] = {"ro", "nosuid"};
	struct err err = ERR_INIT;
	struct plan plan;
	size_t at = 0;

	mount.destination = "/dev";
	mount.options = options;
	mount.n_options = 2;
	spec.mounts = mounts;
	spec.n_mounts = 1;
	cr_assert_eq(plan_make(&spec, &plan, &err), 0, "%s", err.msg);
	for (size_t i = 0; i < plan.n_ops; i++) {
		if (plan.ops[i].kind == OP_MOUNT)
			cr_assert_eq(plan.ops[i].mount->options.attr_set, MOUNT_ATTR_NOSUID);
		if (plan.ops[i].kind == OP_MOUNT_READONLY)
			at = i;
		cr_assert(!at || plan.ops[i].kind != OP_DEVICE);
	}
	cr_assert(at && !strcmp(plan.ops[at].path, "/dev"));
	plan_finish(&plan);
}

Test(plan, devices)
{
	static Spec__Device devices[3], *list[] = {&devices[0], &devices[1], &devices[2]};
	static char *types[] = {"c", "b", "p"}, *paths[] = {"/dev/fuse", "/dev/loop0", "/run/fifo"};
	static Spec__IdMapping map, *maps[] = {&map};

	for (int i = 0; i < 3; i++) {
		spec__device__init(&devices[i]);
		devices[i].type = types[i];
		devices[i].path = paths[i];
	}
	devices[0].major = 10;
	devices[0].minor = 229;
	devices[1].major = 7;
	devices[1].file_mode = 0600;
	devices[1].uid = 5;
	linux_spec.devices = list;
	linux_spec.n_devices = 3;
	golden("devices");
	devices[0].path = "/dev/../etc/passwd";
	refused(EINVAL, "..");
	devices[0].path = "dev/fuse";
	refused(EINVAL, "absolute");
	devices[0].path = "/dev/fuse";
	devices[0].major = 4096;
	refused(EINVAL, "/dev/fuse");
	devices[0].major = -1;
	refused(EINVAL, "/dev/fuse");
	devices[0].major = 10;
	devices[0].type = "x";
	refused(EINVAL, "type");
	devices[0].type = "c";
	devices[0].file_mode = 010000;
	refused(EINVAL, "fileMode");
	devices[0].file_mode = 0;
	add_namespace("user");
	spec__id_mapping__init(&map);
	map.size = 10;
	linux_spec.uid_mappings = linux_spec.gid_mappings = maps;
	linux_spec.n_uid_mappings = linux_spec.n_gid_mappings = 1;
	golden("devices-user-namespace");
	devices[0].uid = 10;
	refused(EINVAL, "/dev/fuse: its owner");
}

Test(plan, refuses_namespaces)
{
	namespaces[0].container_id = "other";
	refused(ENOSYS, "mount");
	namespaces[0].container_id = "";
	namespaces[1].container_id = "../x";
	refused(EINVAL, "pid: bad container id");
	namespaces[1].container_id = "";
	namespaces[1].type = "mount";
	refused(EINVAL, "mount twice");
	namespaces[1].type = "pid";
	add_namespace("pid");
	namespaces[2].container_id = "other";
	refused(EINVAL, "pid twice");
	linux_spec.n_namespaces = 2;
	namespaces[1].type = "nonsense";
	refused(EINVAL, "nonsense");
	linux_spec.n_namespaces = 0;
	refused(EINVAL, "mount namespace");
}

Test(plan, refuses_names)
{
	spec.hostname = "box";
	refused(EINVAL, "uts");
	add_namespace("uts");
	spec.hostname =
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	refused(EINVAL, "64");
}

static void accepted_share(void)
{
	struct plan plan;

	cr_assert_eq(plan_make(&spec, &plan, NULL), 0);
	cr_assert(plan.shares);
	plan_finish(&plan);
}

Test(plan, refuses_mounts)
{
	static char *bind[] = {"rbind"};

	spec.mounts = mounts;
	spec.n_mounts = 1;
	mount.type = "nfs";
	refused(ENOSYS, "nfs");
	mount.type = "tmpfs";
	mount.destination = "data";
	refused(EINVAL, "absolute");
	mount.destination = "/data/..";
	refused(EINVAL, "..");
	mount.destination = "/data";
	mount.options = bind;
	mount.n_options = 1;
	refused(ENOSYS, "bind");
	mount.share = (char *)"a/b";
	refused(EINVAL, "not the name of a share");
	mount.share = (char *)"c.0";
	accepted_share();
	bind[0] = "size=1m";
	mount.type = "bind";
	refused(EINVAL, "no option of a bind");
	bind[0] = "rbind";
	mount.share = (char *)"";
	bind[0] = "tmpcopyup";
	mount.type = "proc";
	refused(EINVAL, "tmpcopyup");
	bind[0] = "remount";
	refused(ENOSYS, "remount");
	bind[0] = "idmap";
	refused(EINVAL, "proc cannot be idmapped");
	mount.type = "tmpfs";
	refused(EINVAL, "uidMappings");
	mount.n_options = 0;
	spec.n_mounts = PLAN_MAX_OPS + 1;
	refused(E2BIG, "4096");
	spec.n_mounts = 0;
}

Test(plan, refuses_sysctls)
{
	static Spec__KeyValue sysctl, *sysctls[] = {&sysctl};
	static char *wrong[] = {
		"kernel.panic", "net.ipv4.ip_forward", "",         "..", "kernel..shmmax",
		"../kernel",    "kernel.shmmaxx",      "fs.mqueue"};

	spec__key_value__init(&sysctl);
	linux_spec.sysctl = sysctls;
	linux_spec.n_sysctl = 1;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		sysctl.key = wrong[i];
		refused(EINVAL, "linux.sysctl");
	}
	add_namespace("network");
	sysctl.key = "net/ipv4";
	refused(EINVAL, "linux.sysctl");
}
