/* SPDX-License-Identifier: Apache-2.0 */
/* A process: its tuning, and what is wrong with one. */
#include <linux/capability.h>

#include "tests/unit/agent/plan_spec.h"

TestSuite(plan_process, .init = setup);

static Spec__Scheduler scheduler;
static Spec__IoPriority io;
static Spec__CpuAffinity cpus;
static Spec__Personality personality;
static Spec__Seccomp seccomp;

static void tune(void)
{
	static uint64_t program[2];
	static char *flags[] = {"SCHED_FLAG_RESET_ON_FORK"};

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
	spec__seccomp__init(&seccomp);
	seccomp.program.data = (uint8_t *)program;
	seccomp.program.len = sizeof(program);
	linux_spec.seccomp = &seccomp;
}

Test(plan_process, tuning)
{
	static Spec__TimeOffset offset, *offsets[] = {&offset};
	struct process_plan exec;
	struct err err = ERR_INIT;

	tune();
	spec__time_offset__init(&offset);
	offset.clock = "boottime";
	offset.secs = -100;
	offset.nanosecs = 5;
	linux_spec.time_offsets = offsets;
	linux_spec.n_time_offsets = 1;
	refused(EINVAL, "timeOffsets");
	add_namespace("time");
	golden("tuning");
	cr_assert_eq(plan_process(&process, &exec, &err), 0, "%s", err.msg);
	cr_assert(exec.tune.has_initial && exec.tune.has_final);
	cr_assert(CPU_ISSET(0, &exec.tune.initial) && CPU_ISSET(3, &exec.tune.initial));
	cr_assert(!CPU_ISSET(1, &exec.tune.initial) && CPU_COUNT(&exec.tune.final) == 1);
	plan_process_finish(&exec);
}

Test(plan_process, refuses_tuning)
{
	tune();
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

Test(plan_process, the_later_of_two_variables_holds)
{
	static char *many[] = {"A=1", "HOME=/x", "AB=2", "A=", "PATH=/bin", "HOME=", "A=3=4"};
	struct process_plan plan;
	struct err err = ERR_INIT;

	process.env = many;
	process.n_env = 7;
	cr_assert_eq(plan_process(&process, &plan, &err), 0, "%s", err.msg);
	cr_assert_eq(plan.n_env, 4);
	cr_assert_str_eq(plan.envp[0], "AB=2");
	cr_assert_str_eq(plan.envp[1], "PATH=/bin");
	cr_assert_str_eq(plan.envp[2], "HOME=");
	cr_assert_str_eq(plan.envp[3], "A=3=4");
	for (size_t i = 4; i < 8; i++)
		cr_assert_null(plan.envp[i]);
	cr_assert(!plan.has_home, "an empty HOME that overrides is as good as none");
	plan_process_finish(&plan);
}

Test(plan_process, ambient_capabilities)
{
	static char *caps[] = {"CAP_CHOWN", "CAP_KILL"};
	static Spec__Capabilities capabilities;
	struct process_plan plan;
	struct err err = ERR_INIT;

	spec__capabilities__init(&capabilities);
	process.capabilities = &capabilities;
	capabilities.permitted = capabilities.inheritable = capabilities.ambient = caps;
	capabilities.n_permitted = capabilities.n_ambient = 2;
	capabilities.n_inheritable = 1;
	cr_assert_eq(plan_process(&process, &plan, &err), 0, "%s", err.msg);
	cr_assert_eq(plan.caps.ambient, 1u << CAP_CHOWN);
	plan_process_finish(&plan);
	capabilities.n_permitted = 0;
	cr_assert_eq(plan_process(&process, &plan, &err), 0, "%s", err.msg);
	cr_assert_eq(plan.caps.ambient, 0);
	plan_process_finish(&plan);
}

Test(plan_process, refuses_processes)
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
	process.capabilities = NULL;
	spec.process = NULL;
	refused(EINVAL, "process");
}
