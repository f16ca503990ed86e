#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A guest that attacks each of its devices (tests/hostile), while another VM beside it does its work.
set -u
here=$(dirname "$(readlink -f "$0")")
build=${SBX_BUILD:-$here/../../build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

ok() { echo "ok $1"; }
not_ok() {
	echo "not ok $1: $2"
	failed=1
}
check() { # NAME COMMAND WHY
	if eval "$2"; then ok "$1"; else not_ok "$1" "$3"; fi
}

head -c 1M /dev/urandom >"$work/rw"
cp "$work/rw" "$work/ro"
head -c 1M /dev/urandom >"$work/neighbour"
mkdir "$work/vsock"
before=$(md5sum <"$work/ro" && md5sum <"$work/neighbour")

# The bystander: a VM that prints a line now and then, and has to go on doing so.
mkdir "$work/root"
cp "$build/tests/guest_boot" "$work/root/init"
(cd "$work/root" && find . | cpio -o -H newc --quiet) >"$work/init.cpio"
"$build/bin/sbx-vmm" --kernel "$build/share/vmlinux" --initrd "$work/init.cpio" --disk "$work/neighbour" \
	--cmdline "console=ttyS0 quiet -- tick" --console-file "$work/bystander" 2>"$work/bystander.err" &
bystander=$!
ticks() { grep -ac 'guest: tick' "$work/bystander"; }
for _ in {1..200}; do [ "$(ticks)" -gt 2 ] && break; sleep 0.1; done

# The attacker, with a disk, a read-only one, a network, a folder and memory that it may plug.
mkdir -p "$work/shared/folder"
echo secret >"$work/shared/file"
listing() { (cd "$work" && find shared -printf '%p %M %s %u\n' | sort); }
shared=$(listing)
printf 'memory 192m\nnet\nshare %s %s\nwait\n' "$build/bin/sbx-share" "$work/shared" |
	timeout -k 5 250 "$build/tests/host_owner" "$build/bin/sbx-vmm" --kernel "$build/tests/hostile" --memory 64m --max-memory 320m \
		--disk "$work/rw" --disk "$work/ro,ro" --vsock-dir "$work/vsock" --console-file "$work/console" \
		>"$work/out" 2>"$work/err"
status=$(sed -n 's/^exit //p' "$work/out")
grep -aE '^(ok|not ok) ' "$work/console"
grep -aq '^not ok ' "$work/console" && failed=1
check "the attacker came to its end" 'grep -aq "^done [0-9]" "$work/console" && [ "$status" = 0 ]' \
	"status $status, $(tail -n 3 "$work/console" | tr '\n' ' ') $(tail -n 5 "$work/err")"
attacks=$(sed -n 's/^done //p' "$work/console" | tr -d '\r')
check "at least 200 attacks ($attacks)" '[ "${attacks:-0}" -ge 200 ]' "only ${attacks:-none}"
check "the read-only disk and the neighbour's are as they were" \
	'[ "$before" = "$(md5sum <"$work/ro" && md5sum <"$work/neighbour")" ]' "they have changed"
check "what is shared is as it was" '[ "$shared" = "$(listing)" ]' "$(diff <(echo "$shared") <(listing))"
check "the disk is as long as it was" '[ "$(stat -c %s "$work/rw")" = 1048576 ]' "$(stat -c %s "$work/rw") bytes"
check "few words are written to the log" '[ "$(wc -c <"$work/err")" -lt 100000 ]' "$(wc -c <"$work/err") bytes"

now=$(ticks)
for _ in {1..100}; do [ "$(ticks)" -gt "$now" ] && break; sleep 0.1; done
check "the virtual machine beside it goes on" '[ "$(ticks)" -gt "$now" ] && kill -0 $bystander' "it stands still"
kill $bystander
wait $bystander 2>/dev/null
exit $failed
