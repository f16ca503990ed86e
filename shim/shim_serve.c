/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the daemon half of the shim. It lives from the fork in shim_boot.c until
 * shim_shut_down(), for which there are seven reasons: a client asks (Shutdown), a signal asks, the
 * init of a detached run has ended, a client that holds the pod has gone, there is neither a client nor a
 * container (a containerd whose time for Shutdown is over goes without), or the stand-in of the only
 * container has gone before that has run; or nobody has ever wanted a container, as of a containerd that died
 * while it started us, and was back too soon to find where we listen, or found us and keeps the connection.
 *
 * The shutdown is deferred to the end of a turn, because it frees what the callers stand on. It ends
 * the VM first, which closes the agent's connection and so answers all that is open; then the record
 * and the directory; then who asked for it is answered, as containerd starts the next of that name at once;
 * then every connection closes once its answers are written, and the process ends once its events have
 * reached containerd, all within LINGER_NS.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/io.h"
#include "common/log.h"
#include "common/loop.h"
#include "shim/container.h"
#include "shim/forward.h"
#include "shim/grace.h"
#include "shim/log_file.h"
#include "shim/publisher.h"
#include "shim/shim.h"

#define LINGER_NS (2 * 1000000000ull)
#define NOBODY_NS (60 * 1000000000ull)
#define ACCEPTS   16

static const struct rpc_service *const services[] = {
	&shim_task_service, &shim_task_v3_service, &shim_pod_service, &shim_sandbox_service, NULL,
};

/* --- clients ---------------------------------------------------------------------------------- */

/* Every answer and every event is out. */
static void exit_if_done(struct shim *shim)
{
	if (shim->closing && list_empty(&shim->clients) && publisher_is_idle(shim->publisher))
		loop_exit(shim->loop, 0);
}

static void client_free(struct client *client)
{
	struct shim *shim = client->shim;

	list_remove(&client->link);
	rpc_conn_close(client->conn);
	free(client);
	exit_if_done(shim);
}

/* A pod that was made by itself may be empty, and wait for a containerd that is being started again. */
void shim_end_if_unused(struct shim *shim)
{
	bool made = shim->pod_service && shim->sandbox.state != SANDBOX_NEW;

	if (list_empty(&shim->clients) && list_empty(&shim->containers) && !made)
		shim_shut_down(shim, "its client went away");
}

static void on_client_close(struct rpc_conn *conn, int why, void *data)
{
	struct client *client = data;
	struct shim *shim = client->shim;
	/* A detached run is on its own from the moment that its process runs. */
	bool alone = shim->record.detached && shim->record.status != RECORD_CREATED;
	bool held = client->holds && !alone;
	pid_t pid = client->pid;

	client_free(client);
	container_end_orphans(shim, pid);
	if (held)
		shim_shut_down(shim, "its client went away");
	shim_end_if_unused(shim);
}

static pid_t peer_pid(int fd)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0 ? 0 : cred.pid;
}

static int add_client(struct shim *shim, int fd)
{
	struct client *client = calloc(1, sizeof(*client));
	const struct rpc_config config = {
		.services = services,
		.data = client,
		.on_close = on_client_close,
		.role = "shim",
		.max_calls = SHIM_MAX_CALLS,
		.fds_allowed = true,
	};
	int r;

	if (!client) {
		close(fd);
		return -ENOMEM;
	}
	client->shim = shim;
	client->pid = peer_pid(fd);
	list_init(&client->link);
	r = rpc_conn_create(shim->loop, fd, &config, &client->conn);
	if (r < 0) {
		free(client);
		return r;
	}
	list_append(&shim->clients, &client->link);
	return 0;
}

static void on_listener(struct source *source, uint32_t events, void *data)
{
	struct shim *shim = data;

	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(shim->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			return;
		if (sock_check_peer(fd) < 0) {
			log_warn("a connection of another user's was refused");
			close(fd);
		} else if (add_client(shim, fd) < 0) {
			log_warn("a connection could not be served");
		}
	}
}

struct container *shim_find_stood_for(struct shim *shim, pid_t pid)
{
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &shim->clients) {
		const struct client *client = list_entry(it, struct client, link);

		if (client->pid == pid && client->waits_for[0])
			return container_find(shim, client->waits_for);
	}
	return NULL;
}

/* --- the pod ---------------------------------------------------------------------------------- */

void shim_save_record(struct shim *shim)
{
	struct err err = ERR_INIT;

	if (shim->record.status == RECORD_RUNNING && !shim->record.started_ns) {
		struct timespec ts;

		clock_gettime(CLOCK_REALTIME, &ts);
		shim->record.started_ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	}
	if (pod_dir_write_record(shim->pod, &shim->record, &err) < 0)
		log_error("%s", err.msg);
}

int shim_take_slot(struct shim *shim)
{
	for (int slot = 0; slot < HYPERVISOR_SLOTS; slot++) {
		if (!(shim->slots & 1u << slot)) {
			shim->slots |= 1u << slot;
			return slot;
		}
	}
	return -1;
}

static void on_detached(const struct err *err, void *data)
{
	if (err)
		log_warn("detaching a disk: %s", err->msg);
}

void shim_free_slot(struct shim *shim, int slot)
{
	struct hypervisor *hv = shim->sandbox.hv;

	shim->slots &= ~(1u << slot);
	if (hv && shim->sandbox.state == SANDBOX_READY && hv->ops->detach_disk)
		hv->ops->detach_disk(hv, (unsigned)slot, on_detached, NULL);
}

static void on_sandbox_ready(void *data)
{
	struct shim *shim = data;
	struct list *it, *tmp;

	/* For a program that is done in no time. */
	grace_begin();
	if (shim->forward)
		forward_begin(shim->forward);
	shim_pod_ready(shim);
	list_for_each_safe (it, tmp, &shim->containers)
		container_enter(list_entry(it, struct container, link));
}

/* The VM and what it has on the host. */
static void end_machine(struct shim *shim)
{
	forward_destroy(TAKE_PTR(shim->forward));
	sandbox_finish(&shim->sandbox);
	net_finish(&shim->net);
	pod_dir_forget_network(shim->pod);
}

bool shim_lets_go(const struct shim *shim)
{
	return !list_empty(&shim->containers) &&
	       list_entry(shim->containers.next, struct container, link)->letting_go;
}

static void on_sandbox_failed(const struct err *why, void *data)
{
	struct shim *shim = data;
	struct list *it, *tmp;

	if (shim_lets_go(shim)) {
		sandbox_hang_up(&shim->sandbox);
		end_machine(shim);
	} else if (shim->record.status != RECORD_STOPPED) {
		shim->record.error = why->msg;
	}
	list_for_each_safe (it, tmp, &shim->containers)
		container_fail(list_entry(it, struct container, link), why);
	/* From here on no answer can come, and objects may be freed. */
	sandbox_hang_up(&shim->sandbox);
	/* A pod that was made by itself ends by itself; the shim is asked about it until it is told to go. */
	if (shim->pod_service)
		end_machine(shim);
	shim_pod_ended(shim, why);
}

static void tear_down(struct shim *shim)
{
	struct err gone = ERR_INIT;
	struct list *it, *tmp;

	if (shim->sandbox.hv)
		grace_begin();
	err_set(&gone, EPIPE, "the sandbox was torn down");
	if (shim->record.status != RECORD_STOPPED && !shim->record.error)
		shim->record.error = shim->sandbox.why.code ? shim->sandbox.why.msg : gone.msg;
	list_for_each_safe (it, tmp, &shim->containers)
		container_fail(list_entry(it, struct container, link), &gone);
	/* First the agent's open calls, then who waits for the guest's streams, then both's own end. */
	agent_client_destroy(TAKE_PTR(shim->sandbox.agent));
	end_machine(shim);
	shim_pod_ended(shim, &gone);
	list_for_each_safe (it, tmp, &shim->containers)
		container_let_go(list_entry(it, struct container, link));
	if (shim->record.status != RECORD_STOPPED) {
		shim->record.status = RECORD_STOPPED;
		shim->record.exit_status = 137;
	}
	shim->record.shim_pid = shim->record.vmm_pid = 0;
	if (shim->own_pod && !shim->record.remove) {
		pod_dir_remove_sockets(shim->pod);
		shim_save_record(shim);
	} else {
		pod_dir_remove(shim->pod, NULL);
	}
	shim->record.error = NULL;
}

static void on_linger(struct source *source, uint32_t events, void *data)
{
	struct shim *shim = data;

	loop_exit(shim->loop, 0);
}

static void on_idle(void *data)
{
	exit_if_done(data);
}

static void on_closing(struct source *source, uint32_t events, void *data)
{
	struct shim *shim = data;
	struct list *it, *tmp;

	source_remove(shim->listener);
	shim->listener = NULL;
	tear_down(shim);
	if (shim->shutdown)
		rpc_reply_empty(TAKE_PTR(shim->shutdown));
	list_for_each_safe (it, tmp, &shim->clients)
		rpc_conn_close_after_flush(list_entry(it, struct client, link)->conn);
	if (shim->publisher)
		publisher_on_idle(shim->publisher, on_idle, shim);
	exit_if_done(shim);
	source_arm(shim->linger, LINGER_NS);
}

void shim_shut_down(struct shim *shim, const char *why)
{
	if (shim->closing)
		return;
	shim->closing = true;
	if (why && shim->record.status != RECORD_STOPPED)
		shim->record.error = why;
	source_defer(shim->closer);
}

void shim_shut_down_for(struct shim *shim, struct rpc_call *call)
{
	shim_shut_down(shim, NULL);
	if (shim->shutdown)
		rpc_reply_empty(call);
	else
		shim->shutdown = call;
}

static void on_nobody(struct source *source, uint32_t events, void *data)
{
	struct shim *shim = data;

	if (list_empty(&shim->containers) && shim->sandbox.state == SANDBOX_NEW &&
	    !shim->pod_service)
		shim_shut_down(shim, "nobody wants a container");
}

static void on_signal(struct source *source, uint32_t events, void *data)
{
	shim_shut_down(data, "its owner process was asked to end");
}

/* --- life ------------------------------------------------------------------------------------- */

static int load_record(struct shim *shim, struct err *err)
{
	int r = 0;

	if (shim->own_pod)
		r = pod_dir_read_record(shim->pod, &shim->record, err);
	if (r < 0)
		return r;
	shim->record.id = shim->pod->id;
	shim->record.namespace = shim->pod->namespace;
	shim->record.shim_pid = getpid();
	shim_save_record(shim);
	return 0;
}

/* containerd says where it wants to hear of events; sbx's own clients ask instead. */
static int set_up_events(struct shim *shim)
{
	const char *address = getenv("TTRPC_ADDRESS");

	/* sbx-oci's namespaces, which containerd does not know: its shim may have started sbx-oci. */
	if (shim->own_pod || shim->pod->namespace[0] == '@' || !address || !address[0])
		return 0;
	return publisher_create(shim->loop, address, shim->pod->namespace, &shim->publisher);
}

static int set_up(struct shim *shim, int client_fd, struct err *err)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	const struct sandbox_events events = {
		.ready = on_sandbox_ready,
		.failed = on_sandbox_failed,
		.data = shim,
	};
	struct source *source;
	int r = loop_create(&shim->loop);

	list_init(&shim->containers);
	list_init(&shim->clients);
	if (r == 0)
		r = loop_add_defer(shim->loop, on_closing, shim, &shim->closer);
	if (r == 0)
		r = loop_add_timer(shim->loop, on_linger, shim, &shim->linger);
	if (r == 0)
		r = loop_add_timer(shim->loop, on_nobody, shim, &source);
	if (r == 0)
		source_arm(source, NOBODY_NS);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(signals); i++)
		r = loop_add_signal(shim->loop, signals[i], on_signal, shim, &source);
	if (r == 0)
		r = loop_add_io(shim->loop, shim->listen_fd, EPOLLIN, on_listener, shim,
				&shim->listener);
	if (r == 0 && client_fd >= 0)
		r = add_client(shim, client_fd);
	if (r < 0)
		return err_set_errno(err, -r, "cannot set the shim up");
	r = set_up_events(shim);
	if (r < 0)
		return err_set_errno(err, -r, "cannot set the way of events up");
	sandbox_init(&shim->sandbox, shim->loop, &events);
	stages_mark(&shim->sandbox.stages, "shim up");
	return load_record(shim, err);
}

int shim_serve(struct pod_dir *pod, int listen_fd, int client_fd, int log_fd)
{
	struct shim shim = {
		.pod = pod,
		.listen_fd = listen_fd,
		.log_fd = log_fd,
		.own_pod = strcmp(pod->namespace, SHIM_OWN_NAMESPACE) == 0,
	};
	struct log_guard *log = NULL;
	struct err err = ERR_INIT;
	struct list *it, *tmp;
	int r;

	io_ignore_signals();
	r = set_up(&shim, client_fd, &err);
	/* The monitor and the file server write to it, too, and may not be ours any more. */
	if (r == 0 && log_guard_create(shim.loop, log_fd, LOG_FILE_KEEP, &log) < 0)
		log_warn("cannot watch over the log's size");
	if (r < 0)
		log_error("%s", err.msg);
	else
		r = loop_run(shim.loop);
	list_for_each_safe (it, tmp, &shim.clients)
		client_free(list_entry(it, struct client, link));
	publisher_destroy(shim.publisher);
	memory_volumes_finish(&shim.volumes);
	log_guard_destroy(log);
	shim_pod_free(&shim);
	close_fd(&shim.listen_fd);
	loop_destroy(shim.loop);
	record_finish(&shim.record);
	pod_dir_free(pod);
	return r < 0 ? 125 : r;
}
