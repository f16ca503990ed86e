/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: NEW -> STARTING -> READY -> DEAD. A start makes the vsock directory with both
 * listening sockets in it, then the VM, and from there on only waits: for the agent to dial, say
 * hello and be set up. One deadline stands over all of it. Whatever goes wrong goes through fail(),
 * which takes down the message with the stage it happened in, once; it is told at the end of the turn,
 * so that who hears of it may destroy anything.
 */
#include "shim/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "shim/guest_clock.h"
#include "shim/last_words.h"
#include "shim/places.h"
#include "shim/share.h"
#include "shim/stream_hub.h"

/* Generous: fifty VMs may boot at once on a machine that is itself emulated. */
#define START_LIMIT_NS (180 * 1000000000ull)
#define AGENT_LOST_NS  500000000ull
#define CONSOLE_TAIL   4096
#define LOG_TAIL       4096

/*
 * The kernel's command line, to which the monitor adds how to reboot and where its devices are. Every
 * character on the console is an exit, so it is quiet: what matters is what a dying kernel says. And each
 * parameter costs 80 us, as the kernel compares it with all that it knows eight times.
 */
#define CMDLINE_BASE  "console=ttyS0"
#define CMDLINE_QUIET CMDLINE_BASE " quiet"
#define CMDLINE_DEBUG CMDLINE_BASE " loglevel=7"

static void on_failure(struct source *source, uint32_t events, void *data)
{
	struct sandbox *sandbox = data;

	sandbox->events.failed(&sandbox->why, sandbox->events.data);
}

static void fail(struct sandbox *sandbox, int code, const char *what)
{
	uint64_t ms = (now_ns() - sandbox->begin_ns) / 1000000;
	bool starting = sandbox->state == SANDBOX_STARTING;
	char tail[512] = "";

	if (sandbox->state == SANDBOX_DEAD)
		return;
	sandbox->state = SANDBOX_DEAD;
	source_arm(sandbox->deadline, 0);
	sandbox_console(sandbox, tail, sizeof(tail));
	if (starting)
		err_set(&sandbox->why, code,
			"the start failed after %" PRIu64 " ms: %s; last stage reached: %s%s%s", ms,
			what, stages_last(&sandbox->stages), tail[0] ? "; console: " : "", tail);
	else
		err_set(&sandbox->why, code, "the virtual machine ended: %s%s%s", what,
			tail[0] ? "; console: " : "", tail);
	log_error("%s", sandbox->why.msg);
	source_defer(sandbox->failure);
}

static void on_deadline(struct source *source, uint32_t events, void *data)
{
	struct sandbox *sandbox = data;

	if (sandbox->agent_lost)
		fail(sandbox, EPIPE, "its agent closed the connection");
	else
		fail(sandbox, ETIMEDOUT, "the next stage did not come in time");
}

static void fail_with_log(struct sandbox *sandbox, const char *who, const char *how)
{
	char log[LOG_TAIL], words[256], what[400];
	off_t end = lseek(sandbox->log_fd, 0, SEEK_END);
	off_t from = end - LOG_TAIL > sandbox->log_start ? end - LOG_TAIL : sandbox->log_start;
	ssize_t n = pread(sandbox->log_fd, log, sizeof(log), from);

	last_words_log(log, n > 0 ? (size_t)n : 0, words, sizeof(words));
	snprintf(what, sizeof(what), "%s %s%s%s", who, how, words[0] ? ": " : "", words);
	fail(sandbox, EPIPE, what);
}

static void on_vm_exit(struct hypervisor *hv, const char *how, void *data)
{
	fail_with_log(data, "its monitor", how);
}

void sandbox_abort_start(struct sandbox *sandbox, const char *what)
{
	if (sandbox->state == SANDBOX_STARTING)
		fail_with_log(sandbox, what, "");
}

void sandbox_give_up(struct sandbox *sandbox, const char *what)
{
	fail(sandbox, ETIMEDOUT, what);
}

void sandbox_stop(struct sandbox *sandbox)
{
	if (sandbox->state == SANDBOX_DEAD)
		return;
	sandbox->state = SANDBOX_DEAD;
	source_arm(sandbox->deadline, 0);
	err_set(&sandbox->why, EPIPE, "the sandbox was stopped");
	source_defer(sandbox->failure);
}

/* --- the agent -------------------------------------------------------------------------------- */

static void on_agent_connected(void *data)
{
	struct sandbox *sandbox = data;

	stages_mark(&sandbox->stages, "agent up");
}

/* The guest's clock starts with its kernel, whose entry is the best common point that there is. */
static void add_guest_stages(struct sandbox *sandbox, const Agent__SetupResponse *setup)
{
	uint64_t now = now_ns(), newest = 0;

	for (size_t i = 0; i < setup->n_stages && i < 16; i++)
		if (setup->stages[i]->boot_ns > newest)
			newest = setup->stages[i]->boot_ns;
	/* The newest stage was reached before now; a guest that says otherwise is shown as it says. */
	for (size_t i = 0; i < setup->n_stages && i < 16 && newest < now; i++) {
		char name[STAGE_NAME_MAX];

		snprintf(name, sizeof(name), "guest: %.30s", setup->stages[i]->name);
		stages_add(&sandbox->stages, name, now - newest + setup->stages[i]->boot_ns);
	}
}

static void on_agent_ready(const Agent__SetupResponse *setup, void *data)
{
	struct sandbox *sandbox = data;

	if (sandbox->state != SANDBOX_STARTING)
		return;
	add_guest_stages(sandbox, setup);
	stages_mark(&sandbox->stages, "agent ready");
	source_arm(sandbox->deadline, 0);
	sandbox->state = SANDBOX_READY;
	if (guest_clock_create(sandbox->loop, sandbox, &sandbox->clock) < 0)
		log_warn("the guest's clock will not follow the host's");
	log_info("guest kernel %.64s, %u CPUs, %" PRIu64 " bytes", setup->kernel,
		 setup->cpus_online, setup->memory_bytes);
	sandbox->events.ready(sandbox->events.data);
}

/*
 * A VM that ends closes the agent's connection first. Its monitor's own end says more, so the loss
 * alone is an error only where that end does not follow.
 */
static void on_agent_lost(const struct err *err, void *data)
{
	struct sandbox *sandbox = data;

	if (sandbox->state == SANDBOX_DEAD)
		return;
	sandbox->agent_lost = true;
	if (err->code == EPIPE || err->code == ECONNRESET)
		source_arm(sandbox->deadline, AGENT_LOST_NS);
	else
		fail(sandbox, err->code, err->msg);
}

/* --- start ------------------------------------------------------------------------------------ */

static int make_vsock_dir(const struct sandbox_config *config, int *ret, struct err *err)
{
	int fd;

	if (mkdirat(config->pod_dirfd, "vsock", 0700) < 0 && errno != EEXIST)
		return err_set_errno(err, errno, "vsock directory");
	fd = openat(config->pod_dirfd, "vsock", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(err, errno, "vsock directory");
	*ret = fd;
	return 0;
}

static int open_boot_file(const char *path, const char *share, int *ret, struct err *err)
{
	_cleanup_free_ char *own = NULL;
	int r;

	if (!path) {
		r = places_find_share(share, &own, err);
		if (r < 0)
			return r;
		path = own;
	}
	*ret = open(path, O_RDONLY | O_CLOEXEC);
	return *ret < 0 ? err_set_errno(err, errno, "%s", path) : 0;
}

static const struct hypervisor_ops *find_driver(const char *name)
{
	static const struct hypervisor_ops *const drivers[] = {&hypervisor_vmm, &hypervisor_qemu};

	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		if (!name || strcmp(name, drivers[i]->name) == 0)
			return drivers[i];
	return NULL;
}

static int start_vm(struct sandbox *sandbox, const struct sandbox_config *config, int vsock_dirfd,
		    struct err *err)
{
	const struct hypervisor_ops *driver = find_driver(config->hypervisor);
	_cleanup_close_ int kernel = -1, initrd = -1;
	_cleanup_free_ char *vsock_dir = NULL;
	struct hypervisor_config hv = {
		.cmdline = config->debug ? CMDLINE_DEBUG : CMDLINE_QUIET,
		.memory = config->memory,
		.max_memory = config->max_memory,
		.cpus = config->cpus,
		.max_cpus = config->max_cpus,
		.slots = config->alone ? (unsigned)config->n_disks : HYPERVISOR_SLOTS,
		.net_slot = !config->alone || config->net.n_fds,
		.share_slot = !config->alone || config->shares,
		.n_disks = config->n_disks,
		.net = config->net,
		.rates = config->rates,
		.vsock_dirfd = vsock_dirfd,
		.log_fd = config->log_fd,
		.oom_score = config->oom_score,
		.on_exit = on_vm_exit,
		.data = sandbox,
	};
	int r;

	if (!driver)
		return err_set(err, EINVAL, "hypervisor %.32s: not known", config->hypervisor);
	if (asprintf(&vsock_dir, "%s/vsock", config->pod_path) < 0)
		return err_set(err, ENOMEM, "out of memory");
	r = open_boot_file(config->kernel, "vmlinux", &kernel, err);
	if (r == 0)
		r = open_boot_file(NULL, "initramfs.cpio", &initrd, err);
	if (r < 0)
		return r;
	hv.kernel_fd = kernel;
	hv.initrd_fd = initrd;
	hv.vsock_dir = vsock_dir;
	memcpy(hv.disks, config->disks, sizeof(hv.disks));
	r = driver->start(sandbox->loop, &hv, &sandbox->hv, err);
	if (r == 0)
		stages_mark(&sandbox->stages, "monitor started");
	return r;
}

static int prepare(struct sandbox *sandbox, const struct sandbox_config *config, int vsock_dirfd,
		   struct err *err)
{
	const struct agent_setup setup = {
		.hostname = config->hostname,
		.cpus = config->cpus,
		.sysctl = config->sysctl,
		.n_sysctl = config->n_sysctl,
		.network = config->network,
	};
	const struct agent_events events = {
		.connected = on_agent_connected,
		.ready = on_agent_ready,
		.lost = on_agent_lost,
		.data = sandbox,
	};
	int r = loop_add_timer(sandbox->loop, on_deadline, sandbox, &sandbox->deadline);

	if (r == 0)
		r = loop_add_defer(sandbox->loop, on_failure, sandbox, &sandbox->failure);
	if (r == 0)
		r = stream_hub_create(sandbox->loop, vsock_dirfd, &sandbox->hub);
	if (r < 0)
		return err_set_errno(err, -r, "cannot wait for the guest's streams");
	return agent_client_create(sandbox->loop, vsock_dirfd, &setup, &events, &sandbox->agent,
				   err);
}

int sandbox_start(struct sandbox *sandbox, const struct sandbox_config *config, struct err *err)
{
	_cleanup_close_ int vsock_dirfd = -1;
	int r;

	sandbox->state = SANDBOX_DEAD; /* unless all of this works */
	sandbox->log_fd = config->log_fd;
	sandbox->alone = config->alone;
	sandbox->log_start = lseek(config->log_fd, 0, SEEK_END);
	r = make_vsock_dir(config, &vsock_dirfd, err);
	if (r == 0)
		r = prepare(sandbox, config, vsock_dirfd, err);
	if (r == 0)
		r = start_vm(sandbox, config, vsock_dirfd, err);
	if (r < 0)
		return r;
	source_arm(sandbox->deadline, START_LIMIT_NS);
	sandbox->state = SANDBOX_STARTING;
	return 0;
}

void sandbox_init(struct sandbox *sandbox, struct loop *loop, const struct sandbox_events *events)
{
	*sandbox = (struct sandbox){
		.loop = loop,
		.events = *events,
		.begin_ns = now_ns(),
	};
}

void sandbox_hang_up(struct sandbox *sandbox)
{
	agent_client_destroy(TAKE_PTR(sandbox->agent));
	share_destroy(TAKE_PTR(sandbox->share));
	if (sandbox->hv && sandbox->hv->ops->hang_up)
		sandbox->hv->ops->hang_up(sandbox->hv);
}

void sandbox_finish(struct sandbox *sandbox)
{
	sandbox->state = SANDBOX_DEAD;
	guest_clock_destroy(TAKE_PTR(sandbox->clock));
	source_remove(sandbox->deadline);
	source_remove(sandbox->failure);
	sandbox->deadline = sandbox->failure = NULL;
	agent_client_destroy(TAKE_PTR(sandbox->agent));
	share_destroy(TAKE_PTR(sandbox->share));
	hypervisor_destroy(TAKE_PTR(sandbox->hv));
	stream_hub_destroy(TAKE_PTR(sandbox->hub));
}

size_t sandbox_console(const struct sandbox *sandbox, char *buf, size_t max)
{
	char tail[CONSOLE_TAIL];
	size_t n = 0;

	if (sandbox->hv)
		n = sandbox->hv->ops->console(sandbox->hv, tail, sizeof(tail));
	return last_words_console(tail, n, buf, max);
}
