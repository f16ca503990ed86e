#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# sbx-oci as an engine calls it: a bundle's life by its verbs, the stand-in, the errors and where they go.
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

o features
check "features" '[ $status = 0 ] && jq -e ".linux.seccomp.enabled and (.hooks | length == 6)" "$work/out" >/dev/null'
o --version
check "a version" 'out_has "sbx-oci version"'
o frobnicate
check "an unknown verb is one line" '[ $status = 1 ] && [ "$(wc -l <"$work/err")" = 1 ]'
o --log "$work/log" --log-format json state --nonsense x
check "an unknown option, also in the log" '[ $status = 1 ] && [ "$(wc -l <"$work/err")" = 1 ] &&
	jq -e "(.level == \"error\") and (.msg | contains(\"--nonsense\")) and .time" "$work/log" >/dev/null'
o state nobody
check "a container that does not exist" '[ $status = 1 ] && err_has "nobody does not exist"'
o delete --force nobody
check "delete --force does not mind" '[ $status = 0 ]'
o exec nobody true
check "an error of exec is 255" '[ $status = 255 ]'

# In the foreground.
bundle run 'echo hello; echo there >&2; cat; exit 7'
echo input | timeout 100 "$oci" --root "$root" run -b "$b" r1 >"$work/out" 2>"$work/err"
status=$?
check "run: streams and exit code" '[ $status = 7 ] && out_is "hello
input" && err_has there'
o list -q
check "and nothing is left" 'out_is "" && ! remains'
bundle notfound x '.process.args = ["/no/such/program"]'
o run -b "$b" r2
check "a program that is not there" '[ $status = 1 ] && err_has "no such file or directory"'
check "leaves nothing" '[ -z "$(ls "$root")" ] && ! remains'
bundle notfound x '.process.args = ["surely-nothing"]'
o create -b "$b" r2
check "create looks for it in the guest" '[ $status = 1 ] && err_has "executable file not found in"'
bundle notfound x '.process.args = ["/proc/no/program"]'
o create -b "$b" r2
check "and on mounts that only the guest has" '[ $status = 1 ] && err_has "no such file or directory"'
check "and leaves nothing" '[ -z "$(ls "$root")" ] && ! remains'
bundle more 'echo ran' '.surprise = {a: 1} | .process.argz = [1] | .root |= (.readOnly = true | del(.readonly))'
o run -b "$b" r6
check "members that nobody knows are no error" '[ $status = 0 ] && out_is ran'
bundle bad x '.linux.intelRdt = {closID: "x"}'
o run -b "$b" r3
check "a wrong bundle is one line" '[ $status = 1 ] && [ "$(wc -l <"$work/err")" = 1 ] && err_has intelRdt'
bundle host x '.linux.namespaces |= map(if .type == "ipc" then .path = "/proc/1/ns/ipc" else . end)'
o create -b "$b" r4
check "a namespace of the host is refused by name" '[ $status = 1 ] && err_has "/proc/1/ns/ipc is the host"'
check "leaves nothing either" '[ -z "$(ls "$root")" ] && ! remains'
o run --preserve-fds 1 -b "$b" r5
check "preserved descriptors are refused" '[ $status = 1 ] && err_has "--preserve-fds"'

# Left to itself. The stand-in is our child once sbx-oci has gone: a subreaper's, which wait(2) gets.
cat >"$work/reap" <<'PY'
import ctypes, os, sys, subprocess
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
pidfile, out = sys.argv[1], sys.argv[2]
r = subprocess.run(sys.argv[3:], stdin=subprocess.DEVNULL, stdout=open(out + ".out", "w"), stderr=open(out + ".err", "w")).returncode
open(out + ".created", "w").write(str(r))
if r == 0:
    pid = int(open(pidfile).read())
    _, status = os.waitpid(pid, 0)
    open(out + ".exit", "w").write(str(os.waitstatus_to_exitcode(status)))
PY
created() { # ID: create it as conmon does, and reap its stand-in; $pid
	made=$work/$1.created
	rm -f "$work/$1".*
	python3 "$work/reap" "$work/$1.pid" "$work/$1" "$oci" --root "$root" create -b "$b" --pid-file "$work/$1.pid" "$1" &
	wait_for '[ -s "$made" ]'
	status=$(cat "$made")
	cp "$work/$1.err" "$work/err"
	pid=$(cat "$work/$1.pid" 2>/dev/null)
}
bundle life 'echo begun; trap "echo caught; exit 3" TERM; while :; do sleep 0.1; done' \
	'.annotations = {"my.key": "v"} | .process.rlimits = [{type: "RLIMIT_NOFILE", soft: 777, hard: 777}] | .linux.cgroupsPath = "/sbx-oci-test/life"'
created c1
check "create" '[ $status = 0 ] && state_is c1 created && [ ! -s "$work/c1.out" ]'
o state c1
check "its state" 'jq -e --arg b "$b" --argjson p "$pid" ".ociVersion and .id == \"c1\" and .pid == \$p and .bundle == \$b
	and .annotations[\"my.key\"] == \"v\" and .created" "$work/out" >/dev/null'
check "the stand-in is in the spec's cgroup" 'grep -q /sbx-oci-test/life "/proc/$pid/cgroup"'
check "it has nothing of the host's" '[ "$(readlink /proc/$pid/ns/mnt)" != "$(readlink /proc/self/ns/mnt)" ] &&
	[ "$(readlink /proc/$pid/ns/pid)" != "$(readlink /proc/self/ns/pid)" ] &&
	[ -e "/proc/$pid/root/bin/sh" ] && [ ! -e "/proc/$pid/root/$work" ]'
o create -b "$b" c1
check "an id is taken once" '[ $status = 1 ] && err_has "exists already" && state_is c1 created'
o exec c1 sh -c 'echo early; grep CapBnd /proc/1/status | wc -l'
check "exec before the start" '[ $status = 0 ] && out_is "early
1" && state_is c1 created'
o start c1
check "start" '[ $status = 0 ] && state_is c1 running'
check "the caller's own streams" 'wait_for "grep -q begun \"$work/c1.out\""'
o start c1
check "start again" '[ $status = 1 ] && err_has "runs already"'
o delete c1
check "delete of what runs" '[ $status = 1 ] && err_has "not stopped: running"'
o exec c1 sh -c 'echo in; exit 5'
check "exec" '[ $status = 5 ] && out_is in'
o exec --cwd /tmp -e A=b --user 1000:1000 c1 sh -c 'pwd; echo $A; id -u; id -g'
check "exec --cwd --env --user" 'out_is "/tmp
b
1000
1000"'
o exec --cap CAP_SYS_ADMIN c1 grep CapEff /proc/self/status
check "exec --cap" 'out_has "$(printf %x $((1 << 21 | 1 << 29 | 1 << 10 | 1 << 5)))"'
jq '.process | .args = ["sh", "-c", "test -t 0 || echo none"]' "$b/config.json" >"$work/process"
o exec --tty --process "$work/process" c1
check "exec --tty with a file that wants none" '[ $status = 0 ] && out_is none'
o exec c1 /no/such/program
check "exec of nothing is 255" '[ $status = 255 ]'
jq '.process | .args = ["sh", "-c", "sleep 0.5; exit 9"]' "$b/config.json" >"$work/process"
python3 "$work/reap" "$work/e.pid" "$work/e" "$oci" --root "$root" exec -d --pid-file "$work/e.pid" --process "$work/process" c1
check "exec --detach --process has a stand-in of its own" '[ "$(cat "$work/e.exit")" = 9 ]'
# What a process file does not say is the container's.
jq '.process | .args = ["sh", "-c", "grep -E \"CapEff|CapBnd\" /proc/self/status; ulimit -n"] | del(.capabilities, .rlimits)' \
	"$b/config.json" >"$work/process"
o exec c1 sh -c 'grep -E "CapEff|CapBnd" /proc/self/status; ulimit -n'
cp "$work/out" "$work/own"
o exec --process "$work/process" c1
check "a process that names no capabilities has the container's" '[ $status = 0 ] && [ -s "$work/own" ] &&
	cmp -s "$work/own" "$work/out"'
o ps -f json c1
check "ps as json" 'jq -e "length >= 1 and (map(type) | unique == [\"number\"])" "$work/out" >/dev/null'
o ps c1
check "ps" '[ $status = 0 ] && grep -qE "^UID +PID +PPID +C +STIME +TTY +TIME +CMD$" "$work/out" &&
	grep -qE "^root +[0-9]+ +[0-9]+ +[0-9]+ [0-9:]+ [?] +[0-9:]+ sh$" "$work/out"'
o ps c1 -e -x
check "ps with options of ps" '[ $status = 0 ] && grep -qE "^ +PID +TTY +STAT +TIME +COMMAND$" "$work/out" &&
	grep -qE "^ +[0-9]+ [?] +[A-Z]s? +[0-9]+:[0-9]+ sh$" "$work/out"'
o list -f json
check "list" 'jq -e ".[0].id == \"c1\" and .[0].status == \"running\" and .[0].owner == \"root\"" "$work/out" >/dev/null'
o list
check "list, as a table" 'grep -qE "^ID +PID +STATUS +BUNDLE +CREATED +OWNER$" "$work/out" && grep -qE "^c1 .* running .* root$" "$work/out"'
timeout 100 "$oci" -root "$root" list -format json >"$work/out"
check "options with one dash" 'jq -e ".[0].id == \"c1\"" "$work/out" >/dev/null'
o kill c1 0
check "kill 0 asks whether it runs" '[ $status = 0 ] && state_is c1 running'
o pause c1
check "pause" '[ $status = 0 ] && state_is c1 paused'
o exec c1 true
check "exec in a paused container" '[ $status = 255 ] && err_has paused'
timeout 100 "$oci" --root "$root" exec --ignore-paused c1 echo resumed >"$work/patient" 2>&1 </dev/null &
patient=$!
sleep 1
check "or it waits for the end of the pause" '[ ! -s "$work/patient" ] && [ -d /proc/$patient ]'
o resume c1
check "resume" '[ $status = 0 ] && state_is c1 running'
wait $patient
check "which it sees" '[ $? = 0 ] && grep -qx resumed "$work/patient"'
for args in '--cpu-quota 50000' '--cpu-period 200000' '--cpu-quota 60000' '--cpu-burst 1000' '--cpu-burst 0'; do
	o update $args c1
	[ $status = 0 ] || break
done
o exec c1 cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu.max.burst
check "update of one half of a quota leaves the other" '[ $status = 0 ] && out_is "60000 200000
0"'
o update --pids-limit 77 --memory 64m c1
o exec c1 sh -c 'cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/memory.max'
check "update" 'out_is "77
67108864"'
o --log "$work/log" update --kernel-memory 50M c1
check "update of what cgroup v2 has not" '[ $status = 0 ] && grep -q "level=warning.*--kernel-memory" "$work/log"'
o events --stats c1
check "events --stats" 'jq -e ".type == \"stats\" and .data.memory.usage.limit == 67108864 and .data.pids.current > 0" "$work/out" >/dev/null'
o exec c1 dd if=/dev/zero of=/dev/null bs=100M count=1
o exec c1 cat /sys/fs/cgroup/memory.events
cp "$work/out" "$work/oom"
o events --stats c1
check "an old death for want of memory is no event" 'grep -qE "^oom_kill [1-9]" "$work/oom" && jq -se "map(.type) == [\"stats\"]" "$work/out" >/dev/null &&
	state_is c1 running'
o kill c1 TERM
check "kill" '[ $status = 0 ] && wait_for "state_is c1 stopped" && grep -q caught "$work/c1.out"'
check "the stand-in ends with the container's code" 'wait_for "[ -s $work/c1.exit ]" && [ "$(cat "$work/c1.exit")" = 3 ]'
o kill c1 TERM
check "kill of what is stopped" '[ $status = 1 ] && err_has "not running"'
o kill c1 0
check "kill 0 too" '[ $status = 1 ] && err_has "container not running"'
o kill --all c1 KILL
check "but not kill --all" '[ $status = 0 ]'
o ps c1
check "ps of what is stopped" '[ $status = 0 ] && [ "$(wc -l <"$work/out")" = 1 ] && out_has UID'
o delete c1
check "delete" '[ $status = 0 ] && [ ! -e /sys/fs/cgroup/sbx-oci-test/life ] && ! remains'

unshare --net sleep 1000 &
net=$!
wait_for '[ "$(readlink /proc/$net/ns/net)" != "$(readlink /proc/self/ns/net)" ]'
bundle net 'exec sleep 1000' '(.linux.namespaces[] | select(.type == "network") | .path) = "/proc/'$net'/ns/net"'
created n1
check "the stand-in is in the network namespace that the spec names, and in cgroups of its own" '[ $status = 0 ] &&
	[ "$(readlink /proc/$pid/ns/net)" = "$(readlink /proc/$net/ns/net)" ] &&
	[ "$(readlink /proc/$pid/ns/cgroup)" != "$(readlink /proc/self/ns/cgroup)" ]'
o delete --force n1
kill $net
bundle early 'echo never' '.linux.resources = {unified: {"memory.swap.max": "0"}, cpu: {cpus: "0-'$(($(nproc) - 1))'"}} | del(.process.capabilities)'
o create -b "$b" early
check "a limit of swap where there is none" '[ $status = 0 ]'
o exec early sh -c 'grep -c ^processor /proc/cpuinfo; grep -E "CapEff|CapBnd" /proc/self/status | tr -d "\t"'
check "a machine with the CPUs of its cpuset, and no capabilities that are not given" 'out_is "$(nproc)
CapEff:0000000000000000
CapBnd:0000000000000000"'
o kill early TERM
check "what ends a program also ends a container that waits for its start" '[ $status = 0 ] && wait_for "state_is early stopped"'
o delete early
check "delete" '[ $status = 0 ] && ! remains'

# A terminal, whose master goes to a console socket; its size is the guest's.
cat >"$work/console" <<'PY'
import array, fcntl, os, socket, struct, subprocess, sys, termios, time
path, out, argv = sys.argv[1], sys.argv[2], sys.argv[3:]
s = socket.socket(socket.AF_UNIX); s.bind(path); s.listen(1)
r = subprocess.run(argv, stdin=subprocess.DEVNULL).returncode
c, _ = s.accept()
_, anc, _, _ = c.recvmsg(64, socket.CMSG_SPACE(4))
master = array.array("i", anc[0][2])[0]
open(out + ".ready", "w").write(str(r))
got = b""
def until(word):
    global got
    while word not in got:
        try: got += os.read(master, 4096)
        except OSError: break
        open(out, "wb").write(got)
until(b"begun")
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
time.sleep(1)
os.write(master, b"go\n")
until(b"never said")
PY
bundle tty 'tty; echo begun; read x; stty size; exit 2' '.process.terminal = true'
o create -b "$b" t1
check "a terminal wants a console socket" '[ $status = 1 ] && err_has "--console-socket"'
made=$work/t1.ready
python3 "$work/console" "$work/console.sock" "$work/t1" "$oci" --root "$root" create -b "$b" \
	--console-socket "$work/console.sock" t1 &
console=$!
wait_for '[ -s "$made" ]'
o start t1
wait $console
cp "$work/t1" "$work/out"
check "a terminal" 'out_has /dev/pts/ && out_has "33 99" && state_is t1 stopped'
o delete t1

# In the foreground it is the caller's, whichever of the streams that is, or none of them.
bundle front 'stty size; stty -a | grep -o -- -onlcr; read x; echo "got $x"; exit 2' '.process.terminal = true'
setsid -w timeout 100 "$oci" --root "$root" run -b "$b" t2 >"$work/out" 2>"$work/err" </dev/null
status=$?
check "a terminal in the foreground wants one of ours" '[ $status = 1 ] && [ "$(wc -l <"$work/err")" = 1 ] && err_has "no terminal here" && ! remains'
on_terminal() { # COMMAND...: in a shell of its own on a terminal of 33 rows
	timeout 100 script -qec "stty rows 33 cols 99 </dev/tty; $*" "$work/typescript" >"$work/terminal" </dev/null
	status=$?
}
on_terminal "echo word | $oci --root $root run -b $b t2 >$work/out 2>$work/err"
check "the controlling one will do, with streams that are none" '[ $status = 2 ] && out_has "33 99" && out_has "got word"'
check "what goes into a file has newlines alone" 'out_has -onlcr && ! grep -q "$(printf "\r")" "$work/out"'
on_terminal "echo word | $oci --root $root run -b $b t2; stty -a </dev/tty >$work/after"
check "what goes to a terminal has its carriage returns" 'grep -q "got word$(printf "\r")" "$work/terminal"'
check "which is given back as it was" '[ "$(grep -oE "(^| )(icanon|opost|onlcr|echo) " "$work/after" | wc -l)" = 4 ]'
bundle behind 'exec sleep 1000'
o run -d -b "$b" t3
on_terminal "$oci --root $root exec -t t3 sh -c \"stty size; tty; echo end\" </dev/null >$work/out 2>$work/err"
check "exec -t too" '[ $status = 0 ] && out_is "33 99
/dev/pts/0
end"'
o delete --force t3

# Its end in other ways.
bundle long 'exec sleep 1000'
created c2
o start c2
kill -TERM "$pid"
o kill c2 KILL
check "killed by a signal" 'wait_for "[ -s $work/c2.exit ]" && [ "$(cat "$work/c2.exit")" = 137 ]'
o delete c2
bundle trap 'trap "exit 4" USR1; while :; do sleep 0.1; done'
created c3
o start c3
sleep 1
kill -USR1 "$pid"
check "a signal to the stand-in is the container's" 'wait_for "[ -s $work/c3.exit ]" && [ "$(cat "$work/c3.exit")" = 4 ]'
o delete c3
created c4
o delete --force c4
check "delete --force of what was only created" '[ $status = 0 ] && wait_for "[ -s $work/c4.exit ]" && ! remains'
bundle lost 'exec sleep 1000' ".hooks.poststop = [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"echo stopped >>$work/undone\"]}]"
created c5
o start c5
ours containerd-shim | xargs kill -9
check "a stand-in dies with its shim" 'wait_for "[ -s $work/c5.exit ]" && [ "$(cat "$work/c5.exit")" = 137 ] && state_is c5 stopped'
o delete c5
check "and what is left can be deleted, with its poststop hook" '[ $status = 0 ] && [ "$(cat "$work/undone")" = stopped ] && ! remains'

# A pidfd of the stand-in, whose holder needs no number.
cat >"$work/pidfd" <<'PY'
import array, signal, socket, subprocess, sys
path, out, signo, argv = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
s = socket.socket(socket.AF_UNIX); s.bind(path); s.listen(1); s.settimeout(100)
r = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode
c, _ = s.accept()
word, anc, _, _ = c.recvmsg(4096, socket.CMSG_SPACE(4))
signal.pidfd_send_signal(array.array("i", anc[0][2])[0], signo)
open(out, "w").write(f"{r} {word.decode()}")
PY
bundle pidfd 'exec sleep 1000'
python3 "$work/pidfd" "$work/pidfd.sock" "$work/out" 15 "$oci" --root "$root" create -b "$b" --pidfd-socket "$work/pidfd.sock" f1
check "create --pidfd-socket: SIGTERM ends what was only created" 'out_is "0 pidfd" && wait_for "state_is f1 stopped"'
o delete f1
rm "$work/pidfd.sock"
python3 "$work/pidfd" "$work/pidfd.sock" "$work/out" 9 "$oci" --root "$root" run -d -b "$b" --pidfd-socket "$work/pidfd.sock" f2
check "run --pidfd-socket: SIGKILL is the container's end" 'out_is "0 pidfd" && wait_for "state_is f2 stopped"'
o delete f2
o create -b "$b" --pidfd-socket "$work/no-socket" f3
check "a socket that is not there is one line" '[ $status = 1 ] && [ "$(wc -l <"$work/err")" = 1 ] && err_has "--pidfd-socket $work/no-socket" && ! remains'

# A pod: the second container joins what the first one has, by its stand-in's namespaces.
bundle first 'exec sleep 1000' '.hostname = "pod"'
created p1
o start p1
join=$(printf '.linux.namespaces |= map(if .type == "uts" then .path = "/proc/%s/ns/uts" elif .type == "network" then .path = "/proc/%s/ns/net" else . end) | del(.hostname)' "$pid" "$pid")
sleep 1
bundle second 'hostname; echo "$$"' "$join"
o run -b "$b" p2
check "a container joins another's namespaces" '[ $status = 0 ] && out_is "pod
1"'
check "in one virtual machine" '[ "$(ours sbx-vmm | wc -l)" = 1 ] && state_is p1 running'
bundle third true "$join | .hooks.createRuntime = [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"touch $work/third; exec sleep 1000\"]}]"
"$oci" --root "$root" create -b "$b" p3 >"$work/p3" 2>&1 </dev/null &
create=$!
wait_for '[ -e "$work/third" ]'
o delete --force p3
check "delete --force ends a creation there" '[ $status = 0 ] && state_is p1 running && ! state_is p3 creating'
wait $create
check "of which its create hears" '[ $? = 1 ] && [ -s "$work/p3" ]'
o delete --force p1
check "which ends with the last of them" '[ $status = 0 ] && ! remains'
finish
