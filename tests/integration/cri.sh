# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# containerd's CRI with pods on a bridge of the CNI's own plugin. To be sourced after containerd.sh, in a
# network and a mount namespace of the script's own: nothing of the host's network is touched.
#
#   cri PROGRAM ARGS...  starts it and has PROGRAM.py (cri_pod.py says how) judge it; leaves $failed

# As systemd has it: what is mounted for a pod after its start comes to be in its shim's namespace, too.
mount --make-rshared /
mkdir -p /run/netns && mount -t tmpfs netns /run/netns
ip link set lo up
# As in 60-net.sh: the kernel's static keys for the ingress stay as they are.
/sbin/tc qdisc add dev lo clsact
mkdir "$dir/cni"
cat >"$dir/cni/10-bridge.conflist" <<EOF
{"cniVersion": "0.4.0", "name": "pods", "plugins": [{"type": "bridge", "bridge": "cni0", "isGateway": true,
	"ipam": {"type": "host-local", "dataDir": "$dir/ipam", "ranges": [[{"subnet": "10.77.0.0/24"}]],
		"routes": [{"dst": "0.0.0.0/0"}]}}]}
EOF
cat >"$dir/config.toml" <<EOF
version = 2
root = "$dir/root"
state = "$dir/state"
disabled_plugins = ["io.containerd.snapshotter.v1.devmapper"]
[grpc]
address = "$dir/containerd.sock"
[ttrpc]
address = "$dir/containerd.sock.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "docker.io/library/box:latest"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "$dir/cni"
[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "sbx"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.sbx]
runtime_type = "io.containerd.sbx.v2"
privileged_without_host_devices = true
EOF
start_cri() {
	start_containerd && disown && import_image k8s.io && [ -n "$image" ]
}
cri() {
	local program=$1
	shift
	check "containerd is up, with an image" start_cri
	python3 -B "$here/$program.py" "$dir/containerd.sock" "$build/tests/cri.desc" "$dir" "$image" 10.77.0.1 "$@" || failed=1
	[ "$failed" = 0 ] || tail -n 30 "$dir/log" | sed 's/^/# /'
}
# A case may have started another containerd.
trap 'pkill -9 -x containerd; pkill -9 -x containerd-shim; rm -rf "$work"' EXIT
