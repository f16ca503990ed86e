/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/share.h"

#include <errno.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/rpc.h"
#include "share.pb-c.h"
#include "shim/hypervisor.h"

#define TIMEOUT_MS 10000

struct share {
	struct rpc_conn *conn; /* NULL: it is gone */
};

static void on_close(struct rpc_conn *conn, int why, void *data)
{
	struct share *share = data;

	/* Its process's end is the hypervisor's to notice. */
	rpc_conn_close(TAKE_PTR(share->conn));
}

static void on_hello(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	/* It serves no other version's requests; each of ours fails with the same message. */
	if (err)
		log_error("%s", err->msg);
}

int share_create(struct loop *loop, struct hypervisor *hv, bool readonly, struct share **ret,
		 struct err *err)
{
	_cleanup_(share_destroy_p) struct share *share = calloc(1, sizeof(*share));
	const struct rpc_config config = {.data = share, .on_close = on_close, .role = "shim"};
	int fd, r;

	if (!share)
		return err_set(err, ENOMEM, "out of memory");
	r = hv->ops->open_share(hv, readonly, &fd, err);
	if (r < 0)
		return r;
	r = rpc_conn_create(loop, fd, &config, &share->conn);
	if (r == 0)
		r = rpc_hello(share->conn, 0, on_hello, NULL);
	if (r < 0)
		return err_set_errno(err, -r, "sbx-share");
	*ret = TAKE_PTR(share);
	return 0;
}

void share_destroy(struct share *share)
{
	if (!share)
		return;
	rpc_conn_close(TAKE_PTR(share->conn));
	free(share);
}

struct addition {
	share_done done;
	void *data;
};

static void on_added(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	struct addition addition = *(struct addition *)data;

	free(data);
	addition.done(err, addition.data);
}

int share_add(struct share *share, const struct share_folder *folder, share_done done, void *data)
{
	Share__AddRootRequest request = SHARE__ADD_ROOT_REQUEST__INIT;
	const struct rpc_invocation inv = {
		.service = &share__share__descriptor,
		.method = "AddRoot",
		.request = &request.base,
		.fds = &folder->fd,
		.n_fds = 1,
		.timeout_ms = TIMEOUT_MS,
	};
	struct addition *addition;
	int r;

	if (!share->conn)
		return -EPIPE;
	addition = malloc(sizeof(*addition));
	if (!addition)
		return -ENOMEM;
	*addition = (struct addition){done, data};
	request.name = (char *)folder->name;
	request.readonly = folder->readonly;
	request.submounts = folder->recursive;
	r = rpc_invoke(share->conn, &inv, on_added, addition);
	if (r < 0)
		free(addition);
	return r;
}

static void on_removed(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	if (err)
		log_info("share: %s", err->msg);
}

void share_remove(struct share *share, const char *name)
{
	Share__RemoveRootRequest request = SHARE__REMOVE_ROOT_REQUEST__INIT;
	const struct rpc_invocation inv = {
		.service = &share__share__descriptor,
		.method = "RemoveRoot",
		.request = &request.base,
		.timeout_ms = TIMEOUT_MS,
	};

	request.name = (char *)name;
	if (share->conn)
		rpc_invoke(share->conn, &inv, on_removed, NULL);
}
