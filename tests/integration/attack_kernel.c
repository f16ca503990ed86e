/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel offers beyond files, processes and the network. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <mqueue.h>
#include <sys/fanotify.h>
#include <sys/io.h>
#include <sys/ipc.h>
#include <sys/klog.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/integration/attack.h"

#define SYSLOG_READ_ALL 3

static long host_name(void)
{
	char name[65];

	if (gethostname(name, sizeof(name)) < 0)
		return -errno;
	return attack_result(syscall(SYS_sethostname, name, sizeof("attacked") - 1));
}

static long set_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return attack_result(clock_settime(CLOCK_REALTIME, &now));
}

/* The right comes first: what is wrong with the module would be said to who has it. */
static long load_module(void)
{
	if (syscall(SYS_init_module, NULL, 0, "") < 0 && (errno == EPERM || errno == ENOSYS))
		return -errno;
	return 0;
}

static long load_kernel(void)
{
	return attack_result(syscall(SYS_kexec_load, 0, 0, NULL, 0));
}

static long use_ports(void)
{
	return attack_result(ioperm(0x80, 1, 1));
}

static long program_kernel(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 4, .max_entries = 1};
	_cleanup_close_ int fd = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));

	return attack_result(fd);
}

static long measure_kernel(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
				       .size = sizeof(attr),
				       .config = PERF_COUNT_SW_CPU_CLOCK};
	_cleanup_close_ int fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, 0);

	return attack_result(fd);
}

static long watch_files(void)
{
	_cleanup_close_ int fd = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY);

	return attack_result(fd);
}

static long read_log(void)
{
	char buf[64];

	return attack_result(klogctl(SYSLOG_READ_ALL, buf, sizeof(buf)));
}

static long make_ring(void)
{
	struct io_uring_params params = {0};
	_cleanup_close_ int fd = (int)syscall(SYS_io_uring_setup, 1, &params);

	return attack_result(fd);
}

static long fault_pages(void)
{
	_cleanup_close_ int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | 1 /* user mode only */);

	return attack_result(fd);
}

static long keys(void)
{
	return attack_result(
		syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1));
}

/* --- what System V and POSIX left -------------------------------------------------------------- */

static long shared_memory(void)
{
	return attack_result(shmget((key_t)attack_number("SBX_ATTACK_KEY"), 0, 0));
}

static long semaphores(void)
{
	struct seminfo info;
	int r = semctl(0, 0, SEM_INFO, &info);

	/* How many sets there are: one was made for us to find. */
	return r < 0 ? -errno : info.semusz > 0 ? 0 : -ENOENT;
}

static long message_queue(void)
{
	mqd_t queue = mq_open(attack_target("SBX_ATTACK_QUEUE"), O_RDONLY);

	if (queue == (mqd_t)-1)
		return -errno;
	mq_close(queue);
	return 0;
}

static const struct attack list[] = {
	{"set the host's name", host_name, ATTACK_BREAKS},
	{"set the clock", set_clock, 0},
	{"load a module", load_module, 0},
	{"load a kernel", load_kernel, 0},
	{"use I/O ports", use_ports, 0},
	{"program the kernel", program_kernel, 0},
	{"measure the kernel", measure_kernel, 0},
	{"watch all files", watch_files, 0},
	{"read the kernel's log", read_log, ATTACK_BY_LIST},
	{"make an io_uring", make_ring, ATTACK_BY_LIST},
	{"take page faults", fault_pages, ATTACK_BY_LIST},
	{"use keys", keys, ATTACK_BY_LIST},
	{"find shared memory", shared_memory, 0},
	{"find semaphores", semaphores, 0},
	{"find a message queue", message_queue, 0},
};

const struct attacks attack_kernel = {list, ARRAY_SIZE(list)};
