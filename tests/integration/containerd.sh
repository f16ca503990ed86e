# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A containerd of the script's own, with our runtime, driven by ctr. To be sourced after lib.sh.
#
#   $dir                its directory: config.toml, containerd.sock, log, root, state
#   start_containerd    starts it, or starts it again; leaves $daemon
#   import_image [NS]   the built-in image's files as an image of containerd's, in its namespace NS; leaves $image
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
import_image() {
	fsck.erofs --extract="$dir/rootfs" "$build/share/builtin.erofs" >/dev/null 2>&1
	umoci init --layout "$dir/oci" && umoci new --image "$dir/oci:box" &&
		umoci unpack --image "$dir/oci:box" "$dir/bundle" >/dev/null 2>&1
	cp -a "$dir/rootfs/." "$dir/bundle/rootfs/"
	umoci repack --image "$dir/oci:box" "$dir/bundle" >/dev/null 2>&1
	umoci config --image "$dir/oci:box" --config.cmd sh
	tar -C "$dir/oci" -cf "$dir/box.tar" .
	ctr -n "${1:-default}" images import --index-name docker.io/library/box:latest "$dir/box.tar" >"$work/out" 2>&1
	image=$(ctr -n "${1:-default}" images list -q | head -n 1)
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
