#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A sandbox that takes all it can get stays inside its limits: rates of disk, network and console, memory whatever
# it is filled with, processes, CPUs, and what it may say. 41-neighbours.sh has the sandbox beside it.
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"

export PATH=$PATH:/usr/sbin:/sbin
now() { date +%s%N; }
took() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f", (b - a) / 1e9 }'; }
at_least() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a >= b) }'; }

# --- rates --------------------------------------------------------------------------------------------

# The whole of the built-in image is read, of which that much lies on the disk.
bytes=$(stat -c %s "$build/share/builtin.erofs")
rate=131072
start=$(now)
run --disk-rate 128k -- sh -c 'find / -xdev -type f | xargs cat 2>/dev/null | wc -c'
seconds=$(took "$start")
# What a second brings comes at once; a fifth may be padding that nobody reads.
expected=$(awk -v b="$bytes" -v r=$rate 'BEGIN { printf "%.1f", b * 0.8 / r - 1 }')
check "a disk of 128 KiB a second: $bytes bytes take $seconds s, not less than $expected" \
	'[ $status = 0 ] && at_least "$seconds" "$expected" && at_least "$expected" 5'

mkdir -p /run/netns && mount -t tmpfs netns /run/netns
ip link set lo up
# As 60-net.sh has it: the emulator can miss it where the kernel rewrites its own text for the first such discipline.
tc qdisc add dev lo clsact
if ip netns add sbxlimits 2>/dev/null; then
	trap 'ours | xargs -r kill -9; ip netns del sbxlimits; ip link del sbxl0 2>/dev/null; rm -rf "$work" "$SBX_ROOT"' EXIT
	ip link add sbxl0 type veth peer name eth0 netns sbxlimits
	ip addr add 10.77.0.1/24 dev sbxl0
	ip link set sbxl0 up
	ip -n sbxlimits addr add 10.77.0.2/24 dev eth0
	ip -n sbxlimits link set lo up
	ip -n sbxlimits link set eth0 up
	timeout 150 socat -u TCP-LISTEN:7700,reuseaddr - >"$work/received" &
	listener=$!
	start=$(now)
	run --network ns:/run/netns/sbxlimits --net-rate 64k -- sh -c 'head -c 524288 /dev/zero | nc 10.77.0.1 7700'
	seconds=$(took "$start")
	[ $status != 0 ] || wait $listener
	check "a network of 64 KiB a second: $(stat -c %s "$work/received") bytes take $seconds s" \
		'[ "$(stat -c %s "$work/received")" = 524288 ] && at_least "$seconds" 7'
	kill $listener 2>/dev/null
else
	check "a network namespace can be made" false
fi

# A guest that says eight lines and more at once, by a console that takes a line in five seconds. What begins is
# said to its end, and a note says how much was left out before it.
head -c 1M /dev/zero >"$work/disk"
mkdir "$work/vsock"
begin=$SECONDS
timeout -k 5 100 "$build/bin/sbx-vmm" --kernel "$build/tests/hostile" --memory 64m --disk "$work/disk,ro" --vsock-dir "$work/vsock" \
	--cmdline advisories --console-rate 10 --console-file "$work/console" >"$work/out" 2>"$work/err"
status=$?
seconds=$((SECONDS - begin + 1))
said=$(grep -av 'of a flood are left out' "$work/console" | wc -c)
notes=$(grep -ac 'of a flood are left out' "$work/console")
check "a console of 10 bytes a second: $said bytes in $seconds s, and $notes notes of what was left out" \
	'[ $status = 0 ] && [ $said -le $((10 * seconds + 10 * notes + 150)) ] &&
	{ [ $notes -ge 1 ] || [ "$(grep -ac ^ok "$work/console")" -lt 8 ]; } && grep -q "^ok blk0: read-only: " "$work/console"'

# --- memory, processes, CPUs ----------------------------------------------------------------------------

memory_of_pod() { # KiB, what is shared counted once
	local pid
	for pid in $(ours); do sed -n 's/^Pss:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/smaps_rollup"; done | awk '{ n += $1 } END { print n + 0 }'
}
threads_of_pod() { ls -d /proc/$(ours sbx-vmm)/task/* | wc -l; }
host_processes() { ps -e -o ppid= | awk '$1 != 2' | wc -l; }

mkdir "$work/share"
truncate -s 600M "$work/share/big"
"$sbx" run -d --name flood -m 128m --cpus 1 "${driver[@]}" -v "$work/share:/mnt" -- sleep 1000 >"$work/out" 2>"$work/err"
status=$?
check "a sandbox of 128 MiB and one CPU" '[ $status = 0 ]'
processes=$(host_processes) threads=$(threads_of_pod)
inside() { timeout -k 5 "${2:-60}" "$sbx" exec flood sh -c "$1" >"$work/out" 2>"$work/err" </dev/null; status=$?; }
# Its own 128 MiB, and what the monitor, the file server and the shim need for themselves.
limit=$(((128 + 48) * 1024))
within() { [ "$(memory_of_pod)" -le $limit ]; }
inside 'tail /dev/zero; echo over'
check "a memory flood: $(memory_of_pod) KiB on the host" 'within'
inside 'cat /mnt/big >/dev/null; cat /mnt/big >/dev/null; echo read'
check "a page-cache flood through a shared folder: $(memory_of_pod) KiB" 'out_has read && within'
inside 'dd if=/dev/zero of=/mnt/new bs=1M count=200 2>/dev/null; rm /mnt/new; echo written'
check "writing back: $(memory_of_pod) KiB" 'out_has written && within'
inside 'f() { f | f & }; f 2>/dev/null; sleep 2; echo survived' 20
check "a process flood: the host has $(host_processes) processes, $processes before" '[ $(host_processes) -le $((processes + 4)) ]'
"$sbx" rm -f flood >/dev/null 2>&1
"$sbx" run -d --name flood -m 128m --cpus 1 "${driver[@]}" -- sh -c 'for i in 1 2 3 4 5 6 7 8; do while :; do :; done & done; wait' >/dev/null 2>&1
used() { awk '{ n += $14 + $15 } END { print n }' /proc/$(ours sbx-vmm)/stat; }
sleep 1
start=$(now) before=$(used)
sleep 4
percent=$(awk -v u=$(($(used) - before)) -v s="$(took "$start")" -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "%d", 100 * u / hz / s }')
check "a CPU flood: $percent % of one CPU, $(threads_of_pod) threads" '[ "$percent" -le 115 ] && [ "$(threads_of_pod)" -le $((threads + 1)) ]'
"$sbx" rm -f flood >/dev/null 2>&1

# --- what it says ------------------------------------------------------------------------------------------

"$sbx" run -d --name flood "${driver[@]}" -- sh -c 'yes 0123456789012345678901234567890123456789012345678901234567890 | head -c 60000000; echo; echo the last line; exec sleep 1000' >/dev/null 2>&1
log=$(find "$SBX_ROOT" -name stdout.log)
for _ in $(seq 300); do [ "$(stat -c %s "$log")" -ge 60000000 ] && tail -c 30 "$log" | grep -q last && break; sleep 0.2; done
kept=$(($(stat -c %b "$log") * 512))
check "a log flood of $(stat -c %s "$log") bytes takes $kept on the host" '[ "$(stat -c %s "$log")" -ge 60000000 ] && [ "$kept" -le 42500000 ]'
"$sbx" logs flood >"$work/log" 2>"$work/err"
check "the newest of it can be read" '[ "$(tail -n 1 "$work/log")" = "the last line" ] && [ "$(stat -c %s "$work/log")" -le 42500000 ] &&
	! grep -qP "\x00" "$work/log"'
"$sbx" rm -f flood >/dev/null 2>&1
check "nothing is left" '! leftovers'
finish
