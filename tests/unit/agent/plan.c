/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Specs and the plans made of them, compared with tests/golden/agent/NAME.txt. With
 * SBX_GOLDEN_UPDATE set the files are written instead, for a person to read and commit.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/plan.h"
#include "common/io.h"
#include "common/strbuf.h"

/* protobuf-c has its strings as char *; nothing writes to them. */
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"

static Spec__Spec spec;
static Spec__Process process;
static Spec__User user;
static Spec__Linux linux_spec;
static Spec__Resources resources;
static Spec__Namespace namespaces[8], *namespace_list[8];
static Spec__Mount mount, *mounts[] = {&mount};
static char *args[] = {"/bin/sh", "-c", "true"}, *env[] = {"PATH=/bin", "A=b=c"};

static void add_namespace(char *type)
{
	size_t i = linux_spec.n_namespaces++;

	spec__namespace__init(&namespaces[i]);
	namespaces[i].type = type;
	namespace_list[i] = &namespaces[i];
	linux_spec.namespaces = namespace_list;
}

static void setup(void)
{
	spec__spec__init(&spec);
	spec__process__init(&process);
	spec__user__init(&user);
	spec__linux__init(&linux_spec);
	spec__resources__init(&resources);
	spec__mount__init(&mount);
	spec.process = &process;
	spec.linux = &linux_spec;
	process.user = &user;
	process.args = args;
	process.n_args = 3;
	process.env = env;
	process.n_env = 2;
	process.cwd = "/";
	linux_spec.n_namespaces = 0;
	add_namespace("mount");
	add_namespace("pid");
	mount.destination = "/data";
	mount.type = "tmpfs";
	mount.source = "tmpfs";
}

TestSuite(plan, .init = setup);

static void golden(const char *name)
{
	_cleanup_close_ int dir = open("tests/golden/agent", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *want = NULL, *got = NULL;
	_cleanup_plan_ struct plan plan = {0};
	struct err err = ERR_INIT;
	char file[64];

	snprintf(file, sizeof(file), "%s.txt", name);
	cr_assert_eq(plan_make(&spec, &plan, &err), 0, "%s", err.msg);
	got = plan_print(&plan);
	if (getenv("SBX_GOLDEN_UPDATE"))
		io_write_atomic(dir, file, got, strlen(got), 0644);
	cr_assert_eq(io_read_file(dir, file, 65536, &want, NULL), 0, "%s", file);
	cr_assert_str_eq(got, want);
}

static void refused(int code, const char *word)
{
	_cleanup_plan_ struct plan plan = {0};
	struct err err = ERR_INIT;

	cr_assert_eq(plan_make(&spec, &plan, &err), -code, "%s: %s", word, err.msg);
	cr_assert(strstr(err.msg, word), "\"%s\" does not name \"%s\"", err.msg, word);
	cr_assert_null(plan.ops);
}

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

Test(plan, resources)
{
	static Spec__KeyValue unified[2], *unified_list[] = {&unified[0], &unified[1]};
	static Spec__DeviceRule rules[3], *rule_list[] = {&rules[0], &rules[1], &rules[2]};

	resources.memory_limit = 64 << 20;
	resources.memory_low = 1 << 20;
	resources.memory_swap = -1;
	resources.cpu_weight = 50;
	resources.cpu_quota_us = 25000;
	resources.cpuset_cpus = "0-1";
	resources.cpuset_mems = "0";
	resources.pids_limit = 32;
	for (int i = 0; i < 2; i++)
		spec__key_value__init(&unified[i]);
	unified[0].key = "memory.high";
	unified[0].value = "1000000";
	unified[1].key = "io.max";
	unified[1].value = "8:0 rbps=1";
	resources.unified = unified_list;
	resources.n_unified = 2;
	for (int i = 0; i < 3; i++)
		spec__device_rule__init(&rules[i]);
	rules[0].type = "a";
	rules[0].access = "rwm";
	rules[1] = (Spec__DeviceRule){.base = rules[1].base, true, "c", 10, 229, "rw"};
	rules[2] = (Spec__DeviceRule){.base = rules[2].base, true, "b", 8, -1, "r"};
	resources.devices = rule_list;
	resources.n_devices = 3;
	linux_spec.resources = &resources;
	golden("resources");
}

Test(plan, more_resources)
{
	static Spec__IoWeight weight, *weights[] = {&weight};
	static Spec__IoLimit limit[2], *limits[] = {&limit[0], &limit[1]};
	static Spec__HugepageLimit huge, *hugepages[] = {&huge};
	struct err err = ERR_INIT;
	struct plan plan;

	resources.memory_limit = 1 << 20;
	resources.memory_check_before_update = true;
	resources.cpu_weight = 7;
	resources.has_cpu_idle = true;
	resources.cpu_idle = 1;
	resources.cpu_quota_us = 1000;
	resources.cpu_burst_us = 500;
	resources.io_weight = 10000;
	spec__io_weight__init(&weight);
	weight.major = 254;
	weight.weight = 50;
	resources.io_weights = weights;
	resources.n_io_weights = 1;
	for (int i = 0; i < 2; i++)
		spec__io_limit__init(&limit[i]);
	limit[0] = (Spec__IoLimit){.base = limit[0].base, 254, 16, "rbps", UINT64_MAX};
	limit[1] = (Spec__IoLimit){.base = limit[1].base, 254, 0, "wiops", 0};
	resources.io_limits = limits;
	resources.n_io_limits = 2;
	spec__hugepage_limit__init(&huge);
	huge.page_size = "2MB";
	huge.limit = 4 << 20;
	resources.hugepages = hugepages;
	resources.n_hugepages = 1;
	linux_spec.resources = &resources;
	golden("more-resources");
	cr_assert_eq(plan_resources(&resources, &plan, &err), 0);
	cr_assert(plan.n_cgroup == 10 && !plan.n_rules && !plan.n_ops);
	plan_finish(&plan);
	huge.page_size = "2MB/../../x";
	refused(EINVAL, "page size");
	huge.page_size = "MB";
	refused(EINVAL, "page size");
	huge.page_size = "2MB";
	limit[1].key = "rbps=1 wbps";
	refused(EINVAL, "io.max");
	limit[1].key = "rbps";
	limit[1].minor = 1 << 20;
	refused(EINVAL, "io.max");
	resources.n_io_limits = 0;
	weight.weight = 0;
	refused(EINVAL, "io.weight");
	resources.n_io_weights = 0;
	resources.cpu_idle = 2;
	refused(EINVAL, "cpu.idle");
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

Test(plan, tuning)
{
	static Spec__Scheduler scheduler;
	static Spec__IoPriority io;
	static Spec__CpuAffinity cpus;
	static Spec__Personality personality;
	static Spec__TimeOffset offset, *offsets[] = {&offset};
	static Spec__Seccomp seccomp;
	static uint64_t program[2];
	static char *flags[] = {"SCHED_FLAG_RESET_ON_FORK"};
	struct process_plan exec;
	struct err err = ERR_INIT;

	spec__scheduler__init(&scheduler);
	scheduler.policy = "SCHED_BATCH";
	scheduler.nice = -5;
	scheduler.flags = flags;
	scheduler.n_flags = 1;
	process.scheduler = &scheduler;
	spec__io_priority__init(&io);
	io.class_ = "IOPRIO_CLASS_BE";
	io.priority = 7;
	process.io_priority = &io;
	spec__cpu_affinity__init(&cpus);
	cpus.initial = "0,2-3";
	cpus.final = "1";
	process.exec_cpu_affinity = &cpus;
	spec__personality__init(&personality);
	personality.domain = "LINUX32";
	linux_spec.personality = &personality;
	spec__time_offset__init(&offset);
	offset.clock = "boottime";
	offset.secs = -100;
	offset.nanosecs = 5;
	linux_spec.time_offsets = offsets;
	linux_spec.n_time_offsets = 1;
	refused(EINVAL, "timeOffsets");
	add_namespace("time");
	spec__seccomp__init(&seccomp);
	seccomp.program.data = (uint8_t *)program;
	seccomp.program.len = sizeof(program);
	linux_spec.seccomp = &seccomp;
	golden("tuning");
	cr_assert_eq(plan_process(&process, &exec, &err), 0, "%s", err.msg);
	cr_assert(exec.tune.has_initial && exec.tune.has_final);
	cr_assert(CPU_ISSET(0, &exec.tune.initial) && CPU_ISSET(3, &exec.tune.initial));
	cr_assert(!CPU_ISSET(1, &exec.tune.initial) && CPU_COUNT(&exec.tune.final) == 1);
	plan_process_finish(&exec);
	cpus.final = "3-1";
	refused(EINVAL, "final");
	cpus.final = "1024";
	refused(EINVAL, "final");
	cpus.final = "1,";
	refused(EINVAL, "final");
	cpus.final = "";
	io.class_ = "IOPRIO_CLASS_NONE";
	refused(EINVAL, "ioPriority.class");
	io.class_ = "IOPRIO_CLASS_IDLE";
	io.priority = 8;
	refused(EINVAL, "ioPriority.priority");
	io.priority = 0;
	scheduler.policy = "SCHED_NONE";
	refused(EINVAL, "SCHED_NONE");
	scheduler.policy = "SCHED_FIFO";
	scheduler.priority = 100;
	refused(EINVAL, "priority");
	scheduler.priority = 1;
	personality.domain = "BSD";
	refused(EINVAL, "BSD");
	personality.domain = "LINUX";
	seccomp.program.len = 9;
	refused(EINVAL, "seccomp");
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
	refused(ENOSYS, "/data: an idmapped mount");
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

Test(plan, refuses_resources)
{
	static Spec__KeyValue unified, *unified_list[] = {&unified};
	static char *keys[] = {"cgroup.procs", "memory", "../memory.max", "a/b.c", ".x", ""};

	linux_spec.resources = &resources;
	resources.memory_limit = -2;
	refused(EINVAL, "memory.max");
	resources.memory_limit = 0;
	resources.cpu_weight = 10001;
	refused(EINVAL, "cpu.weight");
	resources.cpu_weight = 0;
	resources.unified = unified_list;
	resources.n_unified = 1;
	spec__key_value__init(&unified);
	unified.value = "1";
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		unified.key = keys[i];
		refused(EINVAL, "unified");
	}
	resources.n_unified = 0;
}

Test(plan, refuses_processes)
{
	static Spec__Rlimit limit, *limits[] = {&limit, &limit};
	static Spec__Capabilities capabilities;
	static char *caps[] = {"CAP_CHOWN"};

	process.n_args = 0;
	refused(EINVAL, "args");
	process.n_args = 3;
	process.cwd = "tmp";
	refused(EINVAL, "cwd");
	process.cwd = "/";
	env[1] = "nonsense";
	refused(EINVAL, "nonsense");
	env[1] = "A=b=c";
	user.uid = UINT32_MAX;
	refused(EINVAL, "user");
	user.uid = 0;
	process.has_oom_score_adj = true;
	process.oom_score_adj = 1001;
	refused(EINVAL, "oomScoreAdj");
	process.oom_score_adj = 0;
	spec__rlimit__init(&limit);
	limit.type = "RLIMIT_NOFILE";
	process.rlimits = limits;
	process.n_rlimits = 2;
	refused(EINVAL, "twice");
	process.n_rlimits = 1;
	limit.soft = 2;
	limit.hard = 1;
	refused(EINVAL, "soft");
	process.n_rlimits = 0;
	spec__capabilities__init(&capabilities);
	process.capabilities = &capabilities;
	capabilities.effective = caps;
	capabilities.n_effective = 1;
	refused(EINVAL, "permitted");
	capabilities.permitted = caps;
	capabilities.n_permitted = 1;
	capabilities.ambient = caps;
	capabilities.n_ambient = 1;
	refused(EINVAL, "ambient");
	spec.process = NULL;
	refused(EINVAL, "process");
}
