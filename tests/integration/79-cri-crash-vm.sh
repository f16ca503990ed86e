#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The monitor, the guest's agent or the file server killed at random moments of a pod's life under CRI (cri_crash.py).
set -u
[ "${1:-}" = inside ] || exec unshare --net --mount "$0" inside
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=containerd.sh
. "$here/containerd.sh"
# shellcheck source-path=SCRIPTDIR source=cri.sh
. "$here/cri.sh"
case $size in full) rounds=500 ;; small) rounds=4 ;; *) rounds=20 ;; esac

cri cri_crash "${SBX_ROUNDS:-$rounds}" "${SBX_SEED:-1}" sbx-vmm sbx-agent sbx-share
finish
