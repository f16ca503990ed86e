#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# also: qemu
# Every rule of the lists of system calls (vmm/seccomp_*.def) is there because something needs it: sbx-vmm and
# sbx-share with rules that count (counted.c) do the main jobs of the suite. A rule that let nothing through says in
# its reason why no test can need it ("unseen:"), or that only QEMU's sbx-share does ("qemu:"), or fails. That every
# other call ends the process is tests/unit/vmm/seccomp.c's.
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"

export SBX_RULES=$work/rules
tests=$build/tests
"$tests/host_rules" "$SBX_RULES" # makes it
chmod 666 "$SBX_RULES"
# Where the scripts below find what they run.
world=$work/world
mkdir -p "$world"
cp -rL "$build/bin" "$build/share" "$world/"
ln -s "$tests" "$world/tests"
cp "$tests/counted_vmm" "$world/bin/sbx-vmm"
cp "$tests/counted_share" "$world/bin/sbx-share"

job() { # SCRIPT: with what it says shown where it fails
	SBX_BUILD=$world SBX_SIZE=small timeout -k 5 300 "$here/$1" >"$work/out" 2>&1
	status=$?
	check "$1: $(grep -c '^ok' "$work/out") cases, counted" '[ $status = 0 ]'
	[ $status = 0 ] || grep -v '^ok' "$work/out" | head -n 20 | sed 's/^/    /'
}
# A tap with a queue for each CPU, and packets each way. 60-net.sh has the rest.
network() {
	export PATH=$PATH:/usr/sbin:/sbin
	mkdir -p /run/netns && mount -t tmpfs netns /run/netns
	tc qdisc add dev lo clsact
	ip netns add rules
	ip link add rules0 type veth peer name eth0 netns rules
	ip addr add 10.78.0.1/24 dev rules0
	ip link set rules0 up
	ip -n rules addr add 10.78.0.2/24 dev eth0
	ip -n rules link set eth0 up
	sbx=$world/bin/sbx run --cpus 2 --network ns:/run/netns/rules -- ping -c 3 -W 5 10.78.0.1
	check "ping, counted" '[ $status = 0 ]'
	ip netns del rules
}
if [ "${SBX_HYPERVISOR:-vmm}" = vmm ]; then
	lists=(main vcpu worker share)
	job 11-virtio.sh
	network
else
	lists=(devices share)
fi
# What 50-share.sh compares with the host's file system, then a tree that makes tables grow, and what is left.
mkdir -p "$work/many/there"
(cd "$work/many" && for d in $(seq 20); do mkdir "$d" && (cd "$d" && touch $(seq 200)); done)
cp "$tests/guest_try" "$work/many/try"
cp "$tests/fs_cases" "$work/many/cases"
run_limit=300
sbx=$world/bin/sbx run -m 512m --cap-add ALL -e FS_CASES_FILES=50 -v "$work/many:/mnt" -- sh -c '
	/mnt/cases /mnt/there | wc -l; ls -lR /mnt | wc -l; df /mnt >/dev/null && /mnt/try btime /mnt/try; /mnt/try fsync /mnt/1; sync'
check "cases on a shared folder, and a large tree, counted" '[ $status = 0 ] && [ "$(grep -cx ok "$work/out")" = 2 ]'

# The orderly end: a pod's is faster, by SIGKILL.
perl -MSocket -e '$^F = 99; socketpair(A, B, AF_UNIX, SOCK_SEQPACKET, 0); socketpair(C, D, AF_UNIX, SOCK_STREAM, 0);
	exec @ARGV, "--fuse=fd:" . fileno(A), "--control=fd:" . fileno(C)' "$tests/counted_share" &
server=$!
for _ in {1..300}; do
	grep -qs "^Seccomp:[^0-9]*2" "/proc/$(pgrep -P $server)/status" && break
	sleep 0.1
done
kill $server
wait $server
status=$?
check "sbx-share ends when it is told to, counted" '[ $status = 0 ]'

"$tests/host_rules" "$SBX_RULES" "${lists[@]}" >"$work/rules.txt"
sort -rn -k 2 "$work/rules.txt" | sed 's/^/# /'
must='idle '
# What sbx-vmm's threads have, QEMU's sbx-share has for the same devices, and needs less of it.
[ "${SBX_HYPERVISOR:-vmm}" = vmm ] || must='idle share:|qemu '
check "of $(grep -c '^hit' "$work/rules.txt") rules that were hit and $(grep -c '^unseen' "$work/rules.txt") that say why not, none is idle" \
	'[ "$(grep -c ^hit "$work/rules.txt")" -ge 30 ] && ! grep -qE "^($must)" "$work/rules.txt"'
check "no more than ten say so" '[ "$(grep -c ^unseen "$work/rules.txt")" -le 10 ]'
check "no call was made that no rule allows" '! grep -q ^unlisted "$work/rules.txt"'
finish
