# SPDX-License-Identifier: Apache-2.0
"""What 72-cri.sh has containerd do: cri_cases.py SOCKET DESCRIPTORS DIRECTORY IMAGE GATEWAY.

Pods, and what containers are in them. Prints "ok NAME" or "not ok NAME: why"; exits 0 when all are ok.
"""
import json
import os
import re
import subprocess
import sys
import time

import grpc
from cri_client import Streams
from cri_pod import (EXITED, NODE, POD, RUNNING, SERVER, Container, Pod, check, cri, directory, exit_code,
                     gateway, gone, image, section, until)

# --- cases ---------------------------------------------------------------------------------------


@section
def processes(pod, first, second):
    """a pod's containers"""
    check("a pod has its address", pod.ip.startswith(gateway.rsplit(".", 1)[0] + "."), pod.status())
    check("two containers run", first.status().state == second.status().state == RUNNING)
    got = first.run("echo out; echo err >&2; exit 5")
    check("exec sync: output, error and exit code", got == (5, "out\n", "err\n"), got)
    try:
        first.run("sleep 100", timeout=2)
        check("exec sync: its timeout", False)
    except grpc.RpcError as e:
        check("exec sync: its timeout", e.code() == grpc.StatusCode.DEADLINE_EXCEEDED, e)
    try:
        got = cri.call("ExecSync", {"container_id": first.id, "cmd": ["/no/such/program"]})
        check("exec sync: a program that is not there", False, got)
    except grpc.RpcError as e:
        said = e.code() == grpc.StatusCode.UNKNOWN and "no such" in e.details().lower()
        check("exec sync: a program that is not there", said, (e.code(), e.details()))
    got = first.out("head -c 3000000 /dev/zero | tr '\\0' x")
    check("exec sync: three megabytes of output", got == "x" * 3000000, len(got))
    got = first.out("uname -r; hostname; cat /proc/1/comm"), second.out("hostname; cat /proc/1/comm")
    check("in a guest, under the pod's host name", "-sbx\n" + pod.name in got[0] and pod.name in got[1], got)


@section
def shared(pod, first, second):
    """what a pod's containers share"""
    first.out("echo from first >/dev/shm/file; mkdir -p /tmp/own")
    check("/dev/shm is the pod's", second.out("cat /dev/shm/file") == "from first\n")
    got = first.out("grep ' /dev/shm ' /proc/mounts")
    check("which is memory of the guest", " tmpfs " in got and "noexec" in got and "size=65536k" in got, got)
    check("/tmp is a container's own", second.run("ls /tmp/own")[0] == 1)
    which = "for n in ipc uts net; do readlink /proc/self/ns/$n; done"
    got = first.out(which), second.out(which)
    check("so are ipc, uts and net", got[0] == got[1] and got[0].count("[") == 3, got)
    which = "readlink /proc/self/ns/pid"
    got = first.out(which), second.out(which)
    check("but not their processes", got[0] != got[1] and "[" in got[0], got)
    got = first.out("cat /etc/hosts /etc/resolv.conf")
    check("hosts and resolv.conf are there", pod.name in got and f"nameserver {gateway}" in got and "pods.test" in got, got)


@section
def volumes(pod):
    """volumes"""
    host = f"{directory}/volume"
    os.makedirs(host + "/..v1")
    with open(host + "/..v1/key", "w") as f:
        f.write("old\n")
    os.symlink("..v1", host + "/..data")
    os.symlink("..data/key", host + "/key")
    writable = {"container_path": "/vol", "host_path": host}
    one = Container(pod, "one", "exec sleep 1000", mounts=[writable])
    two = Container(pod, "two", "exec sleep 1000", mounts=[writable, {**writable, "container_path": "/ro", "readonly": True}])
    one.out("echo from one >/vol/file")
    check("a volume: what one container writes, another reads", two.out("cat /vol/file") == "from one\n")
    two.out("echo and two >>/vol/file")
    check("and the other way round, at once", one.out("cat /vol/file") == "from one\nand two\n")
    got = ""
    for i in range(10):
        (one, two)[i % 2].out(f"echo {i} >>/vol/turns")
        got = (two, one)[i % 2].out("cat /vol/turns")
    check("ten times in turn", got.split() == list("0123456789"), got)
    with open(host + "/file") as f:
        check("and the host", f.read() == "from one\nand two\n")
    got = two.run("echo x >/ro/file")
    check("a volume that is read-only", got[0] != 0 and "Read-only" in got[2], got)
    got = one.out("cat /vol/key"), two.out("cat /ro/key")
    check("a configuration through its links", got == ("old\n", "old\n"), got)
    os.makedirs(host + "/..v2")
    with open(host + "/..v2/key", "w") as f:
        f.write("new\n")
    os.symlink("..v2", host + "/..new")
    os.rename(host + "/..new", host + "/..data")
    check("and its update", until(lambda: (one.out("cat /vol/key"), two.out("cat /ro/key")) == ("new\n", "new\n"), 5))
    for c in one, two:
        c.stop(0)
        c.remove()


@section
def memory_volumes(pod):
    """folders in memory"""
    kubelet = f"{directory}/pods/uid-{pod.name}"
    volume = f"{kubelet}/volumes/kubernetes.io~empty-dir/cache"
    below, sub = f"{volume}/of two", f"{kubelet}/volume-subpaths/cache/two/0"
    os.makedirs(volume)
    os.makedirs(sub)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=2770,gid=1234", "cache", volume], check=True)
    mount = {"container_path": "/cache", "host_path": volume}
    one = Container(pod, "one", "exec sleep 1000", mounts=[mount])
    os.mkdir(below, 0o750)
    subprocess.run(["mount", "--bind", below, sub], check=True)
    two = Container(pod, "two", "exec sleep 1000", mounts=[{**mount, "host_path": sub}, {**mount, "container_path": "/all", "readonly": True}])
    got = one.out("grep ' /cache ' /proc/mounts; stat -c '%a %u:%g' /cache")
    check("a folder in memory is the guest's", " tmpfs " in got and "size=4096k" in got and "2770 0:1234" in got, got)
    one.out("echo from one >'/cache/of two/file'")
    got = two.out("cat /cache/file '/all/of two/file'; stat -c '%a' /cache")
    check("and the pod's, whole or in part", got == "from one\nfrom one\n2750\n", got)
    check("and not the host's", os.listdir(below) == [], os.listdir(below))
    got = two.run("echo x >/all/file")
    check("read-only is for the one container", got[0] != 0 and "Read-only" in got[2], got)
    got = one.run("dd if=/dev/zero of=/cache/much bs=1M count=8")
    check("its size bites", got[0] != 0 and "No space" in got[2], got)
    one.stop(0)
    one.remove()
    one = Container(pod, "one", "exec sleep 1000", mounts=[mount])
    got = one.out("cat '/cache/of two/file'")
    check("a container that is there anew finds it", got == "from one\n", got)
    for c in one, two:
        c.stop(0)
        c.remove()
    subprocess.run(["umount", sub, volume], check=True)


@section
def identity(pod):
    """users, rights and places"""
    security = {"run_as_user": {"value": 1000}, "run_as_group": {"value": 1001}, "supplemental_groups": [2000, 2001],
                "readonly_rootfs": True, "no_new_privs": True, "capabilities": {"drop_capabilities": ["ALL"]}}
    c = Container(pod, "user", "exec sleep 1000", linux={"security_context": security}, working_dir="/tmp",
                  envs=[{"key": "GREETING", "value": "hello there"}])
    got = c.out("id -u; id -g; id -G; pwd; echo $GREETING; touch /x 2>&1; grep -e CapEff -e NoNewPrivs /proc/self/status")
    want = ["1000\n1001\n", "2000 2001", "/tmp\nhello there\n", "Read-only", "CapEff:\t0000000000000000", "NoNewPrivs:\t1"]
    check("a user, its groups, no rights, a root that is read-only", all(w in got for w in want), got)
    c.stop(0)
    c.remove()


@section
def streams(first):
    """exec and attach"""
    request = {"container_id": first.id, "cmd": ["sh", "-c", "read a; echo got $a; echo bad >&2; exit 3"]}
    s = Streams(cri.call("Exec", {**request, "stdin": True, "stdout": True, "stderr": True}).url)
    s.send(s.STDIN, b"something\n")
    check("exec: streams", s.wait_end() and (s.text(1), s.text(2)) == ("got something\n", "bad\n"), s.received)
    status = json.loads(s.text(s.ERROR) or "{}")
    check("exec: exit code", status.get("status") == "Failure" and '"3"' in s.text(s.ERROR), s.received)
    request["cmd"] = ["sh", "-c", "tty; read a; stty size; echo done"]
    s = Streams(cri.call("Exec", {**request, "stdin": True, "stdout": True, "tty": True}).url)
    s.wait_text(s.STDOUT, b"/dev/pts/")
    s.send(s.RESIZE, b'{"Width":101,"Height":33}')
    time.sleep(1)
    s.send(s.STDIN, b"\n")
    check("exec: a terminal of the right size", s.wait_text(s.STDOUT, b"33 101") and s.wait_end(), s.received)


@section
def attach(pod):
    """attach"""
    talker = Container(pod, "talker", "while read a; do echo said $a; done; echo over", stdin=True)
    s = Streams(cri.call("Attach", {"container_id": talker.id, "stdin": True, "stdout": True, "stderr": True}).url)
    s.send(s.STDIN, b"one\n")
    check("attach: there and back", s.wait_text(s.STDOUT, b"said one\n"), s.received)
    s.close()
    s = Streams(cri.call("Attach", {"container_id": talker.id, "stdin": True, "stdout": True}).url)
    s.send(s.STDIN, b"two\n")
    check("attach: a second time", s.wait_text(s.STDOUT, b"said two\n"), s.received)
    s.close()
    check("attach: what it said is in the log too", ("stdout", "said one") in talker.logged(), talker.logged())
    talker.stop()
    talker.remove()
    terminal = Container(pod, "terminal", "tty; while read a; do stty size; done", stdin=True, tty=True)
    s = Streams(cri.call("Attach", {"container_id": terminal.id, "stdin": True, "stdout": True, "tty": True}).url)
    s.send(s.RESIZE, b'{"Width":99,"Height":44}')
    time.sleep(1)
    s.send(s.STDIN, b"\n")
    check("attach: a container's terminal", s.wait_text(s.STDOUT, b"44 99"), s.received)
    s.close()
    terminal.stop()
    terminal.remove()


@section
def logs(first):
    """logs"""
    lines = first.logged()
    check("logs: by stream", ("stdout", "up") in lines and ("stderr", "and about") in lines, lines)
    os.rename(first.log, first.log + ".1")
    cri.call("ReopenContainerLog", {"container_id": first.id})
    first.out("echo rotated >/proc/1/fd/1")
    check("logs: reopened", first.logged() == [("stdout", "rotated")], first.logged())


@section
def stats_and_update(pod, first):
    """stats and update"""
    cpu = cri.call("ContainerStats", {"container_id": first.id}).stats.cpu.usage_core_nano_seconds.value
    first.out("i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done")
    stats = cri.call("ContainerStats", {"container_id": first.id}).stats
    check("stats: the container's", stats.cpu.usage_core_nano_seconds.value > cpu and stats.memory.working_set_bytes.value, stats)
    check("stats: of all", len(cri.call("ListContainerStats", {"filter": {"pod_sandbox_id": pod.id}}).stats) == 2)
    linux = cri.call("PodSandboxStats", {"pod_sandbox_id": pod.id}).stats.linux
    check("stats: the pod's", linux.process.process_count.value >= 2 and linux.network.default_interface.name == "eth0", linux)
    limits = {"memory_limit_in_bytes": 50 << 20, "cpu_period": 100000, "cpu_quota": 50000, "cpu_shares": 512}
    cri.call("UpdateContainerResources", {"container_id": first.id, "linux": limits})
    got = first.out("cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max")
    check("update", got == f"{50 << 20}\n50000 100000\n", got)
    pinned = {"cpuset_cpus": "60-63", "cpuset_mems": "7"}
    cri.call("UpdateContainerResources", {"container_id": first.id, "linux": {**limits, **pinned}})
    two = Container(pod, "pinned", "exec sleep 1000", linux={"resources": pinned})
    got = two.out("grep -c ^processor /proc/cpuinfo; nproc")
    check("the host's processors by number are no limit in the guest", len(set(got.split())) == 1, got)
    two.stop(0)
    two.remove()


@section
def ends(pod):
    """how containers end"""
    file = f"{directory}/termination"
    open(file, "w").close()
    mount = {"container_path": "/dev/termination-log", "host_path": file}
    c = Container(pod, "ends", "echo last words >/dev/termination-log; exit 9", mounts=[mount])
    check("an exit code", c.ended() and c.status().exit_code == 9 and c.status().reason == "Error", c.status())
    with open(file) as f:
        check("and its termination log", f.read() == "last words\n")
    c.remove()
    limit = {"resources": {"memory_limit_in_bytes": 32 << 20}}
    c = Container(pod, "hungry", "head -c 100m /dev/zero | tail", linux=limit)
    check("an OOM kill is the container's", c.ended() and until(lambda: c.status().reason == "OOMKilled"), c.status())
    c.remove()
    c = Container(pod, "deaf", "trap '' TERM; while :; do sleep 1; done")
    time.sleep(1)
    begin = time.monotonic()
    c.stop(2)
    took = time.monotonic() - begin
    check("stop: TERM, then KILL", c.status().exit_code == 137 and took >= 2, (took, c.status()))
    c.remove()
    c = Container(pod, "never", "true", start=False)
    c.remove()
    try:
        c = Container(pod, "missing", "true", start=False, args=[])
        c.remove()
        c = Container(pod, "missing", "true", start=False, command=["/no/such/program"])
        c.start()
        check("a program that is not there", False)
    except grpc.RpcError as e:
        check("a program that is not there", "no such" in e.details().lower(), e.details())
        check("is not a container that is not there", e.code() == grpc.StatusCode.UNKNOWN, e.code())
    check("and what that leaves", c.status().exit_code in (127, 128), c.status())
    c.remove()


@section
def restarted(first):
    """containerd's restart"""
    subprocess.run(["pkill", "-9", "-x", "containerd"], check=True)
    with open(directory + "/log", "a") as log:
        config = directory + "/config.toml"
        subprocess.Popen(["containerd", "--config", config, "--log-level", "warn"], stdout=log, stderr=log)
    check("a restart of containerd", cri.wait_ready(60))
    check("leaves containers running", first.status().state == RUNNING)
    check("and at hand", first.out("echo here") == "here\n")
    first.out("echo and heard >/proc/1/fd/1")
    check("and their output in the log", until(lambda: ("stdout", "and heard") in first.logged()), first.logged())


def oom_scores(name):
    """Of the processes of that name; those of the pod before may be about to end."""
    pids = subprocess.run(["pgrep", "-x", name[:15]], capture_output=True, text=True, check=False).stdout.split()
    scores = []
    for pid in pids:
        try:
            with open(f"/proc/{pid}/oom_score_adj") as f:
                scores.append(int(f.read()))
        except OSError:
            pass
    return scores


def pod_scores():
    return oom_scores("sbx-vmm"), oom_scores("sbx-share")


@section
def towards_the_host():
    """a pod's OOM score, and its host's name"""
    pod = Pod("e", hostname="")
    one = Container(pod, "one", "exec sleep 1000", linux={"resources": {"oom_score_adj": 900}})
    check("a pod without a host name shows the host's", one.out("hostname") == os.uname().nodename + "\n", one.out("hostname"))
    check("a pod's memory is its container's to the host's OOM killer", until(lambda: pod_scores() == ([900], [900]), 10), pod_scores())
    two = Container(pod, "two", "exec sleep 1000", linux={"resources": {"oom_score_adj": 700}})
    check("of several the dearest one's", until(lambda: pod_scores() == ([700], [700]), 10), pod_scores())
    got = one.out("cat /proc/1/oom_score_adj"), two.out("cat /proc/1/oom_score_adj")
    check("and in the guest each has its own", got == ("900\n", "700\n"), got)
    pod.stop()
    pod.remove()


@section
def host_namespaces():
    """a pod that wants the host's namespaces"""
    pod = Pod("f", pid=NODE, namespaces={"network": NODE, "ipc": NODE})
    c = Container(pod, "one", "exec sleep 1000", pid=NODE)
    got = c.out("wc -l </proc/net/route; ping -c 1 -W 1 127.0.0.1 >/dev/null && echo local; uname -r")
    check("hostNetwork: a loopback interface, and no way out", got.startswith("1\nlocal\n") and "-sbx" in got, got)
    got = c.out("ps")
    check("hostPID: the pod's processes, and not the host's", "sleep 1000" in got and "containerd" not in got, got)
    with open(f"/run/sbx/k8s.io/{pod.id}/shim.log") as f:
        check("and the log says so", "without a network namespace" in f.read())
    pod.stop()
    pod.remove()


@section
def privileged_pod():
    """a privileged pod"""
    pod = Pod("d", privileged=True)
    c = Container(pod, "one", "exec sleep 1000", linux={"security_context": {"privileged": True}})
    got = c.run("mount -t tmpfs tmpfs /mnt && echo mounted; echo 1 >/proc/sys/net/ipv4/ip_forward; cat /proc/sys/net/ipv4/ip_forward")
    check("a privileged container may mount, and set what is the guest's", got[1] == "mounted\n1\n", got)
    pod.stop()
    pod.remove()


@section
def other_pods():
    """a pod with one pid namespace"""
    pod = Pod("c", pid=POD, resources={"memory_limit_in_bytes": 128 << 20, "cpu_period": 100000, "cpu_quota": 100000})
    one = Container(pod, "one", "exec sleep 1234", pid=POD)
    two = Container(pod, "two", "exec sleep 2345", pid=POD)
    got = one.out("ps")
    check("a pod with one pid namespace", "sleep 1234" in got and "sleep 2345" in got, got)
    got = int(re.search(r"MemTotal: *(\d+)", one.out("cat /proc/meminfo"))[1])
    check("its machine is of the pod's size", 150 << 10 < got < 224 << 10, got)
    two.stop(0)
    check("one container's end is not another's", one.status().state == RUNNING and one.out("echo yes") == "yes\n")
    pod.stop()
    pod.remove()


def main():
    check("CRI is ready", cri.wait_ready(60))
    check("the image is there", bool(cri.call("ImageStatus", {"image": {"image": image}}, "ImageService").image.id))
    a = Pod("a")
    in_a, beside_a = Container(a, "first", SERVER), Container(a, "second", SERVER)
    processes(a, in_a, beside_a)
    shared(a, in_a, beside_a)
    logs(in_a)
    stats_and_update(a, in_a)
    streams(in_a)
    attach(a)
    volumes(a)
    memory_volumes(a)
    identity(a)
    ends(a)
    restarted(in_a)
    in_a.stop(0)
    check("a stopped container", in_a.status().state == EXITED and in_a.status().exit_code == 137, in_a.status())
    in_a.remove()
    a.stop()
    check("a stopped pod", a.status().state == 1, a.status())
    a.remove()
    other_pods()
    towards_the_host()
    host_namespaces()
    privileged_pod()
    check("nothing is left", until(lambda: not gone(a), 10), gone(a))
    return exit_code()


try:
    sys.exit(main())
except grpc.RpcError as e:
    print(f"not ok CRI: {e.code()} {e.details()}")
    sys.exit(1)
