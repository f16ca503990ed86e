#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The agent in a real guest, asked by a small owner of its own (host_agent.c): boot and set-up, then
# containers from creation to deletion, their streams, limits and walls.
set -u
here=$(dirname "$(readlink -f "$0")")
build=${SBX_BUILD:-$here/../../build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# An image that wants its mounts to lead out, and an empty writable disk.
mkdir -p "$work/root"/{bin,etc,tmp,run/agent}
cp "$(command -v busybox)" "$work/root/bin/busybox"
for applet in sh ls tr head; do ln -s busybox "$work/root/bin/$applet"; done
ln -s /etc "$work/root/proc"
ln -s /run/agent "$work/root/dev"
ln -s ../../../../../../../escape "$work/root/sys"
mkfifo "$work/root/etc/passwd"
if ! mkfs.erofs --all-root "$work/hostile" "$work/root" >/dev/null ||
	! truncate -s 32M "$work/scratch" || ! mkfs.ext4 -q "$work/scratch"; then
	echo "not ok agent disks: mkfs failed"
	exit 1
fi

"$build/tests/host_agent" "$work" "$build/bin/sbx-vmm" --kernel "$build/share/vmlinux" \
	--initrd "$build/share/initramfs.cpio" --cmdline "console=ttyS0 quiet reboot=k panic=-1" \
	--memory 256m --disk "$build/share/builtin.erofs,ro" --disk "$work/hostile,ro" \
	--disk "$work/scratch" --vsock-dir "$work" \
	--console-file "$work/console"
status=$?
# What the guest's kernel and agent had to say, where something went wrong.
[ "$status" = 0 ] || tail -n 20 "$work/console" 2>/dev/null | sed 's/^/    /'
exit "$status"
