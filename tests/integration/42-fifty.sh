#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fifty sandboxes of 128 MiB, started at once, all answer, and nothing is left of them.
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"

n=50
for i in $(seq $n); do
	timeout -k 5 280 "$sbx" run --rm -m 128m "${driver[@]}" -- sh -c "echo answer $i; exit $i" \
		>"$work/out.$i" 2>"$work/err.$i" </dev/null &
	pids[i]=$!
done
answered=0
for i in $(seq $n); do
	wait "${pids[i]}"
	code=$?
	if [ "$code" = "$i" ] && [ "$(cat "$work/out.$i")" = "answer $i" ]; then
		answered=$((answered + 1))
	else
		echo "sandbox $i: status $code, $(cat "$work/err.$i")" >>"$work/err"
	fi
done
check "$n sandboxes at once, $answered answer" '[ $answered = $n ]'
check "nothing is left" '! leftovers'
finish
