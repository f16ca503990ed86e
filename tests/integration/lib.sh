# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the scripts that drive `sbx` share: cases, and a run's output, error and status.
#
#   $sbx             the program; SBX_HYPERVISOR picks the driver of every `sbx run` made by run()
#   $size            small, test or full: SBX_SIZE
#   run ARGS...      sbx run --rm ARGS; leaves $status, and $work/out and $work/err
#   ours [NAMES]     the pids of our pods' processes
#   check NAME TEST  one case: TEST is evaluated; what the last run said is shown where it fails
#   finish           the script's exit status

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
build=${SBX_BUILD:-$(readlink -f "$here/../../build")}
sbx=$build/bin/sbx
size=${SBX_SIZE:-test}
driver=(${SBX_HYPERVISOR:+--hypervisor "$SBX_HYPERVISOR"})
work=$(mktemp -d)
SBX_ROOT=$(mktemp -d) # a world of our own, so that what is left behind is ours
export SBX_ROOT
trap 'ours | xargs -r kill -9; rm -rf "$work" "$SBX_ROOT"' EXIT
failed=0 status=0
# A sanitizer build's processes report here, whoever their parent is; any report fails the script.
export ASAN_OPTIONS=log_path=$work/san UBSAN_OPTIONS=log_path=$work/san

run() {
	timeout -k 5 "${run_limit:-120}" "$sbx" run --rm "${driver[@]}" "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
	# The one line that the qemu driver owes, and that no case is about.
	sed -i '/isolation rests on an emulator/d' "$work/err"
}

check() { # NAME TEST
	if eval "$2"; then
		echo "ok $1"
	else
		echo "not ok $1: $2 (status $status)"
		for f in out err; do
			[ -s "$work/$f" ] && head -c 2000 "$work/$f" | sed "s/^/    $f: /"
		done
		failed=1
	fi
}

out_is() { [ "$(cat "$work/out")" = "$1" ]; }
out_has() { grep -aqF -- "$1" "$work/out"; }
err_has() { grep -aqF -- "$1" "$work/err"; }

# The processes of our pods, by what they inherited; names is a regular expression of the kernel's
# names for them, which it cuts at 15 characters.
pod_processes='containerd-shim|sbx-vmm|sbx-share|qemu-system-x86'
ours() { # [NAMES]
	local environ pid
	grep -lszx "SBX_ROOT=$SBX_ROOT" /proc/[0-9]*/environ | while read -r environ; do
		pid=${environ//[!0-9]/}
		grep -qxE "${1:-$pod_processes}" "/proc/$pid/comm" 2>/dev/null && echo "$pid"
	done
}

# Whether anything of a pod is still left after a second: a process of ours, or a pod's directory.
leftovers() {
	local _
	for _ in $(seq 20); do
		ours >"$work/left"
		find "$SBX_ROOT" -path '*/sbx/*' -prune -name lock >>"$work/left" 2>/dev/null
		[ -s "$work/left" ] || return 1
		sleep 0.05
	done
	return 0
}

finish() {
	local report
	for report in "$work"/san.*; do
		[ -s "$report" ] || continue
		echo "not ok a sanitizer's report"
		head -n 30 "$report" | sed 's/^/    /'
		failed=1
	done
	exit "$failed"
}
