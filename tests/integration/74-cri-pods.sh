#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Twenty pods of two containers each, started at once and removed at once, three times in full: all of
# them run, nothing is left. The figures are cri_pods.py's.
set -u
[ "${1:-}" = inside ] || exec unshare --net --mount "$0" inside
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=containerd.sh
. "$here/containerd.sh"
# shellcheck source-path=SCRIPTDIR source=cri.sh
. "$here/cri.sh"
case $size in full) pods=20 rounds=3 ;; small) pods=4 rounds=1 ;; *) pods=20 rounds=1 ;; esac

cri cri_pods "${SBX_PODS:-$pods}" "${SBX_ROUNDS:-$rounds}"
finish
