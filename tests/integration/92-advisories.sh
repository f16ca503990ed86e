#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Public advisories of this field as they would look here, a section each: what the fault was, and how it
# would show. Engines and images are trusted with what they may do to their own containers; what must not
# happen is that a container, an image or a guest reaches what is not its own.
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"

tests=$build/tests
oci=$build/bin/sbx-oci
victim=$work/victim # of the host, and nobody's to reach
mkdir -p "$victim" "$work/bundles"
echo kept >"$victim/kept"
fsck.erofs --extract="$work/rootfs" "$build/share/builtin.erofs" >/dev/null 2>&1
cp "$tests/guest_try" "$work/rootfs/bin/try"
mkdir -p "$SBX_ROOT/etc"
conf=$SBX_ROOT/etc/sbx.conf
emulation=$'[vm]\nhypervisor = qemu\nemulation = yes\n'
[ "${SBX_HYPERVISOR:-vmm}" = vmm ] && emulation=
printf '%s' "$emulation" >"$conf"

bundle() { # NAME COMMAND [JQ-FILTER]: as an engine would make it; $b is its folder, $b/rootfs its own copy
	b=$work/bundles/$1
	mkdir -p "$b"
	cp -a "$work/rootfs" "$b/"
	"$oci" spec --bundle "$b" &&
		jq --arg c "$2" '.process.terminal = false | .process.args = ["sh", "-c", $c]
			| .root.readonly = false | del(.process.rlimits) | '"${3:-.}" "$b/config.json" >"$b/new" && mv "$b/new" "$b/config.json"
}
all_caps='.process.capabilities |= map_values(["CAP_SYS_ADMIN", "CAP_MKNOD", "CAP_DAC_OVERRIDE", "CAP_CHOWN", "CAP_SYS_PTRACE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT"])'
o() { # ARGS...: leaves $status, $work/out, $work/err
	timeout -k 5 100 "$oci" --root "$work/oci" "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
}
listing() { (cd "$1" && find . -printf '%P %M %s %u %l\n' | sort && find . -type f -exec md5sum {} + | sort); }
host_mounts() { cut -d ' ' -f 3- /proc/self/mountinfo | sort; }
untouched() { [ "$(listing "$victim")" = "$kept" ]; }
images() { sha256sum "$build"/share/{vmlinux,initramfs.cpio,builtin.erofs} "$build"/bin/{sbx-agent,sbx-oci,containerd-shim-sbx-v2}; }
kept=$(listing "$victim")
before=$(images)

# --- GHSA-2gv2-cffp-j227 (CVE-2026-47243), GHSA-g6ww-w5j2-r7x3 (CVE-2026-46695), CVE-2020-2025 --------------
# The file server takes an absolute path for a name: a link appears in the host's /tmp, or one of these
# requests is granted. A folder is read-only by the guest's mount flags alone: a request to change it is
# granted. A disk is read-only by the guest's manners alone: its image changes on the host. All by a guest
# that is no Linux (tests/hostile/attack_folders.c, attack_blk.c), as 90-hostile.sh has it with the rest.
if [ "${SBX_HYPERVISOR:-vmm}" = vmm ]; then
	mkdir -p "$work/folder" "$work/vsock"
	echo content >"$work/folder/file"
	head -c 1M /dev/urandom >"$work/image"
	image=$(md5sum <"$work/image") folder=$(listing "$work/folder") tmp=$(ls -A /tmp /)
	printf 'share %s %s\nwait\n' "$build/bin/sbx-share" "$work/folder" |
		timeout -k 5 100 "$tests/host_owner" "$build/bin/sbx-vmm" --kernel "$tests/hostile" --memory 64m \
			--disk "$work/image" --disk "$work/image,ro" --vsock-dir "$work/vsock" --cmdline advisories \
			--console-file "$work/console" >"$work/out" 2>"$work/err"
	grep -aE '^(ok|not ok) ' "$work/console"
	grep -aq '^not ok ' "$work/console" && failed=1
	check "GHSA-2gv2-cffp-j227: no name leads out of a shared folder" \
		'[ "$(grep -ac "^ok .*GHSA-2gv2" "$work/console")" -ge 10 ] && [ "$tmp" = "$(ls -A /tmp /)" ]'
	check "GHSA-g6ww-w5j2-r7x3: a read-only folder is as it was" \
		'[ "$(grep -ac "^ok .*GHSA-g6ww" "$work/console")" -ge 15 ] && [ "$folder" = "$(listing "$work/folder")" ]'
	check "CVE-2020-2025: a read-only image is as it was" \
		'[ "$(grep -ac "^ok .*CVE-2020-2025" "$work/console")" = 8 ] && [ "$image" = "$(md5sum <"$work/image")" ]'
fi
# The same by a container with every right of the guest's: it mounts the file server's roots anew.
mkdir "$work/ro"
echo content >"$work/ro/file"
folder=$(listing "$work/ro")
run --cap-add ALL --security-opt seccomp=unconfined -v "$work/ro:/ro:ro" -- sh -c '
	mount -o remount,rw,bind /ro && echo remounted
	for tag in $(cat /sys/fs/virtiofs/*/tag) share sbx root kataShared; do
		mkdir -p /again && mount -t virtiofs -o rw "$tag" /again && echo "mounted $tag" && break
	done
	for f in /ro /again/*; do
		cat $f/file; echo over >$f/file; touch $f/new; rm -f $f/file; mv $f/file $f/other; chmod 777 $f/file; ln $f/file $f/name
	done 2>/dev/null; echo done'
check "GHSA-g6ww-w5j2-r7x3: whoever mounts it again writes nothing" \
	'out_has remounted && out_has "mounted " && out_has done && [ "$folder" = "$(listing "$work/ro")" ]'

# --- GHSA-rr59-xxvx-96qr (CVE-2026-44210) ---------------------------------------------------------------------
# A pod's annotation ends as words of a program's command line, or as another key of the configuration: the
# marker is found among a child's arguments, or a kernel of the pod's choosing is booted.
printf '%s[pods]\nannotations = sbx.memory sbx.cpus sbx.kernel sbx.debug\n' "$emulation" >"$conf"
arguments() { ours "$pod_processes" | while read -r pid; do tr '\0' '\n' <"/proc/$pid/cmdline"; done; }
injected() { # NAME VALUE: is refused in a line, or reaches nobody
	bundle injected 'exec sleep 1000' ".annotations = {\"$1\": \"$2\"}"
	o create -b "$b" injected
	if [ $status = 0 ]; then ! arguments | grep -q INJECTED; else [ "$(wc -l <"$work/err")" = 1 ]; fi
	local r=$?
	o delete --force injected
	return $r
}
bundle counts 'exec sleep 1000' '.annotations = {"sbx.memory": "134217728", "other": "INJECTED", "org.x/sbx.memory": "--INJECTED",
	"io.katacontainers.config.hypervisor.virtio_fs_extra_args": "[\"-o\", \"source=/INJECTED\"]",
	"io.katacontainers.config.hypervisor.kernel_params": "INJECTED", "sbx.net": "INJECTED", "sbx.initrd": "/INJECTED"}'
o create -b "$b" counts
check "GHSA-rr59-xxvx-96qr: one that counts is a value, one that does not is nothing" \
	'[ $status = 0 ] && arguments | grep -qE "^(--memory=134217728|.*size=134217728.*)$" && ! arguments | grep -q INJECTED'
o delete --force counts
i=0
while IFS=: read -r name value; do
	check "GHSA-rr59-xxvx-96qr: $name: $value" 'injected "$name" "$value"'
done <<'END'
sbx.memory:134217728 --kernel=/INJECTED
sbx.memory:134217728\nkernel = /INJECTED
sbx.memory:134217728\u0000INJECTED
sbx.cpus:1,INJECTED
sbx.cpus:1 --disk=/INJECTED,ro
sbx.debug:yes INJECTED
sbx.debug:yes\r\n[vm]\r\nkernel = /INJECTED
sbx.kernel:--INJECTED
sbx.kernel:/dev/null; INJECTED
sbx.hypervisor:vmm --INJECTED
END
printf '%s' "$emulation" >"$conf"
bundle kernel 'true' '.annotations = {"sbx.kernel": "'"$work"'/kernel"}'
cp "$build/share/vmlinux" "$work/kernel"
o run -b "$b" kernel
check "GHSA-rr59-xxvx-96qr: by default no pod brings its kernel" '[ $status = 1 ] && err_has "annotation sbx.kernel: sbx.conf does not allow it"'

# --- CVE-2026-41326: guest-wide CopyFile ----------------------------------------------------------------------
# A copy into a container goes by way of a link of the container's into the guest: what was copied is not
# where the link leads inside the container. 51-cp.sh has what else cp must not do.
"$sbx" run -d --name box "${driver[@]}" --cap-add ALL --security-opt seccomp=unconfined -- sh -c '
	mkdir -p /plant /run/rootfs /run/share /tmp/m; cd /plant
	ln -s /run absolute; ln -s ../../../../../../run upwards; ln -s /proc/1/root/run magic; ln -s /proc/self/root/run own
	ln -s /plant/absolute/../run chain; ln -s /run /tmp/m/d; ln -s /dev/null null; touch /ready; exec sleep 1000' >/dev/null 2>&1
inside() { timeout -k 5 60 "$sbx" exec box sh -c "$1" >"$work/out" 2>"$work/err" </dev/null; status=$?; }
for _ in $(seq 100); do inside 'test -e /ready' && [ $status = 0 ] && break; sleep 0.1; done
echo copied >"$work/copied"
for link in absolute upwards chain; do
	"$sbx" cp "$work/copied" "box:/plant/$link/$link" >/dev/null 2>&1
	inside "cat /run/$link"
	check "CVE-2026-41326: $link leads where it leads inside" 'out_is copied'
done
for link in magic own; do
	timeout 60 "$sbx" cp "$work/copied" "box:/plant/$link/$link" >"$work/out" 2>"$work/err"
	status=$?
	inside "ls /run"
	check "CVE-2026-41326: $link leads nowhere" '[ $status != 0 ] || ! out_has $link'
done
mkdir -p "$work/tree/d"
echo copied >"$work/tree/d/file"
"$sbx" cp "$work/tree/." box:/tmp/m >/dev/null 2>&1
inside 'ls /run/file; readlink /tmp/m/d; cat /tmp/m/d/file'
check "CVE-2026-41326: a tree is not unpacked through a link of the container's" '! out_has /run/file'
"$sbx" cp "$work/copied" box:/plant/null >/dev/null 2>&1
inside 'test -c /dev/null && echo device'
check "CVE-2026-41326: nor is what a link names written over" 'out_is device'

# --- CVE-2020-2023: a container opens the guest's own devices ---------------------------------------------------
# One of the guest's devices, its root disk first of all, can be opened: "ok" beside its number.
mine='1:3 1:5 1:7 1:8 1:9 5:0 5:2' # the container's own: null, zero, full, random, urandom, tty, ptmx
open_all='for n in $(ls /sys/dev/block | sed s/^/b:/) $(ls /sys/dev/char | sed s/^/c:/) c:1:1 c:1:2 c:1:4 c:1:11 c:10:144 c:5:1 b:7:0 b:259:0; do
	rm -f /tmp/dev; mknod /tmp/dev ${n%%:*} $(echo ${n#*:} | tr : " ") 2>/dev/null && echo "$n $(try open /tmp/dev) $(try open /tmp/dev w)"; done'
opened() { grep ' ok' "$work/out" | grep -vxE "c:($(echo $mine | tr ' ' '|')) .*"; }
mkdir -p "$work/image2"/{bin,proc,sys,dev,tmp,etc}
cp "$(command -v busybox)" "$tests/guest_try" "$work/image2/bin/"
mv "$work/image2/bin/guest_try" "$work/image2/bin/try"
for a in sh ls sed tr rm mknod echo cat dd; do ln -s busybox "$work/image2/bin/$a"; done
run --cap-add ALL --security-opt seccomp=unconfined "dir:$work/image2" sh -c "$open_all"
check "CVE-2020-2023: of $(wc -l <"$work/out") devices with every capability" \
	'[ "$(wc -l <"$work/out")" -ge 10 ] && grep -q "^b:.*Operation not permitted" "$work/out" && [ -z "$(opened)" ]'
bundle devices "$open_all" "$all_caps | .mounts += [{destination: \"/tmp\", type: \"tmpfs\", source: \"tmpfs\"}] | .linux.resources.devices = [{allow: true, access: \"rwm\"}]"
o run -b "$b" devices
check "CVE-2020-2023: (who is given them can open $(opened | wc -l))" '[ "$(opened | wc -l)" -ge 3 ]'

# --- CVE-2020-2024, CVE-2020-2026: the host mounts and unmounts where the guest has put a link ------------------
# The container turns its mount points into links to a mount of the host, before a second container comes
# into the pod and before the teardown: that mount is gone, or a new one or a folder is beneath it.
mount -t tmpfs victim "$victim"
echo kept >"$victim/kept"
mkdir "$victim/inner"
kept=$(listing "$victim")
mkdir -p "$work/volume"
echo volume >"$work/volume/file"
bundle first 'cd /; umount -l /vol/data 2>/dev/null; mv /vol /old; ln -s '"$victim"' /vol; rm -rf /mnt /srv /dev2
	ln -s '"$victim"' /mnt; ln -s '"$victim"' /srv; ln -s / /dev2; echo turned; exec sleep 1000' "$all_caps"' | .mounts += [
	{destination: "/vol/data", type: "bind", source: "'"$work/volume"'", options: ["bind"]}]'
mounts=$(host_mounts)
timeout 100 "$oci" --root "$work/oci" create -b "$b" --pid-file "$work/pid" first >"$work/first" 2>&1 </dev/null
o start first
for _ in $(seq 200); do grep -q turned "$work/first" && break; sleep 0.05; done
cp "$work/first" "$work/out"
check "CVE-2020-2026: a container turns its mount points into links" 'out_has turned && [ "$(readlink "$b/rootfs/vol")" = "$victim" ]'
first=$b
# The next one of the pod (its namespaces lead to the first's) is on the same root directory.
bundle second 'cat /srv/data/file /vol/inner/file; echo here' "$all_caps"' | .root.path = "'"$first"'/rootfs"
	| .linux.namespaces |= map(if .type == "ipc" then .path = "/proc/'"$(cat "$work/pid")"'/ns/ipc" else . end)
	| .mounts += [{destination: "/srv/data", type: "bind", source: "'"$work/volume"'", options: ["bind"]},
		{destination: "/vol/inner", type: "bind", source: "'"$work/volume"'", options: ["bind"]}]'
timeout 100 "$oci" --root "$work/oci" create -b "$b" --pid-file "$work/pid2" second >"$work/second" 2>&1 </dev/null
at=$(for pid in $(ours) $(cat "$work/pid" "$work/pid2" 2>/dev/null); do cut -d ' ' -f 5 "/proc/$pid/mountinfo"; done 2>/dev/null | grep -F "$victim/")
o start second
for _ in $(seq 100); do grep -q here "$work/second" && break; sleep 0.05; done
cp "$work/second" "$work/out"
check "CVE-2020-2026: mount points behind its links are inside" 'out_has here && [ "$(grep -c volume "$work/out")" = 2 ]'
check "CVE-2020-2026: nothing is mounted or made where they lead on the host" \
	'[ -z "$(grep -F "$victim/" <(host_mounts))" ] && untouched'
o delete --force second
o delete --force first
check "CVE-2020-2024: teardown takes off nothing of the host's" 'untouched && [ "$(host_mounts)" = "$mounts" ] && mountpoint -q "$victim"'
umount "$victim"
kept=$(listing "$victim")

# --- CVE-2019-5736: the runtime overwritten through /proc/self/exe ----------------------------------------------
# An image whose program is /proc/self/exe has the runtime run in the container, which opens that process's
# executable for writing: WROTE is said, or a later exec does not work, or a program of ours has changed.
inside 'ln -sf /proc/self/exe /bin/again; echo "#!/proc/self/exe" >/bin/script; chmod 755 /bin/script'
timeout 100 "$sbx" exec box sh -c 'end=$(($(date +%s) + 15)); while [ $(date +%s) -lt $end ] && [ ! -e /stop ]; do for p in /proc/[0-9]*; do
	case $(readlink $p/exe) in */busybox | "") ;; *) echo SAW $p; ( : >>$p/exe ) 2>/dev/null && echo WROTE ;; esac; done; done' >"$work/watch" 2>/dev/null </dev/null &
watch=$!
for program in /proc/self/exe /bin/again /bin/script /proc/1/exe; do
	for _ in 1 2; do timeout 60 "$sbx" exec box "$program" >/dev/null 2>&1 </dev/null; done
done
inside 'touch /stop; for p in /proc/self/exe /proc/1/exe; do readlink $p; done; echo alive'
wait $watch
check "CVE-2019-5736: exec goes on" '[ $status = 0 ] && out_has alive && ! out_has agent'
check "CVE-2019-5736: of $(grep -c SAW "$work/watch") times that the agent's program was seen, nobody wrote to it" '! grep -q WROTE "$work/watch"'
"$sbx" rm -f box >/dev/null 2>&1
run "dir:$work/image2" /proc/self/exe
check "CVE-2019-5736: nor is the agent a container's program" '[ $status != 0 ] && ! err_has "Segmentation"'

# --- CVE-2024-21626: a working directory that is a leaked descriptor ----------------------------------------------
# The directory of a descriptor that the runtime holds outside: "." is not beneath the container's root, so
# that ".." leads on; or a descriptor is there beyond the three.
"$sbx" run -d --name box "${driver[@]}" -- sh -c 'for n in $(seq 3 10); do ln -s /proc/self/fd/$n /at$n; done; touch /ready; exec sleep 1000' >/dev/null 2>&1
for _ in $(seq 100); do inside 'test -e /ready'; [ $status = 0 ] && break; sleep 0.1; done
out=''
for n in 3 4 5 7 8 10; do
	dir=/proc/self/fd/$n
	[ $((n % 2)) = 0 ] || dir=/at$n
	timeout 60 "$sbx" exec -w "$dir" box sh -c 'cd ../../../../..; pwd; ls' >"$work/out" 2>"$work/err" </dev/null
	[ $? = 0 ] && ! { grep -qx / "$work/out" && grep -qx ready "$work/out"; } && out+="$dir "
done
check "CVE-2024-21626: no descriptor is a way out of an exec${out:+: $out}" '[ -z "$out" ]'
# The program, or who interprets it: the kernel looks for it while whatever closes on exec is open. The agent's own
# /proc has the agent, who says who it is.
inside 'for n in $(seq 3 32); do echo "#!/proc/self/fd/$n/../../../../../proc/self/exe" >/script$n; done; chmod +x /script*'
made=$status
out='' tried=0
for n in $(seq 3 32); do
	for program in "/proc/self/fd/$n/../../../../../proc/self/exe" "/script$n"; do
		timeout 60 "$sbx" exec box "$program" >"$work/out" 2>"$work/err" </dev/null
		status=$?
		{ [ $status = 126 ] || [ $status = 127 ]; } && ! out_has sbx-agent && ! err_has sbx-agent || out+="$program "
		tried=$((tried + 1))
	done
done
check "CVE-2024-21626: nor to the program of an exec${out:+: $out}" '[ -z "$out" ] && [ $tried = 60 ] && [ $made = 0 ]'
inside 'ls /proc/self/fd | wc -l; ls -l /proc/self/fd/ | grep -vE "pipe:|socket:|/dev/null|total| 3$"'
check "CVE-2024-21626: an exec has three descriptors" '[ "$(head -n 1 "$work/out")" = 4 ] && [ "$(wc -l <"$work/out")" = 1 ]'
"$sbx" rm -f box >/dev/null 2>&1
out='' tried=0
for n in 3 6 9; do
	bundle cwd "cd ../../../../..; ls -a; ls /proc/self/fd | wc -l" '.process.cwd = "/proc/self/fd/'$n'"'
	touch "$b/rootfs/its-own"
	o run -b "$b" cwd
	[ $status = 0 ] && { grep -qx its-own "$work/out" && [ "$(tail -n 1 "$work/out")" = 4 ] || out+="$n "; }
	tried=$((tried + 1))
done
check "CVE-2024-21626: nor of a container$out" '[ -z "$out" ] && [ $tried = 3 ]'

# --- CVE-2025-31133: what masks a path is the image's own /dev/null ---------------------------------------------
# The image's /dev/null is a link to a file of /proc's: a masked path becomes that file, and can be written.
# Without a /dev of its own the container has the image's.
no_dev='.mounts |= map(select(.destination | startswith("/dev") | not)) | .linux.maskedPaths += ["/secret"]
	| .process.capabilities |= map_values(["CAP_SYS_ADMIN"])'
say='echo hit >/secret; echo "secret=$(cat /secret)"; echo "pattern=$(cat /proc/sys/kernel/core_pattern)"'
bundle masked "$say" "$no_dev"
rm -rf "$b/rootfs/dev"
mkdir "$b/rootfs/dev"
echo secret >"$b/rootfs/secret"
ln -s /proc/sys/kernel/core_pattern "$b/rootfs/dev/null"
o run -b "$b" masked
check "CVE-2025-31133: a /dev/null that is a link is refused" '[ $status = 1 ] && err_has /dev/null && [ ! -s "$work/out" ]'
mkdir -p "$work/evil"
ln -s /proc/sys/kernel/core_pattern "$work/evil/null"
bundle bound "$say" "$no_dev | .mounts += [{destination: \"/dev\", type: \"bind\", source: \"$work/evil\", options: [\"bind\"]}]"
echo secret >"$b/rootfs/secret"
o run -b "$b" bound
check "CVE-2025-31133: so is one of a volume, as another container can make it" '[ $status = 1 ] && err_has /dev/null && [ ! -s "$work/out" ]'
bundle plain "$say" '.linux.maskedPaths += ["/secret"]'
echo secret >"$b/rootfs/secret"
o run -b "$b" plain
check "CVE-2025-31133: what is masked is empty, and takes anything" 'out_is "secret=
pattern=core" && [ "$(cat "$b/rootfs/secret")" = secret ]'

# --- CVE-2025-52565: /dev/console is bound over a link -------------------------------------------------------------
# The terminal is bound to what the image's /dev/console leads to: the container writes /proc/sys/kernel/core_pattern,
# or that is the terminal itself.
bundle console 'stat -c %F /dev/console; echo hit >/dev/console; tty; echo "pattern=$(cat /proc/sys/kernel/core_pattern)"' "$no_dev"' | .process.terminal = true
	| .mounts += [{destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance", "ptmxmode=0666"]}]'
rm -rf "$b/rootfs/dev"
mkdir "$b/rootfs/dev"
ln -s /proc/sys/kernel/core_pattern "$b/rootfs/dev/console"
timeout 100 script -qec "$oci --root $work/oci run -b $b console" /dev/null 2>"$work/err" </dev/null | tr -d '\r\0' >"$work/out"
check "CVE-2025-52565: a terminal lies over a /dev/console that is a link, not where it leads" 'grep -aq "character special file" "$work/out" &&
	grep -aq ^/dev/pts/0 "$work/out" && grep -aqx pattern=core "$work/out" && [ -L "$b/rootfs/dev/console" ]'

# --- CVE-2025-52881: what the runtime writes to /proc goes where a volume says --------------------------------------
# /proc is a volume of links: a sysctl of the spec, or a label, is written into the file that they lead to.
bundle sysctl 'cat /hit; cat /p/sys/net/ipv4/ip_unprivileged_port_start; echo end' '.linux.sysctl = {"net.ipv4.ip_unprivileged_port_start": "77"}
	| .mounts |= map(select(.destination != "/proc")) | .linux.maskedPaths = [] | .linux.readonlyPaths = [] | .mounts += [
	{destination: "/proc", type: "bind", source: "'"$work"'/bundles/sysctl/evil", options: ["bind"]}, {destination: "/p", type: "proc", source: "proc"}]
	| .process.oomScoreAdj = 500 | .process.apparmorProfile = "evil"'
mkdir -p "$b/evil/sys/net/ipv4" "$b/evil/self/attr/apparmor" "$b/evil/thread-self/attr"
for f in sys/net/ipv4/ip_unprivileged_port_start self/oom_score_adj self/timens_offsets self/attr/exec self/attr/apparmor/exec thread-self/attr/exec; do
	ln -s /hit "$b/evil/$f"
done
echo untouched >"$b/rootfs/hit"
o run -b "$b" sysctl
check "CVE-2025-52881: a sysctl is set, and a link in a volume is not followed" 'out_is "untouched
77
end"'
bundle link 'true'
rm -rf "$b/rootfs/proc"
ln -s /etc "$b/rootfs/proc"
o run -b "$b" link
check "CVE-2025-52881: a /proc that is a link is refused" '[ $status != 0 ] && err_has /proc'

check "nothing of the host's was changed" 'untouched && [ "$before" = "$(images)" ]'
check "nothing is left" '! leftovers'
finish
