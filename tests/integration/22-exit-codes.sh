#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# also: qemu
# Exit codes and signals, of run and of exec.
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"

run -- sh -c 'exit 42'
check "run: the program's own" '[ $status = 42 ]'
run -- nonexistent
check "run: 127 where there is no such program" '[ $status = 127 ] && err_has "sbx: run: " && err_has nonexistent'
run -- /etc/passwd
check "run: 126 where it cannot be executed" '[ $status = 126 ] && err_has "sbx: run: "'
for program in nonexistent:127 /etc/passwd:126; do
	"$sbx" run -d --rm "${driver[@]}" -- "${program%:*}" >"$work/out" 2>"$work/err"
	status=$?
	check "run -d: ${program#*:}, too" '[ $status = ${program#*:} ] && err_has "sbx: run: " && [ ! -s "$work/out" ] && ! leftovers'
done
run -w /some/where -- pwd
check "run: a missing working directory is made" '[ $status = 0 ] && out_is /some/where'

start=$SECONDS
run --timeout 1 -- sh -c 'trap "echo term; exit 0" TERM; while :; do sleep 0.1; done'
check "--timeout: SIGTERM first, 124" '[ $status = 124 ] && out_is term'
run --timeout 1s -- sh -c 'trap "" TERM; while :; do sleep 0.1; done'
check "--timeout: SIGKILL then" '[ $status = 124 ]'
echo "# timeouts took $((SECONDS - start)) s"

# The program's own signals, though nobody in it cares for them.
wrong=
for sig in 1 2 4 6 8 9 11 13 14 15 31 34 64; do # not SIGQUIT, which busybox's shell ignores
	run -- sh -c "kill -$sig \$\$; sleep 5"
	[ $status = $((128 + sig)) ] || wrong="$wrong $sig:$status"
	[ $size = small ] && [ $sig = 2 ] && break
done
check "run: 128 + signal${wrong:+, but:$wrong}" '[ -z "$wrong" ]'
run -- sh -c 'ps -o pid,comm | head -n 2; sleep 300 & (sleep 0.1; exit 5) & exec sleep 0.3'
check "an init is process 1, reaps, and ends with the program" '[ $status = 0 ] && out_has "1 init"'
run --no-init -- sh -c 'echo $$; kill -TERM $$; echo on'
check "--no-init: the program is process 1" '[ $status = 0 ] && out_is "1
on"'
# Runs in the background until SCRIPT has said "ready", sends the client a signal and waits for it.
signalled() { # SIGNAL SCRIPT
	rm -f "$work/out"
	"$sbx" run --rm "${driver[@]}" -- sh -c "$2" >"$work/out" 2>"$work/err" </dev/null &
	client=$!
	for _ in $(seq 300); do [ -e "$work/out" ] && out_has ready && break; sleep 0.1; done
	kill -"$1" $client
	wait $client
	status=$?
}
for sig in INT TERM; do
	signalled $sig 'echo ready; exec sleep 1000'
	check "SIG$sig ends a program that knows nothing of it" '[ $status = $((128 + $(kill -l $sig))) ]'
done

# Signals that come to the client.
for sig in TERM INT HUP USR1; do
	signalled $sig "trap 'echo got $sig; exit 7' $sig; echo ready; while :; do sleep 0.1; done"
	check "SIG$sig reaches the program" '[ $status = 7 ] && out_has "got $sig"'
done
# Every code and every signal, by exec in one sandbox.
"$sbx" run -d --name codes "${driver[@]}" -- sleep 10000 >"$work/out" 2>"$work/err"
check "run -d prints the id" '[ "$(wc -c <"$work/out")" = 13 ]'
case $size in full) step=1 ;; *) step=15 ;; esac
wrong=
for code in $(seq 0 $step 255); do
	"$sbx" exec codes sh -c "exit $code"
	[ $? = "$code" ] || wrong="$wrong $code"
done
check "exec: exit codes" '[ -z "$wrong" ]'
wrong=
for sig in 1 2 4 6 8 9 11 13 14 15 31; do
	"$sbx" exec codes sh -c "kill -$sig \$\$; sleep 5" 2>/dev/null
	[ $? = $((128 + sig)) ] || wrong="$wrong $sig"
done
check "exec: 128 + signal" '[ -z "$wrong" ]'
"$sbx" exec codes nonexistent >"$work/out" 2>"$work/err"
status=$?
check "exec: 127" '[ $status = 127 ] && err_has "sbx: exec: "'
"$sbx" exec codes /etc/passwd >"$work/out" 2>"$work/err"
status=$?
check "exec: 126" '[ $status = 126 ]'
"$sbx" exec nosuch true >"$work/out" 2>"$work/err"
status=$?
check "exec: 125 where sbx itself fails" '[ $status = 125 ] && [ "$(wc -l <"$work/err")" = 1 ]'
echo in | "$sbx" exec -i -e V=x -w /etc -u 5:6 codes sh -c 'cat; echo $V; pwd; id -u; id -g' >"$work/out" 2>"$work/err"
check "exec: input, variables, directory and user" 'out_is "in
x
/etc
5
6"'
W=y "$sbx" exec -e W -e NOT_THERE codes sh -c 'echo $W; env | grep -c NOT_THERE' >"$work/out" 2>"$work/err"
check "exec: a variable of ours" 'out_is "y
0"'
"$sbx" exec -e =x codes true >"$work/out" 2>"$work/err"
status=$?
check "exec: one without a name" '[ $status = 125 ] && err_has "no name"'
"$sbx" exec codes sh -c 'chmod 0 /proc/self/fd/0; rm /dev/null && echo x >/dev/null' >"$work/out" 2>&1
"$sbx" exec codes sh -c 'cat; echo still' >"$work/out" 2>"$work/err"
check "exec: also where the sandbox has broken its /dev/null" 'out_is still'
"$sbx" exec codes sh -c 'echo $$; ps | wc -l' >"$work/out"
check "exec is in the sandbox's own pid namespace" '[ "$(head -n 1 "$work/out")" -lt 1000 ]'
"$sbx" kill -s KILL codes >/dev/null
check "kill, then wait: 137" '[ "$("$sbx" wait codes)" = 137 ]'
"$sbx" rm codes >/dev/null
finish
