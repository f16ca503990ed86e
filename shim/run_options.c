/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/run_options.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"
#include "shim/cli.h"
#include "shim/hypervisor.h"
#include "shim/pod_dir.h"
#include "shim/publish.h"
#include "shim/run_mount.h"

#define MIB 1048576ull
#define GIB (1024 * MIB)

#define OPT(...) CLI_OPT(run_options, __VA_ARGS__)

static const struct opt rows[] = {
	OPT('m', "memory", SIZE, memory, "SIZE", "memory of the VM (default: 256m)",
	    .min = 64 * MIB, .max = 1024 * GIB),
	OPT(0, "cpus", UINT, cpus, "N", "CPUs of the VM (default: 1)", .min = 1, .max = 32),
	OPT(0, "timeout", TIME, timeout_ns, "TIME",
	    "end the program after this time, exit code 124", .min = 1),
	OPT('e', "env", LIST, env, "NAME=VALUE", "set an environment variable; NAME: pass it on"),
	OPT(0, "env-file", LIST, env_files, "FILE", "read environment variables from a file"),
	OPT('w', "workdir", STRING, workdir, "DIR", "start in this directory"),
	OPT('u', "user", STRING, user, "USER[:GROUP]", "run as this user, by name or number"),
	OPT('i', "interactive", FLAG, interactive, NULL, "pass standard input on"),
	OPT('t', "tty", FLAG, tty, NULL, "give the program a terminal"),
	OPT(0, "name", STRING, name, "NAME", "name the sandbox"),
	OPT(0, "rm", FLAG, remove, NULL, "leave nothing behind when it ends"),
	OPT('d', "detach", FLAG, detach, NULL, "run in the background and print the id"),
	OPT(0, "entrypoint", STRING, entrypoint, "PROGRAM", "instead of the image's entrypoint"),
	OPT(0, "no-init", FLAG, no_init, NULL,
	    "run the program as process 1, with no init above it"),
	OPT(0, "hostname", STRING, hostname, "NAME", "the host name inside (default: the id)"),
	OPT(0, "read-only", FLAG, read_only, NULL, "make the root file system read-only"),
	OPT('v', "volume", LIST, volumes, "SRC:DST[:OPTIONS]",
	    "share a folder or file of the host; :ro read-only"),
	OPT(0, "mount", LIST, mounts, "type=bind|tmpfs,...",
	    "the same, or a tmpfs, spelled out: source=, target=, readonly"),
	OPT(0, "tmpfs", LIST, tmpfs, "PATH[:OPTIONS]", "mount a fresh tmpfs"),
	OPT(0, "disk-size", SIZE, disk_size, "SIZE",
	    "the most that the writable layer holds (default: half the memory)", .min = MIB,
	    .max = 1024 * GIB),
	OPT(0, "disk-rate", SIZE, disk_rate, "SIZE",
	    "bytes a second of each disk (default: no limit)", .min = HYPERVISOR_MIN_RATE,
	    .max = HYPERVISOR_MAX_RATE),
	OPT(0, "disk-ops", UINT, disk_ops, "N",
	    "requests a second of each disk (default: no limit)", .min = 1,
	    .max = HYPERVISOR_MAX_RATE),
	OPT(0, "net-rate", SIZE, net_rate, "SIZE",
	    "bytes a second of the network, each way (default: no limit)",
	    .min = HYPERVISOR_MIN_RATE, .max = HYPERVISOR_MAX_RATE),
	OPT(0, "ulimit", LIST, ulimits, "NAME=SOFT[:HARD]", "set a resource limit"),
	OPT(0, "cap-add", LIST, cap_add, "CAP", "add a capability; ALL: all of them"),
	OPT(0, "cap-drop", LIST, cap_drop, "CAP", "drop a capability; ALL: all of them"),
	OPT(0, "security-opt", LIST, security, "OPTION",
	    "seccomp=FILE, seccomp=unconfined or no-new-privileges"),
	OPT(0, "kernel", STRING, kernel, "FILE", "boot this kernel"),
	OPT(0, "network", STRING, network, "NETWORK",
	    "none; user: the host's, through passt; ns:PATH: a network namespace (default: none)"),
	OPT('p', "publish", LIST, publish, "[ADDRESS:]HOST:GUEST[/PROTOCOL]",
	    "a port of the host leads to one of the sandbox; with --network user"),
	OPT(0, "hypervisor", STRING, hypervisor, "NAME", "vmm or qemu (default: what works here)"),
	OPT(0, "debug", FLAG, debug, NULL, "log more and keep the guest's kernel talking"),
	OPT(0, "explain", FLAG, explain, NULL, "show where the start's time went"),
	OPT('h', "help", FLAG, help, NULL, "this text"),
};

static const struct opts_spec spec =
	CLI_OPTS("sbx run [options] [IMAGE] [COMMAND...]\n"
		 "       sbx run [options] -- COMMAND...      in the built-in image",
		 rows);

const char *const run_capabilities[] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};
static_assert(ARRAY_SIZE(run_capabilities) == RUN_N_CAPABILITIES, "as capabilities(7) has them");

int run_options_find_capability(const char *text)
{
	if (strncasecmp(text, "CAP_", 4) == 0)
		text += 4;
	for (int i = 0; i < RUN_N_CAPABILITIES; i++)
		if (strcasecmp(run_capabilities[i] + 4, text) == 0)
			return i;
	return -EINVAL;
}

static const char *const limits[] = {
	"AS",   "CORE",   "CPU",   "DATA", "FSIZE",  "LOCKS",  "MEMLOCK",    "MSGQUEUE",
	"NICE", "NOFILE", "NPROC", "RSS",  "RTPRIO", "RTTIME", "SIGPENDING", "STACK",
};

static int parse_limit(const char *text, size_t n, uint64_t *ret)
{
	char buf[24];

	if (n >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, text, n);
	buf[n] = '\0';
	if (strcmp(buf, "unlimited") == 0 || strcmp(buf, "-1") == 0) {
		*ret = UINT64_MAX;
		return 0;
	}
	return parse_uint(buf, ret);
}

int run_options_parse_ulimit(const char *text, struct run_ulimit *ret)
{
	const char *value = strchr(text, '='), *colon;
	size_t name;

	if (!value)
		return -EINVAL;
	name = (size_t)(value++ - text);
	colon = strchrnul(value, ':');
	if (parse_limit(value, (size_t)(colon - value), &ret->soft) < 0)
		return -EINVAL;
	ret->hard = ret->soft;
	if (*colon && parse_limit(colon + 1, strlen(colon + 1), &ret->hard) < 0)
		return -EINVAL;
	for (size_t i = 0; ret->soft <= ret->hard && i < ARRAY_SIZE(limits); i++) {
		if (strlen(limits[i]) != name || strncasecmp(limits[i], text, name) != 0)
			continue;
		snprintf(ret->type, sizeof(ret->type), "RLIMIT_%s", limits[i]);
		return 0;
	}
	return -EINVAL;
}

/* --- what the table cannot say ---------------------------------------------------------------- */

static bool is_host_name(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '.')
			return false;
	return n > 0 && n <= 63;
}

static int check_capabilities(const struct opt_list *list, const char *option, struct err *err)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcasecmp(list->items[i], "ALL") != 0 &&
		    run_options_find_capability(list->items[i]) < 0)
			return err_set(err, EINVAL, "--%s %.40s: no such capability", option,
				       list->items[i]);
	return 0;
}

int run_options_check_env(const struct opt_list *env, struct err *err)
{
	for (size_t i = 0; i < env->n; i++)
		if (env->items[i][0] == '=' || !env->items[i][0])
			return err_set(err, EINVAL, "--env %.40s: no name", env->items[i]);
	return 0;
}

static int check_lists(const struct run_options *o, struct err *err)
{
	struct run_ulimit ulimit;
	struct run_mount mount;
	int r;

	for (size_t i = 0; i < o->ulimits.n; i++)
		if (run_options_parse_ulimit(o->ulimits.items[i], &ulimit) < 0)
			return err_set(err, EINVAL,
				       "--ulimit %.40s: NAME=SOFT[:HARD] is wanted, as nofile=1024",
				       o->ulimits.items[i]);
	for (size_t i = 0; i < o->volumes.n; i++) {
		r = run_mount_parse_volume(o->volumes.items[i], &mount, err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < o->mounts.n; i++) {
		r = run_mount_parse(o->mounts.items[i], &mount, err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < o->tmpfs.n; i++)
		if (o->tmpfs.items[i][0] != '/')
			return err_set(err, EINVAL, "--tmpfs %.80s: not an absolute path",
				       o->tmpfs.items[i]);
	r = run_options_check_env(&o->env, err);
	if (r == 0)
		r = check_capabilities(&o->cap_add, "cap-add", err);
	return r < 0 ? r : check_capabilities(&o->cap_drop, "cap-drop", err);
}

/* docker has both "no-new-privileges" and "no-new-privileges:true". */
static int parse_security(struct run_options *o, struct err *err)
{
	static const char nnp[] = "no-new-privileges";

	for (size_t i = 0; i < o->security.n; i++) {
		const char *text = o->security.items[i];
		bool is_nnp = strncmp(text, nnp, strlen(nnp)) == 0;
		const char *value = is_nnp ? text + strlen(nnp) : "";

		if (strncmp(text, "seccomp=", 8) == 0 && text[8])
			o->seccomp = text + 8;
		else if (is_nnp && (!*value || !strcmp(value, ":true") || !strcmp(value, "=true")))
			o->no_new_privileges = true;
		else if (is_nnp && (!strcmp(value, ":false") || !strcmp(value, "=false")))
			o->no_new_privileges = false;
		else
			return err_set(err, EINVAL,
				       "--security-opt %.80s: seccomp=FILE, seccomp=unconfined or "
				       "no-new-privileges is wanted",
				       text);
	}
	return 0;
}

static int check_network(const struct run_options *o, struct err *err)
{
	bool user = o->network && strcmp(o->network, "user") == 0;
	struct publish publish;

	if (o->network && !user && strcmp(o->network, "none") != 0 &&
	    strncmp(o->network, "ns:/", 4) != 0)
		return err_set(err, EINVAL, "--network %.80s: none, user or ns:/PATH is wanted",
			       o->network);
	if (o->publish.n && !user)
		return err_set(err, EINVAL, "--publish: only with --network user");
	for (size_t i = 0; i < o->publish.n; i++)
		if (publish_parse(o->publish.items[i], &publish) < 0)
			return err_set(err, EINVAL,
				       "--publish %.60s: [ADDRESS:]HOST:GUEST[/tcp|/udp] is wanted",
				       o->publish.items[i]);
	return 0;
}

static int check(const struct run_options *o, struct err *err)
{
	if (o->detach && (o->interactive || o->tty))
		return err_set(err, EINVAL, "--detach: goes with neither -i nor -t");
	if (o->detach && o->explain)
		return err_set(err, EINVAL, "--detach: does not go with --explain");
	if (o->name && !pod_name_is_valid(o->name))
		return err_set(err, EINVAL,
			       "--name %.80s: letters, digits and single . _ - are allowed",
			       o->name);
	if (o->hostname && !is_host_name(o->hostname))
		return err_set(err, EINVAL, "--hostname %.80s: not a host name", o->hostname);
	if (o->workdir && o->workdir[0] != '/')
		return err_set(err, EINVAL, "--workdir %.80s: not an absolute path", o->workdir);
	if (o->user && !o->user[0])
		return err_set(err, EINVAL, "--user: empty");
	if (o->hypervisor && strcmp(o->hypervisor, "vmm") != 0 &&
	    strcmp(o->hypervisor, "qemu") != 0)
		return err_set(err, EINVAL, "--hypervisor %.40s: vmm or qemu is wanted",
			       o->hypervisor);
	return check_network(o, err) < 0 ? -EINVAL : check_lists(o, err);
}

int run_options_parse(int argc, char **argv, struct run_options *ret, struct err *err)
{
	bool dashdash = false;
	int first, r;

	*ret = (struct run_options){.memory = 256 * MIB, .cpus = 1};
	first = opts_parse(&spec, argc, argv, ret, &dashdash, err);
	if (first < 0)
		return first;
	if (ret->help)
		return 0;
	ret->image = "builtin";
	if (!dashdash && first < argc)
		ret->image = argv[first++];
	ret->command = argv + first;
	ret->n_command = argc - first;
	if (!ret->image[0])
		return err_set(err, EINVAL, "an empty image name");
	r = check(ret, err);
	if (r == 0)
		r = parse_security(ret, err);
	if (r == 0 && !ret->disk_size)
		ret->disk_size = ret->memory / 2;
	return r;
}

void run_options_help(void)
{
	opts_help(&spec);
}
