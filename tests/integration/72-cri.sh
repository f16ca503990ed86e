#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Debian's containerd as the kubelet drives it: CRI. The cases are in cri_cases.py.
set -u
[ "${1:-}" = inside ] || exec unshare --net --mount "$0" inside
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=containerd.sh
. "$here/containerd.sh"
# shellcheck source-path=SCRIPTDIR source=cri.sh
. "$here/cri.sh"

cri cri_cases
finish
