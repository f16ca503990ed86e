#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""gate.py [--accept] LOG... FIGURES: no figure more than 3 % worse in every LOG than in FIGURES.

Times count as a multiple of the same boot's floor, which is fork+exec and crun run at their best; memory
and exits as they are. Figures hold for the package versions that they were measured with: with others, what
is far worse still fails, and one is asked to look and to accept."""

import json
import statistics
import sys

LIMIT = 1.03
LIMIT_OF_OTHER_VERSIONS = 1.15
FLOOR = [("fork and exec", "exit"), ("crun run", "up")]
# What is gated, and the least difference that counts, in its unit: what a tick or a page may do.
GATED = {
    ("sbx run, built-in image", "up"): 1.0,
    ("sbx run, built-in image", "exit"): 4.0,
    ("sbx exec", "up"): 0.2,
    ("sbx exec", "exit"): 0.5,
    ("RPC", "shim to agent"): 0.005,
    ("memory", "containerd-shim, private"): 0.06,
    ("memory", "sbx-vmm, private"): 0.1,
    ("memory", "guest, resident of 256"): 2.0,
    ("exits", "sbx run, all"): 10,
}


def read(path):
    figures, versions, floor = {}, {}, 0
    with open(path, encoding="utf-8", errors="replace") as log:
        for line in log:
            parts = line.rstrip("\n").split("|")
            if parts[0] == "version":
                versions[parts[1]] = parts[2]
            elif parts[0] == "figure" and len(parts) == 5:
                values = [float(v) for v in parts[4].split()]
                figures[parts[1], parts[2]] = statistics.median(values)
                # Half of crun's runs meet a tick: the median of a few is one or the other.
                floor += min(values) if (parts[1], parts[2]) in FLOOR else 0
    return figures, versions, floor


def is_time(key):
    return key[0].startswith("sbx ") or key[0] == "RPC"


def normalise(figures, floor):
    """Times as multiples of the floor."""
    return {key: figures[key] / floor if is_time(key) else figures[key] for key in GATED}


def accept(path, values, versions):
    table = {"versions": versions, "figures": [[*key, round(value, 5)] for key, value in values.items()]}
    with open(path, "w", encoding="utf-8") as out:
        json.dump(table, out, indent=1)
        out.write("\n")
    print(f"{path} holds what was measured now")


def main():
    *logs, kept_in = [arg for arg in sys.argv[1:] if arg != "--accept"]
    measured = []
    for log in logs:
        figures, versions, floor = read(log)
        missing = [key for key in [*GATED, *FLOOR] if key not in figures]
        if missing:
            sys.exit("not measured: " + "; ".join(": ".join(key) for key in missing))
        measured.append(normalise(figures, floor))
    values = {key: min(one[key] for one in measured) for key in GATED}
    if "--accept" in sys.argv:
        accept(kept_in, values, versions)
        return
    with open(kept_in, encoding="utf-8") as kept:
        table = json.load(kept)
    expected = {(name, what): value for name, what, value in table["figures"]}
    changed = [f"{name} {table['versions'].get(name)} -> {version}" for name, version in versions.items()
               if table["versions"].get(name) != version]
    failed, limit = 0, LIMIT
    if changed:
        print("# The figures are of other packages. See whether they are well, and `make bench-accept`: "
              + ", ".join(changed))
        limit = LIMIT_OF_OTHER_VERSIONS
    for key, value in values.items():
        slack = GATED[key] / (floor if is_time(key) else 1)
        name = ": ".join(key)
        if key not in expected:
            print(f"not ok {name}: not in {kept_in}; `make bench-accept`")
            failed += 1
        elif value > max(expected[key] * limit, expected[key] + slack):
            print(f"not ok {name}: {value:.4g} instead of {expected[key]:.4g}, {value / expected[key] - 1:+.1%}")
            failed += 1
        else:
            print(f"ok {name}: {value:.4g}, {value / expected[key] - 1:+.1%}")
    print(f"{len(values) - failed} passed, {failed} failed")
    sys.exit(failed != 0)


main()
