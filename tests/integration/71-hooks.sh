#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A bundle's hooks, by containerd: those of the host run on the host, in the runtime-spec's order and with
# the container's state; those of the container run in the guest. And resources, seccomp and an update.
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$(dirname "$(readlink -f "$0")")/containerd.sh"
start_containerd
fsck.erofs --extract="$dir/rootfs" "$build/share/builtin.erofs" >/dev/null 2>&1

hook() { # KIND: the host's hook of that kind notes its state, and what it sees of the kernel
	printf '"%s": [{"path": "/bin/sh", "args": ["sh", "-c", "cat >>%s; echo \\" %s $(uname -r)\\" >>%s"], "timeout": 10}]' \
		"$1" "$dir/hooks" "$1" "$dir/hooks"
}
config() { # SCRIPT HOOKS [ANNOTATION]
	cat >"$dir/config.json" <<EOF
{"ociVersion": "1.0.2", "root": {"path": "$dir/rootfs"}, "hostname": "h",
 "annotations": {"my.key": "my value"${3:+, $3}},
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
h() { c --rm --config "$dir/config.json" "$1"; }

all="$(hook prestart), $(hook createRuntime), $(hook poststart), $(hook poststop),
	\"createContainer\": [{\"path\": \"/bin/sh\", \"args\": [\"sh\", \"-c\", \"cat >/tmp/state; uname -r >>/tmp/state\"]}]"
config "mkdir /x || echo full; cat /tmp/state; sleep 1" "$all"
h hooked
check "a container with hooks and a profile runs" '[ $status = 0 ] && out_has full && err_has "No space left"'
check "createContainer runs in the guest, told of the container" \
	'out_has "\"id\":\"hooked\"" && out_has "\"status\":\"creating\"" && out_has "my value" && out_has -sbx'
cp "$dir/hooks" "$work/out"
check "the host's hooks run on the host, in order" \
	'[ "$(sed -n "s/.*} \([a-zA-Z]*\) $(uname -r)$/\1/p" "$dir/hooks" | tr "\n" " ")" = "prestart createRuntime poststart poststop " ]'
check "with the container's state" \
	'out_has "\"status\":\"creating\"" && out_has "\"status\":\"running\"" && out_has "\"status\":\"stopped\"" && out_has "my value"'

rm -f "$dir/hooks"
config "echo ran" '"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "echo why not >&2; exit 5"]}]'
h refused
check "a createRuntime hook that fails is the create's error, with what it said" \
	'[ $status != 0 ] && err_has "hooks.createRuntime: /bin/sh: ended with code 5: why not" && ! out_has ran'
# Whether only poststop has noted itself, and once.
only_poststop() {
	[ "$(sed -n "s/.*} \([a-zA-Z]*\) $(uname -r)$/\1/p" "$dir/hooks")" = poststop ] &&
		grep -q '"status":"stopped"' "$dir/hooks"
}
for kind in prestart createRuntime createContainer; do
	rm -f "$dir/hooks"
	config "echo ran" "\"$kind\": [{\"path\": \"/bin/false\"}], $(hook poststop), $(hook poststart)"
	h "failed-$kind"
	check "where $kind fails, poststop runs before the create does" \
		'[ $status != 0 ] && err_has "hooks.$kind: /bin/false" && ! out_has ran && only_poststop'
done
rm -f "$dir/hooks"
config "echo ran" "\"createRuntime\": [{\"path\": \"/bin/false\"}], \"poststop\": [{\"path\": \"/nonexistent\"}]"
h refused-twice
check "and how that fails is not the create's error" \
	'[ $status != 0 ] && err_has "hooks.createRuntime: /bin/false" && ! err_has poststop'
config "echo ran" "$(hook poststop)" '"sbx.init": "1"'
h never
check "a bundle that is refused has no hooks run" '[ $status != 0 ] && [ ! -e "$dir/hooks" ]'

config "cat /made; stat -c %a /made" '"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c",
	"ls -d $PWD/config.json >made; mv made '"$dir"'/rootfs/made"]}]'
h made
check "a host's hook runs in the bundle, and what it makes all may read" '[ $status = 0 ] && out_has /made/config.json && out_has 644'
rm -f "$dir/rootfs/made"
config "echo ran" '"poststart": [{"path": "/nonexistent"}]'
h ran
check "a poststart hook that fails is nobody's error" '[ $status = 0 ] && out_has ran'
config "echo ran" '' '"sbx.init": "1"'
h init
check "only sbx run has an init" '[ $status != 0 ] && err_has "annotations: sbx.init" && ! out_has ran'
check "nothing is left" 'await 5 nothing'
finish
