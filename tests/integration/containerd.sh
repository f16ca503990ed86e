# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A containerd of the script's own, with our runtime, driven by ctr. To be sourced after lib.sh.
#
#   $dir                its directory: config.toml, containerd.sock, log, root, state
#   start_containerd    starts it, or starts it again; leaves $daemon
#   c ARGS...           ctr run ARGS; leaves $status, and $work/out and $work/err
#   await SECONDS TEST  waits until TEST holds
#   nothing             whether no process and no directory of a pod is left

unset SBX_ROOT # containerd's shims have the default one
dir=$(mktemp -d)
cat >"$dir/config.toml" <<EOF
version = 2
root = "$dir/root"
state = "$dir/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
address = "$dir/containerd.sock"
[ttrpc]
address = "$dir/containerd.sock.ttrpc"
EOF
export PATH=$build/bin:$PATH CONTAINERD_ADDRESS=$dir/containerd.sock
trap 'kill $daemon; pkill -9 -x "containerd-shim"; rm -rf "$work"' EXIT

await() {
	local _
	for _ in $(seq "${1}0"); do
		eval "$2" && return 0
		sleep 0.1
	done
	return 1
}
start_containerd() {
	containerd --config "$dir/config.toml" --log-level warn >>"$dir/log" 2>&1 &
	daemon=$!
	await 20 'ctr version >/dev/null 2>&1'
}
c() {
	timeout 100 ctr run --runtime io.containerd.sbx.v2 "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
}
nothing() {
	local name
	for name in sbx-vmm sbx-share containerd-shim; do
		! pgrep -x "$name" >/dev/null || return 1
	done
	[ -z "$(ls /run/sbx/default 2>/dev/null)" ]
}
