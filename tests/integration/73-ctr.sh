#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What else containerd can ask of a runtime: terminals, loggers, a configuration and what it allows, and
# who we are.
set -u
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=containerd.sh
. "$here/containerd.sh"

check "containerd is up" start_containerd

# What a containerd leaves that died while it started a shim, was back in time to find it, and knows no task
# of it: a connection that says nothing. Judged at the end, as it takes a minute.
mkdir "$work/nobody"
(cd "$work/nobody" && containerd-shim-sbx-v2 -namespace default -id nobody -address "$CONTAINERD_ADDRESS" start) >"$work/address"
python3 -c '
import socket, sys
shim = socket.socket(socket.AF_UNIX)
shim.connect(sys.argv[1].removeprefix("unix://"))
sys.exit(len(shim.recv(1)))
' "$(cat "$work/address")" &
nobody=$!

import_image
check "an image" '[ -n "$image" ]'

# --- terminals
export TMUX_TMPDIR=$work TERM=screen
tm() { tmux -f /dev/null "$@"; }
wait_for() { # TEXT on the screen
	local _
	for _ in $(seq 600); do
		tm capture-pane -p -t t 2>/dev/null | grep -qF -- "$1" && return 0
		sleep 0.1
	done
	tm capture-pane -p -t t | sed 's/^/    screen: /'
	return 1
}
keys() { tm send-keys -t t "$@"; }
tm new-session -d -s t -x 100 -y 30 "bash --norc"
keys "ctr run --rm -t --runtime io.containerd.sbx.v2 $image terminal sh; echo code \$?" Enter
check "ctr run -t: a shell" 'wait_for "/ #"'
keys 'tty; stty size' Enter
check "on a terminal of its own, of our size" 'wait_for /dev/pts/0 && wait_for "30 100"'
tm resize-window -t t -x 80 -y 20
sleep 1
keys 'clear; stty size' Enter
check "that follows a resize" 'wait_for "20 80"'
keys 'clear; trap "echo in""terrupted" INT; sleep 100' Enter
sleep 1
keys C-c
check "Ctrl-C reaches the program" 'wait_for interrupted'
keys 'exit 5' Enter
check "the exit code comes back" 'wait_for "code 5"'
c -d "$image" host sleep 1000
keys 'clear; ctr task exec -t --exec-id e host sh' Enter
check "ctr task exec -t" 'wait_for "/ #"'
keys 'clear; stty size' Enter
check "of our size too" 'wait_for "20 80"'
keys 'exit' Enter
ctr task kill -s SIGKILL host
await 20 'ctr task list | grep -q "host.*STOPPED"'
ctr task rm host >/dev/null 2>&1
ctr container rm host

# --- loggers
cat >"$dir/logger" <<EOF
#!/bin/sh
exec 5>&-
echo "\$1=\$2 \$CONTAINER_ID \$CONTAINER_NAMESPACE" >"$dir/logged.who"
cat <&4 >"$dir/logged.err" &
cat <&3 >"$dir/logged.out"
wait
EOF
chmod +x "$dir/logger"
c --rm --log-uri "binary://$dir/logger?some%20key=value" "$image" logged sh -c 'echo out; echo err >&2; exit 4'
check "a program takes the output" '[ $status = 4 ] && await 10 "[ -s $dir/logged.err ]" &&
	[ "$(cat "$dir/logged.out" "$dir/logged.err")" = "out
err" ]'
check "and knows of whom, and its arguments" '[ "$(cat "$dir/logged.who")" = "some key=value logged default" ]'
check "and has ended" 'await 5 "! pgrep -f $dir/logger >/dev/null"'
c --rm --log-uri "binary:///no/such/logger" "$image" unlogged true
check "a program that is not there is the create's error" '[ $status != 0 ] && err_has /no/such/logger'
c --rm "$image" lost /no/such/program
check "a program of the guest that is not there, too" '[ $status != 0 ] && err_has "failed to create shim task: " &&
	err_has "no such file or directory"'
c --rm --log-uri "file://$dir/logged.file" "$image" filed sh -c 'echo out; echo err >&2'
check "a file takes it too" '[ $status = 0 ] && [ "$(sort "$dir/logged.file")" = "err
out" ]'
c --rm --log-uri "file://$dir/logs/of%20it/out" "$image" made echo out
check "a file whose directory is not there yet, by its encoded name" '[ $status = 0 ] && [ "$(cat "$dir/logs/of it/out")" = out ] &&
	[ "$(stat -c %a "$dir/logs/of it" "$dir/logs/of it/out" | tr "\n" " ")" = "755 644 " ]'

# --- configuration
printf '[vm]\nmemory = 400M\n' >"$dir/sbx.conf"
mkdir "$dir/sbx.conf.d"
printf '[vm]\ncpus = 2\n' >"$dir/sbx.conf.d/10-cpus.conf"
configured() { c --rm --runtime-config-path "$dir/sbx.conf" "$image" "$1" sh -c 'nproc; grep MemTotal /proc/meminfo'; }
configured size
check "a configuration and its drop-in" \
	'[ "$(head -n 1 "$work/out")" = 2 ] && [ "$(sed -n "s/MemTotal: *\([0-9]*\) kB/\1/p" "$work/out")" -gt 340000 ]'
printf '[vm]\ncpus = 99\n' >"$dir/sbx.conf.d/20-wrong.conf"
configured wrong
check "a wrong one is one line" '[ $status != 0 ] && err_has "20-wrong.conf:2: cpus: not a number from 1 to 32"'
rm "$dir/sbx.conf.d/20-wrong.conf"
chmod o+w "$dir/sbx.conf"
configured open
check "one that anybody can write is refused" '[ $status != 0 ] && err_has "others than its owner can write it"'
chmod o-w "$dir/sbx.conf"
annotated() { # NAME ANNOTATION VALUE
	cat >"$dir/config.json" <<EOF
{"ociVersion": "1.0.2", "root": {"path": "$dir/rootfs"}, "annotations": {"$2": "$3"},
 "process": {"cwd": "/", "args": ["nproc"], "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}},
 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
	{"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}],
 "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}]}}
EOF
	c --rm --runtime-config-path "$dir/sbx.conf" --config "$dir/config.json" "$1"
}
annotated three sbx.cpus 3
check "an annotation that is allowed counts" '[ $status = 0 ] && out_is 3'
annotated kernel sbx.kernel /etc/passwd
check "one that names a path of the host is refused" '[ $status != 0 ] && err_has "sbx.kernel: sbx.conf does not allow it"'
printf '[pods]\nannotations = sbx.hypervisor sbx.kernel\n' >"$dir/sbx.conf.d/30-pods.conf"
annotated allowed sbx.kernel "$build/share/vmlinux"
check "but for a list that has it" '[ $status = 0 ]'
annotated not-any-more sbx.cpus 3
check "which is the whole list" '[ $status != 0 ] && err_has "sbx.cpus: sbx.conf does not allow it"'
annotated qemu sbx.hypervisor qemu
check "an emulator has to be asked for by the owner of the machine" '[ $status != 0 ] && err_has "emulation = yes"'

# --- who we are
containerd-shim-sbx-v2 -info </dev/null >"$work/out" 2>"$work/err"
check "-info" 'out_has io.containerd.sbx.v2 && out_has ociVersionMin && out_has features/Features'
check "no user namespaces of CRI's form are promised" 'out_has "\"idmap\":{\"enabled\":false}" && ! out_has "\"user\""'
containerd-shim-sbx-v2 -info <<<nonsense >"$work/out" 2>"$work/err"
status=$?
check "-info of nonsense is one line" '[ $status = 1 ] && [ "$(wc -l <"$work/err")" = 1 ]'

check "a shim of which nobody wants a container is there for a minute" 'kill -0 $nobody 2>/dev/null || [ $SECONDS -ge 60 ]'
check "and closes the connection and goes" 'await 70 "! kill -0 $nobody 2>/dev/null" && wait $nobody'
check "nothing is left" 'await 5 nothing'
finish
