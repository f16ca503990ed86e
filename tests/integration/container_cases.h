/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cases of host_container.c. Patches are merged into its base: objects by member, arrays appended to.
 * "-namespaces" takes namespaces out of it first.
 */
#ifndef TESTS_CONTAINER_CASES_H
#define TESTS_CONTAINER_CASES_H

#include <stdint.h>

struct container_case {
	const char *name;
	const char *patch;  /* of config.json */
	const char *script; /* of init; with exec, init sleeps */
	const char *exec, *exec_patch;
	const char *update; /* linux.resources, before the exec */
	const char *other;  /* patch of a second container, whose namespaces a path means */
	uint32_t status;
	const char *out;
	const char *error; /* instead: Create, Start, Exec or Update fails with this in its text */
};

#define SECCOMP(rule)                                                                              \
	"{\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[" rule "]}}}"
#define DENY(name, action) "{\"names\":[\"" name "\"],\"action\":\"" action "\"}"
/* An old list of what is allowed, enough for a shell. The newest call that it knows is clone3. */
#define OLD_PROFILE                                                                                \
	"{\"names\":["                                                                             \
	"\"read\",\"write\",\"open\",\"close\",\"stat\",\"fstat\",\"lstat\",\"poll\","             \
	"\"lseek\",\"mmap\",\"mprotect\",\"munmap\",\"brk\",\"rt_sigaction\","                     \
	"\"rt_sigprocmask\",\"rt_sigreturn\",\"ioctl\",\"pread64\",\"readv\","                     \
	"\"writev\",\"access\",\"pipe\",\"select\",\"sched_yield\",\"madvise\","                   \
	"\"dup\",\"dup2\",\"getpid\",\"socket\",\"clone\",\"fork\",\"vfork\","                     \
	"\"execve\",\"exit\",\"wait4\",\"kill\",\"uname\",\"fcntl\",\"getcwd\","                   \
	"\"chdir\",\"readlink\",\"umask\",\"getrlimit\",\"getuid\",\"getgid\","                    \
	"\"setuid\",\"setgid\",\"geteuid\",\"getegid\",\"setpgid\",\"getppid\","                   \
	"\"getpgrp\",\"setsid\",\"getgroups\",\"capget\",\"capset\",\"sigaltstack\","              \
	"\"prctl\",\"arch_prctl\",\"gettid\",\"futex\",\"set_tid_address\","                       \
	"\"exit_group\",\"tgkill\",\"waitid\",\"openat\",\"newfstatat\","                          \
	"\"readlinkat\",\"faccessat\",\"set_robust_list\",\"dup3\",\"pipe2\","                     \
	"\"prlimit64\",\"getrandom\",\"statx\",\"rseq\",\"clock_gettime\""                         \
	"],\"action\":\"SCMP_ACT_ALLOW\"}," DENY("clone3", "SCMP_ACT_ERRNO")
#define HOOKS(create, start)                                                                       \
	"{\"hooks\":{\"createContainer\":[" create "],\"startContainer\":[" start "]}}"
#define RESOURCES(text) "{\"linux\":{\"resources\":{" text "}}}"
#define MOUNT(text)     "{\"mounts\":[{\"destination\":\"/mnt\"," text "}]}"
#define MAPS                                                                                       \
	"\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":9}],"                        \
	"\"gidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":9}]"
#define USER_NAMESPACE "\"namespaces\":[{\"type\":\"user\"}]," MAPS

/* x86-64: 41 socket, 83 mkdir, 121 getpgid, 170 sethostname. */
static const struct container_case cases[] = {
	/* --- seccomp --- */
	{"seccomp ERRNO",
	 SECCOMP("{\"names\":[\"mkdir\",\"no_such_call\"],\"action\":"
		 "\"SCMP_ACT_ERRNO\",\"errnoRet\":30}"),
	 "try call 83 0", .out = "Read-only file system\n"},
	{"seccomp KILL_PROCESS", SECCOMP(DENY("getpgid", "SCMP_ACT_KILL_PROCESS")),
	 "try call 121; echo $?", .out = "159\n"},
	{"seccomp KILL", SECCOMP(DENY("getpgid", "SCMP_ACT_KILL")), "try call 121; echo $?",
	 .out = "159\n"},
	{"seccomp TRAP", SECCOMP(DENY("getpgid", "SCMP_ACT_TRAP")), "try call 121; echo $?",
	 .out = "159\n"},
	{"seccomp TRACE", SECCOMP(DENY("getpgid", "SCMP_ACT_TRACE")), "try call 121",
	 .out = "Function not implemented\n"},
	{"seccomp LOG", SECCOMP(DENY("getpgid", "SCMP_ACT_LOG")), "try call 121", .out = "ok\n"},
	{"seccomp of a profile older than the kernel: clone3 is denied by name, openat2 is newer",
	 "{\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[" OLD_PROFILE
	 "]}}}",
	 "try call 435; try call 437",
	 .out = "Operation not permitted\nFunction not implemented\n"},
	{"seccomp arguments",
	 SECCOMP("{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ERRNO\",\"args\":[{\"index\":1,"
		 "\"value\":15,\"valueTwo\":2,\"op\":\"SCMP_CMP_MASKED_EQ\"}]}"),
	 "try call 41 1 0x80002; try call 41 1 1", .out = "Operation not permitted\nok\n"},
	{"seccomp of a user, with and without no_new_privs",
	 "{\"process\":{\"user\":{\"uid\":7},\"noNewPrivileges\":true},\"linux\":{\"seccomp\":{"
	 "\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"getpgid\",\"setgroups\","
	 "\"setresuid\",\"capset\"],\"action\":\"SCMP_ACT_ERRNO\"}]}}}",
	 "id -u; try call 121; grep NoNew /proc/self/status",
	 .out = "7\nOperation not permitted\nNoNewPrivs:\t1\n"},
	{"seccomp without no_new_privs leaves no capability",
	 "{\"process\":{\"user\":{\"uid\":7}},\"linux\":{\"seccomp\":{\"defaultAction\":"
	 "\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"getpgid\"],\"action\":\"SCMP_ACT_ERRNO\"}"
	 "]}}}",
	 "try call 121; grep -E 'NoNew|CapEff|CapPrm' /proc/self/status",
	 .out = "Operation not permitted\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
		"NoNewPrivs:\t0\n"},
	{"seccomp of an exec", SECCOMP(DENY("getpgid", "SCMP_ACT_ERRNO")), .exec = "try call 121",
	 .out = "Operation not permitted\n"},
	{"seccomp deny all but what is listed",
	 "{\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_KILL\",\"syscalls\":[]}}}",
	 "echo no", .status = 159, .out = ""},

	/* --- the process --- */
	{"capabilities", "{}",
	 "chown 5 /tmp && echo chown; try call 170 0 0; hostname x 2>/dev/null || echo no; "
	 "grep -E 'CapBnd|CapEff' /proc/self/status",
	 .out = "chown\nOperation not permitted\nno\nCapEff:\t0000000008000021\n"
		"CapBnd:\t0000000008000021\n"},
	{"ambient capabilities",
	 "{\"process\":{\"user\":{\"uid\":7},\"capabilities\":{\"inheritable\":[\"CAP_CHOWN\"],"
	 "\"ambient\":[\"CAP_CHOWN\"]}}}",
	 "chown 5 /tmp && echo chown; grep CapAmb /proc/self/status",
	 .out = "chown\nCapAmb:\t0000000000000001\n"},
	{"rlimits",
	 "{\"process\":{\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":32,\"hard\":33},"
	 "{\"type\":\"RLIMIT_FSIZE\",\"soft\":0,\"hard\":0}]}}",
	 "ulimit -n; ulimit -Hn; (echo x >/dev/shm/x) 2>/dev/null || wc -c </dev/shm/x",
	 .out = "32\n33\n0\n"},
	{"scheduler and ioPriority",
	 "{\"process\":{\"scheduler\":{\"policy\":\"SCHED_BATCH\",\"nice\":5},\"ioPriority\":{"
	 "\"class\":\"IOPRIO_CLASS_BE\",\"priority\":6}}}",
	 "try sched", .out = "policy 3 priority 0 nice 5 ioprio 0x4006\n"},
	{"real-time scheduler",
	 "{\"process\":{\"scheduler\":{\"policy\":\"SCHED_FIFO\",\"priority\":10}}}", "try sched",
	 .out = "policy 1 priority 10 nice 0 ioprio 0\n"},
	{"execCPUAffinity", "{}", .exec = "try cpus",
	 .exec_patch = "{\"process\":{\"execCPUAffinity\":{\"initial\":\"0\",\"final\":\"1\"}}}",
	 .out = "1\n"},
	{"execCPUAffinity without a final one", "{}", .exec = "try cpus",
	 .exec_patch = "{\"process\":{\"execCPUAffinity\":{\"initial\":\"1\"}}}", .out = "0\n1\n"},
	{"personality", "{\"linux\":{\"personality\":{\"domain\":\"LINUX32\"}}}", "uname -m",
	 .out = "i686\n"},
	{"personality of an exec", "{\"linux\":{\"personality\":{\"domain\":\"LINUX32\"}}}",
	 .exec = "uname -m", .out = "i686\n"},
	{"a keyring of its own", "{\"process\":{\"user\":{\"uid\":7}}}", "try keyring",
	 .out = "7 _ses\n"},
	{"oomScoreAdj, umask, groups",
	 "{\"process\":{\"oomScoreAdj\":300,\"user\":{\"umask\":63,\"additionalGids\":[5,6]}}}",
	 "cat /proc/self/oom_score_adj; umask; id -G", .out = "300\n0077\n0 5 6\n"},

	/* --- namespaces --- */
	{"time offsets",
	 "{\"linux\":{\"namespaces\":[{\"type\":\"time\"}],\"timeOffsets\":{\"boottime\":{\"secs\":"
	 "5000000}}}}",
	 .exec = "[ $(cut -d. -f1 /proc/uptime) -gt 5000000 ] && echo later; readlink "
		 "/proc/self/ns/time | cmp -s - /proc/1/ns/time; ls -l /proc/1/ns/time "
		 "/proc/self/ns/time | sed 's/.*-> //' | uniq | wc -l",
	 .out = "later\n1\n"},
	{"devices in a user namespace",
	 "{\"linux\":{" USER_NAMESPACE
	 ",\"devices\":[{\"type\":\"c\",\"path\":\"/dev/mine\",\"major\":1,\"minor\":5,\"uid\":7,"
	 "\"fileMode\":420},{\"type\":\"p\",\"path\":\"/dev/pipe\"}]}}",
	 "head -c 3 /dev/mine | wc -c; stat -c '%u %a %t:%T' /dev/mine; test -p /dev/pipe && echo "
	 "pipe; id -u; echo x >/dev/null && echo null",
	 .out = "3\n7 644 1:5\npipe\n0\nnull\n"},
	{"an unnamed pid namespace is the pod's", "{\"-namespaces\":[\"pid\"]}",
	 "cat /proc/1/comm; ls /proc/1/root 2>/dev/null | wc -l; kill -9 1; cat /proc/1/comm",
	 .out = "pod\n0\npod\n", .other = "{\"-namespaces\":[\"pid\"]}"},
	{"neighbours see each other in the pod's pid namespace", "{\"-namespaces\":[\"pid\"]}",
	 "ps | grep -c '[s]leep 1000'", .out = "1\n", .other = "{\"-namespaces\":[\"pid\"]}"},
	{"another container's pid namespace",
	 "{\"-namespaces\":[\"pid\"],\"linux\":{\"namespaces\":[{\"type\":\"pid\",\"path\":\"/"
	 "x\"}]}}",
	 "ps | grep -c '[s]leep 1000'; [ $$ != 1 ] && echo not first", .out = "1\nnot first\n",
	 .other = "{}"},
	{"another container's uts namespace",
	 "{\"-namespaces\":[\"uts\"],\"hostname\":\"\",\"linux\":{\"namespaces\":[{\"type\":"
	 "\"uts\","
	 "\"path\":\"/x\"}]}}",
	 .exec = "hostname", .out = "other\n", .other = "{\"hostname\":\"other\"}"},
	{"another container's ipc and network namespaces",
	 "{\"-namespaces\":[\"ipc\",\"network\"],\"linux\":{\"namespaces\":[{\"type\":\"ipc\","
	 "\"path\":"
	 "\"/x\"},{\"type\":\"network\",\"path\":\"/"
	 "x\"}],\"sysctl\":{\"kernel.msgmax\":\"9000\"}}}",
	 "cat /proc/sys/kernel/msgmax; ls /sys/class/net", .out = "9000\nlo\n", .other = "{}"},
	{"a container that is not there",
	 "{\"-namespaces\":[\"ipc\"],\"linux\":{\"namespaces\":[{\"type\":\"ipc\",\"path\":\"/"
	 "x\"}]}}",
	 "true", .error = "no container other"},
	{"hostname, domainname and sysctl",
	 "{\"domainname\":\"example\",\"linux\":{\"sysctl\":{\"net.ipv4.ip_forward\":\"1\"}}}",
	 "hostname; cat /proc/sys/kernel/domainname /proc/sys/net/ipv4/ip_forward",
	 .out = "box\nexample\n1\n"},

	/* --- hooks of the container --- */
	{"createContainer and startContainer",
	 HOOKS("{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"cat >/tmp/create; echo "
	       ">>/tmp/create; echo $A >>/tmp/create\"],"
	       "\"env\":[\"A=b\"]}",
	       "{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"cat >/tmp/start\"]}"),
	 "grep -o '\"status.*' /tmp/create /tmp/start; tail -n 1 /tmp/create",
	 .out = "/tmp/create:\"status\":\"creating\",\"pid\":1}\n"
		"/tmp/start:\"status\":\"created\",\"pid\":1}\nb\n"},
	{"a createContainer hook that fails", HOOKS("{\"path\":\"/bin/false\"}", ""), "true",
	 .error = "hooks.createContainer: /bin/false: exit status 1"},
	{"what a hook says when it fails",
	 HOOKS("{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"sleep 100 & echo so >&2; echo it "
	       "is >&2; "
	       "exit 9\"]}",
	       ""),
	 "true", .error = "hooks.createContainer: /bin/sh: exit status 9: so | it is"},
	{"a startContainer hook that hangs",
	 HOOKS("", "{\"path\":\"/bin/sleep\",\"args\":[\"sleep\",\"100\"],\"timeout\":1}"), "true",
	 .error = "hooks.startContainer: /bin/sleep: not done after 1 seconds"},

	{"a startContainer hook runs as the process: user, rights, filter, directory, umask, "
	 "environment",
	 "{\"process\":{\"user\":{\"uid\":7,\"umask\":63},\"cwd\":\"/"
	 "tmp\",\"env\":[\"A=b\"]},\"hooks\":{"
	 "\"startContainer\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"{ id -u; pwd; umask; "
	 "echo "
	 "$A $HOME; try call 121; grep CapBnd /proc/self/status; ls /proc/self/fd | wc -l; } "
	 ">/tmp/start\"]}]},\"mounts\":[{\"destination\":\"/"
	 "tmp\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","
	 "\"options\":[\"mode=1777\"]}],\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_"
	 "ALLOW\","
	 "\"syscalls\":[" DENY("getpgid", "SCMP_ACT_ERRNO") "," DENY(
		 "pidfd_open", "SCMP_ACT_KILL_PROCESS") "]}}}",
	 "cat /tmp/start",
	 .out = "7\n/tmp\n0077\nb /\nOperation not permitted\nCapBnd:\t0000000008000021\n4\n"},
	{"a startContainer hook that fails as the user",
	 "{\"process\":{\"user\":{\"uid\":7}},\"hooks\":{\"startContainer\":[{\"path\":\"/bin/sh\","
	 "\"args\":[\"sh\",\"-c\",\"echo I am $(id -u) >&2; exit 3\"]}]}}",
	 "true", .error = "hooks.startContainer: /bin/sh: exit status 3: I am 7"},

	/* --- mounts --- */
	{"tmpcopyup",
	 "{\"mounts\":[{\"destination\":\"/"
	 "etc\",\"type\":\"tmpfs\",\"options\":[\"tmpcopyup\",\"ro\"]}]}",
	 "cd /etc; cat one sub/two link; stat -c '%a %u %F' one sub link .; touch x 2>/dev/null || "
	 "echo ro",
	 .out = "1\n2\n1\n640 5 regular file\n711 0 directory\n777 0 symbolic link\n"
		"755 0 directory\nro\n"},
	{"tmpcopyup with its own way of atime",
	 MOUNT("\"type\":\"tmpfs\",\"options\":[\"tmpcopyup\",\"noatime\",\"ro\"]"),
	 "grep -c ' /mnt tmpfs ro,.*noatime' /proc/mounts", .out = "1\n"},
	{"idmapped mount", MOUNT("\"type\":\"tmpfs\",\"options\":[\"idmap\"]," MAPS),
	 "stat -c '%u %g' /mnt", .out = "1000 1000\n"},
	{"recursive read-only", MOUNT("\"type\":\"tmpfs\",\"options\":[\"rro\",\"rnoexec\"]"),
	 "touch /mnt/x 2>/dev/null || echo ro; grep -c ' /mnt tmpfs ro.*noexec' /proc/mounts",
	 .out = "ro\n1\n"},
	{"mount propagation", MOUNT("\"type\":\"tmpfs\",\"options\":[\"shared\"]"),
	 "grep ' /mnt ' /proc/self/mountinfo | grep -c shared:", .out = "1\n"},
	{"rootfsPropagation", "{\"linux\":{\"rootfsPropagation\":\"shared\"}}",
	 "grep ' / / ' /proc/self/mountinfo | grep -c shared:", .out = "1\n"},
	{"mqueue and devpts",
	 "{\"mounts\":[{\"destination\":\"/dev/mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\"},"
	 "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"options\":[\"newinstance\","
	 "\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"]}]}",
	 "grep -cE '^(mqueue|devpts) /dev/' /proc/mounts; stat -c %a /dev/pts/ptmx",
	 .out = "2\n666\n"},
	{"the cgroup mount", MOUNT("\"type\":\"cgroup\",\"source\":\"cgroup\""),
	 "mkdir /sys/fs/cgroup/x 2>/dev/null || echo ro; mkdir /mnt/x && echo made; "
	 "echo 1 >/mnt/pids.max 2>/dev/null || echo own limits stay; cat /proc/self/cgroup",
	 .out = "ro\nmade\nown limits stay\n0::/\n"},
	{"read-only root", "{\"root\":{\"readonly\":true}}",
	 "touch /x 2>/dev/null || echo ro; touch /dev/shm/x && echo shm", .out = "ro\nshm\n"},
	{"masked and read-only paths",
	 "{\"linux\":{\"maskedPaths\":[\"/proc/version\",\"/etc\",\"/none\"],\"readonlyPaths\":["
	 "\"/proc/sys\",\"/tmp\"]}}",
	 "wc -c </proc/version; ls /etc; touch /tmp/x 2>/dev/null || echo ro; echo 1 "
	 ">/proc/sys/kernel/panic 2>/dev/null || echo ro",
	 .out = "0\nro\nro\n"},
	{"an option that is not known", MOUNT("\"type\":\"tmpfs\",\"options\":[\"nonsense=1\"]"),
	 "true", .error = "/mnt"},

	/* --- cgroup and devices --- */
	{"device filter", "{}",
	 "mknod /m c 1 1 && try open /m; mknod /n c 1 3 && try open /n w; mknod /b b 254 0 && try "
	 "open /b",
	 .out = "Operation not permitted\nok\nOperation not permitted\n"},
	{"an allowed device",
	 RESOURCES(
		 "\"devices\":[{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":11,\"access\":"
		 "\"w\"}]"),
	 "mknod /k c 1 11 && try open /k w; try open /k", .out = "ok\nOperation not permitted\n"},
	{"memory limit", RESOURCES("\"memory\":{\"limit\":16777216,\"reservation\":1048576}"),
	 "try memory 4; try memory 64; echo $?; cat /sys/fs/cgroup/memory.low",
	 .out = "ok\n137\n1048576\n"},
	{"pids limit", RESOURCES("\"pids\":{\"limit\":12}"), "try fork 4; try fork 40",
	 .out = "ok\nResource temporarily unavailable\n"},
	{"cpu",
	 RESOURCES("\"cpu\":{\"shares\":512,\"quota\":20000,\"period\":50000,\"burst\":10000,"
		   "\"cpus\":\"1\",\"mems\":\"0\"}"),
	 "cd /sys/fs/cgroup; cat cpu.weight cpu.max cpu.max.burst cpuset.cpus; try cpus",
	 .out = "59\n20000 50000\n10000\n1\n1\n"},
	{"cpu idle", RESOURCES("\"cpu\":{\"idle\":1,\"shares\":2048}"),
	 "cat /sys/fs/cgroup/cpu.idle", .out = "1\n"},
	{"a quota bites", RESOURCES("\"cpu\":{\"quota\":10000,\"period\":100000}"),
	 "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; "
	 "[ $(sed -n 's/^nr_throttled //p' /sys/fs/cgroup/cpu.stat) -gt 0 ] && echo throttled",
	 .out = "throttled\n"},
	{"io weight, huge pages, unified",
	 RESOURCES(
		 "\"blockIO\":{\"weight\":505},\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":"
		 "4194304}],\"unified\":{\"memory.high\":\"33554432\"}"),
	 "cd /sys/fs/cgroup; cat io.weight hugetlb.2MB.max memory.high",
	 .out = "default 5000\n4194304\n33554432\n"},
	{"a throttled device that is not there",
	 RESOURCES(
		 "\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":99,\"minor\":9,\"rate\":1}]}"),
	 "true", .error = "cgroup io.max"},
	{"update", RESOURCES("\"cpu\":{\"quota\":20000,\"period\":50000,\"burst\":20000}"),
	 .exec = "cd /sys/fs/cgroup; cat pids.max cpu.max cpu.max.burst memory.max",
	 .update = "{\"pids\":{\"limit\":50},\"cpu\":{\"quota\":10000,\"burst\":5000},\"memory\":{"
		   "\"limit\":67108864},\"devices\":[{\"allow\":true}]}",
	 .out = "50\n10000 50000\n5000\n67108864\n"},
	{"update checks what is in use", "{}", .exec = "true",
	 .update = "{\"memory\":{\"limit\":4096,\"checkBeforeUpdate\":true}}",
	 .error = "bytes are in use"},
};

#endif
