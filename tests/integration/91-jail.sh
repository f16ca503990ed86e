#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# also: qemu
# The wall from inside: sbx-vmm and sbx-share, taken over at the moment when they begin to serve
# (taken.c), try what an attacker would (attack.h): in the jail alone, then each attempt with the lists
# of system calls too; as root and as an ordinary user. The same attempts outside say what they are worth.
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"

tests=$build/tests
cd "$work" || exit 1
# What the hostile programs are told: prefixed, as nothing else of an environment reaches them.
exec 7> >(exec "$tests/host_attack" targets "$work" >"$work/targets")
for _ in $(seq 600); do [ -s "$work/targets" ] && break; sleep 0.05; done
check "there is something to find" 'grep -q SBX_ATTACK_OTHER "$work/targets"'
set -a
# shellcheck disable=SC1091  # made above
. "$work/targets"
SBX_ATTACK_FILE=$work/secret
set +a
echo secret >"$work/secret"
chmod 755 "$work" "$SBX_ROOT"
chmod 666 "$work/secret"
read -r attempts by_list <<<"$("$tests/host_attack" count)"
echo "# $attempts attempts, $by_list of which only a list of system calls stands against"
check "there are enough attempts" '[ "$attempts" -ge 60 ] && [ $((attempts - by_list)) -ge 45 ]'

mkdir "$work/outside" && (cd "$work/outside" && "$tests/host_attack" >"$work/out")
reached=$(grep -c ': REACHED$' "$work/out")
check "outside, $reached of $(wc -l <"$work/out") succeed" '[ "$reached" -ge 45 ]'

# --- with everything, an attempt a process -----------------------------------------------------------

# each NAME PROGRAM...: every attempt. A process that goes on says what it met; the others were killed.
each() {
	local name=$1 i killed=0 refused=0 reached='' odd=''
	shift
	for ((i = 0; i < attempts; i++)); do
		{ SBX_ATTACK=$i timeout -k 1 20 "$@" >"$work/out" 2>&1; } 2>/dev/null # bash tells of the killed
		status=$?
		if [ $status = 159 ]; then
			killed=$((killed + 1))
		elif [ $status = 0 ] && grep -aq ': refused: ' "$work/out"; then
			refused=$((refused + 1))
		elif grep -aq ': REACHED' "$work/out"; then
			reached+="$("$tests/host_attack" name $i); "
		else
			odd+="$("$tests/host_attack" name $i): $status; "
		fi
	done
	check "$name: $killed attempts end the process, $refused are refused" \
		'[ -z "$reached$odd" ] && [ $((killed + refused)) = "$attempts" ]'
	[ -z "$reached$odd" ] || echo "#   reached: $reached odd: $odd"
}

as_user=(setpriv --reuid 1000 --regid 1000 --clear-groups)
mkdir "$work/bin"
cp "$tests/taken_share" "$tests/taken_vmm" "$work/bin/"
mkfifo -m 666 "$work/a" "$work/b"
cat >"$work/share" <<'END'
#!/bin/bash
exec "$@" --fuse=fd:5 --control=fd:6 5<>a 6<>b
END
chmod +x "$work/share"
each "sbx-share" "$work/share" "$work/bin/taken_share"
each "sbx-share of an ordinary user" "${as_user[@]}" "$work/share" "$work/bin/taken_share"

# --- in the jail alone, while the VM runs -------------------------------------------------------------

# taken_over NAME BIN COMMAND...: runs a VM whose PROGRAM is hostile; what it met is in the pod's log.
mkdir "$work/folder" "$work/world"
echo shared >"$work/folder/file"
chmod -R 777 "$work/folder" "$work/world"
world() { # PROGRAM: a copy of sbx in which it is hostile
	rm -rf "$work/sbx"
	mkdir "$work/sbx"
	cp -rL "$build/bin" "$build/share" "$work/sbx/"
	cp "$tests/taken_${1#sbx-}" "$work/sbx/bin/$1"
}
taken_over() { # NAME PREFIX...
	local name=$1 log
	shift
	"$@" timeout -k 5 100 "$work/sbx/bin/sbx" run -d --name taken "${driver[@]}" -v "$work/folder:/mnt" -- \
		sh -c 'cat /mnt/file; sleep 1000' >"$work/out" 2>"$work/err"
	status=$?
	for _ in $(seq 100); do
		"$@" "$work/sbx/bin/sbx" logs taken >"$work/out" 2>/dev/null
		out_has shared && break
		sleep 0.1
	done
	log=$(find "$SBX_ROOT" -name shim.log)
	check "$name: it goes on" '[ $status = 0 ] && out_has shared'
	grep -a '^attack ' "$log" | LC_ALL=C sort -t : -k 2 >"$work/out" # what was reached first
	check "$name: $(grep -c ': refused: ' "$work/out") attempts are refused" \
		'[ "$(grep -c ": refused: " "$work/out")" -ge 40 ] && ! out_has REACHED'
	"$@" "$work/sbx/bin/sbx" rm -f taken >/dev/null 2>&1
}

world sbx-share
export SBX_ATTACK_LATER=1
taken_over "sbx-share with a folder"
kvm_mode=$(stat -c %a /dev/kvm 2>/dev/null)
chmod 666 /dev/kvm 2>/dev/null
(
	export SBX_ROOT=$work/world HOME=$work/world
	failed=0
	taken_over "an ordinary user's sbx-share with a folder" "${as_user[@]}"
	exit $failed
) || failed=1
unset SBX_ATTACK_LATER

if [ "${SBX_HYPERVISOR:-vmm}" = vmm ]; then
	mkdir -m 777 "$work/vsock"
	# With --uid the directory cannot be written in any more, as it is with an owner's.
	vmm=(--kernel "$build/share/vmlinux" --memory 64m --vsock-dir "$work/vsock")
	cat >"$work/vmm" <<-'END'
		#!/bin/bash
		rm -f vsock/vsock
		exec "$@"
	END
	chmod +x "$work/vmm"
	each "sbx-vmm" "$work/vmm" "$work/bin/taken_vmm" "${vmm[@]}" --uid 1879050000
	# A machine for each attempt: it takes its time where machines are made in software.
	[ "$size" != full ] ||
		each "sbx-vmm of an ordinary user" "${as_user[@]}" "$work/vmm" "$work/bin/taken_vmm" "${vmm[@]}"
	world sbx-vmm
	taken_over "sbx-vmm"
	(
		export SBX_ROOT=$work/world HOME=$work/world
		failed=0
		taken_over "an ordinary user's sbx-vmm" "${as_user[@]}"
		exit $failed
	) || failed=1
fi

# --- what can be seen of it from outside --------------------------------------------------------------

state_of() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }
apart() { # PID NAMESPACE...
	local pid=$1 n
	shift
	for n; do
		[ "$(readlink "/proc/$pid/ns/$n")" != "$(readlink "/proc/self/ns/$n")" ] || return 1
	done
}
jailed() { # PID: what holds of both programs
	apart "$1" mnt pid net ipc uts cgroup && [ "$(state_of "$1" NoNewPrivs)" = 1 ] &&
		[ "$(state_of "$1" Seccomp)" = 2 ] && [ "$(state_of "$1" NSpid | awk '{ print $NF }')" = 1 ] &&
		! tr '\0' '\n' <"/proc/$1/environ" | grep -q '^HOME='
}
"$sbx" run -d --name one "${driver[@]}" -v "$work/folder:/mnt" -- sleep 1000 >/dev/null 2>&1
"$sbx" run -d --name two "${driver[@]}" -v "$work/folder:/mnt" -- sleep 1000 >/dev/null 2>&1
mapfile -t shares < <(ours sbx-share)
mapfile -t vmms < <(ours sbx-vmm)
check "sbx-share is jailed" '[ ${#shares[@]} = 2 ] && jailed ${shares[0]} && jailed ${shares[1]}'
check "its root holds its open files" '[ -z "$(ls /proc/${shares[0]}/root/ | grep -v "^[0-9]*$")" ]'
if [ "${SBX_HYPERVISOR:-vmm}" = vmm ]; then
	check "it has the capabilities of owners" '[ "$(state_of ${shares[0]} CapEff)" = 00000000800000db ] &&
		[ "$(state_of ${shares[0]} CapBnd)" = 00000000800000db ]'
	check "sbx-vmm is jailed" '[ ${#vmms[@]} = 2 ] && jailed ${vmms[0]} && jailed ${vmms[1]}'
	check "in a user namespace where nobody is known" 'apart ${vmms[0]} user && [ ! -s /proc/${vmms[0]}/uid_map ]'
	check "each as a uid of its own" '[ "$(state_of ${vmms[0]} Uid)" != "$(state_of ${vmms[1]} Uid)" ] &&
		[ "$(state_of ${vmms[0]} Uid | cut -f 1)" -ge 1879048192 ]'
	check "without a capability" '[ "$(state_of ${vmms[0]} CapEff)" = 0000000000000000 ] &&
		[ "$(state_of ${vmms[0]} CapPrm)" = 0000000000000000 ]'
	check "its root holds sockets only" '[ -z "$(find /proc/${vmms[0]}/root/ -mindepth 1 ! -type s)" ]'
	check "no directory is open" '[ -z "$(find /proc/${vmms[0]}/fd/ -lname "/*" -exec test -d {} \; -print)" ]'
	check "each thread has its list" '[ "$(grep -h "^Seccomp:" /proc/${vmms[0]}/task/*/status | sort -u | wc -l)" = 1 ]'
	check "another user cannot read what it has open" \
		'! "${as_user[@]}" ls /proc/${vmms[0]}/fd >/dev/null 2>&1'
else
	mapfile -t vmms < <(ours qemu-system-x86)
	check "QEMU is in a network of its own" '[ ${#vmms[@]} = 2 ] && apart ${vmms[0]} net && apart ${vmms[1]} net &&
		! tail -n +3 "/proc/${vmms[0]}/net/dev" | grep -qv "^ *lo:"'
fi
"$sbx" rm -f one two >/dev/null 2>&1
if [ "${SBX_HYPERVISOR:-vmm}" = vmm ]; then
	"$sbx" run -d --name one -v "$work/folder:/mnt:ro" -- sleep 1000 >/dev/null 2>&1
	check "a file server of read-only folders may read, and no more" \
		'[ "$(state_of "$(ours sbx-share)" CapPrm)" = 0000000000000004 ]'
	"$sbx" rm -f one >/dev/null 2>&1
fi

# --- the same of an ordinary user, who has /dev/kvm and nothing else, with the programs as they are ---

rm -rf "$work/sbx"
mkdir "$work/sbx"
cp -rL "$build/bin" "$build/share" "$work/sbx/"
(
	export SBX_ROOT=$work/world HOME=$work/world
	failed=0
	users_sbx() { timeout -k 5 100 "${as_user[@]}" "$work/sbx/bin/sbx" "$@" >"$work/out" 2>"$work/err"; }
	users_sbx run --rm "${driver[@]}" -v "$work/folder:/mnt" -- sh -c 'cat /mnt/file; id -u; exit 7'
	status=$?
	check "an ordinary user runs a program, with a folder" '[ $status = 7 ] && out_is "shared
0"'
	users_sbx run -d --name one "${driver[@]}" -v "$work/folder:/mnt" -- sleep 1000
	status=$?
	share=$(ours sbx-share) vmm=$(ours sbx-vmm)
	check "its sbx-share is jailed" '[ $status = 0 ] && jailed "$share" && apart "$share" user'
	if [ "${SBX_HYPERVISOR:-vmm}" = vmm ]; then
		check "its sbx-vmm is jailed" 'jailed "$vmm" && apart "$vmm" user'
		for pid in "$share" "$vmm"; do
			check "$(cat "/proc/$pid/comm") is nobody else and has no capability" \
				'[ "$(state_of "$pid" Uid | cut -f 1)" = 1000 ] && [ "$(state_of "$pid" CapPrm)" = 0000000000000000 ] &&
				[ "$(grep -h "^Seccomp:" /proc/$pid/task/*/status | sort -u | wc -l)" = 1 ]'
		done
	fi
	users_sbx rm -f one
	check "and nothing is left of it" '! leftovers'
	exit $failed
) || failed=1
[ -z "$kvm_mode" ] || chmod "$kvm_mode" /dev/kvm
exec 7>&-
check "nothing is left" '! leftovers'
finish
