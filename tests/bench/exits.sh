# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What a run makes the host do: VM exits by reason, and each program's threads and system calls.

readonly tracing=/sys/kernel/tracing

# trace COMMAND...: every VM exit meanwhile, to out/trace. Its times are CLOCK_MONOTONIC's.
trace() {
	local switch=$tracing/events/kvm/kvm
	echo mono >$tracing/trace_clock
	echo 8192 >$tracing/buffer_size_kb
	echo 1 | tee ${switch}_exit/enable ${switch}_userspace_exit/enable >/dev/null
	"$@" >out/traced 2>out/err </dev/null
	echo 0 | tee ${switch}_exit/enable ${switch}_userspace_exit/enable >/dev/null
	cat $tracing/trace >out/trace
	echo >$tracing/trace
}
# exit_rows NAME [UNTIL]: of out/trace, up to that many ns.
exit_rows() {
	awk -v name="$1" -v until="${2:-0}" '
		{
			for (i = 2; i <= NF && $i !~ /^kvm_(userspace_)?exit:$/; i++)
				;
			if (i > NF || (until && $(i - 1) * 1e9 > until))
				next
			if ($i ~ /userspace/) { user++; next }
			all++
			for (; i < NF && $i != "reason"; i++)
				;
			reasons[$(i + 1)]++
		}
		END {
			row = "figure|" name "|%s|count|%d\n"
			printf row, "all", all
			printf row, "to user space", user
			for (r in reasons)
				printf row, r, reasons[r] | "sort -t \\| -k5nr | head -n 8"
		}' out/trace
}

# The figure that is gated, of a whole run.
exits_of_run() {
	[ -d $tracing/events/kvm ] || { missing "exits" "no kvm tracepoints, or not root"; return; }
	trace sbx run --rm -- true
	if [ "$mode" = short ]; then
		say "exits" "sbx run, all" count "$(grep -c ' kvm_exit: ' out/trace)"
	else
		exit_rows "exits: sbx run"
	fi
}
# To the agent's being ready; and of a boot that ends at once, beside QEMU's of the same.
exits_of_boot() {
	[ -d $tracing/events/kvm ] || return
	echo "# exits"
	trace sbx run -d --name exits -- sleep 100000
	./stages exits >out/stages 2>out/err
	sbx rm -f exits >/dev/null 2>&1
	exit_rows "exits: to agent ready" "$(sed -n 's/ agent ready$//p' out/stages)"
	trace "${monitor[@]}" "${bare[@]}"
	exit_rows "exits: sbx-vmm, bare init"
	command -v qemu-system-x86_64 >/dev/null || return
	trace "${qemu[@]}" "${microvm[@]}" -initrd first.cpio -append "$quiet"
	exit_rows "exits: microvm, bare init"
	trace "${qemu[@]}" -M q35 -initrd first.cpio -append "$quiet"
	exit_rows "exits: q35, bare init"
}

# How many threads and system calls of each program one whole run is made of.
path_of_run() {
	local event=$tracing/events/raw_syscalls/sys_enter
	[ -d $event ] && echo 'hist:keys=common_pid.execname' >$event/trigger || return
	sbx run --rm -- true
	echo 0 >$tracing/tracing_on
	sed -n 's/^{ common_pid: *\(.*[^ ]\) *\[ *[0-9]*\] } hitcount: *\([0-9]*\)$/\1|\2/p' $event/hist |
		awk -F '|' '$1 !~ /^(bash|sed|awk)$/ { n[$1]++; calls[$1] += $2 }
			END { for (name in n) print name "|" n[name] "|" calls[name] }' | sort |
		while IFS='|' read -r name threads calls; do
			say "path" "$name, threads" count "$threads"
			say "path" "$name, system calls" count "$calls"
		done
	echo '!hist:keys=common_pid.execname' >$event/trigger
	echo 1 >$tracing/tracing_on
}
