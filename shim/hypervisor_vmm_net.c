/* SPDX-License-Identifier: Apache-2.0 */
/* The VM's network: with its start, or while it runs. */
#include "common/log.h"
#include "shim/hypervisor_vmm_internal.h"
#include "vmm.pb-c.h"

static struct rpc_invocation invocation(const struct hypervisor_net *net,
					Vmm__AttachNetRequest *request)
{
	vmm__attach_net_request__init(request);
	request->mtu = net->mtu;
	request->stream = net->stream;
	return (struct rpc_invocation){
		.service = &vmm__control__descriptor,
		.method = "AttachNet",
		.request = &request->base,
		.fds = net->fds,
		.n_fds = net->n_fds,
	};
}

static void on_attached(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	/* The guest then has no link, and its agent says so. */
	if (err)
		log_error("%s", err->msg);
}

/* The monitor reads it from its socket before the guest has come far. */
int vmm_start_net(struct vmm *vmm, const struct hypervisor_net *net, struct err *err)
{
	Vmm__AttachNetRequest request;
	const struct rpc_invocation inv = invocation(net, &request);
	int r;

	if (!net->n_fds)
		return 0;
	r = rpc_invoke(vmm->control, &inv, on_attached, NULL);
	return r < 0 ? err_set_errno(err, -r, "cannot attach the network") : 0;
}

int vmm_attach_net(struct hypervisor *hv, const struct hypervisor_net *net, hypervisor_done done,
		   void *data)
{
	Vmm__AttachNetRequest request;
	const struct rpc_invocation inv = invocation(net, &request);

	return vmm_ask(vmm_of(hv), &inv, vmm_on_done,
		       &(struct vmm_request){.done = done, .data = data});
}
