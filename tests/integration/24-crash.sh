#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# also: qemu
# kill -9 of the client, the shim or the monitor at random moments: within a second no process is
# left; after the next command no socket and no directory; and whoever is left says why in one line.
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"

case $size in
small) rounds=4 ;;
test) rounds=20 ;;
full) rounds=200 ;;
esac
rounds=${SBX_ROUNDS:-$rounds}
seed=${SBX_SEED:-1}
RANDOM=$seed
echo "# seed $seed, $rounds rounds"

gone_within_a_second() {
	for _ in $(seq 20); do
		[ -n "$(ours)" ] || return 0
		sleep 0.05
	done
	return 1
}

# How long a run takes here, so that the moments spread over all of it.
start=$(date +%s%N)
run -- true
span=$((($(date +%s%N) - start) / 1000000 + 500))
echo "# a run takes $((span - 500)) ms"

processes=0 directories=0 silent=0
for round in $(seq "$rounds"); do
	case $((round % 3)) in
	0) victim=sbx ;;
	1) victim=containerd-shim ;;
	2) victim='sbx-vmm|qemu-system-x86' ;;
	esac
	"$sbx" run --rm "${driver[@]}" -- sh -c 'sleep 0.3; echo x' >"$work/out" 2>"$work/err" </dev/null &
	client=$!
	moment=$((RANDOM % span))
	sleep "$((moment / 1000)).$(printf %03d $((moment % 1000)))"
	hit=no
	pids=$(ours "$victim")
	# shellcheck disable=SC2086  # words
	[ -n "$pids" ] && kill -KILL $pids 2>/dev/null && hit=yes
	{ wait $client; } 2>/dev/null # bash tells of the killed
	status=$?
	if [ "$hit" = yes ] && ! gone_within_a_second; then
		processes=$((processes + 1))
		echo "# round $round: left alive after $moment ms, victim $victim: $(ours | xargs -r ps -o args= -p | head -n 3)"
		ours | xargs -r kill -9
	fi
	# The client is alive unless it was the victim: then it has a line, or the run was over.
	if [ "$hit" = yes ] && [ $((round % 3)) != 0 ] && [ $status != 0 ]; then
		sed -i '/isolation rests on an emulator/d' "$work/err"
		if [ $status != 125 ] || [ "$(wc -l <"$work/err")" != 1 ] || ! err_has "sbx: run: "; then
			silent=$((silent + 1))
			echo "# round $round: killed after $moment ms, client said $status: $(cat "$work/err")"
		fi
	fi
	"$sbx" ps >/dev/null 2>"$work/err"
	if [ -n "$(ls -A "$SBX_ROOT/run/sbx" 2>/dev/null)$(ls -A "$SBX_ROOT/run/s" 2>/dev/null)" ]; then
		directories=$((directories + 1))
		echo "# round $round: $(find "$SBX_ROOT/run" | tail -n 5 | tr '\n' ' ')"
		rm -rf "$SBX_ROOT/run"
	fi
done
check "no process is left a second after any of $rounds kills" '[ $processes = 0 ]'
check "no socket or directory is left after the next command" '[ $directories = 0 ]'
check "the client says so in one line, 125" '[ $silent = 0 ]'

# With a record to keep, the next command writes down what happened.
"$sbx" run -d --name victim "${driver[@]}" -- sleep 1000 >/dev/null
ours containerd-shim | xargs kill -KILL
check "a killed shim takes its VM along" 'gone_within_a_second'
check "the record says that it ended" '"$sbx" ps -a | grep victim | grep -qF "exited (137)"'
"$sbx" inspect victim >"$work/out"
check "and why" 'out_has "owner process ended"'
"$sbx" rm victim >/dev/null
check "rm frees the name" '[ -z "$("$sbx" ps -aq)" ]'

# A guest that says nothing any more: what was killed in it is waited for, but not for ever.
"$sbx" run -d --name frozen "${driver[@]}" -- sleep 1000 >/dev/null
ours 'sbx-vmm|qemu-system-x86' | xargs kill -STOP
start=$SECONDS
timeout 150 "$sbx" stop -t 1 frozen >"$work/stop" 2>&1 &
timeout 150 "$sbx" wait frozen >"$work/out" 2>"$work/err"
status=$?
took=$((SECONDS - start))
check "what a guest does not end, ends with its pod ($took s)" '[ $status = 0 ] && out_is 137 && [ $took -ge 30 ] && [ $took -lt 120 ]'
"$sbx" inspect frozen >"$work/out"
wait $!
check "and its record says why" 'out_has "it does not end what was killed"'
"$sbx" rm frozen >/dev/null
"$sbx" run -d --name frozen "${driver[@]}" -- sleep 1000 >/dev/null
ours 'sbx-vmm|qemu-system-x86' | xargs kill -STOP
timeout 20 "$sbx" rm -f frozen >"$work/out" 2>"$work/err"
status=$?
check "rm -f does not wait for it" '[ $status = 0 ] && ! leftovers'
finish
