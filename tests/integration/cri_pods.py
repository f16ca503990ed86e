# SPDX-License-Identifier: Apache-2.0
"""Many pods at once: cri_pods.py SOCKET DESCRIPTORS DIRECTORY IMAGE GATEWAY PODS ROUNDS."""
import sys
import threading
import time

from cri_pod import Container, Pod, check, cri, exit_code, gone, until

SMALL = {"memory_limit_in_bytes": 32 << 20, "cpu_period": 100000, "cpu_quota": 100000}


def together(what, things):
    """what(thing) for all of them at once; the results by index, and the errors."""
    results, errors = {}, []

    def one(i, thing):
        try:
            results[i] = what(thing)
        except Exception as e:  # pylint: disable=broad-except  # whatever it is, it is the result
            errors.append(f"{thing}: {e}")

    threads = [threading.Thread(target=one, args=pair) for pair in enumerate(things)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results, errors


def bring_up(name):
    pod = Pod(name, resources=SMALL, timeout=280)
    first = Container(pod, "first", f"echo first of {name}; exec sleep 1000")
    second = Container(pod, "second", f"echo second of {name}; exec sleep 1000")
    return pod, first, second


def bring_down(parts):
    parts[0].stop()
    parts[0].remove()


def main():
    pods, rounds = int(sys.argv[6]), int(sys.argv[7])
    check("CRI is ready", cri.wait_ready(60))
    for n in range(1, rounds + 1):
        begin = time.monotonic()
        up, errors = together(bring_up, [f"pod-{n}-{i}" for i in range(pods)])
        up_time = time.monotonic() - begin
        check(f"round {n}: {pods} pods of two containers in {up_time:.1f} s", not errors, errors[:3])
        said = [
            [c.logged() for c in parts[1:]] == [[("stdout", f"{which} of {parts[0].name}")] for which in ("first", "second")]
            for parts in up.values()
        ]
        check(f"round {n}: all of them run", len(said) == pods and all(said), said)
        addresses = {parts[0].ip for parts in up.values()}
        check(f"round {n}: each has an address of its own", len(addresses) == pods, addresses)
        begin = time.monotonic()
        errors = together(bring_down, list(up.values()))[1]
        down_time = time.monotonic() - begin
        check(f"round {n}: removed in {down_time:.1f} s", not errors, errors[:3])
        left = [parts[0] for parts in up.values()]
        check(f"round {n}: nothing is left", until(lambda: not gone(*left), 20), gone(*left)[:10])
    return exit_code()


sys.exit(main())
