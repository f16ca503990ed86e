# SPDX-License-Identifier: Apache-2.0
"""What 77-cri-grow.sh has containerd do: cri_grow.py SOCKET DESCRIPTORS DIRECTORY IMAGE GATEWAY.

A pod's machine follows what its containers are promised. Prints "ok NAME" or "not ok NAME: why".
"""
import re
import sys

import grpc
from cri_pod import Container, Pod, check, cri, exit_code, gone, section, until

MIB = 1 << 20
SLEEP = "exec sleep 1000"


def limits(mib=0, cpus=0, shares=0):
    """A container's resources, as the kubelet says them."""
    cpu = {"cpu_period": 100000, "cpu_quota": cpus * 100000} if cpus else {}
    return {"memory_limit_in_bytes": mib * MIB, **cpu, **({"cpu_shares": shares} if shares else {})}


def machine(container):
    """CPUs online and MiB of memory, as the guest's kernel tells a container."""
    got = container.out("nproc; cat /proc/meminfo")
    return int(got.split("\n")[0]), int(re.search(r"MemTotal: *(\d+)", got)[1]) >> 10


@section
def cpus():
    """a pod's CPUs"""
    pod = Pod("cpus", resources=limits(128, 1))
    one = Container(pod, "one", SLEEP, linux={"resources": limits(64, 1)})
    begun = machine(one)
    check("a pod begins with what its sandbox has", begun[0] == 1, begun)
    two = Container(pod, "two", SLEEP, linux={"resources": limits(64, 2)})
    got = machine(two)
    check("a container with two CPUs more sees them", got[0] == 3, got)
    got = machine(one)
    check("so does the one that was there", got[0] == 3, got)
    got = two.out("for i in 1 2 3; do taskset -c $((i - 1)) sh -c 'cut -d\" \" -f39 /proc/self/stat'; done")
    check("each of them runs programs", got == "0\n1\n2\n", got)
    three = Container(pod, "three", SLEEP, linux={"resources": limits(shares=2048)})
    check("shares count where there is no quota", machine(three)[0] == 5, machine(three))
    cri.call("UpdateContainerResources", {"container_id": one.id, "linux": limits(64, 20)})
    check("an update grows it too, no further than sbx.conf says", machine(three)[0] == 6, machine(three))
    pod.stop()
    pod.remove()
    return pod


@section
def memory():
    """a pod's memory"""
    pod = Pod("memory", resources=limits(128, 1))
    one = Container(pod, "one", SLEEP, linux={"resources": limits(128, 1)})
    begun = machine(one)
    check("a pod begins with the memory of its sandbox", 150 < begun[1] < 224, begun)
    two = Container(pod, "two", SLEEP, linux={"resources": limits(512, 2)})
    got = machine(two)
    check("a container with 512 MiB more finds them", got[1] - begun[1] == 512 and got[0] == 3, (begun, got))
    got = two.run("dd if=/dev/zero of=/dev/null bs=440M count=1", timeout=120)
    check("and a program in it that uses 440 MiB", got[0] == 0 and "1+0 records out" in got[2], got)
    cri.call("UpdateContainerResources", {"container_id": one.id, "linux": limits(300, 1)})
    check("an update grows it too, by whole pieces of memory", machine(two)[1] - begun[1] == 768, machine(two))
    two.stop(0)
    two.remove()
    three = Container(pod, "three", SLEEP, linux={"resources": limits(256, 1)})
    check("what a container leaves is the next one's", machine(three)[1] - begun[1] == 768, machine(three))
    huge = Container(pod, "huge", SLEEP, linux={"resources": limits(100 << 10)})
    got = machine(huge)
    check("one that wants more than there may be gets what there may be", 3700 < got[1] <= 4096, got)
    pod.stop()
    pod.remove()
    return pod


def main():
    check("CRI is ready", cri.wait_ready(60))
    pods = [pod for pod in (cpus(), memory()) if pod]
    check("nothing is left", until(lambda: not gone(*pods), 10), gone(*pods))
    return exit_code()


try:
    sys.exit(main())
except grpc.RpcError as e:
    print(f"not ok CRI: {e.code()} {e.details()}")
    sys.exit(1)
