/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds a container in: its user and namespaces, what it sees of the guest, hostile images, its
 * layers, and its limits. Last comes what would take the agent along if a limit did not bite.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "common/loop.h"
#include "tests/integration/agent_calls.h"
#include "tests/integration/agent_cases.h"

static bool case_user(void)
{
	struct spec spec;

	spec_init(&spec, "c1",
		  "id -u; id -g; echo $HOME; touch /file 2>/dev/null && echo bad; "
		  "echo reopened >/dev/stdout; grep Cap /proc/self/status | head -5");
	spec.user.username = (char *)(uintptr_t) "nobody";
	spec.process.capabilities->n_effective = spec.process.capabilities->n_permitted = 0;
	if (!expect(&spec, 0, NULL))
		return false;
	spec_init(&spec, "c1", "id -u; id -g; id -G; umask; pwd");
	spec.user.uid = 1234;
	spec.user.gid = 55;
	uint32_t groups[] = {66, 77};
	spec.user.additional_gids = groups;
	spec.user.n_additional_gids = 2;
	spec.user.has_umask = true;
	spec.user.umask = 077;
	spec.process.cwd = (char *)(uintptr_t) "/made/for/me";
	if (!expect(&spec, 0, "1234\n55\n55 66 77\n0077\n/made/for/me\n"))
		return false;
	spec_init(&spec, "c1", "exit 0");
	spec.user.username = (char *)(uintptr_t) "martian";
	struct result result = {0};
	struct err err = ERR_INIT;
	if (create(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	if (call_process("Start", "c1", "", &err) >= 0 || !strstr(err.msg, "martian"))
		return no("an unknown user: %s", err.msg);
	return finish(&spec, &result, &err) < 0 ? no("%s", err.msg) : true;
}

static bool case_walls(void)
{
	struct spec spec;

	spec_init(&spec, "c1",
		  "echo 1 2>/dev/null >/proc/sys/kernel/hostname && echo sys-writable; "
		  "mount -t tmpfs x /tmp 2>/dev/null && echo mounts; "
		  "ls /proc | grep -c '^[0-9]'; "
		  "mknod /tmp/vda b 254 0 && cat /tmp/vda 2>/dev/null | head -c 1 | wc -c; "
		  "mknod /tmp/kmsg c 1 11 && cat /tmp/kmsg 2>/dev/null | head -c 1 | wc -c; "
		  "ls /sys/firmware | wc -l; cat /proc/keys | wc -c; "
		  "cat /proc/self/oom_score_adj; ls /run/rootfs 2>/dev/null; "
		  "ls /proc/self/fd | wc -l; cat /sys/fs/cgroup/cgroup.procs | head -1; "
		  "hostname; ip link show lo | grep -c UP; ls /dev | tr '\\n' ' '");
	return expect(
		&spec, 0,
		"3\n0\n0\n0\n0\n0\n4\n1\nbox\n1\n"
		"fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero ");
}

static bool case_readonly(void)
{
	struct spec spec;

	spec_init(&spec, "c1",
		  "touch /x 2>/dev/null && echo bad; touch /dev/shm/x && echo good; "
		  "grep NoNewPrivs /proc/self/status; ulimit -n");
	Spec__Rlimit limit = SPEC__RLIMIT__INIT, *limits[] = {&limit};

	limit.type = (char *)(uintptr_t) "RLIMIT_NOFILE";
	limit.soft = limit.hard = 77;
	spec.process.rlimits = limits;
	spec.process.n_rlimits = 1;
	spec.spec.root_readonly = true;
	spec.process.no_new_privileges = true;
	return expect(&spec, 0, "good\nNoNewPrivs:\t1\n77\n");
}

static bool case_user_namespace(void)
{
	Spec__IdMapping map = SPEC__ID_MAPPING__INIT, *maps[] = {&map};
	struct result result = {0}, first = {0};
	struct err err = ERR_INIT;
	struct spec spec, in;

	spec_init(&spec, "c1",
		  "id -u; tr -s ' ' </proc/self/uid_map; echo x >/dev/null; hostname; "
		  "ls -ln /dev/null | cut -c1-3; read x; echo >/dev/stdout; touch /x 2>&1");
	spec_add_namespace(&spec, "user");
	spec_add_namespace(&spec, "time");
	map.host_id = 100000;
	map.size = 65536;
	spec.linux.uid_mappings = spec.linux.gid_mappings = maps;
	spec.linux.n_uid_mappings = spec.linux.n_gid_mappings = 1;
	if (begin(&spec, &first, &err) < 0)
		return no("%s", err.msg);
	while (!strstr(text(first.out), "crw") && !first.out->ended)
		loop_turn(host.loop, 100);
	spec_process(&in, "id -u; cd /dev/shm; readlink /proc/self/ns/user /proc/self/ns/time >a; "
			  "readlink /proc/1/ns/user /proc/1/ns/time | cmp - a && echo same "
			  ">/dev/stdout");
	if (exec(&in, "c1", "e1", &result, &err) < 0 || call_wait("c1", "e1", &result, &err) < 0)
		return no("exec: %s", err.msg);
	host_until(streams_ended, &result, 5000);
	if (strcmp(text(result.out), "0\nsame\n") != 0)
		return no("exec: \"%s\" \"%s\"", text(result.out), text(result.err));
	host_send(first.in, "\n", 1, false);
	if (finish(&spec, &first, &err) < 0)
		return no("%s", err.msg);
	if (strcmp(text(first.out), "0\n 0 100000 65536\nbox\ncrw\n\n"
				    "touch: /x: Permission denied\n") != 0)
		return no("\"%s\" \"%s\"", text(first.out), text(first.err));
	return true;
}

static bool case_refusals(void)
{
	struct result result = {0};
	struct err err = ERR_INIT;
	struct spec spec;

	spec_init(&spec, "../c1", "exit 0");
	if (create(&spec, &result, &err) != -EINVAL)
		return no("bad id: %s", err.msg);
	spec_init(&spec, "c1", "exit 0");
	spec.mounts[0].type = (char *)(uintptr_t) "bind";
	if (create(&spec, &result, &err) != -ENOSYS || !strstr(err.msg, "/proc"))
		return no("bind: %s", err.msg);
	spec_init(&spec, "c1", "exit 0");
	spec.lower.slot = 9;
	if (create(&spec, &result, &err) >= 0 || !strstr(err.msg, "slot 9"))
		return no("slot: %s", err.msg);
	spec_init(&spec, "c1", "exit 0");
	spec.lower.fstype = (char *)(uintptr_t) "ext4";
	if (create(&spec, &result, &err) >= 0 || !strstr(err.msg, "ext4"))
		return no("fstype: %s", err.msg);
	/* Whatever failed has left nothing: the id is free. */
	return expect_script("echo again", 0, "again\n");
}

/* Creates spec, which must fail saying word. */
static bool refused(struct spec *spec, const char *word)
{
	struct result result = {0};
	struct err err = ERR_INIT;

	if (create(spec, &result, &err) >= 0)
		return no("created, where \"%s\" was to be refused", word);
	return strstr(err.msg, word) ? true : no("%s", err.msg);
}

/*
 * Disk 1 is an image whose names want to lead out: /proc is a link to /etc, /dev one to the
 * agent's own /run, /sys one beyond the root, /etc/passwd a pipe.
 */
static bool case_hostile_image(void)
{
	struct result result = {0};
	struct err err = ERR_INIT;
	struct spec spec;

	spec_init(&spec, "c1", "exit 0");
	spec.lower.slot = 1;
	if (!refused(&spec, "/proc"))
		return false;
	/* Without proc and sysfs, which bear no link, all lands inside. */
	spec_init(&spec, "c1", "echo /run/*; ls /run/agent | head -3 | tr '\\n' ' '; ls /escape");
	spec.lower.slot = 1;
	spec.spec.mounts = &spec.mount_list[1];
	spec.spec.n_mounts = 2;
	if (!expect(&spec, 1, "/run/agent\nfd full null "))
		return false;
	spec_init(&spec, "c1", "exit 0");
	spec.lower.slot = 1;
	spec.spec.mounts = &spec.mount_list[1];
	spec.spec.n_mounts = 1;
	spec.user.username = (char *)(uintptr_t) "root";
	if (create(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	if (call_process("Start", "c1", "", &err) >= 0 || !strstr(err.msg, "regular file"))
		return no("a pipe for a passwd: %s", err.msg);
	if (finish(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	return expect_script("test -c /dev/null && echo fine", 0, "fine\n");
}

/* Disk 2 is a writable layer: what one container writes the next one finds. */
static bool case_scratch_disk(void)
{
	Agent__Volume disk = AGENT__VOLUME__INIT;
	struct spec spec;

	disk.slot = 2;
	disk.fstype = (char *)(uintptr_t) "ext4";
	spec_init(&spec, "c1", "echo kept >/file; mkdir /upper; df -T / | grep -c overlay");
	spec.overlay.disk = &disk;
	if (!expect(&spec, 0, "1\n"))
		return false;
	spec_init(&spec, "c1", "cat /file; rmdir /upper && echo removed");
	spec.overlay.disk = &disk;
	return expect(&spec, 0, "kept\nremoved\n");
}

static bool case_full_disk(void)
{
	return expect_script("dd if=/dev/zero of=/big bs=1M count=64 2>/dev/null && exit 1; "
			     "rm /big; echo x >/small && cat /small",
			     0, "x\n");
}

static bool case_memory_limit(void)
{
	struct result result = {0};
	struct err err = ERR_INIT;
	struct spec spec;

	spec_init(&spec, "c1", "dd if=/dev/zero of=/dev/null bs=64M count=1; exit $?");
	spec.args[0] = (char *)(uintptr_t) "/bin/dd";
	spec.args[1] = (char *)(uintptr_t) "if=/dev/zero";
	spec.args[2] = (char *)(uintptr_t) "of=/dev/null";
	spec.args[3] = (char *)(uintptr_t) "bs=64M";
	spec.args[4] = (char *)(uintptr_t) "count=1";
	spec.process.n_args = 5;
	spec.resources.memory_limit = 16 << 20;
	if (run(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	return result.status == 137 && result.oom_killed
		       ? true
		       : no("status %u, oom_killed %d", result.status, result.oom_killed);
}

static bool case_fork_bomb(void)
{
	struct result result = {0};
	struct err err = ERR_INIT;
	struct spec spec;

	spec_init(&spec, "c1", "f() { f | f & }; f; sleep 100");
	if (begin(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	for (int i = 0; i < 50; i++)
		loop_turn(host.loop, 20);
	if (call_kill("c1", "", SIGKILL, true, &err) < 0 || finish(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	return expect_script("echo alive", 0, "alive\n");
}

/* Without limits of its own: the pod's reserve must keep the agent alive. */
static bool case_memory_hog(void)
{
	struct result result = {0};
	struct err err = ERR_INIT;
	struct spec spec;

	spec_init(&spec, "c1", "exec tail /dev/zero");
	if (run(&spec, &result, &err) < 0)
		return no("%s", err.msg);
	if (result.status != 137 || !result.oom_killed)
		return no("status %u, oom_killed %d", result.status, result.oom_killed);
	return expect_script("echo alive", 0, "alive\n");
}

const struct agent_case agent_cases_wall[] = {
	{"user", case_user},
	{"walls", case_walls},
	{"readonly", case_readonly},
	{"user namespace", case_user_namespace},
	{"refusals", case_refusals},
	{"hostile image", case_hostile_image},
	{"scratch disk", case_scratch_disk},
	{"full disk", case_full_disk},
	{"memory limit", case_memory_limit},
	{"fork bomb", case_fork_bomb},
	{"memory hog", case_memory_hog},
	{NULL, NULL},
};
