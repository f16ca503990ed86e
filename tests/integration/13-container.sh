#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the runtime-spec promises, tried from inside: each case is a config.json that goes the shim's own
# way to the agent in a real guest, and a program that tries (host_container.c, container_cases.h).
set -u
here=$(dirname "$(readlink -f "$0")")
build=${SBX_BUILD:-$here/../../build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/root"/{bin,dev,etc/sub,mnt,proc,sys,tmp}
cp "$(command -v busybox)" "$work/root/bin/busybox"
cp "$build/tests/guest_try" "$work/root/bin/try"
busybox --list | while read -r applet; do
	[ "$applet" = busybox ] || ln -s busybox "$work/root/bin/$applet"
done
echo 1 >"$work/root/etc/one"
echo 2 >"$work/root/etc/sub/two"
ln -s one "$work/root/etc/link"
chown 5 "$work/root/etc/one"
chmod 640 "$work/root/etc/one"
chmod 711 "$work/root/etc/sub"
chmod 755 "$work/root" "$work/root/etc" "$work/root/etc"
chmod 1777 "$work/root/tmp"
if ! mkfs.erofs "$work/image" "$work/root" >/dev/null; then
	echo "not ok container image: mkfs failed"
	exit 1
fi
"$build/tests/host_container" "$work" "$build/bin/sbx-vmm" --kernel "$build/share/vmlinux" \
	--initrd "$build/share/initramfs.cpio" --cmdline "console=ttyS0 quiet reboot=k panic=-1" \
	--memory 256m --cpus 2 --disk "$work/image,ro" --vsock-dir "$work" --console-file "$work/console"
status=$?
[ "$status" = 0 ] || tail -n 20 "$work/console" 2>/dev/null | sed 's/^/    /'
exit "$status"
