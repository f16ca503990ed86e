#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Images: every kind of reference becomes a file in the store, once; equal images become equal files;
# what is broken is one clear line and leaves nothing behind. Needs neither KVM nor root; as root, an
# ordinary user is tried too.
set -u
here=$(dirname "$(readlink -f "$0")")
build=${SBX_BUILD:-$here/../../build}
# Copied, since a user of the test may not be able to reach the tree; they look beside themselves.
work=$(mktemp -d)
# Unpacked trees may hold directories that their owner made unreadable.
trap 'chmod -R u+rwX "$work" 2>/dev/null; rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir "$work/bin" && cp "$build/bin/sbx" "$work/bin/"
sbx=$work/bin/sbx
cd "$work" || exit 1
failed=0

ok() { echo "ok $1"; }
not_ok() {
	echo "not ok $1: $2"
	failed=1
}
# check NAME COMMAND...: ok where the command succeeds.
check() {
	local name=$1
	shift
	if "$@"; then ok "$name"; else not_ok "$name" "$*"; fi
}

# use STORE REFERENCE: as `run` would; the image's id in out, messages in err.
use() {
	local status
	SBX_ROOT=$work/$1 "$sbx" images pull -- "$2" >out 2>all
	status=$?
	# A slow machine gets to see progress.
	grep -v '^sbx: [a-z]* .* \.\.\.$' all >err
	return $status
}
images() { (cd "$work/$1/images" && ls -- *.erofs 2>/dev/null | wc -l); }
inode() { stat -c %i "$work/$1/images/$(cat out).erofs"; }
# Nothing of a failed build stays: no image, record, lock or temporary directory.
is_empty() { [ -z "$(cd "$work/$1/images" 2>/dev/null && find . -mindepth 1 -not -name lock -type f; find "$work/$1/images/tmp" -mindepth 1 2>/dev/null)" ]; }

make_sources() {
	mkdir -p root/{bin,etc,tmp}
	cp "$(command -v busybox)" root/bin/busybox
	ln -s busybox root/bin/sh
	ln root/bin/busybox root/bin/hard
	echo hello >root/etc/motd
	chmod 1777 root/tmp
	{
		umoci init --layout layout &&
			umoci new --image layout:base &&
			umoci insert --image layout:base --tag v1 root/bin /bin &&
			umoci insert --image layout:v1 root/etc /etc &&
			umoci config --image layout:v1 --config.entrypoint /bin/busybox --config.cmd echo \
				--config.cmd hello --config.env GREETING=hi --config.user 5:6 --config.workingdir /etc &&
			skopeo copy -q oci:layout:v1 oci-archive:oci.tar &&
			skopeo copy -q oci:layout:v1 docker-archive:docker.tar:example/tool:v1
	} >log 2>&1 || { cat log; not_ok sources "umoci or skopeo failed"; exit 1; }
	# umoci makes its layouts private.
	chmod -R a+rX layout
}

# blob DIR WHAT: the path of v1's manifest, config or first layer.
blob() {
	python3 - "$1" "$2" <<-'PY'
		import json, sys
		top, what = sys.argv[1:]
		path = lambda d: f"{top}/blobs/sha256/{d['digest'].split(':')[1]}"
		name = "org.opencontainers.image.ref.name"
		entry = next(m for m in json.load(open(f"{top}/index.json"))["manifests"] if m["annotations"][name] == "v1")
		manifest = json.load(open(path(entry)))
		print({"manifest": path(entry), "config": path(manifest["config"]), "layer": path(manifest["layers"][0])}[what])
	PY
}

test_kinds() {
	local id first reference
	use store oci:layout:v1 && check "an OCI layout" [ "$(images store)" = 1 ]
	id=$(cat out) first=$(inode store)
	check "a file is named by its content" [ "$(sha256sum <"store/images/$id.erofs")" = "$id  -" ]
	fsck.erofs "store/images/$id.erofs" >log 2>&1
	check "the file is a sound EROFS" [ $? = 0 ]
	for reference in oci-archive:oci.tar docker-archive:docker.tar; do
		use store "$reference"
		check "$reference gives the same file" [ "$(cat out)" = "$id" ]
	done
	use store dir:root
	check "a directory" [ "$(images store)" = 2 ]
	use store oci:layout:v1
	check "a second use takes the file that is there" [ "$(inode store)" = "$first" ]
	SBX_ROOT=$work/store "$sbx" images --json >log
	check "the configuration is kept" python3 - log <<-'PY'
		import json, sys
		rows = [r for r in json.load(open(sys.argv[1])) if r["reference"].startswith("oci:")]
		assert len(rows) == 1, rows
		want = {"entrypoint": ["/bin/busybox"], "cmd": ["echo", "hello"], "user": "5:6", "workdir": "/etc"}
		got = rows[0]["config"]
		assert all(got[k] == v for k, v in want.items()) and "GREETING=hi" in got["env"], got
	PY
}

# The tools would say so if they ran: they are not there.
test_fast_path() {
	mkdir nothing
	PATH=$work/nothing
	SBX_ROOT=$work/store "$sbx" images pull oci:layout:v1 >out 2>err
	local status=$?
	SBX_ROOT=$work/store "$sbx" images pull dir:root >>out 2>>err
	status=$((status + $?))
	PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	check "a second use runs no tool" [ "$status" = 0 ]
	touch root/etc/motd
	use store dir:root
	check "a touched directory is read again, to the same file" [ "$(images store)" = 2 ]
	echo changed >>root/etc/motd
	use store dir:root
	check "a changed directory is another image" [ "$(images store)" = 3 ]
}

test_equal_files() {
	cp -a layout layout2
	cp -a root root2
	use store oci:layout:v1 && cp out id1
	use other oci:layout2:v1
	check "equal layouts, two stores: equal files" cmp -s "store/images/$(cat id1).erofs" "other/images/$(cat out).erofs"
	use store dir:root && cp out id1
	use other dir:root2
	check "equal directories, two stores: equal files" cmp -s "store/images/$(cat id1).erofs" "other/images/$(cat out).erofs"
	use store oci:layout2:v1
	check "an equal layout elsewhere is not built again" [ "$(images store)" = 3 ]
}

# broken NAME STORE REFERENCE PATTERN: fails, with one line that matches, and leaves nothing.
broken() {
	local status
	use "$2" "$3"
	status=$?
	if [ $status = 0 ]; then
		not_ok "$1" "it was accepted"
	elif [ "$(wc -l <err)" != 1 ] || ! grep -q "$4" err; then
		not_ok "$1" "the message is: $(cat err)"
	elif ! is_empty "$2"; then
		not_ok "$1" "it left $(find "$2/images" -type f)"
	else
		ok "$1: $(cut -c1-110 err)"
	fi
}

# damaged: a fresh copy of the layout in bad/.
damaged() { rm -rf bad && cp -a layout bad && chmod -R u+w bad; }

test_errors() {
	broken "a missing path" bad1 oci:nowhere:v1 "No such file"
	broken "a missing directory" bad1 dir:nowhere "No such file"
	broken "a missing archive" bad1 oci-archive:nowhere "No such file"
	broken "a file as a directory" bad1 dir:oci.tar "Not a directory"
	broken "not a layout" bad1 oci:root "not an OCI layout"
	broken "no such tag" bad1 oci:layout:v9 "no image of tag v9 in it; it holds base, v1"
	broken "an option as a name" bad1 --help "may not start with"
	broken "a bad name" bad1 Alpine "neither an image's name"
	head -c 5000 /dev/urandom >noise.tar
	broken "noise as an OCI archive" bad1 oci-archive:noise.tar "skopeo: "
	broken "noise as a docker archive" bad1 docker-archive:noise.tar "skopeo: "
	damaged; echo '{' >bad/index.json
	broken "an index that is no JSON" bad1 oci:bad:v1 "index.json: line"
	damaged; printf X | dd of="$(blob bad manifest)" bs=1 seek=9 conv=notrunc status=none
	broken "a manifest that was changed" bad1 oci:bad:v1 "does not have this digest"
	damaged; printf X | dd of="$(blob bad config)" bs=1 seek=9 conv=notrunc status=none
	broken "a configuration that was changed" bad1 oci:bad:v1 "does not have this digest"
	damaged; printf XXXX | dd of="$(blob bad layer)" bs=1 seek=5000 conv=notrunc status=none
	broken "a layer that was changed" bad1 oci:bad:v1 "umoci: "
	damaged; truncate -s 1000 "$(blob bad layer)"
	broken "a layer that was cut" bad1 oci:bad:v1 "has 1000 bytes instead of"
	damaged; rm "$(blob bad layer)"
	broken "a layer that is missing" bad1 oci:bad:v1 "No such file"
	damaged; rm "$(blob bad layer)"; mkfifo "$(blob layout layer | sed 's/^layout/bad/')"
	broken "a fifo as a layer" bad1 oci:bad:v1 "not a regular file"
	damaged; forge bad "$(blob bad manifest)"
	broken "layers other than the configuration says" bad1 oci:bad:v1 "diffid mismatch"
}

# Gives v1 a configuration with valid digests whose first layer is said to be another.
forge() {
	python3 - "$1" <<-'PY'
		import hashlib, json, sys
		top = sys.argv[1]
		load = lambda d: json.load(open(f"{top}/blobs/sha256/{d['digest'].split(':')[1]}"))
		def store(target, value):
		    data = json.dumps(value).encode()
		    digest = hashlib.sha256(data).hexdigest()
		    open(f"{top}/blobs/sha256/{digest}", "wb").write(data)
		    target.update(digest="sha256:" + digest, size=len(data))
		index = json.load(open(f"{top}/index.json"))
		for entry in index["manifests"]:
		    if entry["annotations"]["org.opencontainers.image.ref.name"] == "v1":
		        manifest = load(entry)
		        config = load(manifest["config"])
		        config["rootfs"]["diff_ids"][0] = "sha256:" + "0" * 64
		        store(manifest["config"], config)
		        store(entry, manifest)
		json.dump(index, open(f"{top}/index.json", "w"))
	PY
}

test_concurrency() {
	local i pids=() status=0
	for i in 1 2 3 4 5 6; do
		SBX_ROOT=$work/many "$sbx" images pull oci:layout:v1 >"many.$i" 2>/dev/null &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i" || status=1; done
	check "six builds at once all succeed" [ "$status" = 0 ]
	check "six builds at once make one file" [ "$(images many)/$(sort -u many.[1-6] | wc -l)" = 1/1 ]
}

# A build that is killed leaves its directory; the next one removes it.
test_crash() {
	local pid
	mkdir big && head -c 100M /dev/urandom >big/noise
	SBX_ROOT=$work/crash "$sbx" images pull dir:big >/dev/null 2>&1 &
	pid=$!
	for _ in $(seq 100); do
		[ -n "$(find crash/images/tmp -name image.erofs -size +1M 2>/dev/null)" ] && break
		sleep 0.02
	done
	kill -9 $pid
	wait $pid 2>/dev/null
	check "a killed build leaves no image" [ "$(images crash)" = 0 ]
	sleep 0.2
	check "its tools died with it" [ -z "$(pgrep -f "^mkfs.erofs.*$work/big")" ]
	use crash oci:layout:v1
	check "the next build sweeps what it left" [ -z "$(ls crash/images/tmp)" ]
	rm -rf big crash
}

test_remove() {
	local id
	use rm oci:layout:v1 && id=$(cat out)
	use rm dir:root
	# What a live pod does: a shared lock on the open file.
	exec 9<"rm/images/$id.erofs"
	flock -s 9
	SBX_ROOT=$work/rm "$sbx" images rm oci:layout:v1 >out 2>err
	check "an image in use is not removed" [ "$?/$(images rm)" != 0/1 ]
	check "and the message says so" grep -q "in use" err
	SBX_ROOT=$work/rm "$sbx" images prune >out 2>err
	check "prune takes what is not in use" [ "$(images rm)/$(cat out)" = "1/1 removed, 1 in use" ]
	exec 9<&-
	SBX_ROOT=$work/rm "$sbx" images rm oci:layout:v1 >out 2>err
	check "it is removed once it is free" [ "$?/$(images rm)" = 0/0 ]
	SBX_ROOT=$work/rm "$sbx" images rm oci:layout:v1 >out 2>err
	check "removing it twice is an error" [ $? != 0 ]
}

# As a user with and without subordinate ids, in a mount namespace with other files in /etc.
as_user() {
	unshare -m bash -c '
		mount --bind passwd /etc/passwd && mount --bind group /etc/group || exit 99
		mount --bind "$1" /etc/subuid && mount --bind "$1" /etc/subgid || exit 99
		shift
		exec setpriv --reuid 4321 --regid 4321 --clear-groups env HOME="$PWD/home" USER=tester \
			SBX_ROOT="$PWD/home/sbx" "$@"' as_user "$@"
}

test_user() {
	local id
	{ cat /etc/passwd; echo tester:x:4321:4321::/nonexistent:/bin/sh; } >passwd
	{ cat /etc/group; echo tester:x:4321:; } >group
	touch /etc/subuid /etc/subgid
	echo tester:200000:65536 >subid
	: >nosubid
	mkdir home && chown 4321:4321 home
	use store oci:layout:v1 && id=$(cat out)
	as_user nosubid "$sbx" images pull oci:layout:v1 >out 2>err
	check "a user without subordinate ids is told what is missing" grep -q "usermod --add-subuids" err
	as_user subid "$sbx" images pull oci:layout:v1 >out 2>err
	check "a user's image has root's bytes" cmp -s "store/images/$id.erofs" "home/sbx/images/$(cat out).erofs"
	cp -a root mine && chown -R 4321:4321 mine
	as_user nosubid "$sbx" images pull dir:mine >out 2>err
	use store dir:root
	check "a user's own tree becomes root's" cmp -s "store/images/$(cat out).erofs" home/sbx/images/"$(as_user nosubid "$sbx" images pull dir:mine)".erofs
	chown 200033:200033 mine/etc && chmod 700 mine/etc
	as_user subid "$sbx" images pull dir:mine >out 2>err
	check "closed directories of subordinate ids are read" [ "$(wc -c <out)" = 65 ]
	chown 99:99 mine/tmp
	as_user subid "$sbx" images pull dir:mine >out 2>err
	check "foreign owners are refused" grep -q "user 99" err
}

# A store whose file system is nearly full is not filled.
test_full() {
	mkdir full
	# shellcheck disable=SC2016
	unshare -m sh -c 'mount -t tmpfs -o size=200m tmpfs full && SBX_ROOT=$PWD/full "$0" images pull dir:root &&
		exit 1; ls full/images/tmp' "$sbx" >out 2>err
	check "a nearly full file system is refused" grep -q "less than 256 MiB left" err
	check "and nothing is left on it" [ ! -s out ]
}

make_sources
test_kinds
test_fast_path
test_equal_files
test_errors
test_concurrency
test_crash
test_remove
if [ "$(id -u)" = 0 ]; then
	test_user
	test_full
fi
exit $failed
