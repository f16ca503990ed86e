#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# sbx-oci where things end half-way: a creation that is killed or waited for, a stand-in that dies, what
# hooks are told; and mount points, devices and cgroups that are not where one would look first.
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"
dir=$work/bundles
mkdir -p "$dir"
oci=$build/bin/sbx-oci
root=$work/root
fsck.erofs --extract="$work/rootfs" "$build/share/builtin.erofs" >/dev/null 2>&1

bundle() { # NAME COMMAND [JQ-FILTER]: a bundle whose process is sh -c COMMAND; $b is its folder
	b=$dir/$1
	mkdir -p "$b"
	rm -f "$b/config.json"
	"$oci" spec --bundle "$b" &&
		jq --arg c "$2" --arg r "$work/rootfs" '.process.terminal = false | .root = {path: $r}
			| .process.args = ["sh", "-c", $c] | del(.process.rlimits)
			| '"${3:-.}" "$b/config.json" >"$b/new" && mv "$b/new" "$b/config.json"
}
o() { # ARGS...: leaves $status, $work/out, $work/err
	timeout 100 "$oci" --root "$root" "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
}
state_is() { [ "$("$oci" --root "$root" state "$1" 2>/dev/null | jq -r .status)" = "$2" ]; }
remains() { leftovers || [ -n "$(ls "$SBX_ROOT"/run/@oci-* "$root" 2>/dev/null | grep -v :)" ]; }
wait_for() { # TEST
	for _ in $(seq 200); do eval "$1" && return 0; sleep 0.05; done
	return 1
}
hook() { # STAGE COMMAND: a jq filter
	printf '.hooks.%s = [{path: "/bin/sh", args: ["sh", "-c", "%s"]}]' "$1" "$2"
}

# --- hooks, and a creation that takes its time ------------------------------------------------------

bundle hooks 'echo ran' "$(hook createRuntime "cat >$work/state; echo \$MARK >$work/mark; sleep 3")"
MARK=inherited "$oci" --root "$root" create -b "$b" --pid-file "$work/pid" h1 >"$work/h1" 2>&1 </dev/null &
create=$!
check "a container in the making" 'wait_for "state_is h1 creating"'
o start h1
wait $create
check "start waits for the end of create" '[ $status = 0 ] && wait_for "grep -q ran $work/h1"'
check "a hook is told of the stand-in" '[ "$(jq .pid "$work/state")" = "$(cat "$work/pid")" ] &&
	[ "$(jq -r .status "$work/state")" = creating ]'
check "a hook without an environment has its caller's" '[ "$(cat "$work/mark")" = inherited ]'
o delete --force h1
check "delete" '[ $status = 0 ] && ! remains'

bundle warned 'echo ran' "$(hook poststart "echo too late >&2; exit 3") | $(hook poststop "exit 4")"
o create -b "$b" w1
o start w1
check "a poststart hook that fails is a warning" \
	'[ $status = 0 ] && err_has "sbx-oci: warning: hooks.poststart: /bin/sh: ended with code 3: too late"'
wait_for "state_is w1 stopped"
o --log "$work/warnings" --log-format json delete w1
check "and so is a poststop hook, in the log where there is one" '[ $status = 0 ] && ! remains && [ ! -s "$work/err" ] &&
	[ "$(jq -r .level "$work/warnings")" = warning ] && grep -q "hooks.poststop: /bin/sh: ended with code 4" "$work/warnings"'

bundle twice true "$(hook poststop "sleep 3; echo over >>$work/over")"
o create -b "$b" w2
"$oci" --root "$root" delete w2 >"$work/w2" 2>&1 </dev/null &
delete=$!
sleep 1
o delete w2
check "a second delete waits for the first" '[ $status = 0 ] && [ "$(cat "$work/over")" = over ] && [ ! -e "$root/w2" ]'
wait $delete
check "which has deleted it once" '[ $? = 0 ] && [ ! -s "$work/w2" ] && ! remains'

bundle killed 'echo ran' "$(hook createRuntime "touch $work/hooked; exec sleep 60") | $(hook poststop "echo stopped >>$work/undone")"
"$oci" --root "$root" create -b "$b" k1 >"$work/k1" 2>&1 </dev/null &
create=$!
wait_for '[ -e "$work/hooked" ]'
kill -9 $create
wait $create 2>/dev/null
check "a create that is killed leaves no virtual machine" '! leftovers'
check "but a stopped container" 'wait_for "state_is k1 stopped"'
o start k1
check "that cannot be started" '[ $status = 1 ]'
check "whose poststop hook waits for its deletion" '[ ! -e "$work/undone" ]'
o delete k1
check "and can be deleted" '[ $status = 0 ] && ! remains'
check "which runs the hook" '[ "$(cat "$work/undone")" = stopped ]'
rm "$work/undone"
bundle unstarted 'echo never' "$(hook poststop "echo stopped >>$work/undone")"
o create -b "$b" --pid-file "$work/pid" k2
kill -9 "$(cat "$work/pid")"
check "a created container goes with its stand-in" '[ $status = 0 ] && wait_for "state_is k2 stopped"'
o delete k2
check "and its poststop hook runs once" '[ $status = 0 ] && [ "$(cat "$work/undone")" = stopped ] && ! remains'

bundle endless 'echo never' "$(hook createRuntime "touch $work/endless; exec sleep 1000") | $(hook poststop "echo stopped >>$work/undone")"
"$oci" --root "$root" create -b "$b" k3 >"$work/k3" 2>&1 </dev/null &
create=$!
wait_for '[ -e "$work/endless" ]'
rm -f "$work/undone"
o delete --force k3
check "delete --force ends a creation with its machine" '[ $status = 0 ] && ! leftovers'
wait $create
check "of which create hears" '[ $? = 1 ] && [ -s "$work/k3" ] && [ "$(cat "$work/undone")" = stopped ] && ! remains'

bundle starting 'echo never' "$(hook startContainer "touch /starting; exec sleep 1000")"
"$oci" --root "$root" create -b "$b" s2 >"$work/s2" 2>&1 </dev/null
"$oci" --root "$root" start s2 >"$work/start" 2>&1 </dev/null &
start=$!
wait_for '[ -e "$work/rootfs/starting" ]'
o delete s2
check "delete of a container that starts" '[ $status = 1 ] && err_has "has not ended"'
o delete --force s2
check "delete --force of one" '[ $status = 0 ] && ! remains'
wait $start

bundle long 'exec sleep 1000'
o create -b "$b" --pid-file "$work/pid" s1
o start s1
tail_runs() { "$oci" --root "$root" ps s1 2>/dev/null | grep -q " tail$"; }
o exec -d --pid-file "$work/e.pid" s1 tail -f /dev/null
check "an exec runs" '[ $status = 0 ] && tail_runs'
kill -9 "$(cat "$work/e.pid")"
check "and dies with its stand-in" 'wait_for "! tail_runs"'
"$oci" --root "$root" exec s1 tail -f /dev/null >"$work/out" 2>&1 </dev/null &
exec=$!
check "one in the foreground runs" 'wait_for tail_runs'
kill -9 $exec
wait $exec 2>/dev/null
check "and dies with sbx-oci" 'wait_for "! tail_runs"'
o pause s1
"$oci" --root "$root" exec --ignore-paused s1 tail -f /dev/null >"$work/out" 2>&1 </dev/null &
exec=$!
sleep 1
kill -TERM $exec
wait $exec 2>/dev/null
o resume s1
sleep 1
check "one that is given up during a pause does not run after it" '[ $status = 0 ] && ! tail_runs'
kill -9 "$(cat "$work/pid")"
check "a container dies with its stand-in" 'wait_for "state_is s1 stopped"'
o delete s1
check "and leaves nothing" '[ $status = 0 ] && ! remains'

bundle signalled 'trap "echo one" USR1; trap "exit 7" USR2; while :; do sleep 0.1; done' \
	"$(hook createRuntime "touch $work/made; sleep 1") | $(hook poststart "touch $work/begun; sleep 3")"
timeout 100 "$oci" --root "$root" run -b "$b" r1 >"$work/out" 2>"$work/err" </dev/null &
signalled=$!
wait_for '[ -e "$work/made" ]'
pkill -USR1 -P $signalled
wait_for '[ -e "$work/begun" ]'
pkill -USR2 -P $signalled
wait $signalled
status=$?
check "signals to a run that is under way are the program's once it runs" '[ $status = 7 ] && out_is one && ! remains'

# --- names ------------------------------------------------------------------------------------------

ln -s ../made/there/file "$work/rootfs/etc/dangling"
ln -s /made/dir "$work/rootfs/etc/dangling-dir"
mkdir -p "$work/rootfs/mode" "$work/volume"
chmod 2750 "$work/rootfs/mode"
echo content >"$work/file"
bundle names 'cat /made/there/file; ls -d /made/dir/sub; stat -c "%n %a" /mode /made-too /given; stat -c "%F %t:%T %a %u" /subdir/device; echo x >/etc/null-device
	head -c 3 /zero-device | od -An -tx1' '.mounts += [
	{destination: "/etc/dangling", type: "bind", source: "'"$work/file"'", options: ["bind", "ro"]},
	{destination: "/etc/dangling-dir/sub", type: "bind", source: "'"$work/volume"'", options: ["bind"]},
	{destination: "/mode", type: "tmpfs", source: "tmpfs"}, {destination: "/made-too", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"]},
	{destination: "given", type: "tmpfs", source: "tmpfs", options: ["mode=700"]}]
	| .root.readonly = true | .linux.devices = [{path: "/subdir/device", type: "b", major: 10, minor: 229, fileMode: 24992, uid: 5},
		{path: "/etc/null-device", type: "c", major: 1, minor: 3}, {path: "/zero-device", type: "c", major: 1, minor: 5}]'
o run -b "$b" __.not
check "what is no id" '[ $status = 1 ] && err_has "not a valid id"'
o run -b "$b" a__b.-c_
check "runc's ids" '[ $status = 0 ]'
check "mount points behind links that lead to nothing yet" 'out_has content && out_has /made/dir/sub && [ -e "$work/rootfs/made/there/file" ]'
check "a tmpfs has its directory's mode, a fresh one 1777" 'out_has "/mode 2750" && out_has "/made-too 1777" && out_has "/given 700"'
check "devices in a root that is the host's" 'out_has "block special file a:e5 640 5" && out_has "00 00 00"'
check "are none on the host" '[ -f "$work/rootfs/subdir/device" ] && [ ! -s "$work/rootfs/subdir/device" ]'

# --- owners -----------------------------------------------------------------------------------------

echo mine >"$work/volume/owned" && chown 3:4 "$work/volume/owned"
# Its root may not make them there.
mkdir "$work/rootfs"/{plain,mapped,own,quiet,twice}
map='{containerID: 0, hostID: 1000, size: 100}'
# Without a tmpfs on /dev the usual devices are bound onto files of the root, which stay.
bundle bare 'echo x >/dev/null && head -c 1 /dev/zero | wc -c' '.mounts |= map(select(.destination == "/proc"))'
for n in 1 2; do
	o run -b "$b" "bare$n"
	check "devices without a /dev of its own: container $n on this root" '[ $status = 0 ] && out_is 1'
done

bundle rodev 'ls /dev/null /dev/pts/ptmx && echo x >/dev/null && { touch /dev/x 2>/dev/null || echo refused; }' \
	'(.mounts[] | select(.destination == "/dev") | .options) += ["ro"]'
o run -b "$b" rodev
check "a read-only /dev has its devices" '[ $status = 0 ] && out_has refused && out_has /dev/pts/ptmx'
mkdir "$work/linked" && cp -a "$work/rootfs/bin" "$work/linked/" && ln -s nowhere "$work/linked/proc"
bundle linked true ".root = {path: \"$work/linked\"}"
o run -b "$b" linked
check "a /proc that is a link is refused, and nothing is made where it leads" '[ $status = 1 ] &&
	err_has "mount point /proc" && [ ! -e "$work/linked/nowhere" ]'

bundle idmap 'grep -E " /(quiet|twice) " /proc/mounts; stat -c "%n %u:%g" /plain/owned /mapped/owned /own/owned; echo new >/mapped/new; stat -c "%u:%g" /mapped/new; cat /own/owned' \
	'.linux.namespaces += [{type: "user"}] | .linux.uidMappings = ['"$map"'] | .linux.gidMappings = ['"$map"'] | .mounts += [
	{destination: "/plain", type: "bind", source: "'"$work/volume"'", options: ["bind"]},
	{destination: "/quiet", type: "bind", source: "'"$work/volume"'", options: ["rbind", "noatime", "ro"]},
	{destination: "/twice", type: "bind", source: "'"$work/volume"'", options: ["bind", "idmap", "rw", "rro"]},
	{destination: "/mapped", type: "bind", source: "'"$work/volume"'", options: ["bind", "idmap"]},
	{destination: "/own", type: "bind", source: "'"$work/volume"'", options: ["rbind", "ridmap"],
		uidMappings: [{containerID: 3, hostID: 1007, size: 1}], gidMappings: [{containerID: 4, hostID: 1008, size: 1}]}]'
o run -b "$b" i1
check "idmapped mounts in a user namespace" '[ $status = 0 ] && out_has "/plain/owned 65534:65534" && out_has "/mapped/owned 3:4" &&
	out_has "/own/owned 7:8" && out_has mine'
check "and one that notes no reading" 'grep -q " /quiet .*ro.*noatime" "$work/out" && grep -q " /twice .* ro" "$work/out"'
check "what is made there is root's on the host" 'out_has "0:0" && [ "$(stat -c %u:%g "$work/volume/new")" = 0:0 ]'

bundle noroot 'id -u; id -g; cat /proc/self/uid_map' '.process.user = {uid: 1000, gid: 1001} | .linux.namespaces += [{type: "user"}]
	| .linux.uidMappings = [{containerID: 1000, hostID: 100000, size: 1}] | .linux.gidMappings = [{containerID: 1001, hostID: 100001, size: 1}]
	| (.mounts[] | select(.destination == "/dev/pts") | .options) |= map(select(startswith("gid=") | not))'
o run -b "$b" n1
check "a user namespace without a root" '[ $status = 0 ] && [ "$(head -n 2 "$work/out" | xargs)" = "1000 1001" ] && out_has 100000'
bundle words 'cat /plain/owned; exec sleep 1000' '.process.oomScoreAdj = 300 | .mounts += [
	{destination: "/plain", type: "bind", source: "'"$work/volume"'", options: ["rbind", "rw", "async", "lazytime"]}]'
o run -d -b "$b" w1
check "a bind mount with words of a whole file system" '[ $status = 0 ]'
o exec w1 cat /proc/self/oom_score_adj
check "an exec has its container's OOM score" 'out_is 300'
o delete -f w1

# --- cgroups ----------------------------------------------------------------------------------------

bundle busy 'echo ran' '.linux.cgroupsPath = "/sbx-busy/one"'
mkdir -p /sys/fs/cgroup/sbx-busy/one
echo 1 >/sys/fs/cgroup/sbx-busy/one/cgroup.freeze
o run -b "$b" b1
check "a frozen cgroup of the host is refused" '[ $status = 1 ] && err_has "/sbx-busy/one: is frozen" &&
	[ "$(wc -l <"$work/err")" = 1 ]'
echo 0 >/sys/fs/cgroup/sbx-busy/one/cgroup.freeze
sleep 1000 &
echo $! >/sys/fs/cgroup/sbx-busy/one/cgroup.procs
o run -b "$b" b1
check "and one with processes in it" '[ $status = 1 ] && err_has "/sbx-busy/one: is not empty"'
check "they stay, and nothing of ours" 'grep -q . /sys/fs/cgroup/sbx-busy/one/cgroup.procs && ! remains'
kill $!
wait_for '! grep -q . /sys/fs/cgroup/sbx-busy/one/cgroup.procs'
o run -b "$b" b1
check "an empty one is taken" '[ $status = 0 ] && out_is ran'
rmdir /sys/fs/cgroup/sbx-busy/one /sys/fs/cgroup/sbx-busy 2>/dev/null

bundle cgroups 'cd /sys/fs/cgroup && mkdir init other && echo 1 >init/cgroup.procs && echo +memory >cgroup.subtree_control && echo ready; exec sleep 1000' \
	'(.mounts[] | select(.destination == "/sys/fs/cgroup") | .options) -= ["ro"]'
timeout 100 "$oci" --root "$root" create -b "$b" g1 >"$work/g1" 2>&1 </dev/null
o start g1
check "a container that spreads itself over cgroups" 'wait_for "grep -q ready $work/g1"'
o exec --cgroup /other g1 cat /proc/self/cgroup
check "exec in a cgroup of the container's making" 'out_is 0::/other'
o exec g1 cat /proc/self/cgroup
check "exec goes where its init is, where it has to" 'out_is 0::/init'
o exec --cgroup /../.. g1 true
check "but not above" '[ $status = 255 ] && err_has "cgroup /../.."'
o exec --cgroup /nothing g1 true
check "nor where there is nothing" '[ $status = 255 ] && err_has "No such file"'
o delete --force g1
check "nothing is left" '[ $status = 0 ] && ! remains'
finish
