#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A bundle's hooks, by containerd: those of the host run on the host, in the runtime-spec's order and with
# the container's state; those of the container run in the guest. And resources, seccomp and an update.
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"
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
containerd --config "$dir/config.toml" --log-level warn >"$dir/log" 2>&1 &
daemon=$!
trap 'kill $daemon; rm -rf "$work"' EXIT
for _ in $(seq 200); do ctr version >/dev/null 2>&1 && break; sleep 0.1; done
fsck.erofs --extract="$dir/rootfs" "$build/share/builtin.erofs" >/dev/null 2>&1

hook() { # KIND: the host's hook of that kind notes its state, and what it sees of the kernel
	printf '"%s": [{"path": "/bin/sh", "args": ["sh", "-c", "cat >>%s; echo \\" %s $(uname -r)\\" >>%s"], "timeout": 10}]' \
		"$1" "$dir/hooks" "$1" "$dir/hooks"
}
config() { # SCRIPT HOOKS
	cat >"$dir/config.json" <<EOF
{"ociVersion": "1.0.2", "root": {"path": "$dir/rootfs"}, "hostname": "h",
 "annotations": {"my.key": "my value"},
 "process": {"cwd": "/", "args": ["sh", "-c", "$1"], "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0},
	"apparmorProfile": "some-profile"},
 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
	{"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}],
 "hooks": {$2},
 "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "uts"}, {"type": "ipc"}, {"type": "network"}],
	"cgroupsPath": "/somewhere/else",
	"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"],
		"action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}}}
EOF
}
c() { timeout 100 ctr run --rm --runtime io.containerd.sbx.v2 --config "$dir/config.json" "$1" >"$work/out" 2>"$work/err" </dev/null; status=$?; }

all="$(hook prestart), $(hook createRuntime), $(hook poststart), $(hook poststop),
	\"createContainer\": [{\"path\": \"/bin/sh\", \"args\": [\"sh\", \"-c\", \"cat >/tmp/state; uname -r >>/tmp/state\"]}]"
config "mkdir /x || echo full; cat /tmp/state; sleep 1" "$all"
c hooked
check "a container with hooks and a profile runs" '[ $status = 0 ] && out_has full && err_has "No space left"'
check "createContainer runs in the guest, told of the container" \
	'out_has "\"id\":\"hooked\"" && out_has "\"status\":\"creating\"" && out_has "my value" && out_has -sbx'
cp "$dir/hooks" "$work/out"
check "the host's hooks run on the host, in order" \
	'[ "$(sed -n "s/.*} \([a-zA-Z]*\) $(uname -r)$/\1/p" "$dir/hooks" | tr "\n" " ")" = "prestart createRuntime poststart poststop " ]'
check "with the container's state" \
	'out_has "\"status\":\"creating\"" && out_has "\"status\":\"running\"" && out_has "\"status\":\"stopped\"" && out_has "my value"'

rm -f "$dir/hooks"
config "echo ran" '"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "exit 5"]}]'
c refused
check "a createRuntime hook that fails is the create's error" \
	'[ $status != 0 ] && err_has "hooks.createRuntime: /bin/sh: ended with code 5" && ! out_has ran'
config "echo ran" '"poststart": [{"path": "/nonexistent"}]'
c ran
check "a poststart hook that fails is nobody's error" '[ $status = 0 ] && out_has ran'
check "no shim is left" 'for _ in $(seq 50); do pgrep -x "containerd-shim" >/dev/null || break; sleep 0.1; done; ! pgrep -x "containerd-shim"'
finish
