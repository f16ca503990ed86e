#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Programs that live by a file system, on a shared folder: git, a C project's build, dpkg and apt from a local
# mirror, sqlite, python's own file tests, dbench and stress-ng. SBX_SIZE=full runs each at length.
set -u
export TMPDIR=/var/tmp # on a disk: tmpfs has no extended attributes
. "$(dirname "$(readlink -f "$0")")/lib.sh"

debian=${SBX_DEBIAN:-$here/../../build/share/debian.erofs}
case $size in
full) limit=2400 files=2000 seconds=30
	# What needs no header but the C library's.
	sources=$(cd "$here/../.." && grep -LE 'protobuf-c|SBX_VERSION|"common/(rpc|budget)' common/*.c | paste -sd ' ')
	writers=8 rows=100
	python='test_fileio test_file test_fcntl test_glob test_io test_largefile test_mmap test_os test_pathlib test_posix
		test_shutil test_stat test_tarfile test_tempfile test_zipfile test_dbm_dumb test_mailbox' stress_time=5
	spared='3 | 4' # stress-ng's for what the machine does not have
	stress='access chattr chdir chmod chown copy-file dentry dir dirdeep dirmany dup fallocate fcntl fiemap file-ioctl filename
		flock fpunch fstat getdent hdd io iomix link locka lockf lockofd mknod open readahead rename seek sendfile
		splice symlink sync-file touch utime xattr' ;;
*) limit=150 files=20 sources='common/err.c common/strbuf.c' seconds=2 writers=2 rows=10
	python='test_file test_mmap' stress_time=1 spared=0
	stress='access chmod copy-file dir fcntl flock fstat getdent hdd locka lockofd rename seek touch utime xattr' ;;
esac

share=$work/share
mkdir -p "$share/src/common"
cp "$here"/../../common/*.[ch] "$share/src/common/"
"$sbx" run -d --name box "${driver[@]}" -m 1024m --cap-add ALL --security-opt seccomp=unconfined -v "$share:/mnt" \
	"erofs:$debian" sleep 100000 >/dev/null 2>"$work/err"
check "a sandbox with the folder" '[ $? = 0 ]'
"$sbx" exec box sh -c 'echo 127.0.0.1 localhost >/etc/hosts'

on_share() { # NAME COMMANDS TEST: in a fresh directory of the share
	local name=$1 commands=$2
	timeout -k 5 $((limit + 20)) "$sbx" exec -w /mnt box timeout $limit sh -c "set -e; umask 022; rm -rf work; mkdir work; cd work; $commands" \
		>"$work/out" 2>"$work/err" </dev/null
	status=$?
	check "$name" "[ \$status = 0 ] && $3"
}

on_share "git: $files files committed, cloned, packed, checked" "
	export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b HOME=/tmp
	git config --global --add safe.directory '*'; git init -q -b main one; cd one
	for i in \$(seq $files); do mkdir -p d\$((i % 7)); echo \$i >d\$((i % 7))/f\$i; done
	git add .; git commit -qm first; git mv d1 moved; git commit -qm second
	cd ..; git clone -q --no-hardlinks one two; git clone -q two three; cd three; git gc -q; git fsck --full --strict
	git status --porcelain; git log --format=%s; git ls-files | wc -l; diff -r -x .git ../one . && echo same" \
	'out_is "second
first
$files
same"'

on_share "a C project's build" "
	mkdir obj; cat >main.c <<'C'
#include <stdio.h>
int err_probe(void) { return 7; }
int main(void) { printf(\"built %d\\n\", err_probe()); return 0; }
C
	printf 'objs := \$(patsubst ../src/%%.c,obj/%%.o,\$(wildcard \$(addprefix ../src/,$sources)))\\nprog: main.c lib.a\\n\\tcc -o \$@ main.c lib.a\\nlib.a: \$(filter-out %%_pb.o,\$(objs))\\n\\tar rcs \$@ \$^\\nobj/%%.o: ../src/%%.c\\n\\t@mkdir -p \$(@D)\\n\\tcc -D_GNU_SOURCE -std=gnu17 -I../src -MMD -c -o \$@ \$<\\n' >Makefile
	make -s -k; ./prog; make -q && echo up to date; touch main.c; make -q || echo to be remade; ar t lib.a | wc -l" \
	'out_has "built 7" && out_has "up to date" && out_has "to be remade"'

on_share "a package from a local mirror: apt, and dpkg with its root on the share" "
	mkdir -p pkg/DEBIAN pkg/usr/share/hello mirror root/var/lib/dpkg root/etc/apt
	printf 'Package: sbx-hello\\nVersion: 1\\nArchitecture: all\\nMaintainer: a <a@b>\\nDescription: x\\n' >pkg/DEBIAN/control
	for i in \$(seq 50); do echo \$i >pkg/usr/share/hello/\$i; done; chmod 4755 pkg/usr/share/hello/7
	dpkg-deb --root-owner-group -b pkg mirror/sbx-hello_1_all.deb >/dev/null
	cd mirror; { dpkg-deb -f sbx-hello_1_all.deb; echo Filename: ./sbx-hello_1_all.deb; stat -c 'Size: %s' *.deb; sha256sum *.deb | sed 's/ .*//; s/^/SHA256: /'; } >Packages
	cd ..; echo \"deb [trusted=yes] file:\$PWD/mirror ./\" >sources.list; mkdir lists
	apt='apt-get -q -o Dir::Etc::SourceList='\$PWD'/sources.list -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists='\$PWD'/lists -o APT::Sandbox::User=root'
	\$apt update >log; \$apt install -y sbx-hello >>log; cat /usr/share/hello/50; stat -c %a /usr/share/hello/7
	touch root/var/lib/dpkg/status; mkdir -p root/var/lib/dpkg/updates root/var/lib/dpkg/info
	dpkg --root=\$PWD/root --force-not-root --log=/dev/null -i mirror/sbx-hello_1_all.deb >>log; dpkg --root=\$PWD/root -V sbx-hello && echo verified; cat root/usr/share/hello/50" \
	'out_is "50
4755
verified
50"'

on_share "sqlite: $writers writers, with a journal and with a shared log" "cat >t.py <<'P'
import sqlite3, subprocess, sys
if len(sys.argv) > 2:
    c = sqlite3.connect(sys.argv[1], timeout=120)
    for i in range($rows):
        with c: c.execute('insert into t values (?, ?)', (int(sys.argv[2]), i))
    sys.exit()
for mode in 'delete', 'wal', 'persist':
    name = mode + '.db'
    c = sqlite3.connect(name); print(c.execute('pragma journal_mode=' + mode).fetchone()[0])
    c.execute('create table t (w, i)'); c.commit()
    ps = [subprocess.Popen([sys.executable, 't.py', name, str(w)]) for w in range($writers)]
    assert not any(p.wait() for p in ps)
    print(c.execute('select count(*), count(distinct w || \"-\" || i) from t').fetchone(), c.execute('pragma integrity_check').fetchone()[0])
P
	python3 t.py" \
	'[ "$(grep -c "($((writers * rows)), $((writers * rows))) ok" "$work/out")" = 3 ] && out_has wal'

for module in $python; do
	on_share "python's own $module" "mkdir t; export TMPDIR=\$PWD/t
		python3 -m test --tempdir \$PWD/t $module >log 2>&1 || { tail -n 30 log; false; }; tail -n 1 log" \
		'out_is "Tests result: SUCCESS"'
done

on_share "dbench" "dbench -t $seconds -c /usr/share/dbench/client.txt -D \$PWD 2" \
	'grep -qE "^Throughput [1-9]|^Throughput 0\.[0-9]*[1-9]" "$work/out"'

on_share "stress-ng --verify: $(echo $stress | wc -w) of its file system stressors" "
	{ printf 'run sequential\nverify\ntemp-path .\ntimeout ${stress_time}s\n'; printf '%s 1\n' $(echo $stress); } >job
	stress-ng --job job 2>&1 || case \$? in $spared) ;; *) exit 1 ;; esac; ls -A | grep -vx job || echo clean" \
	'out_has "successful run completed" && ! grep -q "fail: \|unsuccessful" "$work/out" && out_has clean'

"$sbx" kill box >/dev/null 2>&1
"$sbx" wait box >/dev/null 2>&1
"$sbx" rm box >/dev/null 2>&1
check "nothing is left" '! leftovers'
finish
