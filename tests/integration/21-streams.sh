#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# also: qemu
# Streams: patterns compared byte by byte, memory flat under a slow reader, ends that arrive.
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"

case $size in
small) out_mib=8 in_mib=4 rounds=3 ;;
test) out_mib=48 in_mib=16 rounds=10 ;;
full) out_mib=1024 in_mib=256 rounds=300 ;;
esac
rounds=${SBX_ROUNDS:-$rounds}
run_limit=1800

# A pattern that any shift, loss or repetition changes: numbered blocks of numbered lines, about a
# MiB each. The same program writes it here and inside.
# shellcheck disable=SC2016  # for the inner shell
pattern='seq 100000 249796 >/tmp/block.$$; i=0
	while [ $i -lt $0 ]; do i=$((i + 1)); echo "block $i"; cat /tmp/block.$$; done; rm /tmp/block.$$'

sh -c "$pattern" $out_mib | md5sum >"$work/want"
run --disk-size 16m -- sh -c "$pattern" $out_mib
md5sum <"$work/out" >"$work/got"
check "$out_mib MiB out, byte by byte" '[ $status = 0 ] && cmp -s "$work/want" "$work/got"'
: >"$work/out"

sh -c "$pattern" $in_mib >"$work/in"
md5sum <"$work/in" >"$work/want"
timeout -k 5 900 "$sbx" run --rm "${driver[@]}" -i -- md5sum <"$work/in" >"$work/got" 2>"$work/err"
status=$?
check "$in_mib MiB in, from a file, and its end arrives" '[ $status = 0 ] && cmp -s "$work/want" "$work/got"'
# shellcheck disable=SC2002  # a pipe is the point
cat "$work/in" | timeout -k 5 900 "$sbx" run --rm "${driver[@]}" -i -- sh -c 'cat; echo end >&2' 2>"$work/err" | md5sum >"$work/got"
check "the same in and out again, through pipes" 'cmp -s "$work/want" "$work/got" && err_has end'
rm -f "$work/in"

run -- sh -c 'for i in 1 2 3; do echo "out $i"; echo "err $i" >&2; done'
check "stdout and stderr are apart" 'out_is "out 1
out 2
out 3" && [ "$(cat "$work/err")" = "err 1
err 2
err 3" ]'

run -- sh -c 'cat; echo end'
check "without -i there is no input" '[ $status = 0 ] && out_is end'

mkfifo "$work/open"
exec 5<>"$work/open" # never an end of input, and never any
timeout -k 5 60 "$sbx" run --rm "${driver[@]}" -i -- sh -c 'sleep 1; echo done' <&5 >"$work/out" 2>"$work/err"
status=$?
exec 5<&-
check "a program that never reads ends the run" '[ $status = 0 ] && out_is done'

timeout -k 5 60 "$sbx" run --rm "${driver[@]}" -- sh -c 'yes; exit $?' 2>"$work/err" | head -n 2 >"$work/out"
status=${PIPESTATUS[0]}
check "a reader that goes away ends the program by SIGPIPE" '[ $status = 141 ] && out_is "y
y"'

# A reader that stands still: what is in flight is bounded, so resident memory does not grow.
private_kib() { # NAMES
	local sum=0 pid kib
	for pid in $(ours "$1"); do
		for kib in $(sed -n 's/^Private_[CD].*: *\([0-9]*\) kB/\1/p' "/proc/$pid/smaps_rollup"); do
			sum=$((sum + kib))
		done
	done
	echo "$sum"
}
mkfifo "$work/slow"
timeout -k 5 120 "$sbx" run --rm "${driver[@]}" -- sh -c 'echo go; cat /dev/zero' >"$work/slow" 2>"$work/err" &
client=$!
exec 5<"$work/slow"
head -c 3 <&5 >/dev/null
sleep 2
before=$(private_kib containerd-shim)
vmm_before=$(private_kib "sbx-share|sbx-vmm")
for _ in 1 2 3 4 5 6; do head -c 500000 <&5 >/dev/null; sleep 0.5; done
after=$(private_kib containerd-shim)
vmm_after=$(private_kib "sbx-share|sbx-vmm")
exec 5<&-
wait $client
echo "# shim $before -> $after KiB, vmm $vmm_before -> $vmm_after KiB"
check "the shim's memory is flat behind a slow reader" '[ "$before" -gt 0 ] && [ $((after - before)) -lt 512 ]'
check "so is the monitor's" '[ "$vmm_before" -gt 0 ] && [ $((vmm_after - vmm_before)) -lt 4096 ]'

# Short runs in a row: the last bytes before an exit are the ones that get lost.
lost=0
for i in $(seq "$rounds"); do
	run -- sh -c "echo line $i; seq 1 2000 | tail -n 1; echo last $i"
	out_is "line $i
2000
last $i" && continue
	lost=$((lost + 1))
	echo "# run $i: status $status, $(tr '\n' ' ' <"$work/out")$(head -c 500 "$work/err")"
done
check "$rounds short runs lose nothing" '[ $lost = 0 ]'
finish
