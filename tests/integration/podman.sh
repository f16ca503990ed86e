# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Debian's podman over sbx-oci, in a world of its own, with an image of the built-in one's files.
#
#   p ARGS...   podman ARGS, at most 100 s; leaves $status, and $work/out and $work/err
#   box         the image
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"

unset SBX_ROOT # podman gives its runtime an environment of few words
export CONTAINERS_CONF=$work/containers.conf
cat >"$CONTAINERS_CONF" <<EOC
[engine]
runtime = "sbx-oci"
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime_supports_json = ["sbx-oci"]
[engine.runtimes]
sbx-oci = ["$build/bin/sbx-oci"]
[containers]
log_driver = "k8s-file"
EOC
podman=(podman --root "$work/storage" --runroot "$work/runroot" --storage-driver "${storage:-overlay}" --runtime "$build/bin/sbx-oci")
trap '"${podman[@]}" rm -f --all >/dev/null 2>&1; rm -rf "$work"' EXIT

p() {
	timeout -k 5 "${limit:-100}" "${podman[@]}" "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
}
run_p() { p run --rm --network=none "$@"; }
wait_for() { # TEST
	for _ in $(seq 200); do eval "$1" && return 0; sleep 0.05; done
	return 1
}
logged() { "${podman[@]}" logs "$1" 2>&1 | grep -q "$2"; } # CONTAINER TEXT
# Whether anything of a container is still left after a second.
left() {
	ps -eo comm= | grep -xE 'sbx-vmm|sbx-share|containerd-shim|sbx-stand-in'
	ls -A /run/sbx/@oci /run/sbx-oci 2>/dev/null | grep -v '^/\|^$'
}
remains() { ! wait_for '[ -z "$(left)" ]'; }

fsck.erofs --extract="$work/rootfs" "$build/share/builtin.erofs" >/dev/null 2>&1
# What a pod's infra container is to run, where that runs anything.
printf '#!/bin/sh\nexec sleep 100000\n' >"$work/rootfs/pause" && chmod 755 "$work/rootfs/pause"
tar -C "$work/rootfs" -cf "$work/box.tar" .
p import "$work/box.tar" box
[ "$status" = 0 ] || { echo "not ok an image for podman: $(tail -n 1 "$work/err")"; exit 1; }
