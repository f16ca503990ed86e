#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# buildah over sbx-oci: commands in a working container, and an image that is built from a Containerfile.
set -u
. "$(dirname "$(readlink -f "$0")")/podman.sh"

export BUILDAH_ISOLATION=oci BUILDAH_RUNTIME=$build/bin/sbx-oci
b() {
	timeout -k 5 "${limit:-100}" "$build/tests/buildah/usr/bin/buildah" --root "$work/storage" --runroot "$work/runroot" \
		--storage-driver overlay "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
}

b from --pull-never --name making localhost/box
check "from" '[ $status = 0 ] && out_is making'
b run --network=none making sh -c 'uname -r; echo made >/made; echo aside >&2; exit 7'
check "run: streams and exit code, in the guest's kernel" '[ $status = 7 ] && out_has -sbx && err_has aside'
b run --network=none --user 12:34 -v "$work:/mnt:ro" making sh -c 'id -u; id -g; cat /made; touch /mnt/x || echo read-only'
check "run: a user and a volume, on what was made before" '[ $status = 0 ] && out_has "12
34
made
read-only"'
check "and nothing is left" '! remains'

cat >"$work/Containerfile" <<'F'
FROM localhost/box
ENV WHO=sbx
RUN echo "for $WHO in $(uname -r)" >/built && mkdir -m 1777 /scratch
USER 1000:1000
RUN id -u >/scratch/user
CMD ["cat", "/built", "/scratch/user"]
F
mkdir "$work/context"
limit=200 b build --pull-never --network=none -t built -f "$work/Containerfile" "$work/context"
check "build" '[ $status = 0 ]'
run_p localhost/built
check "what was built runs" '[ $status = 0 ] && grep -q "^for sbx in .*-sbx" "$work/out" && out_has 1000'
sed -i 's/^RUN id.*/RUN exit 5/' "$work/Containerfile"
limit=200 b build --pull-never --network=none -f "$work/Containerfile" "$work/context"
check "a build's failing command fails it" '[ $status != 0 ] && err_has "exit status 5"'
b rm --all
check "nothing is left" '! remains'
finish
