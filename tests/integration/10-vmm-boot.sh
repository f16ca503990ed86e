#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# sbx-vmm boots a kernel to a user space of one small program, at several sizes, and ends as it says.
set -u
here=$(dirname "$(readlink -f "$0")")
build=${SBX_BUILD:-$here/../../build}
vmm=$build/bin/sbx-vmm
owner=$build/tests/host_owner
vmlinux=$build/share/vmlinux
bzimage=$(dirname "$(readlink -f "$vmlinux")")/bzImage
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

ok() { echo "ok $1"; }
not_ok() {
	echo "not ok $1: $2"
	sed 's/^/    /' "$work/out" "$work/err" 2>/dev/null | tail -n 20
	failed=1
}

mkdir "$work/root"
cp "$build/tests/guest_boot" "$work/root/init"
(cd "$work/root" && find . | cpio -o -H newc --quiet) >"$work/init.cpio"

# boot MODE [OPTION...]: runs the guest to its end; its output in out, ours in err, status in $status.
boot() {
	local mode=$1
	shift
	timeout 100 "$vmm" --initrd "$work/init.cpio" --cmdline "console=ttyS0 quiet -- $mode" \
		--console-stdout "$@" >"$work/out" 2>"$work/err"
	status=$?
}

says() { grep -aq -- "$1" "$work/out"; }
# The guest's own kernel takes its part: 85 % of what was asked for must be there.
memory_at_least() {
	local mib
	mib=$(sed -n 's/.*guest: memory \([0-9]*\) MiB.*/\1/p' "$work/out")
	[ "${mib:-0}" -ge $(($1 * 85 / 100)) ] && [ "$mib" -le "$1" ]
}
one_line() { [ "$(wc -l <"$work/err")" = 1 ]; }

boots() {
	local name=$1 cpus=$2 mib=$3 mode=$4
	shift 4
	boot "$mode" "$@"
	if [ "$status" != 0 ]; then
		not_ok "$name" "exit status $status"
	elif ! says "guest: done"; then
		not_ok "$name" "the guest did not finish"
	elif ! says "guest: cpus $cpus"; then
		not_ok "$name" "not $cpus CPUs"
	elif ! memory_at_least "$mib"; then
		not_ok "$name" "not $mib MiB"
	elif says "guest: touched 0"; then
		not_ok "$name" "memory does not hold what it is given"
	elif [ -s "$work/err" ]; then
		not_ok "$name" "it complains"
	else
		ok "$name"
	fi
}

boots elf 1 256 "" --kernel "$vmlinux"
boots bzimage 1 256 "" --kernel "$bzimage"
boots two-cpus-128m 2 128 touch --kernel "$vmlinux" --cpus 2 --memory 128m
boots four-cpus-3g 4 3072 "" --kernel "$vmlinux" --cpus 4 --memory 3g
boots thirty-two-cpus 32 512 "" --kernel "$vmlinux" --cpus 32 --memory 512m
boots five-gib 2 5120 touch --kernel "$vmlinux" --cpus 2 --memory 5g
boots bzimage-4g 2 4096 "" --kernel "$bzimage" --cpus 2 --memory 4g
boots no-devices 1 256 "" --kernel "$vmlinux" --slots 0
boots parked-cpus 4 256 online --kernel "$vmlinux" --cpus 4 --cmdline "console=ttyS0 quiet maxcpus=1 -- online"
says "guest: at first 1" || not_ok parked-cpus "they were not parked"
boots more-cpus 4 256 online --kernel "$vmlinux" --cpus 2 --max-cpus 4
says "guest: at first 2" || not_ok more-cpus "not two at first"
boots more-memory-to-come 1 256 "" --kernel "$vmlinux" --max-memory 4g
boots all-slots 1 256 "" --kernel "$vmlinux" --slots 12

# ends NAME STATUS TEXT MODE [OPTION...]: the guest's end is told by status and one line.
ends() {
	local name=$1 want=$2 text=$3 mode=$4
	shift 4
	boot "$mode" "$@"
	if [ "$status" != "$want" ]; then
		not_ok "$name" "exit status $status, not $want"
	elif ! one_line || ! grep -q -- "$text" "$work/err"; then
		not_ok "$name" "it does not say in one line: $text"
	else
		ok "$name"
	fi
}

ends panic-is-told 3 "panicked" die --kernel "$vmlinux"
ends triple-fault-is-told 3 "triple fault" "" --kernel "$vmlinux" --cmdline "reboot=t"

# refused NAME TEXT OPTION...: one line, exit status 125.
refused() {
	local name=$1 text=$2
	shift 2
	: >"$work/out"
	timeout 10 "$vmm" "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
	if [ "$status" != 125 ]; then
		not_ok "$name" "exit status $status, not 125"
	elif ! one_line || ! grep -q -- "$text" "$work/err"; then
		not_ok "$name" "it does not say in one line: $text"
	else
		ok "$name"
	fi
}

: >"$work/empty"
echo "not a kernel at all" >"$work/text"
head -c 3000000 "$vmlinux" >"$work/cut-elf"
head -c 3000000 "$bzimage" >"$work/cut-bz"
refused kernel-empty "neither" --kernel "$work/empty"
refused kernel-text "neither" --kernel "$work/text"
refused kernel-cut "cut short" --kernel "$work/cut-elf"
refused bzimage-cut "cut short" --kernel "$work/cut-bz"
refused kernel-missing "No such file" --kernel "$work/nothing"
refused kernel-is-directory "regular file" --kernel "$work"
refused kernel-closed-fd "fd:33" --kernel fd:33
refused initrd-too-large "does not fit\|do not fit" --kernel "$vmlinux" --memory 32m --initrd "$vmlinux"
refused memory-too-small "memory" --kernel "$vmlinux" --memory 16m
refused cmdline-too-long "cmdline" --kernel "$vmlinux" --cmdline "$(printf 'x%.0s' {1..2100})"
refused kvm-is-not-kvm "kvm" --kernel "$vmlinux" --kvm /dev/null
refused option-unknown "nonsense" --nonsense
refused no-kernel "--kernel" --memory 128m

# --- the console ------------------------------------------------------------------------------

# A reader who has stopped reading holds the guest's console up, but not the end of the VM. The pipe
# is full from the start, so the first line blocks.
mkfifo "$work/pipe"
exec 8<>"$work/pipe"
dd if=/dev/zero of="$work/pipe" bs=4k count=1000 oflag=nonblock 2>/dev/null
"$vmm" --kernel "$vmlinux" --initrd "$work/init.cpio" --console-stdout \
	--cmdline "console=ttyS0 -- tick" >"$work/pipe" 2>"$work/err" &
pid=$!
for _ in {1..400}; do
	# The VM is in a child, which is the first process of its namespace.
	grep -qs pipe_w /proc/"$(pgrep -P $pid)"/task/*/wchan && break
	sleep 0.05
done
blocked=$?
kill -TERM $pid
began=$(date +%s%N)
wait $pid
status=$?
took=$((($(date +%s%N) - began) / 1000000))
exec 8>&-
if [ $blocked != 0 ]; then
	not_ok slow-reader "the console did not block"
elif [ $status != 0 ] || [ $took -gt 2000 ]; then
	not_ok slow-reader "exit status $status after $took ms"
else
	ok slow-reader
fi

# --- the owner --------------------------------------------------------------------------------

# own SCRIPT [OPTION...]: an owner that does what the script says.
own() {
	local script=$1
	shift
	timeout 40 "$owner" "$vmm" --kernel "$vmlinux" --initrd "$work/init.cpio" \
		--cmdline "console=ttyS0 quiet -- ${mode:-tick}" "$@" \
		>"$work/out" 2>"$work/err" < <(printf '%b' "$script")
}

own 'await guest: tick\nstatus\nmetrics\nstop\nwait\n' --cpus 2
if says "^status running cpus 2 memory 268435456" && says "kernel entered=" && says "^exit 0"; then
	ok status-and-stop
else
	not_ok status-and-stop "no such answers"
fi
if [ "$(sed -n 's/^metric exits.pio //p' "$work/out")" -gt 0 ] && says "^metric vcpu1.exits.mmio"; then
	ok metrics
else
	not_ok metrics "no counters"
fi

own 'await guest: tick 2\npause\nstatus\ncount guest: tick\nsleep 600\ncount guest: tick\nresume\nsleep 600\ncount guest: tick\nresume\npause\npause\nresume\nawait tick 40\nclose\nwait\n'
mapfile -t counts < <(sed -n 's/^count //p' "$work/out")
if ! says "^status paused"; then
	not_ok pause "the state is not paused"
elif [ "${counts[0]}" != "${counts[1]}" ]; then
	not_ok pause "the guest goes on: ${counts[*]}"
elif [ "${counts[2]}" -le "${counts[1]}" ]; then
	not_ok pause "the guest does not go on after resume: ${counts[*]}"
elif grep -aq '^error' "$work/out"; then
	not_ok pause "an error"
else
	ok pause
fi
if says "^await ok" && says "^exit 0"; then
	ok owner-closes
else
	not_ok owner-closes "the VM does not end"
fi

mode=flood own 'wait\ncount guest: flood\nring\n' --console-file "$work/console"
n=$(sed -n 's/^count //p' "$work/out")
if [ "$(grep -ac '^guest: flood 00000[0-9]\{3\} 0*[0-9]*.$' "$work/console")" = 120 ]; then
	ok console-file
else
	not_ok console-file "lines are missing"
fi
if says "^exit 0" && [ "${n:-0}" = 120 ] && says "flood 00000119"; then
	ok ring-outlives-the-vm
else
	not_ok ring-outlives-the-vm "the last lines are not there (${n:-none})"
fi

# An owner that is killed takes the VM along.
mkfifo "$work/fifo"
"$owner" "$vmm" --kernel "$vmlinux" --initrd "$work/init.cpio" \
	--cmdline "console=ttyS0 quiet -- tick" <"$work/fifo" >"$work/out" 2>"$work/err" &
pid=$!
exec 7>"$work/fifo"
echo "await guest: tick" >&7
until says "^await" || ! kill -0 $pid 2>/dev/null; do sleep 0.05; done
child=$(pgrep -P $pid)
kill -KILL $pid
wait $pid 2>/dev/null
exec 7>&-
for _ in {1..20}; do
	kill -0 "$child" 2>/dev/null || break
	sleep 0.05
done
if [ -z "$child" ] || kill -0 "$child" 2>/dev/null; then
	not_ok owner-dies "the VM lives on"
else
	ok owner-dies
fi
exit $failed
