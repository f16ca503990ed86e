#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# also: qemu
# Detached runs: logs, stop, kill, wait, rm, and the end without anybody there.
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"

id=$("$sbx" run -d --name talk "${driver[@]}" -- sh -c 'trap "echo bye; exit 4" TERM
	i=0; while :; do i=$((i + 1)); echo "line $i"; echo "warn $i" >&2; sleep 0.2; done' 2>"$work/err")
status=$?
check "run -d prints an id of twelve digits" '[ $status = 0 ] && [ ${#id} = 12 ]'
"$sbx" ps >"$work/out"
check "ps shows it" 'out_has "$id" && out_has talk && out_has running'
for _ in $(seq 100); do "$sbx" logs talk 2>/dev/null | grep -q "line 3" && break; sleep 0.2; done
"$sbx" logs talk >"$work/out" 2>"$work/err"
check "logs: stdout and stderr apart" 'out_has "line 3" && ! out_has warn && err_has "warn 2" && ! err_has line'
timeout -k 5 60 "$sbx" logs -f talk >"$work/out" 2>/dev/null &
follower=$!
"$sbx" rm talk >"$work/rm" 2>"$work/err"
check "rm refuses what runs" 'err_has "is running"'
"$sbx" wait "${id:0:5}" >"$work/code" &
waiter=$!
sleep 1
start=$SECONDS
"$sbx" stop talk >/dev/null
check "stop: SIGTERM does" '[ $((SECONDS - start)) -lt 9 ]'
wait $waiter
check "wait, by the beginning of the id, tells the exit code" '[ "$(cat "$work/code")" = 4 ]'
wait $follower
status=$?
check "logs -f ends with the sandbox, and has its last line" '[ $status = 0 ] && [ "$(tail -n 1 "$work/out")" = bye ]'
sleep 0.5
check "nobody is left" '[ -z "$(ours)" ]'
check "the logs stay" '"$sbx" logs talk 2>/dev/null | grep -q bye'
check "a stopped one is stopped" '"$sbx" stop talk >/dev/null'
"$sbx" kill talk >"$work/out" 2>"$work/err"
status=$?
check "kill of what has ended says so" '[ $status = 125 ] && err_has "has ended"'
"$sbx" rm talk >/dev/null
check "rm takes the logs too" '[ -z "$(ls "$SBX_ROOT/run/sbx")" ]'

"$sbx" run -d --name deaf "${driver[@]}" -- sh -c 'trap "" TERM; echo deaf; while :; do sleep 1; done' >/dev/null
for _ in $(seq 100); do "$sbx" logs deaf | grep -q deaf && break; sleep 0.1; done
start=$SECONDS
"$sbx" stop -t 1 deaf >/dev/null
took=$((SECONDS - start)) ended=$("$sbx" wait deaf)
check "stop: SIGKILL after the time given ($took s, $ended), not after the ten of its default" \
	'[ $took -lt 10 ] && [ "$ended" = 137 ]'
"$sbx" rm deaf >/dev/null

"$sbx" run -d --rm --name brief "${driver[@]}" -- true >/dev/null
for _ in $(seq 50); do [ -z "$("$sbx" ps -aq)" ] && break; sleep 0.1; done
check "-d --rm leaves nothing, without anybody there" '[ -z "$("$sbx" ps -aq)" ] && ! leftovers'

"$sbx" run -d --name forced "${driver[@]}" -- sleep 1000 >/dev/null
"$sbx" rm -f forced >"$work/out" 2>"$work/err"
status=$?
check "rm -f ends what runs" '[ $status = 0 ] && [ -z "$("$sbx" ps -aq)" ] && ! leftovers'

# What its caller may write to a file (in KiB) is the end of files, not of the sandbox. QEMU has its guest in a file,
# too, and does not start.
if [ "${SBX_HYPERVISOR:-vmm}" = vmm ]; then
	mkdir "$work/v"
	(
		ulimit -f 256
		"$sbx" run -d --name fenced "${driver[@]}" -v "$work/v:/v" -- \
			sh -c 'head -c 1048576 /dev/zero | tr "\0" x; dd if=/dev/zero of=/v/f bs=64k count=16 2>/v/said; exit 3' >"$work/out" 2>"$work/err"
	)
	ended=$("$sbx" wait fenced)
	check "a limit to files' sizes ends what is written, not who writes" \
		'[ "$ended" = 3 ] && grep -q "File too large" "$work/v/said" && [ "$(stat -c %s "$work/v/f")" = 262144 ]'
	"$sbx" logs fenced >"$work/out" 2>"$work/err"
	check "and its log has what there was room for" '[ "$(wc -c <"$work/out")" -ge 200000 ]'
	"$sbx" rm fenced >/dev/null
fi

# The guest's clock is the host's: here what makes it so when the host's is set, as it is, to what it shows.
"$sbx" run -d --name clock "${driver[@]}" --cap-add SYS_TIME --security-opt seccomp=unconfined -- sleep 1000 >/dev/null
behind() { echo $(($(date +%s) - $("$sbx" exec clock date +%s))); }
"$sbx" exec clock date -s @1000000000 >/dev/null
check "a guest's clock can be wrong" '[ "$(behind)" -gt 1000000 ]'
date -s "$(date +%FT%T.%N)" >/dev/null
for _ in $(seq 50); do [ "$(behind)" -lt 1000 ] && break; sleep 0.1; done
late=$(behind)
check "and is the host's when that is set" '[ "$late" -ge -1 ] && [ "$late" -le 1 ]'
"$sbx" rm -f clock >/dev/null

"$sbx" run -d --timeout 1 --name timed "${driver[@]}" -- sleep 1000 >/dev/null
check "--timeout works without anybody there" '[ "$("$sbx" wait timed)" = 124 ]'
"$sbx" rm timed >/dev/null
finish
