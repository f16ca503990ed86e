#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""report.py LOG NAME: of the lines that tests/bench/measure prints (lib.sh has them) tables on the terminal,
NAME.json, and NAME.svg of the starts."""

import json
import statistics
import sys
from xml.sax.saxutils import escape


def finish(figure):
    values = figure["values"]
    median = statistics.median(values)
    figure["median"] = median
    figure["spread"] = (max(values) - min(values)) / median if median else 0
    return figure


def read(path):
    """What the log holds: figures, in order, each with all its values; what is missing; versions; the clock."""
    figures, result = {}, {"clock": "virtual", "versions": {}, "missing": {}}
    with open(path, encoding="utf-8", errors="replace") as log:
        for line in log:
            kind, *parts = line.rstrip("\n").split("|")
            if kind == "figure" and len(parts) == 4:
                name, what, unit, values = parts
                figure = figures.setdefault((name, what), {"name": name, "what": what, "unit": unit, "values": []})
                figure["values"] += [float(v) for v in values.split()]
            elif kind == "missing" and len(parts) == 2:
                result["missing"][parts[0]] = parts[1]
            elif kind == "version" and len(parts) == 2:
                result["versions"][parts[0]] = parts[1]
            elif kind == "clock":
                result["clock"] = parts[0]
    result["figures"] = [finish(f) for f in figures.values() if f["values"]]
    return result


def start_rows(figures):
    rows = {}
    for f in figures:
        if f["what"] in ("up", "exit") and f["unit"] == "ms":
            rows.setdefault(f["name"], {})[f["what"]] = f
    return rows


def print_starts(figures, clock):
    rows = start_rows(figures)
    floor = rows.get("fork and exec", {}).get("exit", {}).get("median")
    head = "virtual ms" if clock == "virtual" else "ms"
    print(f"{head:<40} {'up':>8} {'spread':>7} {'exit':>8} {'spread':>7} {'x floor':>8}")
    for name, row in rows.items():
        cells = [f"{row[w]['median']:8.2f} {row[w]['spread']:7.1%}" if w in row else f"{'-':>8} {'':7}"
                 for w in ("up", "exit")]
        ratio = f"{row['exit']['median'] / floor:8.1f}" if floor else ""
        print(f"{name:<40} {cells[0]} {cells[1]} {ratio}")


def number(value):
    return f"{value:.0f}" if value >= 1000 else f"{value:.1f}" if value >= 100 else f"{value:.2f}"


def print_matrix(group, figures):
    """One table of all the figures named "GROUP: COLUMN"; a cell is the median and the spread."""
    columns = list(dict.fromkeys(f["name"].split(": ", 1)[1] for f in figures))
    rows = list(dict.fromkeys((f["what"], f["unit"]) for f in figures))
    cells = {(f["what"], f["name"].split(": ", 1)[1]): f for f in figures}
    widths = [max(16, len(c) + 2) for c in columns]
    print(f"\n{group:<40} " + "".join(f"{c:>{w}}" for c, w in zip(columns, widths)))
    for what, unit in rows:
        line = f"{what + (', ' + unit if unit not in ('', 'count') else ''):<40} "
        for column, width in zip(columns, widths):
            f = cells.get((what, column))
            text = number(f["median"]) if f else "-"
            if f and len(f["values"]) > 1:
                text += f" {f['spread']:4.0%}"
            line += f"{text:>{width}}"
        print(line)


def print_tables(result):
    figures = [f for f in result["figures"] if f["what"] not in ("up", "exit")]
    if start_rows(result["figures"]):
        print_starts(result["figures"], result["clock"])
        print()
    for f in figures:
        if ": " not in f["name"]:
            print(f"{f['name'] + ': ' + f['what']:<55} {number(f['median']):>8} {f['unit']}")
    groups = dict.fromkeys(f["name"].split(": ")[0] for f in figures if ": " in f["name"])
    for group in groups:
        print_matrix(group, [f for f in figures if f["name"].startswith(group + ": ")])
    for name, why in result["missing"].items():
        print(f"\nnot measured: {name}: {why}")


def draw(result, path):
    rows = [(n, r["up"]["median"] if "up" in r else 0, r["exit"]["median"])
            for n, r in start_rows(result["figures"]).items()]
    width, left, bar = 900, 290, 22
    scale = (width - left - 110) / max(end for _, _, end in rows)
    unit = "virtual milliseconds" if result["clock"] == "virtual" else "milliseconds"
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{bar * len(rows) + 40}" '
             'font-family="sans-serif" font-size="13">',
             f'<text x="10" y="18">{unit} from request to the program\'s first action (dark) '
             'and to the end (light)</text>']
    for i, (name, up, end) in enumerate(rows):
        y = 30 + i * bar
        colour = ("#1b6ca8", "#9cc7e4") if "sbx" in name else ("#777", "#ccc")
        parts.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>'
                     f'<rect x="{left}" y="{y}" width="{end * scale:.1f}" height="{bar - 5}" fill="{colour[1]}"/>'
                     f'<rect x="{left}" y="{y}" width="{up * scale:.1f}" height="{bar - 5}" fill="{colour[0]}"/>'
                     f'<text x="{left + end * scale + 6:.1f}" y="{y + 14}">{up:.1f} / {end:.1f}</text>')
    parts.append("</svg>")
    with open(path, "w", encoding="utf-8") as svg:
        svg.write("\n".join(parts) + "\n")


def main():
    result = read(sys.argv[1])
    if not result["figures"]:
        sys.exit(f"bench: no figure in {sys.argv[1]}")
    print_tables(result)
    with open(f"{sys.argv[2]}.json", "w", encoding="utf-8") as out:
        json.dump(result, out, indent=1)
        out.write("\n")
    if start_rows(result["figures"]):
        draw(result, f"{sys.argv[2]}.svg")


main()
