#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Debian's containerd with the runtime io.containerd.sbx.v2, driven by ctr.
set -u
[ "${1:-}" = inside ] || exec unshare --mount "$0" inside
. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$(dirname "$(readlink -f "$0")")/containerd.sh"
check "containerd is up" start_containerd

import_image
check "an image" '[ -n "$image" ]'

c --rm "$image" one sh -c 'echo hello; echo there >&2; exit 7'
check "ctr run: output and exit code" '[ $status = 7 ] && out_is hello && err_has there'
c --rm --env A=b --cwd /tmp "$image" two sh -c 'echo $A; pwd; uname -r; id -u'
check "ctr run --env --cwd, in the guest's kernel" 'out_has b && out_has /tmp && out_has -sbx'
c --rm --read-only "$image" three sh -c 'touch /x || echo no'
check "ctr run --read-only" 'out_is no'
mkdir "$dir/share" && echo from-host >"$dir/share/file"
c --rm --mount "type=bind,src=$dir/share,dst=/mnt,options=rbind:rw" "$image" four sh -c 'cat /mnt/file; echo from-guest >/mnt/new'
check "ctr run --mount" 'out_is from-host && [ "$(cat "$dir/share/new")" = from-guest ]'
c --rm --memory-limit 33554432 "$image" five sh -c 'cat /sys/fs/cgroup/memory.max 2>/dev/null; dd if=/dev/zero of=/dev/null bs=96M count=1 2>/dev/null; echo $?'
check "ctr run --memory-limit" 'out_has 137'
c --rm --rootfs "$dir/bundle/rootfs" six sh -c 'echo rootfs'
check "ctr run --rootfs" 'out_is rootfs'
c --rm --snapshotter native "$image" native sh -c 'echo native; echo x >/written; cat /written'
check "the native snapshotter" 'out_is "native
x"'

c -d "$image" brief sh -c 'exit 4'
check "the machine of a container that has ended is gone when containerd hears of it" '[ $status = 0 ] &&
	await 20 "ctr task list | grep -q brief.*STOPPED" && ! pgrep -x "sbx-vmm|sbx-share" && pgrep -x containerd-shim'
timeout 60 ctr task rm brief >"$work/out" 2>"$work/err"
status=$?
check "and its task is there with the exit code until it is deleted" '[ $status = 0 ] && err_has "exit code 4"'
timeout 60 ctr task start -d brief && await 20 "ctr task list | grep -q brief.*STOPPED"
check "a second task of it" '[ $? = 0 ] && timeout 60 ctr task rm brief 2>"$work/err" && err_has "exit code 4"'
ctr container rm brief

# Somebody's daemon need not be one that the kernel spares.
echo 100 >/proc/$daemon/oom_score_adj
c -d "$image" long sleep 1000
check "ctr run -d" '[ $status = 0 ]'
oom_score() { cat "/proc/$(pgrep -x "$1")/oom_score_adj"; }
check "the shim's OOM score is one above containerd's" '[ "$(oom_score containerd-shim)" = 101 ]'
check "and what serves the guest has the container's" '[ "$(oom_score sbx-vmm)" = 0 ] && [ "$(oom_score sbx-share)" = 0 ]'
echo 0 >/proc/$daemon/oom_score_adj
# What it alone holds of code and data; nobody else runs this program now.
own_kib() { awk '/^Private_(Clean|Dirty):/ { sum += $2 } END { print sum }' "/proc/$(pgrep -x "$1")/smaps_rollup"; }
sleep 1
kib=$(own_kib containerd-shim)
check "the shim idle with one container: $kib KiB of its own, at most 1024" '[ "$kib" -gt 0 ] && [ "$kib" -le 1024 ]'
check "the monitor and the file server are in the container's cgroup" 'grep -q default/long /proc/$(pgrep -x sbx-vmm)/cgroup &&
	grep -q default/long /proc/$(pgrep -x sbx-share)/cgroup'
check "task list" 'ctr task list | grep -q "long.*RUNNING"'
timeout 60 ctr task exec --exec-id e1 long sh -c 'echo in; exit 3' >"$work/out" 2>"$work/err"
status=$?
check "task exec" '[ $status = 3 ] && out_is in'
timeout 60 ctr task metrics long >"$work/out" 2>&1
check "task metrics" 'out_has memory'
timeout 60 ctr task ps long >"$work/out" 2>&1
check "task ps: nothing but the monitor, as many times as there are processes" '[ "$(wc -l <"$work/out")" -ge 2 ] &&
	[ "$(awk "NR > 1 { print \$1 }" "$work/out" | sort -u)" = "$(pgrep -x sbx-vmm)" ]'
check "task pause" 'timeout 60 ctr task pause long && ctr task list | grep -q "long.*PAUSED"'
check "task resume" 'timeout 60 ctr task resume long && ctr task list | grep -q "long.*RUNNING"'
timeout 60 ctr task checkpoint long >"$work/out" 2>"$work/err"
status=$?
check "task checkpoint: not yet, and nothing comes of it" \
	'[ $status != 0 ] && err_has "not implemented" && ctr task list | grep -q "long.*RUNNING"'
timeout 60 ctr task attach long >"$work/out" 2>"$work/err" </dev/null &
attached=$!
sleep 1
check "task kill" 'timeout 60 ctr task kill -s SIGKILL long'
wait $attached
status=$?
check "task attach: until the end, and its exit code" '[ $status = 137 ]'
# attach deletes what it has seen end.
check "and the task is gone with it" 'await 10 "! ctr task list | grep -q long"'
ctr container rm long
check "and so is its cgroup" '[ -z "$(find /sys/fs/cgroup -name long)" ]'
check "the container is gone" '! ctr container list -q | grep -q long'

# A copy of the shim alone, by its path: what it starts is where sbx is installed. In this script's own mounts.
mkdir "$dir/copy"
cp "$build/bin/containerd-shim-sbx-v2" "$dir/copy"
mount -t tmpfs installed /usr/local && mkdir -p /usr/local/bin /usr/local/share && ln -s "$build/share" /usr/local/share/sbx &&
	ln -s "$build/bin/sbx-vmm" "$build/bin/sbx-share" /usr/local/bin
c --rm --runtime "$dir/copy/containerd-shim-sbx-v2" "$image" copied echo copied
check "a shim that was copied away from its programs" '[ $status = 0 ] && out_is copied'
umount /usr/local

# Its own restart: the shim lives on, and no exit is lost, whether it comes then or was there before.
stopped() { ctr task list | grep -q "$1.*STOPPED"; }
code_of() { # TASK: its exit code, as its removal says
	timeout 60 ctr task rm "$1" >"$work/out" 2>&1
	status=$?
	ctr container rm "$1"
}
c -d "$image" ended sh -c 'exit 7'
check "a task ends" 'await 20 "stopped ended"'
c -d "$image" survivor sh -c 'sleep 4; exit 9'
kill -9 $daemon
wait $daemon 2>/dev/null
start_containerd
check "a restart of containerd" 'await 20 "stopped survivor"'
code_of survivor
check "task rm, and the exit code after it" '[ $status = 9 ] || grep -q 9 "$work/out"'
code_of ended
check "and that of before" '[ $status = 7 ] || grep -q 7 "$work/out"'

# A monitor that dies takes its pod with it, and nothing else.
c -d "$image" victim sleep 1000
pkill -9 -x sbx-vmm
check "a dead monitor is a stopped task" 'await 10 "ctr task list | grep -q \"victim.*STOPPED\""'
timeout 60 ctr task rm victim >/dev/null 2>&1
ctr container rm victim
# And so does a shim.
c -d "$image" orphan sleep 1000
pkill -9 -x containerd-shim
check "a dead shim leaves no machine" 'await 10 "! pgrep -x sbx-vmm >/dev/null"'
timeout 60 ctr task rm orphan >/dev/null 2>&1
ctr container rm orphan
check "nothing is left" 'await 5 nothing'
check "nor a mount" '! grep -q "$dir/state.*rootfs" /proc/mounts'
grep -v 'level=warning' "$dir/log" | tail -n 5 | sed 's/^/# /'
finish
