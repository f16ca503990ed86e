#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A fork bomb, a memory hog and a full disk end inside: the sandbox beside them and the host go on.
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"

"$sbx" run -d --name witness "${driver[@]}" -- sh -c \
	'i=0; while :; do i=$((i + 1)); echo tick $i; sleep 0.2; done' >"$work/out" 2>"$work/err"
status=$?
check "a witness runs" '[ $status = 0 ]'
ticks() { "$sbx" logs witness 2>/dev/null | wc -l; }
ticking() { # within 20 s, five more
	local before n=0
	before=$(ticks)
	while [ "$(ticks)" -lt $((before + 5)) ] && [ $((n++)) -lt 100 ]; do sleep 0.2; done
	[ "$(ticks)" -ge $((before + 5)) ]
}
# Not the kernel's own threads, which come and go as they please.
host_processes() { ps -e -o ppid= | awk '$1 != 2' | wc -l; }
check "the witness ticks" ticking
processes=$(host_processes)

run -m 192m --timeout 15s -- sh -c 'f() { f | f & }; f; sleep 3; echo survived >&2; exec sleep 60'
check "a fork bomb is ended by the time limit" '[ $status = 124 ]'
check "the witness ticks beside the fork bomb" ticking
check "the host has no more processes than before" '[ $(host_processes) -le $((processes + 3)) ]'

run -m 192m -- sh -c 'tail /dev/zero; echo "tail ended with $?"'
check "a memory hog is killed inside" '[ $status = 137 ] || out_has "tail ended with 137"'
check "the witness ticks beside the memory hog" ticking

before=$(df -k --output=used / | tail -n 1)
run -m 256m --disk-size 32m -- sh -c 'dd if=/dev/zero of=/fill bs=64k; echo "dd ended with $?"; df -k / | tail -n 1'
after=$(df -k --output=used / | tail -n 1)
check "a full disk is an error inside" \
	'[ $status = 0 ] && out_has "dd ended with 1" && grep -qi "no space left" $work/err $work/out'
check "the host's disk did not grow" '[ $((after - before)) -lt 8192 ]'
check "the witness ticks beside the full disk" ticking

"$sbx" kill witness >/dev/null 2>&1
"$sbx" wait witness >/dev/null 2>&1
"$sbx" rm witness >"$work/out" 2>"$work/err"
status=$?
check "the witness can be removed" '[ $status = 0 ]'
check "nothing is left" '! leftovers'
finish
