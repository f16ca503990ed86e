#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The virtio devices under a real driver: vsock, disks and their slots, rng, memory, in our monitor; and vsock
# in QEMU, from sbx-share.
set -u
here=$(dirname "$(readlink -f "$0")")
build=${SBX_BUILD:-$here/../../build}
kernel=$build/share/vmlinux
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

ok() { echo "ok $1"; }
not_ok() {
	echo "not ok $1: $2"
	failed=1
}
# Passes the helper's own results on, and everything else when one is bad: report NAME FILE STATUS.
report() {
	local bad=no
	grep -aE '^(ok|not ok|#) ?' "$2"
	grep -aq '^not ok' "$2" && bad=yes failed=1
	[ "$3" = 0 ] || { bad=yes; not_ok "$1" "ended with status $3"; }
	[ "$bad" = no ] || sed 's/^/    /' "$2" | tail -n 30
}

# small: as 94-rules.sh wants it, which counts system calls and takes its time.
case ${SBX_SIZE:-test} in
small) mib=1 connections=50 ;;
*) mib=4 connections=1000 ;;
esac

ulimit -n 8192
mkdir "$work/root"
cp "$build/tests/guest_virtio" "$work/root/init"
(cd "$work/root" && find . | cpio -o -H newc --quiet) >"$work/init.cpio"

# --- vsock -----------------------------------------------------------------------------------------

mkdir "$work/vsock"
timeout 120 "$build/tests/host_vsock" "$work/vsock" $mib $connections \
	"$build/bin/sbx-vmm" --kernel "$kernel" --initrd "$work/init.cpio" --vsock-dir "$work/vsock" \
	--cmdline "console=ttyS0 quiet -- vsock" --console-stdout >"$work/out" 2>&1
report vsock "$work/out" $?

# --- vsock of another monitor, by vhost-user --------------------------------------------------------

# "vsock" stands without "--", behind which QEMU would put the kernel's device parameters.
cat >"$work/qemu" <<-EOF
	#!/bin/bash
	"$build/bin/sbx-share" --vsock-dir "$work/shared" --socket "$work/front" &
	while [ ! -S "$work/front" ]; do sleep 0.05; done
	qemu-system-x86_64 -M microvm,acpi=off,memory-backend=m -accel kvm -m 256 -nodefaults \\
		-no-user-config -display none -serial stdio -no-reboot \\
		-object memory-backend-memfd,id=m,size=256M,share=on \\
		-global virtio-mmio.force-legacy=false -chardev socket,id=c,path="$work/front" \\
		-device vhost-user-vsock-device,chardev=c -kernel "$kernel" \\
		-initrd "$work/init.cpio" -append "console=ttyS0 quiet reboot=t vsock" || exit
	wait
EOF
mkdir "$work/shared"
chmod +x "$work/qemu"
if [ "${SBX_SIZE:-test}" != small ]; then
	timeout 120 "$build/tests/host_vsock" "$work/shared" 2 200 "$work/qemu" 2>&1 |
		sed 's/vsock-/vhost-user-vsock-/' >"$work/out"
	report vhost-user-vsock "$work/out" "${PIPESTATUS[0]}"
fi

# --- disks -----------------------------------------------------------------------------------------

# The pattern that the guest knows: byte i is the top byte of the low 32 bits of i * 2654435761.
perl -e 'binmode STDOUT; for my $b (0 .. 255) {
	print pack "C*", map { (($_ * 2654435761) & 0xffffffff) >> 24 } $b << 16 .. ($b + 1 << 16) - 1 }' \
	>"$work/disk"
cp "$work/disk" "$work/rw"
cp "$work/disk" "$work/swapped"
{
	echo "await guest: attach"
	echo "attach 2 $work/swapped"
	echo "await guest: detach"
	echo "detach 2"
	echo "await guest: attach ro"
	echo "attach 2 $work/swapped ro"
	echo "metrics"
	echo "wait"
} | timeout 120 "$build/tests/host_owner" "$build/bin/sbx-vmm" --kernel "$kernel" \
	--initrd "$work/init.cpio" --disk "$work/rw" --disk "$work/disk,ro" \
	--cmdline "console=ttyS0 quiet -- blk" --console-file "$work/console" >"$work/owner" 2>&1
status=$?
tr -d '\r' <"$work/console" >"$work/out"
report blk "$work/out" "$status"
for name in rng blk-size blk-ranges-are-exact blk-serial blk-parked blk-attach blk-detach \
	blk-attached-read-only; do
	grep -aq "ok $name\$" "$work/out" || not_ok "$name" "never came to it"
done
if grep -q '^exit 0' "$work/owner"; then ok blk-end; else
	not_ok blk-end "the monitor failed"
	sed 's/^/    /' "$work/owner"
fi
# What the guest wrote is in the file, and what it discarded takes no room in it.
dd if="$work/swapped" bs=4 skip=1024 count=1 2>/dev/null | grep -q mark &&
	ok blk-host-sees-write || not_ok blk-host-sees-write "not in the file"
[ "$(stat -c %b "$work/rw")" -le $(((16 << 20) / 512 - (2 << 20) / 512)) ] &&
	ok blk-discard-frees || not_ok blk-discard-frees "$(stat -c %b "$work/rw") blocks"
grep -q '^metric blk0.write_bytes [1-9]' "$work/owner" && ok blk-counters || not_ok blk-counters "none"

# --- memory ----------------------------------------------------------------------------------------

# own OPTIONS LINE...: an owner that does what the lines say, of a guest that watches its memory.
cp "$build/tests/guest_boot" "$work/root/init"
(cd "$work/root" && find . | cpio -o -H newc --quiet) >"$work/boot.cpio"
own() {
	local options
	read -ra options <<<"$1"
	shift
	printf '%s\n' "await guest: plus 0 MiB" "$@" stop wait |
		timeout 120 "$build/tests/host_owner" "$build/bin/sbx-vmm" --kernel "$kernel" --initrd "$work/boot.cpio" \
			--cmdline "console=ttyS0 quiet -- grow" \
			"${options[@]}" >"$work/owner" 2>&1
}
own "--max-memory 1g" metrics "memory 500m" "await guest: plus 256 MiB, touched 1" metrics "memory 256m" "sleep 3000" \
	metrics "memory 400m" "sleep 2000" metrics "memory 2g" "memory 1g" "await guest: plus 768 MiB, touched 1"
mapfile -t plugged < <(sed -n 's/^metric mem.plugged_bytes //p' "$work/owner")
check_memory() { # NAME TEST
	if eval "$2"; then ok "$1"; else
		not_ok "$1" "plugged ${plugged[*]}"
		sed '/^metric/d; s/^/    /' "$work/owner"
	fi
}
check_memory mem-plugged '[ "${plugged[0]}" = 0 ] && [ "${plugged[1]}" = 268435456 ]'
# What the kernel itself has put there stays.
check_memory mem-unplugged '[ "${plugged[2]}" -lt 134217728 ]'
check_memory mem-plugged-again '[ "${plugged[3]}" = 268435456 ]'
check_memory mem-no-more-than-foreseen 'grep -q "^error 22 .*not to have so much" "$work/owner"'
check_memory mem-all '[ "$(grep -c "^await ok" "$work/owner")" = 3 ] && grep -q "^exit 0" "$work/owner"'
own "" "memory 300m"
check_memory mem-none 'grep -q "^error 22 .*not to have so much" "$work/owner" && grep -q "^exit 0" "$work/owner"'

exit "$failed"
