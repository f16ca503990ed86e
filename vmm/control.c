// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of Operation
 *
 *	STARTING/RUNNING --Pause--> pausing --all vCPUs parked, devices held--> PAUSED
 *	      ^------------------------------- Resume --------------------------------'
 *
 * A Pause is answered when the guest really stands still; until then its call is kept in pausing,
 * and a second Pause or a Resume is refused as busy. Pause of a paused and Resume of a running VM
 * succeed and do nothing. Stop answers, then ends the VM.
 */
#include "vmm/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "common/log.h"
#include "common/rpc.h"
#include "common/slots.h"
#include "vmm.pb-c.h"
#include "vmm/config.h"
#include "vmm/device.h"
#include "vmm/stages.h"
#include "vmm/vcpu.h"
#include "vmm/virtio_blk.h"
#include "vmm/virtio_fs.h"
#include "vmm/virtio_mem.h"
#include "vmm/virtio_net.h"
#include "vmm/vm.h"

/* Our requests are a few numbers long. */
#define MAX_FRAME 4096
#define MIN_MTU   68 /* IPv4's */
#define MAX_MTU   65535

struct control {
	struct control_config config;
	struct rpc_conn *conn;
	struct rpc_call *pausing;
	bool paused;
};

static void fail(struct rpc_call *call, int code, const char *text)
{
	struct err err;

	err_set(&err, code, "%s", text);
	rpc_fail(call, &err);
}

static void handle_status(struct rpc_call *call, const ProtobufCMessage *req, void *data)
{
	const struct control *control = data;
	Vmm__StatusResponse reply = VMM__STATUS_RESPONSE__INIT;
	Vmm__Stage stages[STAGE_COUNT], *list[STAGE_COUNT];

	for (unsigned i = 0; i < STAGE_COUNT; i++) {
		if (!stage_time(i))
			continue;
		list[reply.n_stages] = &stages[reply.n_stages];
		vmm__stage__init(list[reply.n_stages]);
		list[reply.n_stages]->name = (char *)stage_name(i);
		list[reply.n_stages++]->at_ns = stage_time(i);
	}
	reply.stages = list;
	reply.state = control->paused             ? VMM__STATE__PAUSED
		      : stage_time(STAGE_ENTERED) ? VMM__STATE__RUNNING
						  : VMM__STATE__STARTING;
	reply.cpus = control->config.cpus;
	reply.memory = control->config.memory;
	rpc_reply(call, &reply.base);
}

static void handle_pause(struct rpc_call *call, const ProtobufCMessage *req, void *data)
{
	struct control *control = data;

	if (control->pausing) {
		fail(call, EBUSY, "a pause is under way");
	} else if (control->paused) {
		rpc_reply_empty(call);
	} else {
		control->pausing = call;
		vcpus_pause(control->config.vcpus);
	}
}

void control_on_settled(struct control *control)
{
	if (!control->pausing)
		return;
	devices_pause(control->config.devices, true);
	control->paused = true;
	rpc_reply_empty(TAKE_PTR(control->pausing));
}

static void handle_resume(struct rpc_call *call, const ProtobufCMessage *req, void *data)
{
	struct control *control = data;

	if (control->pausing) {
		fail(call, EBUSY, "a pause is under way");
		return;
	}
	if (control->paused) {
		devices_pause(control->config.devices, false);
		vcpus_resume(control->config.vcpus);
		control->paused = false;
	}
	rpc_reply_empty(call);
}

static void handle_stop(struct rpc_call *call, const ProtobufCMessage *req, void *data)
{
	struct control *control = data;

	rpc_reply_empty(call);
	vm_end(control->config.vm, VM_END_STOP, "stopped by its owner");
}

static void handle_attach_disk(struct rpc_call *call, const ProtobufCMessage *req, void *data)
{
	const Vmm__AttachDiskRequest *request = (const Vmm__AttachDiskRequest *)req;
	struct control *control = data;
	struct virtio_device *disk;
	struct err err = ERR_INIT;
	int fd, r;

	disk = devices_find(control->config.devices, DEVICE_BLK, request->slot);
	if (!disk) {
		fail(call, ENOENT, "no such disk slot");
		return;
	}
	fd = rpc_call_take_fd(call, 0);
	if (fd < 0) {
		fail(call, EINVAL, "no descriptor came with the request");
		return;
	}
	r = virtio_blk_attach(disk, fd, request->readonly, &err);
	if (r < 0)
		rpc_fail(call, &err);
	else
		rpc_reply_empty(call);
}

static void handle_detach_disk(struct rpc_call *call, const ProtobufCMessage *req, void *data)
{
	const Vmm__DetachDiskRequest *request = (const Vmm__DetachDiskRequest *)req;
	struct control *control = data;
	struct virtio_device *disk;
	struct err err = ERR_INIT;

	disk = devices_find(control->config.devices, DEVICE_BLK, request->slot);
	if (!disk)
		fail(call, ENOENT, "no such disk slot");
	else if (virtio_blk_detach(disk, &err) < 0)
		rpc_fail(call, &err);
	else
		rpc_reply_empty(call);
}

static int attach_net(struct rpc_call *call, const Vmm__AttachNetRequest *request,
		      struct virtio_device *net, struct err *err)
{
	int fds[NET_MAX_PAIRS + 1];
	unsigned n = 0;

	if (!net)
		return err_set(err, ENOENT, "no such net slot");
	if (request->mtu < MIN_MTU || request->mtu > MAX_MTU)
		return err_set(err, EINVAL, "no such MTU: %u", request->mtu);
	/* One too many is for the device to refuse. */
	while (n < ARRAY_SIZE(fds) && (fds[n] = rpc_call_take_fd(call, n)) >= 0)
		n++;
	if (!request->stream)
		return virtio_net_attach_tap(net, fds, n, request->mtu, err);
	if (n == 1)
		return virtio_net_attach_stream(net, fds[0], request->mtu, err);
	while (n > 0)
		close(fds[--n]);
	return err_set(err, EINVAL, "one descriptor is wanted for a stream");
}

static void handle_attach_net(struct rpc_call *call, const ProtobufCMessage *req, void *data)
{
	const Vmm__AttachNetRequest *request = (const Vmm__AttachNetRequest *)req;
	struct control *control = data;
	struct err err = ERR_INIT;

	if (attach_net(call, request,
		       devices_find(control->config.devices, DEVICE_NET, request->slot), &err) < 0)
		rpc_fail(call, &err);
	else
		rpc_reply_empty(call);
}

static void handle_detach_net(struct rpc_call *call, const ProtobufCMessage *req, void *data)
{
	const Vmm__DetachNetRequest *request = (const Vmm__DetachNetRequest *)req;
	struct control *control = data;
	struct virtio_device *net;
	struct err err = ERR_INIT;

	net = devices_find(control->config.devices, DEVICE_NET, request->slot);
	if (!net)
		fail(call, ENOENT, "no such net slot");
	else if (virtio_net_detach(net, &err) < 0)
		rpc_fail(call, &err);
	else
		rpc_reply_empty(call);
}

static void handle_attach_share(struct rpc_call *call, const ProtobufCMessage *req, void *data)
{
	struct control *control = data;
	struct virtio_device *fs = devices_find(control->config.devices, DEVICE_FS, 0);
	int fd = fs ? rpc_call_take_fd(call, 0) : -1;
	struct err err = ERR_INIT;

	if (!fs)
		fail(call, ENOENT, "this machine has no share slot");
	else if (fd < 0)
		fail(call, EINVAL, "no descriptor came with the request");
	else if (virtio_fs_attach(fs, fd, &err) < 0)
		rpc_fail(call, &err);
	else
		rpc_reply_empty(call);
}

static void handle_resize_memory(struct rpc_call *call, const ProtobufCMessage *req, void *data)
{
	uint64_t wanted = ((const Vmm__ResizeMemoryRequest *)req)->memory;
	Vmm__ResizeMemoryResponse reply = VMM__RESIZE_MEMORY_RESPONSE__INIT;
	struct control *control = data;
	const struct control_config *config = &control->config;
	struct virtio_device *mem = devices_find(config->devices, DEVICE_MEM, 0);
	struct err err = ERR_INIT;
	int r;

	if (!mem || wanted > config->max_memory) {
		fail(call, EINVAL, "this machine is not to have so much memory");
		return;
	}
	if (wanted > config->memory)
		reply.added = virtio_mem_round(mem, wanted - config->memory);
	r = virtio_mem_request(mem, reply.added);
	if (r < 0) {
		err_set_errno(&err, -r, "the machine cannot have %llu bytes of memory",
			      (unsigned long long)wanted);
		rpc_fail(call, &err);
	} else {
		rpc_reply(call, &reply.base);
	}
}

/* --- metrics ------------------------------------------------------------------------------- */

#define MAX_DEVICE_COUNTERS 256
#define MAX_COUNTERS        ((VCPU_MAX + 1) * VCPU_EXIT_KINDS + MAX_DEVICE_COUNTERS)

struct counters {
	Vmm__MetricsResponse reply;
	Vmm__Counter *list[MAX_COUNTERS];
	Vmm__Counter counters[MAX_COUNTERS];
	char names[MAX_COUNTERS][32];
};

static void __attribute__((format(printf, 3, 4)))
add_counter(struct counters *out, uint64_t value, const char *fmt, ...)
{
	size_t i = out->reply.n_counters;
	va_list ap;

	if (i == MAX_COUNTERS)
		return;
	va_start(ap, fmt);
	vsnprintf(out->names[i], sizeof(out->names[i]), fmt, ap);
	va_end(ap);
	vmm__counter__init(&out->counters[i]);
	out->counters[i].name = out->names[i];
	out->counters[i].value = value;
	out->list[i] = &out->counters[i];
	out->reply.n_counters++;
}

static void add_exits(struct counters *out, const struct control_config *config)
{
	for (unsigned kind = 0; kind < VCPU_EXIT_KINDS; kind++) {
		const char *name = vcpu_exit_name(kind);
		uint64_t sum = 0;

		for (unsigned i = 0; i < config->cpus; i++) {
			uint64_t n = vcpus_exits(config->vcpus, i, kind);

			add_counter(out, n, "vcpu%u.exits.%s", i, name);
			sum += n;
		}
		add_counter(out, sum, "exits.%s", name);
	}
}

static void add_device_counter(void *data, const char *name, uint64_t value)
{
	add_counter(data, value, "%s", name);
}

static void handle_metrics(struct rpc_call *call, const ProtobufCMessage *req, void *data)
{
	const struct control *control = data;
	_cleanup_free_ struct counters *out = calloc(1, sizeof(*out));

	if (!out) {
		fail(call, ENOMEM, "out of memory");
		return;
	}
	vmm__metrics_response__init(&out->reply);
	out->reply.counters = out->list;
	add_exits(out, &control->config);
	devices_each_counter(control->config.devices, add_device_counter, out);
	rpc_reply(call, &out->reply.base);
}

/* --- life ---------------------------------------------------------------------------------- */

static const struct rpc_method methods[] = {
	{"Status", handle_status},
	{"Pause", handle_pause},
	{"Resume", handle_resume},
	{"Stop", handle_stop},
	{"AttachDisk", handle_attach_disk},
	{"DetachDisk", handle_detach_disk},
	{"AttachNet", handle_attach_net},
	{"DetachNet", handle_detach_net},
	{"AttachShare", handle_attach_share},
	{"ResizeMemory", handle_resize_memory},
	{"Metrics", handle_metrics},
};

static const struct rpc_service service = {
	.desc = &vmm__control__descriptor,
	.methods = methods,
	.n_methods = ARRAY_SIZE(methods),
};

static void on_close(struct rpc_conn *conn, int why, void *data)
{
	struct control *control = data;

	vm_end(control->config.vm, VM_END_STOP, "its owner has gone");
}

int control_create(struct loop *loop, int fd, const struct control_config *config,
		   struct control **ret, struct err *err)
{
	static const struct rpc_service *const services[] = {&service, NULL};
	struct control *control = calloc(1, sizeof(*control));
	int r;

	if (!control) {
		close(fd);
		return err_set(err, ENOMEM, "control: out of memory");
	}
	control->config = *config;
	r = rpc_conn_create(loop, fd,
			    &(struct rpc_config){.services = services,
						 .data = control,
						 .on_close = on_close,
						 .max_frame = MAX_FRAME,
						 .role = "vmm",
						 .fds_allowed = true,
						 .need_hello = true},
			    &control->conn);
	if (r < 0) {
		free(control);
		return err_set_errno(err, -r, "--control");
	}
	*ret = control;
	return 0;
}

void control_destroy(struct control *control)
{
	if (!control)
		return;
	if (control->pausing)
		fail(TAKE_PTR(control->pausing), ECANCELED, "the VM has ended");
	rpc_conn_close(control->conn);
	free(control);
}
