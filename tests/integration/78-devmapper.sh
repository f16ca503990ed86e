#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# containerd's devmapper snapshotter on a thin pool of two loop devices: a container's root is a disk of the
# guest's, which the host mounts only to fill it.
set -u
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=containerd.sh
. "$here/containerd.sh"

pool="sbx-test-pool"
# Nobody's udev makes the nodes of /dev/mapper, so dmsetup has to, containerd's too.
export DM_DISABLE_UDEV=1
make_pool() {
	modprobe -q dm_thin_pool
	truncate -s 1G "$dir/data" && truncate -s 16M "$dir/meta" &&
		data=$(losetup --find --show "$dir/data") && meta=$(losetup --find --show "$dir/meta") &&
		dmsetup create $pool --table "0 2097152 thin-pool $meta $data 128 1024 1 skip_block_zeroing"
}
remove_pool() {
	kill $daemon 2>/dev/null
	pkill -9 -x containerd-shim
	await 10 '! pgrep -x containerd >/dev/null && ! pgrep -x sbx-vmm >/dev/null'
	dmsetup ls | awk -v prefix="$pool-snap" 'index($1, prefix) == 1 { print $1 }' | xargs -r -n 1 dmsetup remove
	dmsetup remove $pool
	losetup -d "$data" "$meta"
	rm -rf "$work" "$dir"
}

make_pool >"$work/out" 2>"$work/err"
status=$?
check "a thin pool" '[ $status = 0 ]'
[ $status = 0 ] || finish
trap remove_pool EXIT
sed -i '/^disabled_plugins/s/, "io.containerd.snapshotter.v1.devmapper"//' "$dir/config.toml"
cat >>"$dir/config.toml" <<EOF
[plugins."io.containerd.snapshotter.v1.devmapper"]
pool_name = "$pool"
root_path = "$dir/devmapper"
base_image_size = "128MB"
EOF
check "containerd is up" start_containerd
import_image
check "an image" '[ -n "$image" ]'

c --rm --snapshotter devmapper "$image" thin sh -c 'echo thin >/written; cat /written; grep " / " /proc/mounts'
check "a container's root is a disk of the guest's" '[ $status = 0 ] && out_has thin && grep -q "^/dev/vd.* / ext4 rw" "$work/out"'
c --rm --snapshotter devmapper "$image" again sh -c 'cat /written || echo new'
check "each has its own" 'out_is new'
c --rm --read-only --snapshotter devmapper "$image" read-only sh -c 'touch /x || echo no'
check "read-only" 'out_is no'

c -d --snapshotter devmapper "$image" long sh -c 'echo first >/kept; sleep 1000'
check "detached, and mounted by nobody but the guest" \
	'[ $status = 0 ] && ! grep -q "$pool-snap" /proc/mounts "/proc/$(pgrep -x containerd-shim)/mounts"'
timeout 60 ctr task exec --exec-id e1 long cat /kept >"$work/out" 2>"$work/err"
status=$?
check "exec" '[ $status = 0 ] && out_is first'
ctr task kill -s SIGKILL long
await 20 'ctr task list | grep -q "long.*STOPPED"'
ctr task rm long >"$work/out" 2>&1
timeout 60 ctr task start -d long >"$work/out" 2>"$work/err"
status=$?
timeout 60 ctr task exec --exec-id e2 long cat /kept >"$work/out" 2>>"$work/err"
check "a second task finds what the first one wrote" '[ $status = 0 ] && out_is first'
pkill -9 -x sbx-vmm
await 20 'ctr task list | grep -q "long.*STOPPED"'
ctr task rm long >"$work/out" 2>&1
ctr container rm long
check "of the disks only the image's may be left" 'await 10 "[ \$(dmsetup ls | grep -c ^$pool-snap) -le 1 ]"'
check "nothing is left" 'await 5 nothing'
[ $failed = 0 ] || grep -v 'level=warning' "$dir/log" | tail -n 20 | sed 's/^/# /'
finish
