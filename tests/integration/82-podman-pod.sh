#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# podman over sbx-oci: a terminal, and pods, whose containers share one virtual machine.
set -u
. "$(dirname "$(readlink -f "$0")")/podman.sh"

timeout 60 script -qec "${podman[*]} run --rm -it --network=none box sh -c 'tty; stty size; exit 4'" /dev/null >"$work/out" 2>&1 </dev/null
status=$?
check "run -it" '[ $status = 4 ] && out_has /dev/pts/'
p run -d --name a --network=none box sh -c 'sleep 4; echo late; exit 5'
timeout 60 "${podman[@]}" attach a >"$work/out" 2>&1 </dev/null
check "attach" 'out_has late'
p rm a

p pod create --name pod --network=none --infra-image localhost/box:latest --infra-command /pause
check "pod create" '[ $status = 0 ]'
p run -d --pod pod --name one box sh -c 'echo secret >/dev/shm/x; exec sleep 1000'
check "its first container" '[ $status = 0 ]'
p run --rm --pod pod --name two box sh -c 'hostname; ls /dev/shm; readlink /proc/self/ns/uts'
cp "$work/out" "$work/two"
check "its second" '[ $status = 0 ] && out_has pod'
p exec one readlink /proc/self/ns/uts
check "share what the pod shares" 'grep -qF "$(cat "$work/out")" "$work/two"'
check "in one virtual machine" '[ "$(pgrep -cx sbx-vmm)" = 1 ]'
p pod stop -t 1 pod
check "pod stop" '[ $status = 0 ]'
p pod rm -f pod
check "pod rm" '[ $status = 0 ] && ! remains'
finish
