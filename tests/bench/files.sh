# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A disk and a share (files.c), in the same guest with the same kernel, of our monitor and of QEMU; and in the host's
# memory itself, where both lie in the end.

# file_rows NAME COMMAND...: what files.c says on the command's standard output.
file_rows() {
	local name=$1 status
	shift
	"$@" >out/files 2>out/err </dev/null
	status=$?
	tr -d '\r' <out/files | awk -F '|' -v name="$name" '
		NF == 3 && $3 > 0 {
			data = $1 ~ /^sequential/
			printf "figure|%s|%s|%s|%.1f\n", name, $1, data ? "MiB/s" : "/s", $2 / (data ? 1048576 : 1) / $3 * 1e9
		}'
	[ "$(grep -ac '^files removed|' out/files)" = "$times" ] ||
		missing "$name" "status $status: $(tail -n 2 out/files | tr -cd '[:print:]') $(tail -n 2 out/err)"
}

# Its devices interrupt by the PIC, which a machine without any does without.
machine=(-M "microvm,acpi=off" -global "virtio-mmio.force-legacy=false" -initrd files.cpio)

new_disk() {
	rm -f disk
	truncate -s 128M disk
	mkfs.ext4 -q -F -E lazy_itable_init=0 disk
}
new_share() {
	rm -rf shared
	mkdir -p shared/r
}
files_by_sbx_disk() {
	new_disk
	timeout 60 "${monitor[@]}" --initrd files.cpio --disk disk --no-net --no-share --console-stdout --cmdline "console=ttyS0 quiet -- disk $times"
}
files_by_qemu_disk() {
	new_disk
	timeout 60 "${qemu[@]}" "${machine[@]}" -append "$quiet disk $times" \
		-drive if=none,id=disk,format=raw,file=disk -device virtio-blk-device,drive=disk
}
files_by_sbx_share() {
	new_share
	printf '%s\n' "share $work/bin/sbx-share $work/shared/r" wait |
		timeout 60 ./host_owner "${monitor[@]}" --initrd files.cpio --no-net --console-file "$work/out/console" \
			--cmdline "console=ttyS0 quiet -- share $times" >&2
	cat out/console
}
files_by_virtiofsd() {
	new_share
	/usr/lib/qemu/virtiofsd --socket-path="$work/virtiofsd" -o source="$work/shared" -o cache=auto >&2 &
	for _ in {1..100}; do [ -S virtiofsd ] && break; sleep 0.1; done
	timeout 60 "${qemu[@]}" "${machine[@]}" -M memory-backend=m -append "$quiet share $times" \
		-object "memory-backend-memfd,id=m,size=${mib}M,share=on" \
		-chardev "socket,id=fs,path=$work/virtiofsd" -device vhost-user-fs-device,chardev=fs,tag=sbx
	kill $! 2>/dev/null
	wait $!
}

file_tables() {
	echo "# files"
	mkdir here
	file_rows "files: host" ./files here "$times"
	file_rows "files: sbx disk" files_by_sbx_disk
	# The first of a boot takes seconds to be read from the disk.
	"${qemu[@]}" "${microvm[@]}" -initrd first.cpio -append "$quiet" >/dev/null 2>&1 </dev/null
	file_rows "files: QEMU disk" files_by_qemu_disk
	file_rows "files: sbx share" files_by_sbx_share
	if has "files: QEMU virtiofsd" /usr/lib/qemu/virtiofsd; then
		file_rows "files: QEMU virtiofsd" files_by_virtiofsd
	fi
	rm -rf here disk shared
}
