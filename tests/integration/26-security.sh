#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# also: qemu
# What `sbx run` lets a program do: its own seccomp profile, --security-opt, capabilities and what masks
# hide, each tried by a program inside.
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"

mkdir -p "$work/root"/{bin,etc,proc,sys,dev,tmp,mnt}
cp "$(command -v busybox)" "$work/root/bin/busybox"
cp "$build/tests/guest_try" "$work/root/bin/try"
busybox --list | while read -r applet; do
	[ "$applet" = busybox ] || ln -s busybox "$work/root/bin/$applet"
done
image=dir:$work/root

# x86-64: 165 mount, 246 kexec_load, 250 keyctl, 272 unshare, 298 perf_event_open, 304
# open_by_handle_at, 321 bpf, 323 userfaultfd, 425 io_uring_setup, 435 clone3.
run "$image" sh -c '
	echo "vsock $(try vsock)"
	echo "vsock32 $(try vsock32)"
	for nr in 165 246 250 298 304 321 323; do echo "$nr $(try call $nr 0 0 0 0 0)"; done
	echo "newuser $(try call 272 0x10000000)"
	echo "fs $(try call 272 0x200)"
	echo "ring $(try call 425 0 0)"
	echo "clone3 $(try call 435 0 0)"
	(echo forked) | cat
	echo "filters $(sed -n "s/^Seccomp_filters:[^0-9]*//p" /proc/self/status)"
	mknod /tmp/mem c 1 1 && echo "mem $(try open /tmp/mem)"
	echo "sysctl $(try open /proc/sys/kernel/panic w)"
	echo "keys $(wc -c </proc/keys)"'
check "the run with our profile works" '[ $status = 0 ] && out_has forked'
check "no AF_VSOCK, nor by the 32-bit multiplexer" \
	'out_has "vsock Address family not supported" && out_has "vsock32 Function not implemented"'
for nr in 165 246 250 298 304 321 323; do
	check "system call $nr is denied" 'out_has "$nr Operation not permitted"'
done
check "no user namespace, but what is harmless of unshare" \
	'out_has "newuser Operation not permitted" && out_has "fs ok"'
check "io_uring and clone3 are not there" \
	'out_has "ring Function not implemented" && out_has "clone3 Function not implemented"'
check "one filter" 'out_has "filters 1"'
check "devices, sysctls and keys are out of reach" \
	'out_has "mem Operation not permitted" && out_has "sysctl Read-only file system" && out_has "keys 0"'

run --security-opt seccomp=unconfined "$image" sh -c '
	echo "keyctl $(try call 250 0 -3 0)"; sed -n "s/^Seccomp:[^0-9]*/seccomp /p" /proc/self/status'
check "seccomp=unconfined" 'out_has "seccomp 0" && ! out_has "keyctl Operation"'

run --cap-add SYS_ADMIN "$image" sh -c 'mount -t tmpfs x /mnt && echo mounted; echo "vsock $(try vsock)"'
check "a capability opens its group, and no other" \
	'out_has mounted && out_has "vsock Address family not supported"'

cat >"$work/profile.json" <<'END'
{"defaultAction": "SCMP_ACT_ALLOW",
 "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
 "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28, "comment": "full"},
	{"names": ["chdir"], "action": "SCMP_ACT_KILL_PROCESS", "includes": {"caps": ["CAP_SYS_BOOT"]}}]}
END
run --security-opt "seccomp=$work/profile.json" --security-opt no-new-privileges -u 7 "$image" sh -c '
	try call 83 0 0; cd /tmp && echo moved; sed -n "s/^NoNewPrivs:[^0-9]*/nnp /p" /proc/self/status'
check "a profile in docker's form, with conditions; no-new-privileges" \
	'out_has "No space left on device" && out_has moved && out_has "nnp 1"'

echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "NO"}]}' >"$work/bad.json"
run --security-opt "seccomp=$work/bad.json" "$image" true
check "a wrong profile costs one line" '[ $status = 125 ] && [ "$(wc -l <"$work/err")" = 1 ] && err_has "no such action"'
run --security-opt seccomp=/nonexistent "$image" true
check "and so does one that is not there" '[ $status = 125 ] && [ "$(wc -l <"$work/err")" = 1 ]'
check "nothing is left" '! leftovers'
finish
