# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the parts of tests/bench/measure share. A line of what they print is one of
#
#   figure|NAME|WHAT|UNIT|VALUE VALUE ...   again with the same NAME and WHAT: more values
#   missing|NAME|WHY                        what could not be measured
#   version|PROGRAM|VERSION
#   # TEXT                                  how far it is
#
# The caller sets $times, $mode (full, short, wall) and $mib, a sandbox's memory, and is in $work.

say() { # NAME WHAT UNIT VALUES
	printf 'figure|%s|%s|%s|%s\n' "$@"
}
missing() { # NAME WHY
	printf 'missing|%s|%s\n' "$1" "$(tr '\n|' '  ' <<<"${2:-nothing was said}" | head -c 300)"
}
# has NAME PROGRAM...: whether there are these programs; if not, NAME is missing.
has() {
	local program
	for program in "${@:2}"; do
		command -v "$program" >/dev/null || { missing "$1" "$program is not installed"; return 1; }
	done
}

# time_row NAME COMMAND...: once to warm up, then measured.
time_row() {
	local name=$1
	shift
	./timed 1 "$@" >/dev/null 2>out/err && ./timed "$times" "$@" >out/times 2>out/err ||
		{ missing "$name" "$(cat out/err)"; return 1; }
	awk '$1 { up = up " " $1 / 1e6 } { end = end " " $2 / 1e6 }
		END { print up; print end }' out/times | {
		read -r up
		read -r end
		[ -z "$up" ] || say "$name" up ms "$up"
		say "$name" exit ms "$end"
	}
}

# stamp: $at, now in ns, and $idle, for how many of them the CPU has had nothing to do. No process is made
# for it, whose instructions would count.
stamp() {
	local line
	at=$((${EPOCHREALTIME/./} * 1000)) idle=0
	[ "$mode" = full ] || return 0
	mapfile -t lines </proc/timer_list
	for line in "${lines[@]}"; do
		case $line in *.idle_sleeptime* | *.iowait_sleeptime*)
			line=${line#*: }
			idle=$((idle + ${line% nsecs})) ;;
		esac
	done
}
# spend COMMAND...: leaves $took, its ns, and on the ruler $worked, the instructions executed meanwhile.
spend() {
	local status at_first idle_first
	stamp
	at_first=$at idle_first=$idle
	"$@"
	status=$?
	stamp
	took=$((at - at_first)) worked=$((at - at_first - idle + idle_first))
	return $status
}

# ours NAME: the pids of our sandboxes' processes of this name.
ours() {
	local pid
	for pid in $(pgrep -x "$1"); do
		! grep -qszx "SBX_ROOT=$SBX_ROOT" "/proc/$pid/environ" || echo "$pid"
	done
}

# ledger PID: a process's private MiB beside a guest's memory, and what the host holds of that; then its PSS
# and its page tables. Our monitor has the guest's memory neither forked nor dumped, and nothing else; QEMU
# in a memfd.
ledger() {
	awk '/^[0-9a-f]+-[0-9a-f]+ / { rss = private = pss = 0; guest_file = / \/memfd:/ }
		/^Rss:/ { rss = $2 }
		/^Pss:/ { pss = $2 }
		/^Private_/ { private += $2 }
		/^VmFlags:/ { if (guest_file || / dc / && / dd /) guest += rss; else { own += private; shared += pss } }
		/^VmPTE:/ { tables = $2 }
		END { printf "%.2f %.2f %.2f %.2f\n", own / 1024, guest / 1024, shared / 1024, tables / 1024 }' \
		"/proc/$1/smaps" "/proc/$1/status"
}
