#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The tests that crun comes with (tests/conformance/crun), run against runc, crun and sbx-oci: sbx-oci has to pass
# them, but for what docs/oci.md lists with its reason. SBX_SIZE=full runs all of them.
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"

here=$(dirname "$(dirname "$(readlink -f "$0")")")/conformance/crun
docs=$here/../../../docs/oci.md
sbx=$build/bin/sbx-oci
# One of each kind, and those that have found something. Each starts a virtual machine or more.
some='unknown-caps test_simple_delete mknod-device exec-add-capability test-fail-prestart masked-paths
	mount-userns-bind-mount resources-unified-exec-cgroup resources-fail-with-enoent'
limit=200 least=$(wc -w <<<"$some")
[ "$size" != full ] || some='' limit=3000 least=70 # runc passes 71 of 108
declare -A verdict took
tests=()

run_with() { # RUNTIME
	local start=$SECONDS line name
	while read -r line; do
		[[ $line =~ ^(not )?ok\ [0-9]+\ -\ ([^ ]+)(\ #SKIP)? ]] || continue
		name=${BASH_REMATCH[2]}
		verdict[$1 $name]=${BASH_REMATCH[1]:+failed}${BASH_REMATCH[3]:+skipped}
		[ -n "${verdict[$1 $name]}" ] || verdict[$1 $name]=passed
		[ "$1" != runc ] || tests+=("$name")
	done < <(RUNTIME=$1 timeout -k 5 $limit "$here/suite.py" "$work/suite/tests" $some 2>>"$work/err")
	took[$1]=$((SECONDS - start))
}
of() { echo "${verdict[$1 $name]-none}"; }
expected() { sed "1,/^## crun's own tests/d" "$docs" | grep '^| `' | cut -d '|' -f 2 | grep -qF "\`$name\`"; }

export PYTHONUNBUFFERED=1 OCI_RUNTIME=$here/runtime PYTHONPATH=$here INIT=$work/suite/tests/init
mkdir -p "$work/suite/tests"
cp "$build"/tests/crun/* "$work/suite/tests/"
cd "$work/suite" || exit 1
# One of them wants a pid file of five digits.
echo 20000 >/proc/sys/kernel/ns_last_pid
for runtime in runc crun "$sbx"; do run_with "$runtime"; done

for name in "${tests[@]}"; do
	if expected; then
		check "$name: fails, as docs/oci.md has it" '[[ $(of "$sbx") =~ failed|skipped ]]'
	elif [ "$(of runc)" = passed ]; then
		check "$name" '[ $(of "$sbx") = passed ]'
	else
		check "$name (runc: $(of runc), crun: $(of crun))" '[[ $(of "$sbx") =~ passed|skipped ]]'
	fi
done
passed=0
for name in "${tests[@]}"; do [ "$(of runc)" != passed ] || passed=$((passed + 1)); done
check "runc passes $passed of ${#tests[@]}" '[ $passed -ge $least ]'
echo "# in seconds: runc ${took[runc]}, crun ${took[crun]}, sbx-oci ${took[$sbx]}"
check "nothing is left" '! leftovers'
finish
