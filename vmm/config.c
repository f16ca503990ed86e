// SPDX-License-Identifier: Apache-2.0
#include "vmm/config.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "vmm/memory.h"
#include "vmm/vcpu.h"

#define MIB          (1ull << 20)
#define FD_MAX       65535
#define PAGE         4096
#define DEFAULT_SIZE (256 * MIB)
/* Less would be a device that stands still. */
#define RATE_MIN        4096
#define CONSOLE_DEFAULT (128u << 10)

/* What the table fills in; config_parse() turns it into a struct config. */
struct raw {
	const char *kvm, *kernel, *initrd, *cmdline, *vsock_dir, *control, *console_ring,
		*console_file;
	uint64_t memory, max_memory, cpus, max_cpus, slots, uid, disk_rate, disk_ops, net_rate,
		console_rate;
	struct opt_list disks;
	bool no_net, no_share, console_stdout, debug, help, version;
};

#define AT(member) offsetof(struct raw, member)

static const struct opt options[] = {
	{0, "kernel", OPT_STRING, AT(kernel), "FILE", "the guest's kernel: ELF vmlinux or bzImage",
	 0, 0},
	{0, "initrd", OPT_STRING, AT(initrd), "FILE", "its initramfs", 0, 0},
	{0, "cmdline", OPT_STRING, AT(cmdline), "TEXT",
	 "its command line, after what the machine needs (default: console=ttyS0)", 0, 0},
	{'m', "memory", OPT_SIZE, AT(memory), "SIZE", "guest memory (default: 256m)",
	 MEMORY_MIN_SIZE, MEMORY_MAX_SIZE},
	{0, "max-memory", OPT_SIZE, AT(max_memory), "SIZE",
	 "memory that the owner may let the guest have later, in all; what is added are multiples "
	 "of 128m (default: no more)",
	 MEMORY_MIN_SIZE, MEMORY_MAX_SIZE},
	{0, "cpus", OPT_UINT, AT(cpus), "N", "vCPUs, 1 to 32 (default: 1)", 1, VCPU_MAX},
	{0, "max-cpus", OPT_UINT, AT(max_cpus), "N",
	 "vCPUs that the guest may bring online later, those of --cpus among them (default: no "
	 "more)",
	 1, VCPU_MAX},
	{0, "disk", OPT_LIST, AT(disks), "FILE[,ro]",
	 "a disk for the next slot, the first is slot 0; repeatable", 0, 0},
	{0, "slots", OPT_UINT, AT(slots), "N", "disk slots, 0 to 12 (default: 4)", 0,
	 CONFIG_MAX_SLOTS},
	{0, "no-net", OPT_FLAG, AT(no_net), NULL, "no slot for a network", 0, 0},
	{0, "no-share", OPT_FLAG, AT(no_share), NULL, "no slot for shared folders", 0, 0},
	{0, "vsock-dir", OPT_STRING, AT(vsock_dir), "DIR",
	 "where the sockets of virtio-vsock are; without it the guest has none", 0, 0},
	{0, "control", OPT_STRING, AT(control), "SOCKET",
	 "the owner's connection; the VM ends when it closes (a path is connected to)", 0, 0},
	{0, "console-ring", OPT_STRING, AT(console_ring), "FILE",
	 "memfd that keeps the last 64 KiB of the console", 0, 0},
	{0, "console-file", OPT_STRING, AT(console_file), "FILE", "append the console to a file", 0,
	 0},
	{0, "console-stdout", OPT_FLAG, AT(console_stdout), NULL,
	 "write the console to standard output", 0, 0},
	{0, "disk-rate", OPT_SIZE, AT(disk_rate), "SIZE",
	 "bytes a second of each disk (default: no limit)", RATE_MIN, RATE_MAX},
	{0, "disk-ops", OPT_UINT, AT(disk_ops), "N",
	 "requests a second of each disk (default: no limit)", 1, RATE_MAX},
	{0, "net-rate", OPT_SIZE, AT(net_rate), "SIZE",
	 "bytes a second of the network, each way (default: no limit)", RATE_MIN, RATE_MAX},
	{0, "console-rate", OPT_SIZE, AT(console_rate), "SIZE",
	 "bytes a second of the console (default: 128k; 0: no limit)", 0, RATE_MAX},
	{0, "uid", OPT_UINT, AT(uid), "N", "run as this uid and gid, where root starts it", 1,
	 UINT32_MAX - 1},
	{0, "kvm", OPT_STRING, AT(kvm), "FILE", "the KVM device (default: /dev/kvm)", 0, 0},
	{0, "debug", OPT_FLAG, AT(debug), NULL, "log more, to standard error", 0, 0},
	{'h', "help", OPT_FLAG, AT(help), NULL, "this text", 0, 0},
	{0, "version", OPT_FLAG, AT(version), NULL, "the version", 0, 0},
};

static const struct opts_spec spec = {
	.usage = "sbx-vmm --kernel FILE [options]",
	.opts = options,
	.n_opts = ARRAY_SIZE(options),
};

void config_print_help(void)
{
	opts_help(&spec);
}

/* text[0 .. n) as a file; what is the option's name. */
static int parse_file(const char *what, const char *text, size_t n, struct config_file *ret,
		      struct err *err)
{
	uint64_t fd = 0;

	if (n < 3 || memcmp(text, "fd:", 3) != 0) {
		if (!n)
			return err_set(err, EINVAL, "--%s: empty file name", what);
		*ret = (struct config_file){.given = true, .fd = -1, .path = text, .path_len = n};
		return 0;
	}
	for (size_t i = 3; i < n; i++) {
		if (text[i] < '0' || text[i] > '9' || fd > FD_MAX)
			goto bad;
		fd = fd * 10 + (text[i] - '0');
	}
	/* The standard streams are taken. */
	if (n == 3 || fd < 3 || fd > FD_MAX)
		goto bad;
	*ret = (struct config_file){.given = true, .fd = (int)fd};
	return 0;
bad:
	return err_set(err, EINVAL, "--%s: '%.*s': fd: is followed by a number from 3 on", what,
		       n > 64 ? 64 : (int)n, text);
}

static int parse_disk(const char *text, struct config_disk *ret, struct err *err)
{
	static const char suffix[] = ",ro";
	size_t n = strlen(text), len = sizeof(suffix) - 1;

	ret->readonly = n > len && !strcmp(text + n - len, suffix);
	return parse_file("disk", text, ret->readonly ? n - len : n, &ret->file, err);
}

/* One descriptor in two roles would be closed by both. */
static int check_fds(const struct config *config, struct err *err)
{
	const struct config_file *files[7 + CONFIG_MAX_SLOTS] = {
		&config->kernel,       &config->initrd,       &config->vsock_dir, &config->control,
		&config->console_ring, &config->console_file, &config->kvm,
	};
	unsigned n = 7;

	for (unsigned i = 0; i < config->n_disks; i++)
		files[n++] = &config->disks[i].file;
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < i; j++)
			if (files[i]->given && files[j]->given && files[i]->fd >= 0 &&
			    files[i]->fd == files[j]->fd)
				return err_set(err, EINVAL, "fd:%d is given twice", files[i]->fd);
	return 0;
}

static int convert_files(const struct raw *raw, struct config *config, struct err *err)
{
	const struct {
		const char *name, *text;
		struct config_file *file;
	} files[] = {
		{"kvm", raw->kvm, &config->kvm},
		{"kernel", raw->kernel, &config->kernel},
		{"initrd", raw->initrd, &config->initrd},
		{"vsock-dir", raw->vsock_dir, &config->vsock_dir},
		{"control", raw->control, &config->control},
		{"console-ring", raw->console_ring, &config->console_ring},
		{"console-file", raw->console_file, &config->console_file},
	};
	int r;

	for (unsigned i = 0; i < ARRAY_SIZE(files); i++) {
		files[i].file->fd = -1;
		if (!files[i].text)
			continue;
		r = parse_file(files[i].name, files[i].text, strlen(files[i].text), files[i].file,
			       err);
		if (r < 0)
			return r;
	}
	if (raw->disks.n > config->slots)
		return err_set(err, EINVAL, "--disk: %zu disks, but --slots is %u", raw->disks.n,
			       config->slots);
	for (; config->n_disks < raw->disks.n; config->n_disks++) {
		r = parse_disk(raw->disks.items[config->n_disks], &config->disks[config->n_disks],
			       err);
		if (r < 0)
			return r;
	}
	return check_fds(config, err);
}

int config_parse(int argc, char **argv, struct config *ret, struct err *err)
{
	struct raw raw = {.kvm = "/dev/kvm",
			  .cmdline = "console=ttyS0",
			  .memory = DEFAULT_SIZE,
			  .cpus = 1,
			  .slots = 4,
			  .console_rate = CONSOLE_DEFAULT};
	struct config config = {0};
	int r;

	r = opts_parse(&spec, argc, argv, &raw, NULL, err);
	if (r < 0)
		return r;
	config.help = raw.help;
	config.version = raw.version;
	if (raw.help || raw.version) {
		*ret = config;
		return 0;
	}
	if (r < argc)
		return err_set(err, EINVAL, "'%.64s': no operand is expected", argv[r]);
	if (!raw.kernel)
		return err_set(err, EINVAL, "--kernel is missing");
	if (raw.memory % PAGE)
		return err_set(err, EINVAL, "--memory: not a whole number of 4 KiB pages");
	if (raw.max_memory && raw.max_memory < raw.memory)
		return err_set(err, EINVAL, "--max-memory: less than --memory");
	if (raw.max_cpus && raw.max_cpus < raw.cpus)
		return err_set(err, EINVAL, "--max-cpus: fewer than --cpus");
	config.cmdline = raw.cmdline;
	config.memory = raw.memory;
	config.max_memory = raw.max_memory ? raw.max_memory : raw.memory;
	config.cpus = raw.cpus;
	config.max_cpus = raw.max_cpus ? raw.max_cpus : raw.cpus;
	config.slots = raw.slots;
	config.uid = (unsigned)raw.uid;
	config.no_net = raw.no_net;
	config.no_share = raw.no_share;
	config.disk_rate = (struct rate){raw.disk_rate, raw.disk_ops};
	config.net_rate = (struct rate){.bytes = raw.net_rate};
	config.console_rate = raw.console_rate;
	config.console_stdout = raw.console_stdout;
	config.debug = raw.debug;
	r = convert_files(&raw, &config, err);
	if (r < 0)
		return r;
	*ret = config;
	return 0;
}
