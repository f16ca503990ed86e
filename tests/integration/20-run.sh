#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# also: qemu
# What `sbx run` makes of its options, as seen from inside, and what it leaves behind.
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"

run -- echo hello
check "a program runs and its output comes back" '[ $status = 0 ] && out_is hello'
check "nothing is left of a run with --rm" '! leftovers'

# Many options in one run: a boot is what a run costs.
printf 'FROM_FILE=1\n# no\nOVER=file\n' >"$work/env"
FROM_US=ours run -m 320m --cpus 2 -e A=1 -e OVER=option -e FROM_US -e NOT_SET --env-file "$work/env" \
	-w /tmp -u 1000:1001 --hostname box --tmpfs /scratch:size=1m --disk-size 8m --ulimit nofile=99:100 \
	--cap-drop ALL -- sh -c '
	echo "cpus $(nproc)"
	echo "mem $(($(sed -n "s/MemTotal: *\([0-9]*\) kB/\1/p" /proc/meminfo) / 1024))"
	env
	echo "pwd $(pwd)"
	echo "id $(id -u):$(id -g)"
	echo "host $(hostname)"
	echo "limit $(ulimit -n) $(ulimit -Hn)"
	echo "caps $(sed -n "s/^CapBnd:[^0-9a-f]*//p" /proc/self/status)"
	echo "tmpfs $(df -k /scratch | tail -n 1 | tr -s " " | cut -d " " -f 2)"
	echo "kernel $(uname -r)"'
check "the run with many options works" '[ $status = 0 ]'
check "--cpus" 'out_has "cpus 2"'
check "--memory" 'mem=$(sed -n "s/^mem //p" "$work/out"); [ "$mem" -gt 270 ] && [ "$mem" -le 320 ]'
check "-e NAME=VALUE" 'out_has "A=1"'
check "-e NAME takes our own, or nothing" 'out_has FROM_US=ours && ! out_has NOT_SET'
check "--env-file, and options win over files" 'out_has FROM_FILE=1 && out_has OVER=option'
check "-w" 'out_has "pwd /tmp"'
check "-u" 'out_has "id 1000:1001"'
check "--hostname" 'out_has "host box"'
check "--ulimit" 'out_has "limit 99 100"'
check "--cap-drop ALL" 'out_has "caps 0000000000000000"'
check "--tmpfs" 'out_has "tmpfs 1024"'
check "the kernel is the guest's" '! out_has "kernel $(uname -r)"'

run --read-only --entrypoint sh -- -c 'touch /x; echo $?; touch /dev/shm/x && echo shm'
check "--read-only, --entrypoint" 'out_is "1
shm"'

run --disk-size 4m -- sh -c 'dd if=/dev/zero of=/fill bs=64k 2>/dev/null; s=$?; wc -c </fill; exit $s'
check "--disk-size bounds the writable layer" \
	'[ $status != 0 ] && [ "$(cat "$work/out")" -gt 2000000 ] && [ "$(cat "$work/out")" -le 4194304 ]'

run --explain -- true
check "--explain names the stages" 'for s in request "shim up" "monitor started" "agent up" "rootfs mounted" \
	"process started" exit; do err_has "$s" || exit 1; done'

# Mistakes cost one line, 125, and nothing else.
for bad in "--nope" "-m 1" "dir:/nonexistent x" "--kernel /nonexistent -- true" "--name a/b" "-d -t"; do
	# shellcheck disable=SC2086  # words
	run $bad
	check "run $bad: one line, 125" '[ $status = 125 ] && [ "$(wc -l <"$work/err")" = 1 ] && err_has "sbx: run: "'
done
printf 'not a kernel' >"$work/kernel"
run --kernel "$work/kernel" -- true
check "a start that fails names its stage" '[ $status = 125 ] && err_has "the start failed after" && err_has "last stage"'
check "nothing is left of failed starts" '! leftovers'

# A record stays without --rm.
timeout -k 5 120 "$sbx" run "${driver[@]}" --name kept -- sh -c 'exit 3' >"$work/out" 2>"$work/err" </dev/null
status=$?
check "the exit code comes back" '[ $status = 3 ]'
"$sbx" ps -a >"$work/out"
check "ps -a shows what has ended" 'out_has kept && out_has "exited (3)"'
"$sbx" ps >"$work/out"
check "ps does not" '! out_has kept'
"$sbx" ps -a --json >"$work/out"
check "ps --json is JSON" 'python3 -c "import json,sys; r=json.load(sys.stdin)[0]
assert r[\"name\"]==\"kept\" and r[\"exitStatus\"]==3" <"$work/out"'
"$sbx" inspect kept >"$work/out"
check "inspect is JSON with the configuration" 'python3 -c "import json,sys; r=json.load(sys.stdin)[0]
assert r[\"config\"][\"process\"][\"args\"]==[\"sh\",\"-c\",\"exit 3\"]" <"$work/out"'
run --name kept -- true
check "a name is taken until rm" '[ $status = 125 ] && err_has taken'
check "wait tells the exit code of what has ended" '[ "$("$sbx" wait kept)" = 3 ]'
"$sbx" logs kept >"$work/out" 2>"$work/err"
check "logs of a foreground run: one line says why not" 'err_has foreground'
"$sbx" rm kept >"$work/out"
check "rm removes it" 'out_has kept && [ -z "$("$sbx" ps -aq)" ]'
"$sbx" rm kept >"$work/out" 2>"$work/err"
check "rm twice: no such sandbox" 'err_has "no such sandbox"'
finish
