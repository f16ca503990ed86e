#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# also: qemu
# sbx cp, both ways: what arrives, where it may not lead, and what a wrong word gets.
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"

cp_() { # ARGS...: leaves $status, $work/out, $work/err
	timeout -k 5 60 "$sbx" cp "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
}
inside() { # COMMAND: leaves $status, $work/out, $work/err
	timeout -k 5 60 "$sbx" exec box sh -c "$1" >"$work/out" 2>"$work/err" </dev/null
	status=$?
}
fails_with() { [ $status = 125 ] && [ "$(wc -l <"$work/err")" = 1 ] && err_has "$1"; }

mkdir -p "$work/src/sub/empty" "$work/dst" "$work/share"
echo one >"$work/src/one"
head -c 3000000 /dev/urandom >"$work/src/sub/big"
ln -s ../one "$work/src/sub/link"
mkfifo "$work/src/fifo"
chmod 750 "$work/src/sub"
chown 1234:5678 "$work/src/one"
chmod 4755 "$work/src/one"
touch -d 2001-02-03T04:05:06Z "$work/src/one"
"$sbx" run -d --name box "${driver[@]}" -v "$work/share:/mnt" --mount type=tmpfs,target=/t --cap-add ALL -- sleep 1000 >/dev/null 2>"$work/err"
check "a sandbox" '[ $? = 0 ]'

# --- in -------------------------------------------------------------------------------------------

cp_ "$work/src" box:/tmp/new
check "a tree that gets a new name; what is no file is left out" '[ $status = 0 ] && err_has "fifo: left out"'
inside 'cd /tmp/new && sha256sum <sub/big && readlink sub/link && stat -c "%a %u:%g" sub one && stat -c %Y one; ls -d sub/empty fifo'
check "arrives whole, and is root's" 'out_has "$(sha256sum <"$work/src/sub/big")" && out_has ../one && out_has "750 0:0" &&
	out_has "4755 0:0" && out_has 981173106 && out_has sub/empty && ! out_has fifo'
cp_ -a "$work/src/one" box:/tmp/
inside 'cat /tmp/one; stat -c %u:%g /tmp/one'
check "into a directory, with its owner" 'out_is "one
1234:5678"'
inside 'mkdir -p /tmp/d /etc/x; echo mine >/etc/x/f; ln -s /etc/x /tmp/d/link; echo kept >/tmp/d/kept'
echo two >"$work/src/two"
cp_ "$work/src/two" box:/tmp/d/link/f
inside 'cat /etc/x/f'
check "links of the container lead inside it" 'out_is two'
mkdir "$work/merge" && echo merged >"$work/merge/m"
cp_ "$work/merge/." box:/tmp/d
inside 'cat /tmp/d/m /tmp/d/kept'
check "a directory's contents" 'out_is "merged
kept"'
cp_ "$work/src/two" box:/t/two
inside 'cat /t/two; mount | grep -c " /t "'
check "what only the guest has mounted" 'out_is "two
1"'
cp_ "$work/src/two" box:/mnt/shared
check "a shared folder" '[ "$(cat "$work/share/shared")" = two ]'

# --- out ------------------------------------------------------------------------------------------

cp_ box:/tmp/new "$work/dst"
check "a tree into a directory" '[ $status = 0 ] && cmp -s "$work/src/sub/big" "$work/dst/new/sub/big" && [ -L "$work/dst/new/sub/link" ]'
check "never setuid on the host" '[ "$(stat -c %a "$work/dst/new/one")" = 755 ] && [ "$(stat -c %Y "$work/dst/new/one")" = 981173106 ]'
cp_ box:/etc/x/f "$work/dst/renamed"
check "a file under a new name" '[ "$(cat "$work/dst/renamed")" = two ]'
cp_ box:/t/two "$work/dst/"
check "from a tmpfs of the guest" '[ "$(cat "$work/dst/two")" = two ]'
ln -s "$work/outside" "$work/dst/f"
cp_ box:/etc/x/f "$work/dst"
check "a link in the way is replaced, not followed" '[ ! -e "$work/outside" ] && [ "$(cat "$work/dst/f")" = two ]'
mkfifo "$work/dst/pipe"
cp_ box:/etc/x/f "$work/dst/pipe"
check "what is no file in the way is left" '[ $status = 125 ] && [ -p "$work/dst/pipe" ] && err_has "a device, a pipe or a socket is there"'
cp_ box:../../../etc/x/f "$work/dst/up"
check "nothing is above the container's root" '[ "$(cat "$work/dst/up")" = two ]'
inside 'ln -s /etc/x/f /tmp/l; ln -s /proc/1/root /tmp/r; mkdir -p /tmp/many; cd /tmp/many; for i in $(seq 150); do mkfifo f$i; done'
cp_ box:/tmp/l "$work/dst"
check "a link stays one" '[ "$(readlink "$work/dst/l")" = /etc/x/f ]'
cp_ box:/tmp/r/etc/x/f "$work/dst/magic"
check "no magic link is followed" '[ $status = 125 ] && [ ! -e "$work/dst/magic" ]'
cp_ box:/tmp/many "$work/dst"
check "whatever is left out does not hold it up" '[ $status = 0 ] && [ -d "$work/dst/many" ] && err_has "more: left out"'

# --- what cannot be -------------------------------------------------------------------------------

cp_ box:/nothing "$work/dst"
check "a file that is not there" 'fails_with "No such file"'
cp_ "$work/src/two" box:/nothing/there
check "a directory that is not there" 'fails_with "No such file"'
cp_ "$work/src/two" box:/nothing/
check "nor is it made of a slash" 'fails_with "No such file"'
cp_ box:/etc/x/f "$work/nothing/there"
check "nor on the host" 'fails_with "No such file"'
cp_ box:/dev/null "$work/dst"
check "a device" 'fails_with "not a file"'
cp_ "$work/src" "$work/dst"
check "two files of the host" 'fails_with SANDBOX:PATH'
cp_ box:/a box:/b
check "two of a sandbox" 'fails_with SANDBOX:PATH'
cp_ nobody:/a "$work/dst"
check "a sandbox that is not there" 'fails_with nobody'
cp_ box:/a
check "one word" 'fails_with "destination"'
inside 'ls /proc/self/fd >/dev/null && ps 2>/dev/null | grep -c "[s]bx-agent"'
check "the sandbox goes on" '[ "$("$sbx" ps -q | wc -l)" = 1 ]'
"$sbx" rm -f box >/dev/null 2>&1 || { "$sbx" kill box; "$sbx" rm box; } >/dev/null 2>&1
check "nothing is left" '! leftovers'
finish
