#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# also: qemu
# A real terminal: its size, its signals, a full-screen program, and the caller's own given back.
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"

export TMUX_TMPDIR=$work TERM=screen
tm() { tmux -f /dev/null "$@"; }
screen() { tm capture-pane -p -t t 2>/dev/null; }
wait_for() { # TEXT on the screen
	for _ in $(seq 300); do
		screen | grep -qF -- "$1" && return 0
		sleep 0.1
	done
	screen | sed 's/^/    screen: /'
	tm kill-server # what follows would only wait
	return 1
}
keys() { tm send-keys -t t "$@"; }

tm new-session -d -s t -x 100 -y 30 "bash --norc"
keys "stty -a >$work/before; $sbx run --rm ${driver[*]} -it -- sh" Enter
check "a shell on a terminal" 'wait_for "/ #"'
keys 'tty; stty size; echo $TERM' Enter
check "it is a terminal of its own" 'wait_for /dev/pts/0'
check "it has our terminal's size" 'wait_for "30 100"'
check "TERM is set" 'wait_for xterm'
tm resize-window -t t -x 80 -y 20
sleep 1
keys 'clear; stty size' Enter
check "it follows a resize" 'wait_for "20 80"'
keys 'clear; trap "echo in""terrupted" INT; sleep 100' Enter
sleep 1
keys C-c
check "Ctrl-C reaches the program" 'wait_for interrupted'
keys 'clear; vi /tmp/file' Enter
check "a full-screen program draws" 'wait_for "/tmp/file"'
keys i 'written inside' Escape
sleep 2 # vi takes what follows an escape at once for a key's sequence
keys ':wq' Enter
sleep 1
keys 'clear; cat /tmp/file; echo $((40 + 2))' Enter
check "and takes keys" 'wait_for "written inside" && wait_for 42'
keys 'exit 5' Enter
sleep 1
keys "echo code \$?; stty -a >$work/after" Enter
check "the exit code comes back" 'wait_for "code 5"'
sleep 0.5
check "the terminal is as it was" 'diff <(tail -n +2 "$work/before") <(tail -n +2 "$work/after") >/dev/null'

keys "clear; $sbx run --rm ${driver[*]} -it -- sh" Enter
check "a second shell" 'wait_for "/ #"'
ours 'sbx-vmm|qemu-system-x86' | xargs kill -KILL
keys ""
check "a VM that dies is told in one line" 'wait_for "sbx: run: "'
keys "clear; stty -a >$work/after" Enter
sleep 1
check "and the terminal is as it was" 'diff <(tail -n +2 "$work/before") <(tail -n +2 "$work/after") >/dev/null'

"$sbx" run -d --name bg "${driver[@]}" -- sleep 1000 >/dev/null
keys "clear; $sbx exec -it bg sh" Enter
check "exec -it" 'wait_for "/ #"'
keys 'stty size; echo $TERM; exit' Enter
check "has the size, too" 'wait_for "20 80"'
check "and a TERM" 'wait_for xterm'
tm kill-server
"$sbx" rm -f bg >/dev/null

echo x | timeout -k 5 60 "$sbx" run "${driver[@]}" -it --name without -- true >"$work/out" 2>"$work/err"
status=$?
check "-it without a terminal is refused" '[ $status = 125 ] && err_has "not a terminal"'
check "and takes no name" '! "$sbx" rm without >/dev/null 2>&1'
run -t -- tty
check "-t alone gives the program a terminal" '[ $status = 0 ] && out_has /dev/pts/0'
run -t -- sh -c 'exec 0<&- 1>&- 2>&-; sleep 1; exec >/dev/tty; echo back; exit 7'
check "a program may leave its terminal and come back" '[ $status = 7 ] && out_has back'
check "nothing is left" '! leftovers'
finish
