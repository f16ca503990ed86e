#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The shim under containerd's contract: random sequences of calls, and whether each event comes, once,
# in order, with the right status. The same judge judges runc's shim.
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"
case $size in full) rounds=1000 ;; small) rounds=10 ;; *) rounds=100 ;; esac
rounds=${SBX_ROUNDS:-$rounds}
seed=${SBX_SEED:-1}

lives() { # NAME SHIM ROOTFS
	mkdir "$work/$1"
	"$build/tests/host_events" "$2" "$3" "$work/$1" "$rounds" "$seed" >"$work/out" 2>"$work/err"
	status=$?
	grep '^#' "$work/out" | head -n 20
	check "$1: $rounds lives, seed $seed" '[ $status = 0 ]'
}

# By hand, as containerd does; it is said to what nobody listens.
start_shim() { # ID
	mkdir "$work/$1"
	echo '{}' >"$work/$1/config.json"
	(cd "$work/$1" && exec timeout 20 "$build/bin/containerd-shim-sbx-v2" -namespace by-hand -id "$1" \
		-address "$work/none" start) >"$work/out" 2>"$work/err" </dev/null
}
start_shim killed
ours containerd-shim | xargs -r kill -9
check "a shim that is killed leaves its directory" 'ls "$SBX_ROOT"/run/by-hand/killed >"$work/out"'
# A containerd that died while it started a shim never calls it.
start_shim lonely
lonely=$(ours containerd-shim)
check "to the next start" '[ "$(ls "$SBX_ROOT"/run/by-hand)" = lonely ] && [ "$(ls "$SBX_ROOT"/run/s | wc -l)" = 1 ]'
check "a shim that nobody calls waits" '[ -n "$lonely" ]'

SBX_OURS=1 lives sbx "$build/bin/containerd-shim-sbx-v2" "$build/share/builtin.erofs"
for ((i = 0; i < 70; i++)); do
	[ -d "/proc/$lonely" ] || break
	sleep 1
done
check "but not for ever" '[ ! -d "/proc/$lonely" ]'
check "nothing is left" '! leftovers'
# The judge is judged by a shim that is known to be right.
fsck.erofs --extract="$work/rootfs" "$build/share/builtin.erofs" >/dev/null 2>&1
rounds=$((rounds / 5 + 1))
lives runc "$(command -v containerd-shim-runc-v2)" "$work/rootfs"
finish
