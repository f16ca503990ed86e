#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# podman over sbx-oci: an init, health checks, a seccomp profile, logs that are followed, and a real image (of this
# Debian's files, with python) that serves HTTP. With vfs, podman's other driver for its storage.
set -u
storage=vfs
. "$(dirname "$(readlink -f "$0")")/podman.sh"
catatonit=$build/tests/catatonit/usr/bin/catatonit

run_p --init --init-path "$catatonit" box sh -c 'tr "\0" " " </proc/1/cmdline; echo; echo $$; (exit 3) & exec sleep 0.1'
check "--init" '[ $status = 0 ] && grep -q "podman-init.* -- " "$work/out" && ! grep -qx 1 "$work/out"'

cat >"$work/profile.json" <<'J'
{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
	{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
	{"names": ["no_such_system_call"], "action": "SCMP_ACT_KILL"},
	{"names": ["sethostname"], "action": "SCMP_ACT_KILL_PROCESS"}]}
J
run_p --security-opt seccomp="$work/profile.json" --cap-add SYS_ADMIN box sh -c \
	'mkdir /tmp/x; grep Seccomp: /proc/self/status; hostname other; echo $?'
check "--security-opt seccomp=FILE" 'err_has "Function not implemented" && grep -q "Seccomp:.*2" "$work/out" && out_has 159'

p run -d --name ill --network=none --health-cmd 'test -e /tmp/well' --health-interval=disable --health-retries 1 box sh -c \
	'for i in 1 2 3 4 5 6 7 8; do echo "line $i"; sleep 1; done; exec sleep 1000'
check "a container with a health check" '[ $status = 0 ]'
timeout 100 "${podman[@]}" logs -f ill >"$work/followed" 2>&1 </dev/null &
follower=$!
p healthcheck run ill
check "that fails" '[ $status = 1 ]'
p inspect -f '{{.State.Health.Status}}' ill
check "is unhealthy" 'out_is unhealthy'
p exec ill touch /tmp/well
p healthcheck run ill
check "one that passes" '[ $status = 0 ]'
p inspect -f '{{.State.Health.Status}}' ill
check "is healthy" 'out_is healthy'
check "logs -f" 'wait_for "grep -q \"line 8\" $work/followed" && [ "$(grep -c line "$work/followed")" = 8 ]'
p kill ill
wait $follower
check "which ends with the container" '[ $? = 0 ]'
p rm -f ill

# What python and a shell need of this machine's own Debian.
image=$work/image
mkdir -p "$image"/{usr/bin,usr/lib/x86_64-linux-gnu,usr/lib64,tmp,proc,sys,dev,etc,srv}
for link in bin lib lib64; do ln -s usr/$link "$image/$link"; done
python=$(readlink -f "$(command -v python3)")
cp -a "$python" /bin/{dash,cat,ls,sleep} "$image/usr/bin/"
ln -s "${python##*/}" "$image/usr/bin/python3"
ln -s dash "$image/usr/bin/sh"
cp -a "/usr/lib/${python##*/}" "$image/usr/lib/"
{ ldd "$python" /bin/{dash,cat,ls,sleep}; ldd "$image/usr/lib/${python##*/}"/lib-dynload/*.so; } 2>/dev/null |
	grep -o '/[^ )]*' | grep -v ':$' | sort -u | while read -r lib; do
	case $lib in
	*/ld-linux*) cp -L "$lib" "$image/usr/lib64/" ;;
	*) cp -L "$lib" "$image/usr/lib/x86_64-linux-gnu/" ;;
	esac
done
echo 'root:x:0:0:root:/root:/bin/sh' >"$image/etc/passwd"
for i in $(seq 200); do echo "page $i"; done >"$image/srv/index.html"
tar -C "$image" -cf "$work/web.tar" . && p import -c 'CMD ["python3","-m","http.server","-d","/srv","8000"]' "$work/web.tar" web
check "a real image" '[ $status = 0 ]'
p run -d --name web --network=none web
check "that serves" '[ $status = 0 ]'
cat >"$work/ask" <<'PY'
import sys, time, urllib.request
for _ in range(100):
    try:
        text = urllib.request.urlopen("http://127.0.0.1:8000/").read().decode()
        print(len(text.splitlines()), text.splitlines()[-1]); sys.exit(0)
    except OSError:
        time.sleep(0.3)
sys.exit(1)
PY
p exec web python3 -c "$(cat "$work/ask")"
check "is asked by podman exec" '[ $status = 0 ] && out_is "200 page 200"'
p logs web
check "and says so" 'grep -q "GET / HTTP/1.1\" 200" "$work/out" "$work/err"'
p rm -f web
check "nothing is left" '! remains'
finish
