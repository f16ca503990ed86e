#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# sbx doctor and the KVM probe: the truth on a machine with usable KVM, without the device, and for a
# user who may not open it; in milliseconds, and with an exit code that scripts can use.
set -u
here=$(dirname "$(readlink -f "$0")")
build=${SBX_BUILD:-$here/../../build}
sbx=$build/bin/sbx
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SBX_ROOT=$work/root
cd "$work" || exit 1
failed=0

ok() { echo "ok $1"; }
not_ok() {
	echo "not ok $1: $2"
	failed=1
}
check() {
	local name=$1
	shift
	if "$@"; then ok "$name"; else not_ok "$name" "$*"; fi
}
# field EXPRESSION: of the JSON in out, as d.
field() { python3 -c "import json; d = json.load(open('out')); print($1)"; }
kvm_status() { field "next(c['status'] for c in d['checks'] if c['name'] == 'kvm')"; }

probe() {
	local begin
	begin=$(date +%s%N)
	"$sbx" doctor --probe >out 2>&1
	status=$?
	elapsed=$((($(date +%s%N) - begin) / 1000000))
}

test_probe() {
	probe
	check "--probe prints nothing" [ ! -s out ]
	check "--probe says 0 or 1 ($status)" [ "$status" = 0 -o "$status" = 1 ]
	# Generous, for a machine that is busy or emulated; a probe that hangs takes much longer.
	check "--probe is quick ($elapsed ms)" [ "$elapsed" -lt 5000 ]
	[ "$(hostname)" != testhost ] || check "KVM of the test host is usable" [ "$status" = 0 ]
}

test_report() {
	local kvm
	probe
	"$sbx" doctor --json >out 2>err
	local exit_status=$?
	kvm=$(kvm_status)
	check "the report agrees with the probe" [ "$status/$kvm" = 0/ok -o "$status/$kvm" = 1/warn ]
	check "the exit code agrees with the report" [ "$exit_status" = "$(field "0 if d['ok'] else 1")" ]
	check "the driver agrees with the report" [ "$(field "d['ok'] == (d['driver'] is not None)")" = True ]
	check "every check has its four fields" [ "$(field "all(set(c) == {'name', 'status', 'text', 'advice'} for c in d['checks'])")" = True ]
	check "nothing on stderr" [ ! -s err ]
	"$sbx" doctor >lines
	check "as many lines as checks, and a verdict" [ "$(wc -l <lines)" = "$(field "len(d['checks']) + 1")" ]
	check "every line has a status" [ "$(head -n -1 lines | grep -vc '^\(ok\|warn\|fail\) ')" = 0 ]
	"$sbx" doctor nonsense >out 2>err
	check "an argument is refused" [ $? = 125 ]
}

# Programs look beside themselves, so a copy has neither shim nor kernel.
test_alone() {
	mkdir -p alone/bin && cp "$sbx" alone/bin/
	# Nor are they where sbx may be installed.
	unshare -m sh -c 'mount -t tmpfs tmpfs /usr/local && exec "$@"' sh alone/bin/sbx doctor --json >out
	check "without its other programs it cannot run" [ "$?/$(field "d['driver']")" = 1/None ]
}

# in_dev SETUP COMMAND...: COMMAND with another /dev, made by SETUP.
in_dev() { unshare -m sh -c 'mount -t tmpfs tmpfs /dev && mknod -m 666 /dev/null c 1 3 && eval "$0" && exec "$@"' "$@"; }

test_devices() {
	in_dev : "$sbx" doctor --json >out
	check "no device: missing" grep -q "not usable, missing" out
	in_dev : "$sbx" doctor --probe
	check "no device: the probe says 1" [ $? = 1 ]
	in_dev "touch /dev/kvm" "$sbx" doctor --json >out
	check "a file in its place: broken" grep -q "not usable, broken" out
	in_dev "ln -s null /dev/kvm" "$sbx" doctor --json >out
	check "another device in its place: broken" grep -q "not usable, broken" out
	chmod 755 "$work"
	mkdir -m 777 user
	in_dev "mknod -m 600 /dev/kvm c 10 232" setpriv --reuid 4321 --regid 4321 --clear-groups \
		env SBX_ROOT="$work/user" HOME="$work/user" "$sbx" doctor --json >out
	check "no permission: forbidden, and what to do" grep -q "usermod -aG kvm" out
}

test_probe
test_report
test_alone
[ "$(id -u)" != 0 ] || test_devices
exit $failed
