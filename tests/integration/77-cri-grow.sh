#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A pod that is begun small and grows with its containers, over CRI. The cases are in cri_grow.py.
set -u
[ "${1:-}" = inside ] || exec unshare --net --mount "$0" inside
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=containerd.sh
. "$here/containerd.sh"
# shellcheck source-path=SCRIPTDIR source=cri.sh
. "$here/cri.sh"

# More CPUs than this host may have: what is shown is the machine, not its speed.
printf '[vm]\nmax-cpus = 6\nmax-memory = 4G\n' >"$dir/sbx.conf"
cat >>"$dir/config.toml" <<EOF
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.sbx.options]
ConfigPath = "$dir/sbx.conf"
EOF
cri cri_grow
finish
