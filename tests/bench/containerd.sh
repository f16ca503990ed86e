# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# `ctr run` with our runtime and with runc, by a containerd of our own.

start_containerd() {
	mkdir containerd
	cat >containerd/config.toml <<-TOML
		version = 2
		root = "$work/containerd/root"
		state = "$work/containerd/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.devmapper"]
		[grpc]
		address = "$work/containerd/socket"
		[ttrpc]
		address = "$work/containerd/socket.ttrpc"
	TOML
	export CONTAINERD_ADDRESS=$work/containerd/socket CONTAINERD_NAMESPACE=sbx-bench
	# Its shims are told nothing of our SBX_ROOT, and use a user's.
	env -u SBX_ROOT containerd --config containerd/config.toml --log-level warn >out/containerd 2>&1 &
	containerd=$!
	for _ in {1..100}; do
		! ctr version >/dev/null 2>&1 || return 0
		sleep 0.2
	done
	return 1
}
stop_containerd() {
	kill "$containerd"
	wait "$containerd"
	# What it left mounted.
	awk -v dir="$work/" 'index($2, dir) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r umount -l
} 2>/dev/null

# shim_memory: what runc's shim holds, of one container.
shim_memory() {
	local own pss pid
	ctr run -d --runtime io.containerd.runc.v2 "$1" held /bin/busybox sleep 100000 >/dev/null 2>out/err </dev/null ||
		{ missing "memory: containerd-shim-runc-v2" "$(cat out/err)"; return; }
	sleep 1
	pid=$(pgrep -f "containerd-shim-runc-v2 .*-id held" | head -n 1)
	read -r own _ pss _ < <(ledger "$pid")
	say "memory of others" "containerd-shim-runc-v2, private" MiB "$own"
	say "memory of others" "containerd-shim-runc-v2, PSS" MiB "$pss"
	ctr task kill -s SIGKILL held
	for _ in {1..50}; do
		! ctr task rm held >/dev/null 2>&1 || break
		sleep 0.1
	done
	ctr container rm held
}

ctr_rows() {
	local image
	echo "# containerd"
	has "ctr run" containerd ctr || return
	[ -s first.tar ] || { missing "ctr run" "no image: umoci is not installed"; return; }
	[ "$(id -u)" = 0 ] || { missing "ctr run" "needs root"; return; }
	start_containerd || { missing "ctr run" "$(tail -n 3 out/containerd)"; return; }
	ctr images import --index-name docker.io/library/first:latest first.tar >out/import 2>&1
	image=$(ctr images list -q | head -n 1)
	time_row "ctr run with runc" ctr run --rm --runtime io.containerd.runc.v2 "$image" first /first
	time_row "ctr run with sbx" ctr run --rm --runtime io.containerd.sbx.v2 "$image" first /first
	shim_memory "$image"
	stop_containerd
}
