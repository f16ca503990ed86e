#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 72-cri.sh's pods, and ctr, with the containerd of a Debian newer than this one: 2.x.
set -u
[ "${1:-}" = inside ] || exec unshare --net --mount "$0" inside
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
export PATH=$build/tests/next-containerd/usr/bin:$PATH
# shellcheck source-path=SCRIPTDIR source=containerd.sh
. "$here/containerd.sh"
# shellcheck source-path=SCRIPTDIR source=cri.sh
. "$here/cri.sh"

check "it is 2.x" '[ "$(containerd --version | sed "s/.* \([0-9]*\)\..*/\1/")" -ge 2 ]'
cri cri_cases
rm -rf "$dir/oci" "$dir/bundle"
import_image
c --rm "$image" one sh -c 'echo hello; exit 7'
check "ctr run" '[ $status = 7 ] && out_is hello'
c -d "$image" two sleep 1000
timeout 100 ctr task exec --exec-id e1 two sh -c 'echo in; exit 3' >"$work/out" 2>"$work/err"
status=$?
check "ctr task exec" '[ $status = 3 ] && out_is in'
check "ctr task kill" 'timeout 60 ctr task kill -s SIGKILL two && await 20 "ctr task list | grep -q two.*STOPPED"'
check "ctr task rm" 'timeout 60 ctr task rm two; ! ctr task list | grep -q two'
check "nothing is left" 'await 20 nothing'
finish
