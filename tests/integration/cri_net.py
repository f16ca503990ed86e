# SPDX-License-Identifier: Apache-2.0
"""What 76-cri-net.sh has containerd do: cri_net.py SOCKET DESCRIPTORS DIRECTORY IMAGE GATEWAY MIB.

Two pods on one bridge, and the host. Prints "ok NAME" or "not ok NAME: why"; exits 0 when all are ok.
"""
import hashlib
import os
import socket
import sys
import threading
import time

import grpc
from cri_client import Streams
from cri_pod import SERVER, Container, Pod, check, cri, exit_code, gateway, gone, section, until

mib = sys.argv[6]
patience = 60 + 10 * int(mib)  # seconds, for one transfer on an emulated machine
HELLO = "hello from "
# In a pod: MIB MiB and a little, the same each time, and no block like another.
BLOCKS = f"blocks() {{ for i in $(seq {mib}); do echo $i; cat /tmp/seed; done; }}; "


def serve_names():
    """A DNS server where every name is the gateway."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((gateway, 53))
    while True:
        q, peer = s.recvfrom(512)
        end = q.index(0, 12) + 5
        a = q[end - 4 : end - 2] == b"\0\1"
        head = q[:2] + b"\x81\x80\0\1" + (b"\0\1" if a else b"\0\0") + b"\0\0\0\0"
        answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(gateway) if a else b""
        s.sendto(head + q[12:end] + answer, peer)


def receive(connection, out):
    digest = hashlib.md5()
    while data := connection.recv(1 << 16):
        digest.update(data)
    out.append(digest.hexdigest())


def host_sends(c, ip, blob):
    """From the host to a listener in the pod; MiB a second."""
    c.out("rm -f /tmp/sum; (nc -l -p 7000 | md5sum >/tmp/sum.new; mv /tmp/sum.new /tmp/sum) >/dev/null 2>&1 & sleep 1")
    begin = time.monotonic()
    with socket.create_connection((ip, 7000), timeout=patience) as s:
        s.sendall(blob)
    until(lambda: c.run("test -f /tmp/sum")[0] == 0, patience)
    return c.out("cat /tmp/sum").split(" ")[0], len(blob) / 1048576 / (time.monotonic() - begin)


def pod_sends(c):
    """From the pod to a listener of the host; MiB a second."""
    with socket.create_server((gateway, 7001)) as server:
        server.settimeout(60)
        got = []
        want = []
        t = threading.Thread(target=lambda: want.append(c.out(
            f"{BLOCKS} blocks | nc {gateway} 7001; blocks | md5sum", patience)))
        t.start()
        connection, _ = server.accept()
        begin = time.monotonic()
        receive(connection, got)
        took = time.monotonic() - begin
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()
        t.join()
    return bool(want) and want[0].startswith(got[0]), int(mib) / took


@section
def network(a, b, in_a, in_b):
    """the network"""
    got = in_a.out("ip -4 -o addr show eth0; ip link show eth0; ip route")
    check("the guest's interface is the pod's", a.ip in got and "mtu 1500" in got and f"default via {gateway}" in got, got)
    for name, c, ip in (("pod to host", in_a, gateway), ("pod to pod", in_a, b.ip), ("and back", in_b, a.ip)):
        got = c.run(f"ping -c 2 -W 5 {ip} && ping -c 2 -W 5 -s 1472 {ip}")
        check(f"{name}: packets, small and of the MTU's size", got[0] == 0, got)
    in_b.out(f"(while :; do echo {HELLO}b | nc -l -p 80; done) >/dev/null 2>&1 & sleep 1")
    check("TCP, pod to pod", in_a.out(f"nc {b.ip} 80 </dev/null") == HELLO + "b\n")
    with socket.create_connection((b.ip, 80), timeout=30) as s:
        check("TCP, host to pod", s.makefile().readline() == HELLO + "b\n")
    blob = os.urandom(int(mib) << 20)
    got, speed = host_sends(in_a, a.ip, blob)
    check(f"{mib} MiB from the host", got == hashlib.md5(blob).hexdigest(), got)
    print(f"# {speed:.1f} MiB/s")
    in_a.out("head -c 1m /dev/urandom >/tmp/seed")
    good, speed = pod_sends(in_a)
    check(f"{mib} MiB to the host", good)
    print(f"# {speed:.1f} MiB/s")
    # Without the pipe nc would end its own direction at once, and the other nc take that for the end.
    in_b.out("(sleep 10000 | nc -l -p 7002 | md5sum >/tmp/sum2) >/dev/null 2>&1 & sleep 1")
    begin = time.monotonic()
    want = in_a.out(f"{BLOCKS} blocks | nc {b.ip} 7002; blocks | md5sum", patience)
    check(f"{mib} MiB from pod to pod", until(lambda: want and in_b.out("cat /tmp/sum2") == want, patience), want)
    print(f"# {int(mib) / (time.monotonic() - begin):.1f} MiB/s, with the sum made twice")


@section
def names(c):
    """names"""
    threading.Thread(target=serve_names, daemon=True).start()
    got = c.run("nslookup some.name.test")
    check("names are asked of the pod's server", got[0] == 0 and gateway in got[1].split("some.name")[-1], got)


@section
def forward(pod, first):
    """port-forward"""
    first.out("mkdir /tmp/www; echo to local >/tmp/www/file; httpd -p 127.0.0.1:8080 -h /tmp/www")
    first.out("(nc -l -p 8081 | md5sum >/tmp/sum2) >/dev/null 2>&1 & sleep 1")

    def connect(port):
        url = cri.call("PortForward", {"pod_sandbox_id": pod.id, "port": [port]}).url
        return Streams(url, f"?port={port}")

    s = connect(8080)
    s.send(0, b"GET /file HTTP/1.0\r\n\r\n")
    check("port-forward: to an address that only the pod has", s.wait_text(0, b"to local\n"), s.received)
    s.close()
    s = connect(8081)
    blob = os.urandom(300000)
    for at in range(0, len(blob), 30000):
        s.send(0, blob[at : at + 30000])
    time.sleep(1)
    s.close()
    want = hashlib.md5(blob).hexdigest()
    check("port-forward: into it", until(lambda: want in first.out("cat /tmp/sum2")), first.out("cat /tmp/sum2"))
    s = connect(8099)
    check("port-forward: to where nobody listens ends", s.wait_end(30), s.received)


def main():
    check("CRI is ready", cri.wait_ready(60))
    a, b = Pod("a"), Pod("b")
    in_a, in_b = Container(a, "first", SERVER), Container(b, "first", SERVER)
    network(a, b, in_a, in_b)
    names(in_a)
    forward(a, in_a)
    for pod in (a, b):
        pod.stop()
        pod.remove()
    check("nothing is left", until(lambda: not gone(a, b), 10), gone(a, b))
    return exit_code()


try:
    sys.exit(main())
except grpc.RpcError as e:
    print(f"not ok CRI: {e.code()} {e.details()}")
    sys.exit(1)
