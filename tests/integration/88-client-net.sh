#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Networks that clients make in the namespace of the task's pid: `ctr run --cni`, which has CNI's plugins do it
# between create and start, and a createRuntime hook, as nerdctl's and Docker's. In a network and a mount
# namespace of the script's own: nothing of the host's network is touched.
set -u
[ "${1:-}" = inside ] || exec unshare --net --mount "$0" inside
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=containerd.sh
. "$here/containerd.sh"
export PATH=$PATH:/usr/sbin:/sbin

mkdir -p /run/netns /etc/cni/net.d
mount -t tmpfs netns /run/netns && mount -t tmpfs cni /etc/cni/net.d && mount -t tmpfs opt /opt
mkdir /opt/cni && ln -s /usr/lib/cni /opt/cni/bin
cat >/etc/cni/net.d/10-bridge.conflist <<EOF
{"cniVersion": "0.4.0", "name": "tasks", "plugins": [{"type": "bridge", "bridge": "cni0", "isGateway": true,
	"ipam": {"type": "host-local", "dataDir": "$dir/ipam", "ranges": [[{"subnet": "10.77.0.0/24"}]],
		"routes": [{"dst": "0.0.0.0/0"}]}}]}
EOF
ip link set lo up
# As in 60-net.sh: the kernel's static keys for the ingress stay as they are.
tc qdisc add dev lo clsact

check "containerd is up" start_containerd
import_image
check "an image" '[ -n "$image" ]'

# The links of this namespace but for the bridge; those of a pod's that ends go a moment later.
only_bridge() { ! ip -o link | grep -qv -e ' lo: ' -e ' cni0: '; }
gone() { await 10 nothing && await 10 only_bridge; }
listen() { # FILE PORT
	socat -u "FILE:$1" "TCP4-LISTEN:$2,reuseaddr" &
	await 10 "ss -Hltn 'sport = :$2' | grep -q ."
}

links='sed -n "s/^ *\(.*\):.*/link \1/p" /proc/net/dev' # in the guest
c --rm "$image" none sh -c "$links; ip addr"
check "without a client that makes one there is no network" \
	'[ $status = 0 ] && [ "$(grep "^link" "$work/out")" = "link lo" ] && out_has "inet 127.0.0.1/8"'

# --- ctr run --cni
head -c 2M /dev/urandom >"$work/blob"
sum=$(md5sum <"$work/blob" | cut -d' ' -f1)
listen "$work/blob" 7001
c --rm --cni "$image" cni sh -c "$links; ip addr; ip route; ping -c 2 -W 10 10.77.0.1; nc 10.77.0.1 7001 </dev/null | md5sum"
check "ctr run --cni: the guest has the address and the route" \
	'[ $status = 0 ] && out_has "inet 10.77.0.2/24" && out_has "default via 10.77.0.1 dev eth0"'
check "on one interface beside lo" '[ "$(grep "^link" "$work/out" | sort | xargs)" = "link eth0 link lo" ]'
check "and reaches the host" 'out_has "2 packets received" && out_has "$sum"'
kill %socat 2>/dev/null
check "and CNI has it all back" 'gone && ! ls "$dir"/ipam/tasks/10.* 2>/dev/null'

c -d --cni "$image" serve sh -c 'while :; do echo hello | nc -l -p 80; done'
address=$(basename "$(ls "$dir"/ipam/tasks/10.*)")
pid=$(ctr task list | awk '$1 == "serve" { print $2 }')
check "a task that stays" '[ $status = 0 ] && [ -n "$address" ] && [ -n "$pid" ]'
check "answers a ping" 'busybox ping -c 2 -W 10 "$address" >"$work/out"'
check "and a connection" 'await 20 "timeout 10 busybox nc $address 80 </dev/null >$work/out 2>/dev/null; out_is hello"'
check "its tap is in the monitor's namespace" 'nsenter --net="/proc/$pid/ns/net" ip -o link | grep -q sbxtap'
check "and not here" '! ip -o link | grep -q sbxtap'
kill -9 "$(pgrep -x containerd-shim)"
check "a shim that is killed leaves nothing of it" 'await 20 "ctr task list | grep -q serve.*STOPPED || ! ctr task list | grep -q serve" && gone'
ctr task rm serve >/dev/null 2>&1
ctr container rm serve

# --- a hook
cat >"$dir/hook" <<'EOF'
#!/bin/sh
# hook NAME...: an interface of each name for the pid of the state on stdin, the first with an address
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
pid=$(sed -n 's/.*"pid": *\([0-9]*\).*/\1/p')
set -e
for name; do
	ip link add "v$name" type veth peer name "$name" netns "$pid"
	ip link set "v$name" up
	nsenter --net="/proc/$pid/ns/net" ip link set "$name" up
done
ip addr add 10.78.0.1/24 dev "v$1"
nsenter --net="/proc/$pid/ns/net" ip addr add 10.78.0.2/24 dev "$1"
nsenter --net="/proc/$pid/ns/net" ip route add default via 10.78.0.1
EOF
chmod +x "$dir/hook"
config() { # KIND NAME...: the host's hook of that kind makes these
	local kind=$1 name names=
	shift
	for name; do
		names+=", \"$name\""
	done
	cat >"$dir/config.json" <<EOF
{"ociVersion": "1.0.2", "root": {"path": "$dir/rootfs"}, "hostname": "h",
 "process": {"cwd": "/", "args": ["sh", "-c", "ip addr; ip route; ping -c 1 -W 10 10.78.0.1"], "env": ["PATH=/bin"],
	"user": {"uid": 0, "gid": 0}, "capabilities": {"bounding": ["CAP_NET_RAW"], "effective": ["CAP_NET_RAW"],
		"permitted": ["CAP_NET_RAW"]}},
 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
	{"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}],
 "hooks": {"$kind": [{"path": "$dir/hook", "args": ["hook"$names]}]},
 "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "uts"}, {"type": "ipc"}, {"type": "network"}]}}
EOF
}
for kind in prestart createRuntime; do
	config "$kind" eth0
	c --rm --config "$dir/config.json" "$kind"
	check "a network of a $kind hook's is the guest's" '[ $status = 0 ] && out_has "inet 10.78.0.2/24" &&
		out_has "default via 10.78.0.1 dev eth0" && out_has "1 packets received"'
	check "and nothing is left of it" gone
done
config createRuntime eth0 eth1
c --rm --config "$dir/config.json" two
check "a second interface is the start's error" '[ $status != 0 ] && err_has "a second interface, eth1 beside eth0" && ! out_has inet'
check "and nothing is left of that" gone
finish
