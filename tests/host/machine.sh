# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# machine.sh - the test host as a QEMU command line, and its warm start
#
# Theory of Operation
#
# Every run has the same devices, used or not: four virtio ports, a console, share slots, the root
# disk and disk slots. So a machine that has booted and waits for its job can be kept and copied. The first run of
# a kind (memory, CPUs, cgroup profile) boots one whose memory is a shared file, waits until guest/rc
# says "ready", and has QEMU write the devices' state beside it (x-ignore-shared leaves memory
# where it is). Later runs map that file privately and go on from there: a second instead of eight.
# The root is mounted read-only until the job comes, so that root.img still matches; no share is
# mounted yet, which would forbid the copy; disk slots are empty and without driver. A warm state belongs to one boot of the machine
# underneath, as it holds the frequency of its time stamp counter.
#
# One CPU is the steady choice, of a mended emulator (see there), with guest/second_clock.c against standing still. With several, QEMU 7.2 emulates them on threads that race: a CPU that
# translates code which another rewrites may keep the old code for ever (8.1 mends that), and whenever
# any CPU loads an x87 state, a flag of the first CPU is cleared (cpu_clear_ignne), not atomically, which
# now and then takes back another flag there: whether addresses go through a guest's nested page tables.
# So the first of several CPUs runs neither the job nor a guest, and guest/hold_keys.c keeps the kernel
# from rewriting KVM.
#
# Runs on the ruler want the same history every time: they boot from cold.

# The caller sets: host initrd work mem cpus icount profile shell stdin out shares disks.

readonly share_slots=4		# besides the tree and /out
readonly disk_slots=4
readonly job_bytes=32768	# the job's fixed size: the guest learns it once

# Fills $qemu. $1: a memory back end's options, or nothing.
compose_qemu() {
	local args n dir port backend smp=$cpus
	args="console=ttyS0 panic=-1 quiet mitigations=off nokaslr tsc=reliable no_timer_check"
	args+=" random.trust_cpu=on testhost.profile=$profile"
	if [[ $cpus -gt 1 ]]; then
		smp=$((cpus + 1))
		args+=" isolcpus=0"
	fi
	# Nothing that has to be measured: a machine that boots while others want the processor, too, is several times
	# wrong then. The clock's frequency is told, the timer is the HPET, which says its own. The ruler's is another.
	[[ $icount == yes ]] || args+=" tsc_early_khz=$(tsc_khz) nolapic_timer"
	# QEMU before 8.0 computes the flags of cmpxchg16b from what another instruction has left: direction, virtual-8086
	# mode, anything. An interrupt just behind it keeps them, and kernels allocate memory by it. Told that the CPU
	# does not have it (bit 13 of the fifth word of its features), they do without, the host's and its guests'.
	[[ $icount == yes ]] || args+=" clearcpuid=$((4 * 32 + 13))"
	find_emulator
	qemu=("${emulator[@]}" -M "q35,sata=off,smbus=off,usb=off,vmport=off${1:+,memory-backend=ram}"
		-bios bios-microvm.bin -cpu "EPYC-v3,+svm,+npt,-erms,-xsave,-avx,-avx2,-f16c,-fma" -m "$mem" -smp "$smp"
		-nodefaults -no-user-config -display none -no-reboot
		-kernel "$host/vmlinux" -initrd "$initrd" -append "$args"
		-serial "file:$work/console" -fw_cfg "name=opt/sbx/job,file=$work/job"
		-object rng-random,id=rng,filename=/dev/urandom -device "virtio-rng-pci,rng=rng")
	[[ -z $1 ]] || qemu+=(-object "memory-backend-file,id=ram,size=${mem}M,$1")
	if [[ $icount == yes ]]; then
		qemu+=(-accel tcg -icount "shift=0,sleep=off")
	else
		qemu+=(-accel "tcg,thread=multi")
	fi
	qemu+=(-device virtio-serial-pci)
	for port in 3:out 4:err 5:ctl; do
		# Without append QEMU would truncate what it opens, and a pipe cannot be.
		qemu+=(-add-fd "fd=${port%:*},set=${port%:*}"
			-chardev "file,id=${port#*:},append=on,path=/dev/fdset/${port%:*}"
			-device "virtserialport,chardev=${port#*:},name=${port#*:}")
	done
	# Only QEMU's stdio tells the guest about the end of its input.
	backend=null
	[[ $stdin == no ]] || backend="stdio,signal=off"
	qemu+=(-chardev "$backend,id=in")
	backend=null
	[[ $shell == no ]] || backend="stdio,signal=off"
	qemu+=(-chardev "$backend,id=tty")
	qemu+=(-device "virtserialport,chardev=in,name=in" -device "virtconsole,chardev=tty")
	job_shares=()
	share tree "$tree" "$tree" ro
	share out "${out:-$work}" "${out:+/out}" rw
	for ((n = 0; n < share_slots; n++)); do
		dir=${shares[n]:-}
		share "share$n" "${dir:-$work}" "$dir" ro
	done
	qemu+=(-drive "if=none,id=root,format=raw,snapshot=on,file=$host/root.img" -device "virtio-blk-pci,drive=root")
	for ((n = 0; n < disk_slots; n++)); do
		if [[ -n ${disks[n]:-} ]]; then
			qemu+=(-drive "if=none,id=disk$n,format=raw,readonly=on,file=${disks[n]}")
		else
			qemu+=(-drive "if=none,id=disk$n,driver=null-co,size=0,readonly=on")
		fi
		qemu+=(-device "virtio-blk-pci,drive=disk$n,serial=disk$n")
	done
}

# find_emulator: the installed QEMU, mended where that helps (see there), as it would run where it was.
find_emulator() {
	local installed modules
	emulator=(qemu-system-x86_64)
	command -v python3 >/dev/null || return 0
	installed=$(command -v qemu-system-x86_64)
	modules=$(echo /usr/lib/*/qemu/accel-tcg-x86_64.so)
	emulator=(env "QEMU_MODULE_DIR=${modules%/*}" "$("$here/emulator" "$installed" "$cache")"
		-L /usr/share/qemu -L /usr/share/seabios)
}

# tsc_khz: what the machine's clock counts (see tsc_khz.c); measured once in a boot of the machine underneath.
tsc_khz() {
	local file
	file=$cache/tsc_khz-$(</proc/sys/kernel/random/boot_id)
	if [[ ! -s $file ]]; then
		rm -f "$cache"/tsc_khz-*
		gcc -O1 -Wall -Wextra -Werror -o "$work/tsc_khz" "$here/tsc_khz.c"
		"$work/tsc_khz" >"$file.$$"
		mv "$file.$$" "$file"
	fi
	cat "$file"
}

# share TAG DIR MOUNTPOINT ro|rw: a 9p share; without a mount point an unused slot.
share() {
	local ro=''
	[[ $4 == rw ]] || ro=,readonly=on
	[[ $2 != *,* ]] || die "QEMU cannot share a path with a comma: $2"
	qemu+=(-fsdev "local,id=$1,path=$2,security_model=none,multidevs=remap$ro"
		-device "virtio-9p-pci,fsdev=$1,mount_tag=$1")
	[[ -z $3 ]] || job_shares+=("$1" "$3" "$4")
}

# write_job: stdin, filled up to the fixed size, becomes the machine's job.
write_job() {
	cat >"$work/job"
	[[ $(stat -c %s "$work/job") -le $job_bytes ]] || die "the command is longer than $job_bytes bytes"
	truncate -s "$job_bytes" "$work/job"
}

# warm_state: leaves in $warm the directory of a machine that waits for its job, made if need be.
warm_state() {
	local key
	find_emulator
	key=$(echo "$initrd $mem $cpus $profile ${emulator[*]} $(qemu-system-x86_64 --version) $(</proc/sys/kernel/random/boot_id) $(<"$here/machine.sh")" | key_of)
	warm=$host/warm-$key
	touch -c "$warm"
	[[ -d $warm ]] && return
	lock "warm-$key"
	[[ -d $warm ]] && return
	# Those of an earlier boot or of other scripts are of no use to anyone.
	find "$host" -maxdepth 1 -name 'warm-*' -mmin +600 -exec rm -rf {} +
	make_warm || { say "no warm start here: booting from cold"; warm=''; }
	exec 9>&-
}

# monitor: gives $qemu a monitor that reads $work/mon.in and writes $work/mon.log.
monitor() {
	mkfifo "$work"/mon.{in,out}
	cat "$work/mon.out" >"$work/mon.log" 5>&- 7<&- 9>&- &
	qemu+=(-chardev "pipe,id=mon,path=$work/mon" -mon "chardev=mon")
}

# continue_warm: has $qemu start as a copy of $warm; a capability can only be set by the monitor.
continue_warm() {
	monitor
	qemu+=(-incoming defer)
	printf '%s\n' 'migrate_set_capability x-ignore-shared on' "migrate_incoming \"exec:cat $warm/state\"" \
		>"$work/mon.in" &
}

make_warm() (
	work=$(mktemp -d "$host/tmp.XXXXXX")
	qemu_pid=''
	trap '[[ -z $qemu_pid ]] || kill -9 "$qemu_pid" 2>/dev/null; rm -rf "$work"' EXIT
	out='' shares=() disks=() stdin=no shell=no
	mkdir "$work/new"
	mkfifo "$work/ctl"
	echo job_wait=yes | write_job
	compose_qemu "share=on,mem-path=$work/new/ram"
	exec 6<>"$work/ctl" 7<"$work/ctl" 5>"$work/ctl" 6>&-
	monitor
	"${qemu[@]}" 3>/dev/null 4>/dev/null 7<&- 9>&- </dev/null >/dev/null 2>"$work/qemu.log" &
	qemu_pid=$!
	exec 5>&-
	read -r -t 120 -u 7 line && [[ $line == ready ]] || exit 1
	printf '%s\n' 'migrate_set_capability x-ignore-shared on' "migrate \"exec:cat > $work/new/state\"" \
		'info migrate' quit >"$work/mon.in"
	wait "$qemu_pid"
	qemu_pid=''
	grep -q 'Migration status: completed' "$work/mon.log" || exit 1
	mv "$work/new" "$warm"
)
