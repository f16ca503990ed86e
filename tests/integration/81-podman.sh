#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# podman over sbx-oci: single containers.
set -u
. "$(dirname "$(readlink -f "$0")")/podman.sh"

run_p box sh -c 'echo hello; echo there >&2; uname -r; exit 7'
check "run: streams and exit code, in the guest's kernel" '[ $status = 7 ] && out_has hello && err_has there && out_has -sbx'
check "and nothing is left" '! remains'
run_p --privileged --user 100 box sh -c 'ls -l /dev/kvm; grep CapBnd /proc/self/status; grep Seccomp: /proc/self/status'
check "--privileged: the host's names of devices, every capability, no filter" \
	'[ $status = 0 ] && out_has " 10, 232 " && out_has 000001ffffffffff && grep -q "Seccomp:.0" "$work/out"'
p run --rm --net host --uidmap 0:100:10000 box sh -c 'ls /sys/class/net; touch /sys/x; stat -c %U /sys/kernel'
check "--net host in a user namespace: the guest's network, and a /sys that shows it" \
	'[ $status = 0 ] && out_has lo && err_has "Read-only file system" && ! err_has "not permitted"'
p run --rm --network none --pid host --uidmap 0:100:10000 box sh -c 'cat /proc/1/comm /proc/self/comm'
check "--pid host in a user namespace: the pod's processes, and a /proc that shows them" '[ $status = 0 ] && out_is "pod
cat"'
run_p --shm-size 3m box grep ' /dev/shm ' /proc/mounts
check "/dev/shm is memory of the guest, of the size asked for" 'out_has " tmpfs " && out_has size=3072k && out_has nosuid,nodev,noexec'
p run --rm --network none --uidmap 0:100:10000 --user 5 box sh -c 'echo there >/dev/shm/x && cat /dev/shm/x; stat -c "%a %u" /dev/shm'
check "in a user namespace, too" 'out_is "there
1777 0"'
run_p box /etc
check "a program that may not be run is 126" '[ $status = 126 ] && grep -q "^Error:.*exec.*permission denied" "$work/err"'
echo input | timeout 60 "${podman[@]}" run --rm -i --network=none box cat >"$work/out" 2>"$work/err"
check "run -i" 'out_is input'
run_p box /no/such/program
check "a program that is not there is 127" '[ $status = 127 ]'

mkdir "$work/volume" && echo from-host >"$work/volume/file"
p run -d --name all --network=none --user 1000:1000 --cap-drop all --memory 64m --pids-limit 50 --tmpfs /tmp \
	--read-only -v "$work/volume:/mnt" -e A=b --workdir /mnt --hostname boxed box \
	sh -c 'echo begun; trap "echo caught; exit 3" TERM; while :; do sleep 0.1; done'
check "run -d" '[ $status = 0 ] && wait_for "logged all begun"'
p top all args
check "top: the program" 'out_has "sh -c echo begun"'
p exec all sh -c 'id -u; id -g; hostname; pwd; echo $A; touch /x || echo read-only; touch /tmp/x && echo tmpfs; cat /mnt/file
	cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max; grep CapEff /proc/self/status'
check "--user --hostname --workdir --env" 'out_has "1000
1000
boxed
/mnt
b"'
check "--read-only --tmpfs -v" 'out_has read-only && out_has tmpfs && out_has from-host'
check "--memory --pids-limit" 'out_has 67108864 && out_has 50'
check "--cap-drop" 'out_has 0000000000000000'
p exec all sh -c 'exit 9'
check "exec: exit code" '[ $status = 9 ]'
p exec all /no/such/program
check "exec of nothing is 127" '[ $status = 127 ]'
timeout 60 script -qec "${podman[*]} exec -it all sh -c 'tty; stty size'" /dev/null >"$work/out" 2>&1 </dev/null
check "exec -it" 'out_has /dev/pts/'
p pause all
p inspect -f '{{.State.Status}}' all
check "pause" 'out_is paused'
p unpause all
p inspect -f '{{.State.Status}} {{.State.Pid}}' all
check "unpause" 'out_has running && [ -d "/proc/$(cut -d " " -f 2 "$work/out")" ]'
p stats --no-stream --format '{{.Name}}' all
check "stats" '[ $status = 0 ] && out_is all'
p top all
check "top shows nothing of the host" '! out_has conmon && ! out_has kthreadd'
p stop -t 5 all
p inspect -f '{{.State.Status}} {{.State.ExitCode}}' all
check "stop, and the exit code" 'out_is "exited 3"'
p logs all
check "logs" 'out_has begun && out_has caught'
p rm all
check "rm" '[ $status = 0 ] && ! remains'

p run -d --name w --network=none box sh -c 'sleep 2; [ -e /once ] && exec sleep 1000; touch /once; exit 6'
p wait w
check "wait" 'out_is 6'
p start w
check "start again" '[ $status = 0 ]'
p kill w
p inspect -f '{{.State.ExitCode}}' w
check "kill" 'out_is 137'
echo to-guest >"$work/file"
p start w
p cp "$work/file" w:/copied
p exec w cat /copied
check "cp into a container that runs" 'out_is to-guest'
p cp w:/copied "$work/back"
check "cp out of it" '[ "$(cat "$work/back")" = to-guest ] && [ ! -e /copied ]'
p rm -f w
check "rm -f" '[ $status = 0 ] && ! remains'
finish
