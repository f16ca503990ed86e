#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# also: qemu
# The host's folders in a container (-v, --mount): what programs do with files, what the guest must
# not be able to do, and what the host sees of it.
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"

share=$work/share
mkdir -p "$share/sub"
echo hello >"$share/a"
echo deep >"$share/sub/b"
ln -s /etc/passwd "$share/absolute"
ln -s ../../../../etc/passwd "$share/relative"
ln -s a "$share/link"
chown 1234:5678 "$share/sub/b"
chmod 4755 "$share/sub"
mkfifo "$share/fifo"
echo single >"$work/file"

# --- read-only ------------------------------------------------------------------------------------

run --read-only -v "$share:/mnt:ro" -v "$work/file:/etc/one" --mount "type=bind,src=$share/sub,dst=/sub,readonly" \
	--mount type=tmpfs,target=/t,tmpfs-size=1m -- sh -c '
	cat /mnt/a /mnt/sub/b /mnt/link /etc/one /sub/b
	stat -c "%u:%g %a %F" /mnt/sub/b /mnt/sub /mnt/fifo
	readlink /mnt/absolute
	ls /mnt | tr "\n" " "; echo
	for c in "touch /mnt/new" "rm /mnt/a" "mv /mnt/a /mnt/z" "chmod 0 /mnt/a" "ln /mnt/a /mnt/z" "mkdir /mnt/z" \
		"ln -s a /mnt/z" "sh -c :>/mnt/a" "touch /sub/b" "mount -o remount,rw /mnt" "truncate -s 0 /mnt/a"; do
		$c 2>/dev/null && echo "WORKED $c"
	done
	cmp /mnt/absolute /etc/passwd && echo inside
	df -k /t | tail -n 1 | tr -s " " | cut -d " " -f 2'
check "a read-only share is read" 'out_has hello && out_has deep && out_has single && [ $status = 0 ]'
check "owners, modes and types are the host's" 'out_has "1234:5678 644 regular file" &&
	out_has "0:0 4755 directory" && out_has "0:0 644 fifo"'
check "a directory is listed" 'out_has "a absolute fifo link relative sub "'
check "links are resolved inside" 'out_has /etc/passwd && out_has inside'
check "nothing can be changed" '! out_has WORKED && [ "$(cat "$share/a")" = hello ]'
check "--mount type=tmpfs" 'out_has 1024'

run -v "$share:/mnt:ro" --cap-add ALL --security-opt seccomp=unconfined -- sh -c '
	mount -o remount,rw /mnt && echo remounted
	mount -o remount,rw,bind /mnt && echo remounted
	touch /mnt/escaped; echo over >/mnt/a; rm -rf /mnt/sub'
check "a guest that remounts a read-only share changes nothing" \
	'[ ! -e "$share/escaped" ] && [ -e "$share/sub/b" ] && [ "$(cat "$share/a")" = hello ]'

# --- writing --------------------------------------------------------------------------------------

run -v "$share:/mnt" -- sh -c '
	set -e; cd /mnt; umask 022
	echo new >n; mkdir d; mv n d/m; ln d/m d/hard; ln -s m d/soft; cat d/soft
	chmod 640 d/m; chown 12:34 d/m; touch -d 2001-02-03 d/m
	echo more >>d/m; cat d/hard
	stat -c "%h %a %u:%g %s" d/m
	exec 3<>d/gone; echo kept >&3; rm d/gone; cat /proc/self/fd/3
	truncate -s 1048576 d/sparse; echo end >>d/sparse; stat -c "%s" d/sparse
	mkdir -m 1777 d/tmp; mkfifo d/p; stat -c "%a %F" d/tmp d/p
	su -s /bin/sh nobody -c "echo mine >d/tmp/mine" 2>/dev/null || true
	chmod 6755 d/hard; stat -c %a d/hard
	mknod d/dev c 1 3 2>/dev/null && echo DEVICE
	dd if=/dev/urandom of=d/data bs=64k count=64 2>/dev/null; sha256sum <d/data'
check "the operations work" '[ $status != 125 ] && out_has new && out_has more'
check "hard link, mode, owner, size" 'out_has "2 640 12:34 9"'
check "the host sees the same" '[ "$(stat -c "%h %a %u:%g %s" "$share/d/m")" = "2 6755 12:34 9" ]'
check "a file that was unlinked while open" 'out_has kept && [ ! -e "$share/d/gone" ]'
check "a sparse file" 'out_has 1048580 && [ "$(stat -c %b "$share/d/sparse")" -lt 64 ]'
check "directories with sticky bits, fifos" 'out_has "1777 directory" && out_has "644 fifo"'
check "setuid bits" 'out_has 6755'
check "no device node is made" '! out_has DEVICE && [ ! -e "$share/d/dev" ]'
check "data arrives as it was written" '[ -s "$share/d/data" ] && out_has "$(sha256sum <"$share/d/data")"'
rm -rf "$share/d"

# --- the same answers as the host's own file system ------------------------------------------------

cases=$work/share/cases
cp "$build/tests/fs_cases" "$cases"
mkdir "$share/there" "$share/here"
case $size in
small) files=300 ;;
full) files=100000 run_limit=5000 ;;
*) files=300 ;;
esac
FS_CASES_FILES=$files "$cases" "$share/here" >"$work/here"
run_limit=${run_limit:-240} run -m 512m --cap-add ALL -e FS_CASES_FILES=$files -v "$share:/mnt" -- /mnt/cases /mnt/there
check "$(wc -l <"$work/here") lines of cases say the same on the share ($files files in a directory)" \
	'[ $status = 0 ] && [ "$(wc -l <"$work/here")" -gt 300 ] && diff "$work/here" "$work/out" >"$work/diff"'
[ -s "$work/diff" ] && head -n 20 "$work/diff" | sed 's/^/    /'
rm -rf "$share/there" "$share/here" "$cases"

# --- coming and going -----------------------------------------------------------------------------

run -v "$share:/mnt" -- sh -c '
	echo 1 >/mnt/ready
	for i in $(seq 100); do [ "$(cat /mnt/fromhost 2>/dev/null)" = changed ] && echo seen && break; sleep 0.1; done' &
pid=$!
for _ in $(seq 300); do [ -e "$share/ready" ] && break; sleep 0.1; done
echo first >"$share/fromhost"
sleep 1
echo changed >"$share/fromhost"
wait $pid
check "changes on the host are seen inside" 'out_has seen'
rm -f "$share/ready" "$share/fromhost"

for bad in "-v relative:/x" "-v /nonexistent:/x" "-v /tmp" "-v /tmp:x" "-v /tmp:/x:bad" "--mount type=volume,dst=/x" \
	"--mount type=bind,src=/tmp" "-v /dev/null:/x"; do
	# shellcheck disable=SC2086  # words
	run $bad -- true
	check "run $bad: one line, 125" '[ $status = 125 ] && [ "$(wc -l <"$work/err")" = 1 ]'
done
check "nothing is left" '! leftovers'
finish
