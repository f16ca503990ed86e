# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The ledger: what a sandbox holds, and what each of many started at once does.

# A second after the start of the sandbox "bench".
memory_of_one() {
	local program pid own resident tables
	sleep 1
	for program in containerd-shim sbx-vmm; do
		pid=$(ours "$program" | head -n 1)
		[ -n "$pid" ] || continue
		read -r own resident _ tables < <(ledger "$pid")
		say "memory" "$program, private" MiB "$own"
		[ "$program" != sbx-vmm ] || say "memory" "guest, resident of $mib" MiB "$resident"
		say "memory" "$program, page tables" MiB "$tables"
	done
}

guest_resident() { ledger "$(ours sbx-vmm | head -n 1)" | cut -d " " -f 2; }
# 120 MiB that a program uses and gives back, and again after the seconds that free-page reporting takes.
memory_given_back() {
	sbx exec bench dd if=/dev/zero of=/dev/shm/x bs=1M count=60 >/dev/null 2>&1
	sbx exec bench dd if=/dev/zero of=/tmp/x bs=1M count=60 >/dev/null 2>&1
	say "memory" "guest, with 120 MiB in use" MiB "$(guest_resident)"
	sbx exec bench rm /dev/shm/x /tmp/x
	sleep 6
	say "memory" "guest, 6 s after they were freed" MiB "$(guest_resident)"
}

# memory_of_qemu: what a microvm holds beside its guest, which is the same kernel with nothing to do.
memory_of_qemu() {
	local own resident pss pid
	has "memory: QEMU microvm" qemu-system-x86_64 || return
	"${qemu[@]}" "${microvm[@]}" -M memory-backend=m -object "memory-backend-memfd,id=m,size=${mib}M,share=on" \
		-initrd first.cpio -append "$quiet stay" >out/qemu 2>out/err </dev/null &
	pid=$!
	for _ in {1..100}; do
		! grep -aqE '[0-9]{16}' out/qemu || break
		sleep 0.1
	done
	sleep 1
	read -r own resident pss _ < <(ledger $pid)
	say "memory of others" "QEMU microvm, private, beside the guest" MiB "$own"
	say "memory of others" "QEMU microvm, PSS, beside the guest" MiB "$pss"
	say "memory of others" "QEMU microvm, guest resident" MiB "$resident"
	kill $pid
	wait $pid 2>/dev/null
}

# meminfo FIELD: the host's, in KiB.
meminfo() { awk -v field="$1:" '$1 == field { print $2 }' /proc/meminfo; }

# guest_ledger NAME COLUMN: who holds the guest's memory, as it says itself. Its kernel's is what is neither free nor
# a file's nor a program's; process 1 of a container is the agent's fork and has the agent's memory.
guest_ledger() {
	# shellcheck disable=SC2016 # the guest's
	sbx exec "$1" sh -c 'cat /proc/meminfo; grep Rss /proc/1/status' 2>out/err |
		awk -v name="$2" -v all=$((mib << 10)) '{ kib[$1] = $2 }
			function line(what, kib) { printf "figure|%s|%s|MiB|%.2f\n", name, what, kib / 1024 }
			END {
				if (!kib["MemTotal:"]) exit
				files = kib["Buffers:"] + kib["Cached:"]
				line("in the guest: its kernel", all - kib["MemFree:"] - files - kib["AnonPages:"])
				line("in the guest: the agent", kib["RssAnon:"] + kib["RssFile:"] + kib["RssShmem:"])
				line("in the guest: files, the agent'\''s too", files)
				line("in the guest: free", kib["MemFree:"])
			}'
}

start_many() { # N
	local i
	for ((i = 0; i < $1; i++)); do
		sbx run -d --rm --name "many$i" -- sleep 100000 >/dev/null 2>>out/many &
	done
	wait
}
# each_of N NAME WHAT: the columns of out/ledger, for each of N.
each_of() {
	awk -v n="$1" -v name="$2" -v who="$3" '
		function line(what, mib) { printf "figure|%s|%s, %s|MiB|%.2f\n", name, who, what, mib / n }
		{ own += $1; guest += $2; pss += $3; tables += $4 }
		END { line("PSS", pss); line("private", own); line("page tables", tables)
			if (guest) line("guest memory resident", guest) }' out/ledger
}
# many_of N: started at once, what each took and holds.
many_of() {
	local n=$1 name="at once: $1" available nested pid program i up
	echo "# $n at once"
	: >out/many
	available=$(meminfo MemAvailable) nested=$(meminfo SecPageTables)
	spend start_many "$n"
	say "$name" "start, for each" ms "$(awk "BEGIN { print $took / $n / 1e6 }")"
	[ "$mode" != full ] || say "$name" "instructions, for each" M "$(awk "BEGIN { print $worked / $n / 1e6 }")"
	sleep 1
	up=$(ours sbx-vmm | wc -l)
	[ "$up" = "$n" ] || missing "$name" "$up of $n are up: $(head -n 1 out/many)"
	for program in containerd-shim sbx-vmm; do
		for pid in $(ours "$program"); do
			ledger "$pid"
		done >out/ledger
		each_of "$n" "$name" "$program"
	done
	[ -z "$nested" ] || say "$name" "KVM's page tables" MiB "$(awk "BEGIN { print ($(meminfo SecPageTables) - $nested) / $n / 1024 }")"
	say "$name" "the host's memory in all" MiB "$(awk "BEGIN { print ($available - $(meminfo MemAvailable)) / $n / 1024 }")"
	guest_ledger many0 "$name"
	for ((i = 0; i < n; i++)); do
		echo "many$i"
	done | xargs sbx rm -f >/dev/null 2>&1
}
