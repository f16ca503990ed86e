#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# also: qemu
# Real programs of a real distribution: a Debian root file system with python3, gcc, perl and apt, as
# an EROFS image made by tests/host/debian-image ($SBX_DEBIAN, or the first extra disk of the test host).
set -u
. "$(dirname "$(readlink -f "$0")")/lib.sh"

debian=${SBX_DEBIAN:-$here/../../build/share/debian.erofs}
case $size in
small) cpus=2 mib=1024 ;;
*) cpus=4 mib=2048 ;;
esac
debian() { run -m "${mib}m" --cpus "$cpus" "erofs:$debian" "$@"; }

debian python3 -c '
import hashlib, os, sys
sieve = bytearray([1]) * 20000
for i in range(2, 142):
    if sieve[i]:
        sieve[i * i::i] = bytes(len(sieve[i * i::i]))
primes = [i for i in range(2, 20000) if sieve[i]]
print(len(primes), sum(primes), hashlib.sha256(str(primes).encode()).hexdigest()[:16])
'
want=$(python3 -c '
import hashlib
primes = [n for n in range(2, 20000) if all(n % d for d in range(2, int(n ** 0.5) + 1))]
print(len(primes), sum(primes), hashlib.sha256(str(primes).encode()).hexdigest()[:16])')
check "python3 computes what the host computes" '[ $status = 0 ] && out_is "$want"'

debian sh -c '
cat >/tmp/t.c <<EOF
#include <stdio.h>
#include <unistd.h>
#include <sys/utsname.h>
int main(void) { struct utsname u; uname(&u); long s = 0; for (long i = 1; i <= 100000; i++) s += i * i % 7;
printf("%ld cpus, sum %ld, kernel %s\n", sysconf(_SC_NPROCESSORS_ONLN), s, u.release); return 3; }
EOF
gcc -O2 -o /tmp/t /tmp/t.c && /tmp/t'
want=$(python3 -c 'print(sum(i * i % 7 for i in range(1, 100001)))')
kernel=$(sed -n 's/.*kernel //p' "$work/out")
check "gcc compiles, the program runs and sees $cpus CPUs" \
	'[ $status = 3 ] && out_has "$cpus cpus, sum $want,"'
check "the kernel is the guest's own" '[ -n "$kernel" ] && [ "$kernel" != "$(uname -r)" ]'

debian sh -c 'apt-get --version | head -n 1; perl -e "print join(q( ), sort { \$b <=> \$a } 3, 11, 7), qq(\n)"
awk "/^MemTotal/ { print \"memory\", int(\$2 / 1024) }" /proc/meminfo; nproc; cat /etc/debian_version'
check "apt-get and perl work" '[ $status = 0 ] && grep -q "^apt [0-9]" $work/out && out_has "11 7 3"'
seen=$(sed -n 's/^memory //p' "$work/out")
check "$mib MiB are seen as asked for" '[ "${seen:-0}" -gt $((mib * 90 / 100)) ] && [ "$seen" -le $mib ]'
finish
