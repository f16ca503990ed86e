// SPDX-License-Identifier: Apache-2.0
/*
 * sbx-vmm: one process, one virtual machine.
 *
 * Theory of Operation
 *
 * main() is a sequence of stages, each of which needs less of the system than the one before:
 *
 *	parse    the command line, pure
 *	begin    the jail: no new rights, and no other process (jail.h)
 *	open     every file that it names; the directory of vsock's sockets becomes the working directory
 *	create   the VM and its memory
 *	load     kernel, initramfs, tables, into that memory
 *	devices  of the one table, then the vCPUs
 *	jail     the rest of it: all is open, nothing has run, and no other thread is there yet
 *	run      each thread enters its list of system calls (seccomp.h); the guest runs, until it, its
 *	         owner or an error ends it
 *
 * In the jail one kind of file is still found by name: a process that waits for the guest listens on
 * "vsock_PORT" in that directory, which is the root then, and empty but for such sockets.
 *
 * Two kinds of threads: this one has the loop, on which devices and the control service live; each
 * vCPU has its own. The VM ends by vm_end() from anywhere; then the vCPUs are stopped, and once the
 * last has parked all is taken down. A vCPU that does not come back within a second, because the
 * host holds it up, is left to the exit of the process.
 *
 * The exit status is of common/vmm_exit.h.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "common/io.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/strbuf.h"
#include "common/version.h"
#include "common/vmm_exit.h"
#include "vmm/config.h"
#include "vmm/console.h"
#include "vmm/control.h"
#include "vmm/device.h"
#include "vmm/jail.h"
#include "vmm/seccomp.h"
#include "vmm/stages.h"
#include "vmm/vcpu.h"
#include "vmm/virtio_blk.h"
#include "vmm/vm.h"
#include "vmm/x86_boot.h"

#define STOP_DEADLINE_NS 1000000000ull

struct files {
	int kvm, kernel, initrd, vsock_dir, control, console_ring, console_file;
	int disks[CONFIG_MAX_SLOTS];
};

struct vmm {
	struct config config;
	struct files files;
	struct console console;
	struct loop *loop;
	struct vm *vm;
	struct device_table table;
	struct devices *devices;
	struct vcpus *vcpus;
	struct control *control;
	struct source *ended, *deadline, *signals[3];
	bool ending;
	bool stuck; /* a vCPU did not stop in time */
};

/* --- open ---------------------------------------------------------------------------------- */

static int open_path(const char *what, const struct config_file *file, int flags, struct err *err)
{
	char *path = strndup(file->path, file->path_len);
	int fd = -1, r = -ENOMEM;

	if (path && flags & O_PATH) {
		r = sock_connect_at(AT_FDCWD, path, &fd);
	} else if (path) {
		fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0600);
		r = fd < 0 ? -errno : 0;
	}
	if (r < 0)
		r = err_set_errno(err, -r, "--%s %s", what, path ? path : "");
	free(path);
	return r < 0 ? r : fd;
}

/* O_PATH stands for a socket to connect to. -1 where the file was not asked for. */
static int open_file(const char *what, const struct config_file *file, int flags, int *ret,
		     struct err *err)
{
	int fd = file->fd;

	if (!file->given)
		return 0;
	if (fd < 0)
		fd = open_path(what, file, flags, err);
	else if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_set_errno(err, errno, "--%s fd:%d", what, fd);
	if (fd < 0)
		return fd;
	*ret = fd;
	return 0;
}

static int open_disks(struct vmm *vmm, struct err *err)
{
	int r = 0;

	for (unsigned i = 0; i < vmm->config.n_disks && r >= 0; i++) {
		const struct config_disk *disk = &vmm->config.disks[i];

		r = open_file("disk", &disk->file, disk->readonly ? O_RDONLY : O_RDWR,
			      &vmm->files.disks[i], err);
	}
	return r;
}

static int stage_open(struct vmm *vmm, struct err *err)
{
	const struct config *config = &vmm->config;
	struct files *files = &vmm->files;
	const struct {
		const char *what;
		const struct config_file *file;
		int flags;
		int *fd;
	} table[] = {
		{"kvm", &config->kvm, O_RDWR, &files->kvm},
		{"kernel", &config->kernel, O_RDONLY, &files->kernel},
		{"initrd", &config->initrd, O_RDONLY, &files->initrd},
		{"vsock-dir", &config->vsock_dir, O_RDONLY | O_DIRECTORY, &files->vsock_dir},
		{"control", &config->control, O_PATH, &files->control},
		{"console-ring", &config->console_ring, O_RDWR, &files->console_ring},
		{"console-file", &config->console_file, O_WRONLY | O_CREAT | O_APPEND,
		 &files->console_file},
	};
	int r;

	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		r = open_file(table[i].what, table[i].file, table[i].flags, table[i].fd, err);
		if (r < 0)
			return r;
	}
	r = open_disks(vmm, err);
	if (r < 0)
		return r;
	r = console_init(&vmm->console, files->console_ring, TAKE_FD(files->console_file),
			 config->console_stdout, config->console_rate, err);
	if (r < 0)
		return r;
	if (files->vsock_dir >= 0 && fchdir(files->vsock_dir) < 0)
		return err_set_errno(err, errno, "--vsock-dir");
	/* A descriptor of a directory would be a way to the one above it. */
	close_fd(&files->vsock_dir);
	stage_mark(STAGE_OPENED);
	return 0;
}

/* --- create, load, devices ----------------------------------------------------------------- */

static int stage_load(struct vmm *vmm, uint64_t *ret_entry, struct err *err)
{
	_cleanup_strbuf_ struct strbuf cmdline = {0};
	struct x86_boot boot = {.kernel_fd = vmm->files.kernel,
				.initrd_fd = vmm->files.initrd,
				.cpus = vmm->config.max_cpus,
				.lines = device_table_lines(&vmm->table)};
	char devices[1024];
	int r;

	r = device_table_cmdline(&vmm->table, devices, sizeof(devices));
	if (r >= 0)
		r = strbuf_addf(&cmdline, "%s%s", X86_CMDLINE,
				vmm->config.cpus > 1 ? X86_CMDLINE_SMP : "");
	if (r >= 0 && vmm->config.max_cpus > vmm->config.cpus)
		r = strbuf_addf(&cmdline, X86_CMDLINE_ONLINE, vmm->config.cpus);
	/* The owner's part last: its options win, and a "--" in it hides none of ours. */
	if (r >= 0)
		r = strbuf_addf(&cmdline, "%s %s", devices, vmm->config.cmdline);
	if (r < 0)
		return err_set_errno(err, -r, "cmdline");
	boot.cmdline = cmdline.data;
	r = x86_boot_load(&vmm->vm->mem, &boot, ret_entry, err);
	if (r < 0)
		return r;
	close_fd(&vmm->files.kernel);
	close_fd(&vmm->files.initrd);
	stage_mark(STAGE_LOADED);
	return 0;
}

static int attach_disks(struct vmm *vmm, struct err *err)
{
	int r = 0;

	for (unsigned i = 0; i < vmm->config.n_disks && r >= 0; i++)
		r = virtio_blk_attach(devices_find(vmm->devices, DEVICE_BLK, i),
				      TAKE_FD(vmm->files.disks[i]), vmm->config.disks[i].readonly,
				      err);
	return r;
}

static void on_settled(void *data)
{
	struct vmm *vmm = data;

	if (vmm->ending)
		loop_exit(vmm->loop, 0);
	else if (vmm->control)
		control_on_settled(vmm->control);
}

static int stage_devices(struct vmm *vmm, uint64_t entry, struct err *err)
{
	const struct serial_sink sink = console_sink(&vmm->console);
	const struct devices_config config = {
		.table = &vmm->table,
		.console = &sink,
		.vsock_dirfd = AT_FDCWD,
		.cpus = vmm->config.cpus,
		.disk_rate = vmm->config.disk_rate,
		.net_rate = vmm->config.net_rate,
	};
	int r;

	r = devices_create(vmm->vm, vmm->loop, &config, &vmm->devices, err);
	if (r < 0)
		return r;
	r = attach_disks(vmm, err);
	if (r < 0)
		return r;
	r = vcpus_create(vmm->vm, vmm->config.max_cpus, entry, vmm->loop, on_settled, vmm,
			 &vmm->vcpus, err);
	if (r >= 0)
		stage_mark(STAGE_DEVICES);
	return r;
}

static int stage_jail(struct vmm *vmm, struct err *err)
{
	const struct jail jail = {
		.root = vmm->config.vsock_dir.given ? JAIL_ROOT_HERE : JAIL_ROOT_EMPTY,
		.uid = vmm->config.uid,
		.nobody = true,
		.no_files = true,
		.owned = vmm->config.control.given,
	};
	int r = jail_enter(&jail, err);

	if (r == 0)
		stage_mark(STAGE_JAILED);
	return r;
}

/* --- run ----------------------------------------------------------------------------------- */

static void on_signal(struct source *source, uint32_t events, void *data)
{
	struct vmm *vmm = data;

	vm_end(vmm->vm, VM_END_STOP, "stopped by a signal");
}

static void on_deadline(struct source *source, uint32_t events, void *data)
{
	struct vmm *vmm = data;

	vmm->stuck = true;
	loop_exit(vmm->loop, 0);
}

static void on_ended(struct source *source, uint32_t events, void *data)
{
	struct vmm *vmm = data;

	source_set_events(source, 0);
	vmm->ending = true;
	source_arm(vmm->deadline, STOP_DEADLINE_NS);
	vcpus_stop(vmm->vcpus);
}

static int stage_run(struct vmm *vmm, struct err *err)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	static_assert(ARRAY_SIZE(signals) == ARRAY_SIZE(vmm->signals), "a source for each");
	const struct control_config control = {
		.vm = vmm->vm,
		.vcpus = vmm->vcpus,
		.devices = vmm->devices,
		.cpus = vmm->config.max_cpus,
		.memory = vmm->config.memory,
		.max_memory = vmm->config.max_memory,
	};
	int r = 0;

	/* Blocks them too, before there are threads that would inherit another mask. */
	for (unsigned i = 0; i < ARRAY_SIZE(signals) && r >= 0; i++)
		r = loop_add_signal(vmm->loop, signals[i], on_signal, vmm, &vmm->signals[i]);
	if (r >= 0)
		r = loop_add_io(vmm->loop, vmm->vm->end_fd, EPOLLIN, on_ended, vmm, &vmm->ended);
	if (r >= 0)
		r = loop_add_timer(vmm->loop, on_deadline, vmm, &vmm->deadline);
	if (r < 0)
		return err_set_errno(err, -r, "loop");
	if (vmm->files.control >= 0) {
		r = control_create(vmm->loop, TAKE_FD(vmm->files.control), &control, &vmm->control,
				   err);
		if (r < 0)
			return r;
	}
	r = devices_start(vmm->devices, err);
	if (r < 0)
		return r;
	stage_mark(STAGE_ENTERED);
	r = vcpus_start(vmm->vcpus, err);
	if (r < 0)
		return r;
	/* The last, as it starts no threads; the guest has been heard by none of its devices yet. */
	r = seccomp_enter(SECCOMP_MAIN);
	if (r < 0)
		return err_set_errno(err, -r, "seccomp");
	r = loop_run(vmm->loop);
	return r < 0 ? err_set_errno(err, -r, "loop") : 0;
}

static int exit_status(struct vm *vm)
{
	switch ((enum vm_end)vm->end) {
	case VM_END_CRASH:
		log_error("%s", vm->end_text);
		return VMM_EXIT_CRASH;
	case VM_END_FAILED:
		log_error("%s", vm->end_text);
		return VMM_EXIT_KVM;
	default:
		log_info("%s", vm->end_text);
		return 0;
	}
}

/* Ends what the stages began, in reverse. The threads have ended or never ran. */
static void teardown(struct vmm *vmm)
{
	source_remove(vmm->ended);
	control_destroy(vmm->control);
	vcpus_destroy(vmm->vcpus);
	devices_destroy(vmm->devices);
	vm_destroy(vmm->vm);
	loop_destroy(vmm->loop);
	console_finish(&vmm->console);
}

static int run_stages(struct vmm *vmm, struct err *err)
{
	struct device_choice choice = {
		.vsock = vmm->config.vsock_dir.given,
		.disks = vmm->config.slots,
		.net = !vmm->config.no_net,
		.share = !vmm->config.no_share,
	};
	uint64_t entry = 0;
	int r;

	r = stage_open(vmm, err);
	if (r < 0)
		return r;
	r = loop_create(&vmm->loop);
	if (r < 0)
		return err_set_errno(err, -r, "loop");
	r = vm_create(TAKE_FD(vmm->files.kvm), vmm->config.memory, vmm->config.max_memory, &vmm->vm,
		      err);
	if (r < 0)
		return r;
	stage_mark(STAGE_CREATED);
	choice.mem = vmm->vm->granule;
	device_table_plan(&vmm->table, &choice);
	r = stage_load(vmm, &entry, err);
	if (r < 0)
		return r;
	r = stage_devices(vmm, entry, err);
	if (r < 0)
		return r;
	r = stage_jail(vmm, err);
	if (r < 0)
		return r;
	return stage_run(vmm, err);
}

int main(int argc, char **argv)
{
	static struct vmm vmm;
	struct err err = ERR_INIT;
	int status;

	stage_mark(STAGE_STARTED);
	log_open(STDERR_FILENO, LOG_WARN, "sbx-vmm");
	if (config_parse(argc ? argc - 1 : 0, argv + 1, &vmm.config, &err) < 0)
		fatal("%s", err.msg);
	if (vmm.config.help) {
		config_print_help();
		return 0;
	}
	if (vmm.config.version) {
		printf("sbx-vmm %s (%s)\n", sbx_version, sbx_build_id);
		return 0;
	}
	if (vmm.config.debug)
		log_open(STDERR_FILENO, LOG_DEBUG, "sbx-vmm");
	/* An owner that dies takes the VM along even if this process hangs; see control.c too. */
	if (vmm.config.control.given)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	io_ignore_signals();
	if (jail_begin(false, &err) < 0)
		fatal("%s", err.msg);

	vmm.files = (struct files){-1, -1, -1, -1, -1, -1, -1, {0}};
	vmm.console.file_fd = -1;
	if (run_stages(&vmm, &err) < 0)
		fatal("%s", err.msg);
	status = exit_status(vmm.vm);
	/* A vCPU that hangs may hold any lock. */
	if (vmm.stuck)
		_exit(status);
	teardown(&vmm);
	return status;
}
