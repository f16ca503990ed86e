#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The network of pods under CRI, and their ports. The cases are in cri_net.py.
set -u
[ "${1:-}" = inside ] || exec unshare --net --mount "$0" inside
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=containerd.sh
. "$here/containerd.sh"
# shellcheck source-path=SCRIPTDIR source=cri.sh
. "$here/cri.sh"
case $size in full) mib=100 ;; small) mib=2 ;; *) mib=4 ;; esac

cri cri_net "$mib"
finish
