# SPDX-License-Identifier: Apache-2.0
"""Processes that die at random moments: cri_crash.py SOCKET DESCRIPTORS DIRECTORY IMAGE GATEWAY ROUNDS SEED VICTIM...

Each round is a pod's whole life; at some moment of it one kind of process is killed. What containerd then
is asked to remove is removed, nothing is left, and who was running has ended. "sbx-agent" is the guest's
process 1, which no signal kills: its program is spoilt in the guest's memory.
"""
import collections
import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time

import grpc
from cri_pod import EXITED, RUNNING, Container, Pod, check, cri, directory, exit_code, gone, runs, until

START, CREATE, EXEC, STOP, REMOVE = STEPS = ["the pod's start", "the container's start", "exec", "stop", "removal"]
SMALL = {"memory_limit_in_bytes": 32 << 20, "cpu_period": 100000, "cpu_quota": 100000}
PAGE, BLOCK = 4096, 2 << 20
AGENT = os.environ["PATH"].split(":", maxsplit=1)[0] + "/sbx-agent"

# --- killing -------------------------------------------------------------------------------------


def processes(name):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm") as f:
                if f.read().strip() == name[:15]:
                    yield int(pid)
        except OSError:
            pass


def text_pages(program):
    """The pages of an executable's code, by their first bytes."""
    with open(program, "rb") as f:
        data = f.read()
    at, (size, n) = struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<HH", data, 54)
    for i in range(n):
        kind, flags, offset, _, _, length = struct.unpack_from("<IIQQQQ", data, at + i * size)
        if kind == 1 and flags & 1:
            return {data[p : p + 16]: data[p : p + PAGE] for p in range(offset, offset + length - PAGE, PAGE)}
    raise AssertionError(f"{program} has no code")


def large_mappings(pid):
    """The guest's memory is in the large ones; what it may grow by may be the largest."""
    with open(f"/proc/{pid}/maps") as f:
        for line in f:
            begin, end = (int(x, 16) for x in line.split(" ")[0].split("-"))
            if end - begin >= 8 * BLOCK and " rw" in line:
                yield begin, end


def guest_memory(pid):
    """The blocks of a monitor's memory that hold something: (address, bytes)."""
    with open(f"/proc/{pid}/pagemap", "rb") as pagemap, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for begin, end in large_mappings(pid):
            for address in range(begin, end, BLOCK):
                pagemap.seek(address // PAGE * 8)
                entries = pagemap.read(BLOCK // PAGE * 8)
                if max(entries[7::8], default=0) & 0x80:
                    mem.seek(address)
                    yield address, mem.read(BLOCK)


def spoil_agent(pid, pages=[]):  # pylint: disable=dangerous-default-value  # read once
    """Undefined instructions instead of the agent's code, wherever the guest has it. Whether it had."""
    if not pages:
        pages.append(text_pages(AGENT))
    found = 0
    with open(f"/proc/{pid}/mem", "wb", 0) as mem:
        for address, block in guest_memory(pid):
            for at in range(0, len(block), PAGE):
                if block[at : at + 16] in pages[0] and block[at : at + PAGE] == pages[0][block[at : at + 16]]:
                    mem.seek(address + at)
                    mem.write(b"\x0f\x0b" * (PAGE // 2))
                    found += 1
    return found > 0


def kill(name):
    """All of that name; how many there were."""
    n = 0
    for pid in processes("sbx-vmm" if name == "sbx-agent" else name):
        try:
            if name == "sbx-agent":
                n += spoil_agent(pid)
            else:
                os.kill(pid, signal.SIGKILL)
                n += 1
        except OSError:  # it has ended by itself
            pass
    return n


# --- a round -------------------------------------------------------------------------------------


def start_containerd():
    with open(directory + "/log", "a") as log:
        config = directory + "/config.toml"
        subprocess.Popen(["containerd", "--config", config, "--log-level", "warn"], stdout=log, stderr=log)


class Life(threading.Thread):
    """A pod's; what it meets ends it."""

    def __init__(self, name):
        super().__init__(daemon=True)
        self.name, self.step, self.error = name, "", None
        self.pod = self.container = None
        self.began = {}

    def enter(self, step):
        self.step = step
        self.began[step] = time.monotonic()

    def run(self):
        try:
            self.enter(START)
            self.pod = Pod(self.name, timeout=60, resources=SMALL)
            self.enter(CREATE)
            self.container = Container(self.pod, "only", "trap 'exit 3' TERM; echo up; while :; do sleep 0.2; done")
            self.enter(EXEC)
            self.container.out("head -c 100000 /dev/zero", timeout=20)
            self.enter(STOP)
            self.container.stop(5)
            self.enter(REMOVE)
            self.container.remove()
            self.pod.stop()
            self.pod.remove()
            self.enter("the end")
        except (grpc.RpcError, OSError) as e:
            self.error = e

    def spans(self):
        """How long each step took."""
        times = list(self.began.values())
        return dict(zip(STEPS, (b - a for a, b in zip(times, times[1:]))))


def remove_all():
    """Until containerd knows of no pod; the last error."""
    error = None
    for _ in range(20):
        pods = cri.call("ListPodSandbox").items
        if not pods:
            return None
        for pod in pods:
            try:
                cri.call("StopPodSandbox", {"pod_sandbox_id": pod.id}, timeout=30)
                cri.call("RemovePodSandbox", {"pod_sandbox_id": pod.id}, timeout=30)
            except grpc.RpcError as e:
                error = e.details()
                time.sleep(0.5)
    return error or "pods come again"


def state_of(life):
    try:
        return life.container.status().state
    except (grpc.RpcError, AttributeError):
        return None


def forget_what_is_containerds(victim):
    """One that is killed half way forgets namespaces and mounts that only it has made."""
    if victim != "containerd":
        return
    for name in os.listdir("/run/netns"):
        subprocess.run(["ip", "netns", "del", name], check=False)
    with open("/proc/mounts") as f:
        for target in [line.split(" ")[1] for line in f]:
            if target.startswith(directory + "/state/"):
                subprocess.run(["umount", "-l", target], check=False)


def left_of(life):
    """As gone(), where nobody may have been told the pod's id."""
    parent = f"/sys/fs/cgroup/cri-tests/{life.name}"
    groups = [d for d in os.listdir(parent) if os.path.isdir(f"{parent}/{d}")] if os.path.isdir(parent) else []
    with open("/proc/mounts") as f:
        mounts = [line for line in f if f" {directory}/state/" in line]
    return gone() + groups + mounts


def swept(n, life):
    """Whether nothing was left but what goes later: the directory of a start that was killed, by the next start; a
    shim without a machine that containerd, which died while it started it, was back too soon to find, after a minute.
    """
    left = left_of(life)
    print(f"# round {n}: left to the next start: {left[:4]}", flush=True)
    if "sbx-vmm" in left or "sbx-share" in left or not until(lambda: not runs("containerd-shim"), 65):
        return False
    Life(f"sweep-{n}").run()
    return until(lambda: not left_of(life), 15)


def said_of_end(life, victim):
    """What is wrong with the end of a container that was running."""
    if victim == "containerd":
        good = until(lambda: state_of(life) == RUNNING, 20)
        return [] if good else [f"the container did not outlive containerd: {state_of(life)}"]
    try:
        if not until(lambda: life.container.status().state == EXITED, 20):
            return [f"the container is not said to have ended: {life.container.status()}"]
        code = life.container.status().exit_code
        return [] if code in (3, 137, 255) else [f"exit code {code}"]
    except grpc.RpcError as e:
        # Removed meanwhile.
        return [] if e.code() == grpc.StatusCode.NOT_FOUND else [str(e.details())]


def crash(n, victim, wanted, delay, hits):
    """What went wrong, in words; counts in hits at which steps somebody was killed."""
    life = Life(f"crash-{n}")
    life.start()
    while life.is_alive() and life.step != wanted:
        time.sleep(0.005)
    time.sleep(delay)
    step, hit = life.step, kill(victim)
    # Nobody yet of that name: then as soon as there is.
    while not hit and life.is_alive():
        time.sleep(0.1)
        step, hit = life.step, kill(victim)
    # A stop that was asked for meanwhile may have been carried out.
    running = life.step == EXEC or (step in (EXEC, STOP) and victim != "containerd")
    at = f"round {n}: {victim} killed {delay:.1f} s after {wanted} began, in {step}"
    if hit:
        hits[f"{victim}: {step}"] += 1
    if victim == "containerd":
        start_containerd()
    wrong = [] if cri.wait_ready(30) else ["containerd does not come back"]
    if hit and running:
        wrong += said_of_end(life, victim)
    life.join(90)
    error = remove_all()
    if error:
        wrong.append(error)
    forget_what_is_containerds(victim)
    if not until(lambda: not left_of(life), 15) and not swept(n, life):
        wrong.append(f"left: {left_of(life)[:8]}")
    return [f"{at}: {w}" for w in wrong]


def whole(name):
    life = Life(name)
    life.run()
    spans = life.spans()
    text = ", ".join(f"{step} {span:.1f}" for step, span in spans.items())
    check(f"a whole life, {name}: {text} s", life.error is None, life.error)
    return spans


def show_log(since):
    with open(directory + "/log", errors="replace") as f:
        f.seek(since)
        for line in f.readlines()[-40:]:
            print("#    ", line[:400].rstrip())


def main():
    rounds, seed, victims = int(sys.argv[6]), int(sys.argv[7]), sys.argv[8:]
    dice = random.Random(seed)
    check("CRI is ready", cri.wait_ready(60))
    spans = whole("before")
    found, hits = [], collections.Counter()
    begin = time.monotonic()
    for n in range(1, rounds + 1):
        wanted = dice.choice(STEPS)
        log = os.path.getsize(directory + "/log")
        wrong = crash(n, victims[n % len(victims)], wanted, dice.random() * spans.get(wanted, 1), hits)
        for line in wrong:
            print("#", line, flush=True)
        if wrong:
            show_log(log)
        found += wrong
    took = time.monotonic() - begin
    check(f"{rounds} rounds, seed {seed}, in {took:.0f} s: nothing left, all said", not found, found[:5])
    print("#", ", ".join(f"{what}: {n}" for what, n in sorted(hits.items())))
    check("most of them hit somebody", sum(hits.values()) * 2 > rounds, hits)
    whole("after")
    return exit_code()


sys.exit(main())
