/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/service.h"

#include "agent.pb-c.h"
#include "common/rpc.h"

static const struct rpc_method methods[] = {
	{"Setup", handle_setup},
	{"Grow", handle_grow},
	{"Clock", handle_clock},
	{"Create", handle_create},
	{"Start", handle_start},
	{"Exec", handle_exec},
	{"Kill", handle_kill},
	{"Wait", handle_wait},
	{"Resize", handle_resize},
	{"CloseStdin", handle_close_stdin},
	{"Pids", handle_pids},
	{"Stats", handle_stats},
	{"Pause", handle_pause},
	{"Resume", handle_resume},
	{"Delete", handle_delete},
	{"Shutdown", handle_shutdown},
	{"Update", handle_update},
	{"WaitOom", handle_wait_oom},
	{"UpdateNetwork", handle_update_network},
	{"Forward", handle_forward},
};

const struct rpc_service agent_service = {
	.desc = &agent__agent__descriptor,
	.methods = methods,
	.n_methods = ARRAY_SIZE(methods),
};
