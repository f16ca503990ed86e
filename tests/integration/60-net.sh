#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The pod's network, in a network namespace made for this test: nothing of the host's own is touched.
#
#	hub: br0 10.9.0.1 --- veth pairs --- a, b: what CNI leaves for a pod
set -u
[ "${1:-}" = inside ] || exec unshare --net --mount "$0" inside
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
export PATH=$PATH:/usr/sbin:/sbin

case $size in
small | test) mib=2 ;;
full) mib=100 ;;
esac

mkdir -p /run/netns && mount -t tmpfs netns /run/netns
ip link set lo up
# The kernel turns parts of its network on with the first such discipline and off with the last, by
# rewriting its text, which the test host's emulator can miss (tests/host/guest/hold_keys.c).
tc qdisc add dev lo clsact
ip link add br0 type bridge
ip addr add 10.9.0.1/24 dev br0
ip addr add fd09::1/64 dev br0 nodad
ip link set br0 up

# pod NAME NUMBER MTU: a namespace as CNI's bridge plugin leaves it.
pod() {
	ip netns add "$1"
	ip link add "v$1" mtu "$3" type veth peer name eth0 mtu "$3" netns "$1"
	ip link set "v$1" master br0 up
	ip -n "$1" link set lo up
	ip -n "$1" addr add "10.9.0.$2/24" dev eth0
	ip -n "$1" addr add "fd09::$2/64" dev eth0 nodad
	ip -n "$1" link set eth0 up
	ip -n "$1" route add default via 10.9.0.1
	ip -n "$1" route add default via fd09::1
}
# What a namespace has beside what pod() made.
traces() {
	ip -n "$1" -o link | grep -v -e ' lo: ' -e ' eth0@'
	tc -n "$1" qdisc | grep -v noqueue
	tc -n "$1" filter show dev eth0 ingress
}
clean() {
	local _
	for _ in $(seq 40); do
		traces "$1" >"$work/traces" 2>&1
		[ -s "$work/traces" ] || return 0
		sleep 0.05
	done
	cat "$work/traces"
	return 1
}
in_pod() { # NAME ARGS...: sbx run on its network
	local name=$1
	shift
	run --network "ns:/run/netns/$name" "$@"
}
ready() { # FILE TEXT: waits until a background run has said it
	local _
	for _ in $(seq 600); do
		grep -qaF -- "$2" "$1" 2>/dev/null && return 0
		sleep 0.1
	done
	return 1
}

run -- sh -c 'ip -o link | grep -v " dummy0:"; ip route'
check "by default there is only lo" '[ "$(wc -l <"$work/out")" = 1 ] && out_has " lo: "'
run --network none -- sh -c 'ip -o link | grep -v " dummy0:"'
check "so it is with none" '[ "$(wc -l <"$work/out")" = 1 ] && out_has " lo: "'
run --network bridge -- true
check "other names are refused by one line" '[ $status = 125 ] && [ "$(wc -l <"$work/err")" = 1 ] && err_has --network'

pod a 2 1500
mac=$(ip -n a -o link show eth0 | sed 's/.*ether \([^ ]*\).*/\1/')
ip -n a route add 10.77.0.0/16 via 10.9.0.9 metric 5
ip -n a route add unreachable 10.78.0.0/16
ip -n a neigh add 10.9.0.77 lladdr 02:00:00:00:00:77 dev eth0
in_pod a -- sh -c 'ip addr show eth0; ip route; ip -6 route; ip neigh'
check "address, MTU and hardware address are the namespace's" \
	'out_has "inet 10.9.0.2/24" && out_has "inet6 fd09::2/64" && out_has "mtu 1500" && out_has "$mac"'
check "so are the routes" 'out_has "default via 10.9.0.1 dev eth0" && out_has "default via fd09::1 dev eth0" &&
	out_has "10.77.0.0/16 via 10.9.0.9 dev eth0  metric 5" && out_has "unreachable 10.78.0.0/16"'
check "and the permanent neighbour" 'out_has "10.9.0.77 dev eth0 lladdr 02:00:00:00:00:77"'
check "nothing is left in the namespace" 'clean a && ! leftovers'
ip -n a route del 10.77.0.0/16 && ip -n a route del unreachable 10.78.0.0/16

in_pod a -- sh -c 'ping -c 2 -W 5 10.9.0.1 && ping -6 -c 2 -W 5 fd09::1 && ping -c 2 -W 5 -s 1472 10.9.0.1'
check "the guest reaches the host, by IPv4 and IPv6" '[ $status = 0 ]'

# As CNI's ptp leaves it, where all others are behind the gateway; and a route of Cilium's.
ip -n a route change default via 10.9.0.1 mtu 1400 advmss 1360
ip -n a -6 route del fd09::/64 dev eth0
ip -n a -6 route add fd09::1 dev eth0 && ip -n a -6 route add fd09::/64 via fd09::1
in_pod a -- sh -c 'cat /proc/net/route; ip -6 route; ping -6 -c 1 -W 5 fd09::1'
check "a network behind the gateway is behind it in the guest" \
	'[ $status = 0 ] && out_has "fd09::/64 via fd09::1 dev eth0" && ! out_has "fd09::/64 dev eth0"'
check "a route has its own largest segment" 'grep -q "^eth0.00000000.*[[:space:]]1400[[:space:]]" "$work/out"'
ip -n a -6 route del fd09::/64 via fd09::1 && ip -n a -6 route del fd09::1 dev eth0
ip -n a -6 route add fd09::/64 dev eth0 proto kernel metric 256
ip -n a route change default via 10.9.0.1
ip -n a route del 10.9.0.0/24
in_pod a -- sh -c 'ip route; ping -c 1 -W 5 10.9.0.1'
check "a gateway that nothing but the link leads to" '[ $status = 0 ] && out_has "default via 10.9.0.1 dev eth0"'
ip -n a route add 10.9.0.0/24 dev eth0 proto kernel scope link src 10.9.0.2
# The kernel has no IPv6 on it.
pod small 9 1500
ip -n small link set eth0 mtu 1000
in_pod small -- sh -c 'ip addr show eth0; ping -c 1 -W 5 10.9.0.1'
check "an MTU that is too small for IPv6" '[ $status = 0 ] && out_has "mtu 1000"'
check "and nothing of that is left" 'clean small && ! leftovers'
ip netns del small

listener() { # ADDRESS PORT
	case $1 in
	*:*) echo "TCP6-LISTEN:$2,bind=[$1],reuseaddr" ;;
	*) echo "TCP4-LISTEN:$2,bind=$1,reuseaddr" ;;
	esac
}

# A stream each way, and how fast.
head -c $((mib << 20)) /dev/urandom >"$work/blob"
sum=$(md5sum <"$work/blob" | cut -d' ' -f1)
transfer() { # POD ADDRESS WHAT [OPTION...]
	local pod=$1 address=$2 what=$3 begin end
	shift 3
	socat -u "FILE:$work/blob" "$(listener "$address" 7001)" &
	begin=$(date +%s%N)
	in_pod "$pod" "$@" -- sh -c "nc $address 7001 </dev/null | md5sum"
	end=$(date +%s%N)
	check "$what: $mib MiB in ($((mib * 1000000000 / (end - begin))) MiB/s with the boot)" \
		'[ $status = 0 ] && out_has "$sum"'
	kill %% 2>/dev/null
	wait %% 2>/dev/null
	timeout -k 5 125 socat -u "$(listener "$address" 7002)" - | md5sum >"$work/got" &
	begin=$(date +%s%N)
	timeout -k 5 120 "$sbx" run --rm "${driver[@]}" "$@" -i --network "ns:/run/netns/$pod" -- nc "$address" 7002 \
		<"$work/blob" >"$work/out" 2>"$work/err"
	status=$?
	wait %%
	end=$(date +%s%N)
	check "$what: $mib MiB out ($((mib * 1000000000 / (end - begin))) MiB/s with the boot)" \
		'[ $status = 0 ] && grep -q "$sum" "$work/got"'
}
transfer a 10.9.0.1 "TCP by IPv4"
transfer a fd09::1 "TCP by IPv6"
transfer a 10.9.0.1 "TCP, two CPUs and two queues" --cpus 2

# From outside in, and pod to pod.
serve='echo listening; while :; do echo hello from $(hostname) | nc -l -p 80; done'
"$sbx" run --rm "${driver[@]}" --network ns:/run/netns/a --hostname pod-a -- sh -c "$serve" >"$work/a" 2>&1 &
ready "$work/a" listening
check "a pod answers a ping from outside" 'busybox ping -c 2 -W 10 10.9.0.2 >/dev/null'
check "and a connection" '[ "$(timeout 20 busybox nc 10.9.0.2 80 </dev/null)" = "hello from pod-a" ]'
in_pod a -- true
check "a second pod on the same namespace is refused" '[ $status = 125 ] && err_has "another pod is on this namespace"'
pod b 3 1500
in_pod b -- sh -c 'ping -c 1 -W 10 10.9.0.2 && nc 10.9.0.2 80 </dev/null'
check "two pods talk" '[ $status = 0 ] && out_has "hello from pod-a"'
kill %%
wait %% 2>/dev/null
check "both are gone without a trace" 'clean a && clean b && ! leftovers'

pod big 4 9000
ip link set br0 mtu 9000
in_pod big -- sh -c 'cat /sys/class/net/eth0/mtu; ping -c 2 -W 5 -s 8972 10.9.0.1'
check "an MTU of 9000 holds" '[ $status = 0 ] && out_has 9000'
transfer big 10.9.0.1 "TCP with an MTU of 9000"

# Namespaces that are none, or not for us.
in_pod absent -- true
check "a namespace that is not there: one line" '[ $status = 125 ] && [ "$(wc -l <"$work/err")" = 1 ] && err_has /run/netns/absent'
run --network ns:/etc/passwd -- true
check "a file that is no namespace" '[ $status = 125 ] && err_has "not a namespace"'
run --network "ns:/proc/$$/ns/net" -- true
check "the host's own is refused" '[ $status = 125 ] && err_has "the host'\''s own"'
ip netns add empty
in_pod empty -- sh -c 'ip -o addr show | grep -v " lo "; true'
check "one without an interface is no network" '[ $status = 0 ] && out_is ""'
ip link add second type veth peer name net1 netns b
ip -n b link set net1 up
in_pod b -- true
check "a second interface is refused by name" '[ $status = 125 ] && err_has "a second interface, net1 beside eth0"'
ip -n b link del net1
ip netns exec b tc qdisc add dev eth0 clsact
ip netns exec b tc filter add dev eth0 ingress matchall action pass
in_pod b -- true
check "somebody else's traffic control is not touched" '[ $status = 125 ] && err_has "in use" &&
	tc -n b filter show dev eth0 ingress | grep -q matchall && [ "$(ip -n b -o link | wc -l)" = 2 ]'

# Whoever dies, no tap outlives it, and the next pod finds its way.
for victim in containerd-shim sbx-vmm qemu-system-x86; do
	"$sbx" run --rm "${driver[@]}" --network ns:/run/netns/a -- sh -c 'echo up; sleep 60' >"$work/a" 2>&1 &
	ready "$work/a" up
	ours "$victim" | xargs -r kill -9 && wait %% 2>/dev/null
	kill %% 2>/dev/null
	wait %% 2>/dev/null
	leftovers
	for _ in $(seq 40); do
		ip -n a -o link | grep -q sbxtap || break
		sleep 0.05
	done
	check "no tap is left when $victim is killed" '! ip -n a -o link | grep sbxtap'
	"$sbx" ps >/dev/null
	check "nor, after the next command, what it was joined by" 'clean a'
done
in_pod a -- ping -c 1 -W 10 10.9.0.1
check "and the next pod has a network" '[ $status = 0 ] && clean a'
finish
