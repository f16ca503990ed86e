# SPDX-License-Identifier: Apache-2.0
"""What the programs that drive containerd over CRI share: PROGRAM SOCKET DESCRIPTORS DIRECTORY IMAGE GATEWAY ...

check(), and pods and containers as objects.
"""
import os
import sys
import time

import grpc
from cri_client import Cri

address, descriptors, directory, image, gateway = sys.argv[1:6]
cri = Cri(address, descriptors)
failed = False
RUNNING, EXITED = 1, 2  # ContainerState
POD, CONTAINER, NODE = 0, 1, 2  # NamespaceMode
SERVER = "echo up; echo and about >&2; while :; do sleep 1; done"


def check(name, good, why=""):
    global failed
    print(f"ok {name}" if good else f"not ok {name}: {str(why)[:1500]}", flush=True)
    failed |= not good


def section(fn):
    """A case that throws has failed, and the next one begins."""

    def run(*args):
        try:
            return fn(*args)
        except (grpc.RpcError, OSError, AssertionError) as e:
            check(fn.__doc__, False, e)

    return run


def until(test, seconds=30):
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


class Pod:
    def __init__(self, name, pid=CONTAINER, timeout=120, privileged=False, hostname=None, namespaces=None, **linux):
        self.name = name
        self.timeout = timeout
        self.config = {
            "metadata": {"name": name, "uid": "uid-" + name, "namespace": "tests"},
            "hostname": name if hostname is None else hostname,
            "log_directory": f"{directory}/logs/{name}",
            "dns_config": {"servers": [gateway], "searches": ["pods.test"], "options": ["ndots:2"]},
            "linux": {
                "cgroup_parent": "/cri-tests/" + name,
                "security_context": {"namespace_options": {"pid": pid, **(namespaces or {})}, "privileged": privileged},
                **linux,
            },
        }
        os.makedirs(self.config["log_directory"])
        request = {"config": self.config, "runtime_handler": "sbx"}
        self.id = cri.call("RunPodSandbox", request, timeout=timeout).pod_sandbox_id
        self.ip = self.status().network.ip

    def status(self):
        return cri.call("PodSandboxStatus", {"pod_sandbox_id": self.id}).status

    def stop(self):
        cri.call("StopPodSandbox", {"pod_sandbox_id": self.id}, timeout=self.timeout)

    def remove(self):
        cri.call("RemovePodSandbox", {"pod_sandbox_id": self.id}, timeout=self.timeout)


class Container:
    def __init__(self, pod, name, script, start=True, pid=CONTAINER, **config):
        self.pod = pod
        self.log = f"{pod.config['log_directory']}/{name}.log"
        linux = config.pop("linux", {})
        linux["security_context"] = {"namespace_options": {"pid": pid}, **linux.get("security_context", {})}
        request = {
            "pod_sandbox_id": pod.id,
            "sandbox_config": pod.config,
            "config": {
                "metadata": {"name": name},
                "image": {"image": image},
                "command": ["sh", "-c", script],
                "log_path": name + ".log",
                "linux": linux,
                **config,
            },
        }
        self.id = cri.call("CreateContainer", request, timeout=pod.timeout).container_id
        if start:
            self.start()

    def start(self):
        cri.call("StartContainer", {"container_id": self.id}, timeout=self.pod.timeout)

    def status(self):
        return cri.call("ContainerStatus", {"container_id": self.id}).status

    def run(self, script, timeout=60):
        """ExecSync of a shell: its exit code, stdout and stderr."""
        request = {"container_id": self.id, "cmd": ["sh", "-c", script], "timeout": timeout}
        r = cri.call("ExecSync", request, timeout=timeout + 60)
        return r.exit_code, r.stdout.decode(), r.stderr.decode()

    def out(self, script, timeout=60):
        return self.run(script, timeout)[1]

    def stop(self, timeout=1):
        cri.call("StopContainer", {"container_id": self.id, "timeout": timeout})

    def remove(self):
        cri.call("RemoveContainer", {"container_id": self.id})

    def ended(self, seconds=60):
        return until(lambda: self.status().state == EXITED, seconds)

    def logged(self, seconds=30):
        """The log's complete lines once there is one: (stream, text)."""
        until(lambda: os.path.exists(self.log) and os.path.getsize(self.log), seconds)
        with open(self.log) as f:
            return [tuple(line.split(" ", 3)[1::2]) for line in f.read().splitlines()]


def exit_code():
    """Of a program that has done its cases."""
    return 1 if failed else 0


def gone(*pods):
    """What is left on the host, of these pods in particular."""
    left = [name for name in ("sbx-vmm", "sbx-share", "containerd-shim") if runs(name)]
    left += os.listdir("/run/sbx/k8s.io") if os.path.isdir("/run/sbx/k8s.io") else []
    left += os.listdir("/run/sbx/s") if os.path.isdir("/run/sbx/s") else []
    left += os.listdir("/run/netns")
    with open("/proc/mounts") as f:
        left += [line for line in f if any(pod.id in line for pod in pods)]
    for _, dirs, _ in os.walk("/sys/fs/cgroup"):
        left += [d for d in dirs if any(pod.id in d for pod in pods)]
    return left


def runs(name):
    """Whether there is a process of that name, which the kernel cuts at 15 characters."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm") as f:
                if f.read().strip() == name[:15]:
                    return True
        except OSError:
            pass
    return False
