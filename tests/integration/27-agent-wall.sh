#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# also: qemu
# Containers against the agent of their guest: what they see of it, its memory and descriptors, its
# namespaces and cgroups, and whether it goes on whatever they do (guest_wall.c, guest_lift.c, guest_stall.c).
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"

wall=$build/tests/guest_wall
mkdir -p "$work/root"/{bin,etc,proc,sys,dev,tmp}
cp "$(command -v busybox)" "$work/root/bin/busybox"
cp "$wall" "$work/root/bin/wall"
cp "$build/tests/guest_hold" "$work/root/bin/hold"
cp "$build/tests/guest_lift" "$work/root/bin/lift"
cp "$build/tests/guest_stall" "$work/root/bin/stall"
busybox --list | while read -r applet; do
	[ "$applet" = busybox ] || ln -s busybox "$work/root/bin/$applet"
done
image=dir:$work/root
inside() { # ARGS...: in the container that runs
	timeout -k 5 60 "$sbx" exec box "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
}
all_refused() { [ "$(grep -c ': refused: ' "$work/out")" -ge "$1" ] && ! grep REACHED "$work/out"; }

sleep 1000 &
"$wall" try $! >"$work/out" 2>&1
kill $!
reached=$(grep -c ': REACHED$' "$work/out")
check "outside, $reached of $(wc -l <"$work/out") attempts succeed" '[ "$reached" -ge 30 ]'
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
	mkdir -p /sys/fs/cgroup/lift
	sh -c 'echo 0 >/sys/fs/cgroup/lift/cgroup.procs; exec unshare --cgroup "$0" here user' "$build/tests/guest_lift" >"$work/out" 2>&1
	rmdir /sys/fs/cgroup/lift/sub /sys/fs/cgroup/lift
	check "outside, limits are lifted" '[ "$(grep -c REACHED "$work/out")" -ge 3 ]'
fi

# --- what a container can reach ----------------------------------------------------------------------

# Process 1 is the agent's own fork, which has the agent's memory (agent/init.c).
"$sbx" run -d --name box "${driver[@]}" "$image" sleep 1000 >"$work/out" 2>"$work/err"
status=$?
check "a container" '[ $status = 0 ]'
inside sh -c 'cat /proc/1/comm; ls /proc | grep -c "^[0-9]"'
check "sees its own processes and the init above them" '[ "$(head -n 1 "$work/out")" = init ] && [ "$(tail -n 1 "$work/out")" -le 5 ]'
inside wall try 1
check "$(grep -c ': refused: ' "$work/out") attempts are refused" 'all_refused 50'
inside wall chroot
check "a chroot is no way out" 'out_is inside'
inside sh -c 'ls /proc/self/fd | wc -l; for fd in 3 4 5 6 7 8 9; do [ -e /proc/self/fd/$fd ] && readlink /proc/self/fd/$fd; done; ulimit -n; cat /proc/self/oom_score_adj'
check "an exec has no descriptor but its own three" '[ "$(head -n 1 "$work/out")" = 4 ] && ! grep -qE "socket|vsock|anon_inode|/run" "$work/out"'
inside sh -c 'wc -l </proc/net/unix; cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -c " 0A "; ip link | grep -c "^[0-9]"'
check "no socket of the agent's is in its network namespace" '[ "$(sed -n 1p "$work/out")" -le 1 ] && [ "$(sed -n 2p "$work/out")" = 0 ]'

# A process of an exec is the agent's until it becomes the container's program.
timeout 100 "$sbx" exec box wall watch 12 >"$work/watch" 2>&1 </dev/null &
watch=$!
for _ in 1 2 3 4 5 6 7 8; do inside true; done
wait $watch
check "of the agent's own at an exec ($(sed -n 's/^saw //p' "$work/watch") looks) nothing can be opened" \
	'grep -q ^saw "$work/watch" && ! grep REACHED "$work/watch"'

# --- whether the agent goes on -----------------------------------------------------------------------

goes_on() { # NAME
	inside echo alive
	check "$1: the agent goes on" 'out_is alive && [ $status = 0 ]'
}
inside sh -c 'kill -9 1; kill -STOP 1; sleep 0.3; echo still'
check "the init is not killed or stopped by those beneath it" 'out_is still'
goes_on "after that"
inside kill -9 -1
"$sbx" wait box >"$work/out" 2>"$work/err"
check "who kills everybody ends his own container" 'out_is 137'
"$sbx" rm -f box >/dev/null 2>&1
"$sbx" run -d --name box "${driver[@]}" "$image" sleep 1000 >/dev/null 2>&1
inside wall storm 4
check "an exit storm ($(cat "$work/out"))" '[ $status = 0 ] && out_has made'
goes_on "after an exit storm"
inside sh -c 'ps -o stat | grep -c Z'
check "and no zombie is left" 'out_is 0'
inside sh -c 'mkdir -p /tmp/a; i=0; while [ $i -lt 300 ]; do exec 3>/tmp/a/$i 4</dev/zero; i=$((i + 1)); done; dd if=/dev/zero of=/dev/shm/x bs=1M count=500 2>/dev/null; rm -f /dev/shm/x; echo full'
goes_on "memory and files used up"
# An exec that is stopped half-way, or whose reader goes away, is no hindrance to others.
{ timeout -k 1 1 "$sbx" exec box sh -c 'kill -STOP $$' </dev/null; } >/dev/null 2>&1
timeout -k 1 2 "$sbx" exec box yes 2>/dev/null </dev/null | head -c 10 >/dev/null
goes_on "an exec that stops, one that nobody reads"
"$sbx" rm -f box >/dev/null 2>&1

# What the kernel counts by user is not used up for the agent, who is root as the container is. No profile: as
# in Kubernetes, where none is asked for.
"$sbx" run -d --name box -m 512m "${driver[@]}" --security-opt seccomp=unconfined "$image" sleep 1000 >/dev/null 2>&1
inside stall try
check "$(grep -c ': refused: ' "$work/out") ways to hold the agent up are refused" 'all_refused 5'
for what in "watches 200000" "spaces 4000"; do
	inside sh -c "stall $what >/tmp/kept 2>&1 </dev/null &"
	for _ in $(seq 100); do inside cat /tmp/kept; grep -q kept "$work/out" && break; sleep 0.2; done
	check "$(sed -n 's/^kept/had/p' "$work/out") $what: kept" 'out_has "kept ${what#* }"'
	goes_on "$what"
done
"$sbx" rm -f box >/dev/null 2>&1

# --- with rights that no default gives ----------------------------------------------------------------

# Every capability in the guest's own user namespace: it may change what the guest has, but it is in a process
# namespace, whose numbers hold no agent, and beneath a cgroup whose limits are not its own.
"$sbx" run -d --name box -m 256m "${driver[@]}" --cap-add ALL --security-opt seccomp=unconfined "$image" sleep 1000 >/dev/null 2>&1
inside sh -c 'for p in /proc/[0-9]*; do cat $p/comm; done | sort -u | tr "\n" " "; readlink /proc/1/exe'
check "with every capability: no process but its own" '! out_has sbx-agent && [ "$(wc -w <"$work/out")" -le 8 ]'
inside sh -c 'mkdir -p /tmp/cg && mount -t cgroup2 none /tmp/cg && cd /tmp/cg && cat /proc/self/cgroup
	for f in memory.max pids.max cpu.max memory.oom.group; do [ -e $f ] && echo max >$f 2>/dev/null && echo "REACHED $f"; done
	echo $$ >../../cgroup.procs 2>/dev/null; mkdir sub && echo $$ >sub/cgroup.procs && cat /proc/self/cgroup
	ls -d /tmp/cg/../agent /tmp/cg/agent /tmp/cg/pod 2>/dev/null; echo end'
check "its cgroup's limits are not its own to lift" 'out_has end && ! out_has REACHED && out_has 0::/'
goes_on "a cgroup of its own making"
inside stall try
check "no way to hold the agent up with every capability" 'all_refused 5'
inside lift here user
check "nor in any way round: from a namespace further down, by a handle, by programs" 'all_refused 8'
"$sbx" run --rm -m 256m "${driver[@]}" --security-opt seccomp=unconfined "$image" lift here user >"$work/out" 2>"$work/err" </dev/null
check "nor with the usual capabilities, and a user namespace that nothing forbids" 'all_refused 8'
inside sh -c 'mkdir -p /tmp/proc && mount -t proc proc /tmp/proc && cd /tmp/proc/sys/kernel
	echo "|/proc/%P/root/bin/busybox touch /proc/%P/root/tmp/ran" >core_pattern && cat core_pattern
	sh -c "kill -SEGV \$\$"; sleep 1; echo core >core_pattern; ls /tmp'
check "a pattern of core files starts no program of the guest's" 'out_has "|/proc/" && grep -qx proc "$work/out" && ! grep -qx ran "$work/out"'
inside sh -c 'mkdir -p /tmp/sys && mount -t sysfs sysfs /tmp/sys && brctl addbr br0 && cd /tmp/sys/class/net/br0/bridge &&
	echo 1 >stp_state && cat stp_state; brctl delbr br0'
check "and the kernel knows that it has not: a bridge has its own spanning tree" 'out_is 1'
inside wall try 0
check "of what is not a container's $(grep -c ': refused: ' "$work/out") attempts are refused with every capability, devices and the agent's port among them" \
	'! grep -E "^(/dev/mem|/dev/kmsg|the console|the serial port|FUSE|the agent.s port of the host|another port of the host|its own [a-z]* limit): REACHED" "$work/out" &&
	[ "$(grep -c ": refused: " "$work/out")" -ge 8 ]'
# It freezes itself: an exec cannot begin, and must not take the agent along.
inside sh -c '(sleep 1; echo 1 >/tmp/cg/cgroup.freeze) >/dev/null 2>&1 & echo soon'
sleep 2
timeout 10 "$sbx" exec box true >/dev/null 2>&1 </dev/null
timeout 60 "$sbx" rm -f box >"$work/out" 2>"$work/err"
status=$?
check "a container that has frozen itself is removed" '[ $status = 0 ]'

# Locks of its streams that it never lets go: only its own streams wait.
"$sbx" run -d --name box "${driver[@]}" --cap-add ALL --security-opt seccomp=unconfined "$image" sleep 1000 >/dev/null 2>&1
holder() { # NAME PID: it still holds, and nobody else is held up
	local pid=$2
	sleep 2
	check "$1: it is held" 'kill -0 "$pid"'
	goes_on "$1"
}
timeout -k 1 100 "$sbx" exec box hold write 1 >/dev/null 2>"$work/held" </dev/null &
writer=$!
holder "a pipe that is written to and held" $writer
yes | timeout -k 1 100 "$sbx" exec -i box hold read 0 >/dev/null 2>"$work/held" &
reader=$!
holder "a pipe that is read from and held" $reader
export TMUX_TMPDIR=$work TERM=screen
tmux -f /dev/null new-session -d -s t -x 100 -y 30 "$sbx exec -it box hold winsize 0"
sleep 2
tmux -f /dev/null resize-window -t t -x 80 -y 20
holder "a terminal whose size is asked for and held" "$(tmux -f /dev/null list-panes -F '#{pane_pid}')"
timeout 60 "$sbx" rm -f box >"$work/out" 2>"$work/err"
status=$?
check "a container that holds its streams is removed" '[ $status = 0 ]'
wait $writer $reader
tmux -f /dev/null kill-server 2>/dev/null

# Every capability again, but in a user namespace of its own: each is one over what belongs to that namespace.
mkdir -p "$SBX_ROOT/etc" "$work/bundle"
[ "${SBX_HYPERVISOR:-vmm}" = vmm ] || printf '[vm]\nhypervisor = qemu\nemulation = yes\n' >"$SBX_ROOT/etc/sbx.conf"
"$build/bin/sbx-oci" spec --bundle "$work/bundle"
caps=$(sed -n 's/^#define \(CAP_[A-Z_]*\)[[:space:]]*[0-9]*$/"\1"/p' /usr/include/linux/capability.h 2>/dev/null | grep -v LAST | paste -sd ,)
[ -n "$caps" ] || caps='"CAP_SYS_ADMIN","CAP_SYS_PTRACE","CAP_MKNOD","CAP_DAC_OVERRIDE","CAP_DAC_READ_SEARCH","CAP_SYS_RAWIO","CAP_SYSLOG","CAP_SYS_CHROOT","CAP_BPF","CAP_PERFMON","CAP_NET_ADMIN"'
map='[{containerID: 0, hostID: 100000, size: 65536}]'
jq '.process.terminal = false | .process.args = ["sh", "-c", "mount -o remount,rw /proc/sys; id -u; ulimit -n; wall try 0"]
	| .process.rlimits = [{type: "RLIMIT_NOFILE", soft: 1000000, hard: 1000000}]
	| .root = {path: "'"$work"'/root"} | .linux.namespaces += [{type: "user"}] | .linux.uidMappings = '"$map"' | .linux.gidMappings = '"$map"'
	| .process.capabilities |= map_values(['"$caps"']) | .mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs"}]' \
	"$work/bundle/config.json" >"$work/new" && mv "$work/new" "$work/bundle/config.json"
timeout -k 5 100 "$build/bin/sbx-oci" --root "$work/oci" run -b "$work/bundle" mapped >"$work/out" 2>"$work/err" </dev/null
status=$?
check "root of a user namespace: of the kernel's and the agent's nothing is reached" '[ $status = 0 ] && out_has 0 &&
	[ "$(grep -c ": refused: " "$work/out")" -ge 20 ] && ! grep -vE "^(a new (tmpfs|sysfs|cgroup file system)|what covers /proc/keys|/proc/sys writable again|the agent.s keys|the streams. port of the host): " "$work/out" | grep REACHED'
check "and it has the limits that it was to have" 'out_has 1000000'
check "nothing is left" '! leftovers'
finish
