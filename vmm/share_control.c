/* SPDX-License-Identifier: Apache-2.0 */
/* The owner's connection to sbx-share: roots come and go (proto/share.proto). */
#include <errno.h>
#include <stdlib.h>

#include "common/rpc.h"
#include "share.pb-c.h"
#include "vmm/share.h"

#define MAX_FRAME 4096
#define CACHE_NS  1000000000ull
#define NS_PER_MS 1000000ull

struct share_control {
	struct share *share;
	struct rpc_conn *conn;
	void (*on_close)(void *data);
	void *data;
};

static void handle_add_root(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Share__AddRootRequest *req = (const Share__AddRootRequest *)msg;
	struct share_control *control = data;
	const struct share_root_config config = {
		.name = req->name,
		.readonly = req->readonly,
		.devices = req->devices,
		.submounts = req->submounts,
		.cache_ns = req->no_cache   ? 0
			    : req->cache_ms ? req->cache_ms * NS_PER_MS
					    : CACHE_NS,
	};
	int fd = rpc_call_take_fd(call, 0);
	struct err err = ERR_INIT;
	int r;

	r = fd < 0 ? err_set(&err, EINVAL, "no descriptor came with the request")
		   : share_add_root(control->share, &config, fd, &err);
	if (r < 0)
		rpc_fail(call, &err);
	else
		rpc_reply_empty(call);
}

static void handle_remove_root(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Share__RemoveRootRequest *req = (const Share__RemoveRootRequest *)msg;
	struct share_control *control = data;
	struct err err = ERR_INIT;

	if (share_remove_root(control->share, req->name, &err) < 0)
		rpc_fail(call, &err);
	else
		rpc_reply_empty(call);
}

static const struct rpc_method methods[] = {
	{"AddRoot", handle_add_root},
	{"RemoveRoot", handle_remove_root},
};

static const struct rpc_service service = {
	.desc = &share__share__descriptor,
	.methods = methods,
	.n_methods = ARRAY_SIZE(methods),
};

static void on_close(struct rpc_conn *conn, int why, void *data)
{
	struct share_control *control = data;

	control->on_close(control->data);
}

int share_control_create(struct share *share, struct loop *loop, int fd, void (*on_end)(void *data),
			 void *data, struct share_control **ret)
{
	static const struct rpc_service *const services[] = {&service, NULL};
	struct share_control *control = calloc(1, sizeof(*control));
	int r;

	if (!control) {
		close(fd);
		return -ENOMEM;
	}
	*control = (struct share_control){.share = share, .on_close = on_end, .data = data};
	r = rpc_conn_create(loop, fd,
			    &(struct rpc_config){.services = services,
						 .data = control,
						 .on_close = on_close,
						 .max_frame = MAX_FRAME,
						 .role = "share",
						 .fds_allowed = true,
						 .need_hello = true},
			    &control->conn);
	if (r < 0) {
		free(control);
		return r;
	}
	*ret = control;
	return 0;
}

void share_control_destroy(struct share_control *control)
{
	if (!control)
		return;
	rpc_conn_close(control->conn);
	free(control);
}
