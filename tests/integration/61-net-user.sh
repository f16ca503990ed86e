#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# --network user: the host's network through passt, on a host made for this test.
set -u
[ "${1:-}" = inside ] || exec unshare --net --mount "$0" inside
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
export PATH=$PATH:/usr/sbin:/sbin

case $size in
small | test) mib=4 ;;
full) mib=100 ;;
esac
command -v passt >/dev/null || { echo "not ok passt: not installed"; exit 1; }

# The host: one interface with a default route, a resolver, a web server.
host=192.0.2.10
ip link set lo up
ip link add d0 type veth peer name d1
ip link set d1 up
ip addr add $host/24 dev d0
ip link set d0 up
ip route add default via 192.0.2.1
echo "nameserver $host" >"$work/resolv.conf"
mount --bind "$work/resolv.conf" /etc/resolv.conf
mkdir "$work/www"
head -c $((mib << 20)) /dev/urandom >"$work/www/blob"
sum=$(md5sum <"$work/www/blob" | cut -d' ' -f1)
python3 -m http.server --bind $host --directory "$work/www" 8000 >/dev/null 2>&1 &
web=$!
python3 -m http.server --bind 127.0.0.1 --directory "$work/www" 8001 >/dev/null 2>&1 &
private=$!
# Every name is 192.0.2.10.
python3 - $host >/dev/null 2>&1 <<'DNS' &
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 53))
while True:
    q, peer = s.recvfrom(512)
    end = q.index(0, 12) + 5
    a = q[end - 4:end - 2] == b"\0\1"
    head = q[:2] + b"\x81\x80\0\1" + (b"\0\1" if a else b"\0\0") + b"\0\0\0\0"
    answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(sys.argv[1]) if a else b""
    s.sendto(head + q[12:end] + answer, peer)
DNS
dns=$!
trap 'kill $web $private $dns; ours | xargs -r kill -9; rm -rf "$work" "$SBX_ROOT"' EXIT
for _ in $(seq 100); do
	(: </dev/tcp/$host/8000) 2>/dev/null && (: </dev/tcp/127.0.0.1/8001) 2>/dev/null && break
	sleep 0.1
done
no_passt() { # within a second
	local _
	for _ in $(seq 20); do
		pgrep passt >/dev/null || return 0
		sleep 0.05
	done
	return 1
}

run --network user -- sh -c 'ip addr show eth0; ip route; cat /etc/resolv.conf'
check "the guest has an address, a route and a resolver" '[ $status = 0 ] && out_has "inet 10.0.2.15/24" &&
	out_has "default via 10.0.2.2 dev eth0" && out_has "nameserver 10.0.2.3"'
check "nothing runs any more" 'no_passt && ! leftovers'
begin=$(date +%s%N)
run --network user -- sh -c "wget -q -O - http://$host:8000/blob | md5sum"
end=$(date +%s%N)
check "it fetches $mib MiB from a web server ($((mib * 1000000000 / (end - begin))) MiB/s with the boot)" \
	'[ $status = 0 ] && out_has "$sum"'
run --network user -- sh -c 'wget -q -O - http://web.example:8000/blob | md5sum'
check "and by the server's name" '[ $status = 0 ] && out_has "$sum"'
run --network user -- wget -T 5 -q -O - http://10.0.2.2:8001/
check "what listens on the host's loopback only is out of reach" '[ $status != 0 ] && out_is ""'

"$sbx" run --rm "${driver[@]}" --network user -p 127.0.0.1:8081:80 --publish 8082:81/tcp -- \
	sh -c 'while :; do echo first | nc -l -p 80; done & while :; do echo second | nc -l -p 81; done' >"$work/a" 2>&1 &
pod=$!
# What the port answers, within a minute. It is spoken to first: Debian 12's passt forgets the last ACK of
# a handshake until there is something to send.
said() { # ADDRESS PORT TEXT
	local _
	for _ in $(seq 60); do
		[ "$(timeout 5 bash -c "exec 3<>/dev/tcp/$1/$2 && echo >&3 && cat <&3" 2>/dev/null)" = "$3" ] && return 0
		sleep 1
	done
	return 1
}
check "a published port leads inside" 'said 127.0.0.1 8081 first'
check "the other too, from every address" 'said $host 8082 second'
run --network user -p 8081:80 -- true
check "a port that is taken: one line" '[ $status = 125 ] && [ "$(wc -l <"$work/err")" = 1 ] && err_has passt'
ours containerd-shim | xargs -r kill -9
wait $pod 2>/dev/null
check "passt dies with a shim that is killed" 'no_passt && ! leftovers'

run -p 80:80 -- true
check "publish without a network is refused" '[ $status = 125 ] && err_has --publish'
run --network user -p 80 -- true
check "half a port is refused" '[ $status = 125 ] && err_has "--publish 80"'
ip route del default
run --network user -- true
check "a host without a network: one line" '[ $status = 125 ] && [ "$(wc -l <"$work/err")" = 1 ] && err_has passt'
finish
