#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Pods made by containerd 2's Sandbox service, without a sandbox container.
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"
mkdir "$work/pods"
"$build/tests/host_pod" "$build/bin/containerd-shim-sbx-v2" "$build/share/builtin.erofs" "$work/pods"
status=$?
check "all of it" '[ $status = 0 ]'
check "nothing is left" '! leftovers'
finish
