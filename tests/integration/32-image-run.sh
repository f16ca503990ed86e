#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# also: qemu
# What an image says about how to run it holds, options win over it, and a running sandbox keeps its
# image.
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"
cd "$work" || exit 1

mkdir -p root/{bin,etc}
cp "$(command -v busybox)" root/bin/busybox
ln -s busybox root/bin/sh
echo hello >root/etc/motd
echo "app:x:7:8::/:/bin/sh" >root/etc/passwd
echo "more:x:9:app" >root/etc/group
{
	umoci init --layout layout && umoci new --image layout:base &&
		umoci insert --image layout:base --tag v1 root/bin /bin && umoci insert --image layout:v1 root/etc /etc &&
		umoci config --image layout:v1 --config.entrypoint /bin/busybox --config.cmd cat --config.cmd motd \
			--config.env GREETING=hi --config.user 5:6 --config.workingdir /etc
} >err 2>&1 || { echo "not ok sources: $(tail -n 1 err)"; exit 1; }
# Or it would be the same image, which stays as long as one of its names does.
mkdir root/tmp

run oci:layout:v1
check "entrypoint, command and directory are the image's" '[ $status = 0 ] && out_is hello'
run oci:layout:v1 pwd
check "a command replaces the image's, the entrypoint stays" '[ $status = 0 ] && out_is /etc'
run --entrypoint /bin/sh oci:layout:v1 -c 'echo $GREETING $(/bin/busybox id -u) $(/bin/busybox id -g)'
check "variables and user are the image's" '[ $status = 0 ] && out_is "hi 5 6"'
run --entrypoint /bin/sh -e GREETING=ho -u 7 -w / oci:layout:v1 -c 'echo $GREETING $(/bin/busybox id -u) $PWD'
check "options win over the image" '[ $status = 0 ] && out_is "ho 7 /"'
run --entrypoint /bin/sh -u 7 oci:layout:v1 -c '/bin/busybox id -G; exec /bin/busybox id -g'
check "a number's groups are the image's, too" '[ $status = 0 ] && out_is "8 9
8"'
run --entrypoint /bin/sh -u 7:3 oci:layout:v1 -c '/bin/busybox id -G'
check "but for one that is named" '[ $status = 0 ] && out_is 3'
mkdir -p broken/bin broken/etc && cp root/bin/busybox broken/bin/ && mkfifo broken/etc/passwd
run -u 7 dir:broken /bin/busybox grep Uid: /proc/self/status
check "nor does a number need them" '[ $status = 0 ] && out_has 7'
"$sbx" images rm dir:broken >/dev/null
run dir:root /bin/busybox cat /etc/motd
check "a directory runs" '[ $status = 0 ] && out_is hello'
run oci:layout:v2
check "a tag that is not there is sbx's own failure" '[ $status = 125 ] && err_has "it holds base, v1"'

name=$(timeout -k 5 120 "$sbx" run -d "${driver[@]}" dir:root /bin/busybox sleep 1000 2>err)
status=$?
check "a sandbox runs on" '[ $status = 0 ]'
"$sbx" images rm dir:root >out 2>err
status=$?
check "its image is not removed" '[ $status = 125 ] && err_has "in use"'
"$sbx" rm -f "$name" >/dev/null 2>&1
for _ in $(seq 50); do
	"$sbx" images rm dir:root >out 2>err && break
	sleep 0.1
done
check "it is once the sandbox is gone" '[ -z "$("$sbx" images | grep dir:)" ]'
finish
