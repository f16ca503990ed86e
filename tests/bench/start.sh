# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# From a request to the program's first action and to the end: ours beside our peers'.

bundle() { # DIR: for runc and those who take its place
	mkdir "$1" && cp -r rootfs "$1/rootfs"
	(cd "$1" && "$spec_by" spec && jq '.process.args = ["/first"] | .process.terminal = false' config.json >new &&
		mv new config.json)
}
make_bundles() {
	local program spec_by=sbx-oci
	for program in runc crun; do
		! command -v $program >/dev/null || spec_by=$program
	done
	bundle one
	bundle long
	jq '.process.args = ["/bin/busybox", "sleep", "100000"]' long/config.json >new && mv new long/config.json
}

floor_rows() {
	echo "# floor"
	time_row "fork and exec" ./rootfs/first
	[ "$mode" = short ] || time_row "unshare" unshare --fork --pid --mount --uts --ipc --net --cgroup ./rootfs/first
}

# oci_rows RUNTIME: and an exec, but for the short form.
oci_rows() {
	echo "# $1"
	has "$1 run" "$1" || return
	time_row "$1 run" "$1" run -b one "one-$1"
	[ "$mode" != short ] || return
	(cd long && "$1" run -d "long-$1" >/dev/null 2>&1 </dev/null)
	time_row "$1 exec" "$1" exec "long-$1" /first
	"$1" delete -f "long-$1"
}

runsc_row() {
	echo "# runsc"
	has "runsc run, ptrace" runsc || return
	time_row "runsc run, ptrace" runsc --root "$work/runsc" --platform=ptrace --network=none run --bundle one one-runsc
}

# With our kernel; its console is the standard output.
qemu=(qemu-system-x86_64 -accel kvm -cpu host -m "$mib" -nodefaults -no-user-config -display none -no-reboot
	-serial stdio -kernel share/vmlinux)
microvm=(-M microvm,acpi=off,pit=off,pic=off)
# QEMU puts its devices behind these, so that init's arguments cannot follow a "--".
quiet="console=ttyS0 quiet reboot=t panic=-1"
monitor=("$work/bin/sbx-vmm" --memory "${mib}m" --kernel share/vmlinux)
bare=(--initrd first.cpio --slots 0 --no-net --no-share --console-stdout --cmdline "console=ttyS0 quiet")

# Ours boots the same as these, beside what starts a container.
vm_rows() {
	echo "# virtual machines"
	time_row "sbx-vmm, bare init" "${monitor[@]}" "${bare[@]}"
	has "QEMU, bare init" qemu-system-x86_64 || return
	time_row "QEMU microvm, bare init" "${qemu[@]}" "${microvm[@]}" -initrd first.cpio -append "$quiet"
	time_row "QEMU q35 with qboot, bare init" "${qemu[@]}" -M q35 -bios bios-microvm.bin -initrd first.cpio -append "$quiet"
	time_row "QEMU q35 with SeaBIOS, bare init" "${qemu[@]}" -M q35 -initrd first.cpio -append "$quiet"
}

sbx_rows() {
	echo "# sbx"
	time_row "sbx run, built-in image" sbx run --rm -- adjtimex
	[ "$mode" != short ] || return
	time_row "sbx run, EROFS image" sbx run --rm erofs:first.erofs /first
	time_row "sbx run, directory" sbx run --rm dir:rootfs /first
	time_row "sbx-oci run" sbx-oci run -b one one-sbx
}
