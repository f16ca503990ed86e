#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""report.py LOG FOLDER: a table on the terminal, figures.json and start.svg in FOLDER, of the lines that
tests/bench/measure prints."""

import json
import statistics
import sys
from xml.sax.saxutils import escape


def read(path):
    figures = []
    with open(path, encoding="utf-8", errors="replace") as log:
        for line in log:
            if line.startswith("figure|"):
                _, name, what, unit, values = line.rstrip("\n").split("|")
                numbers = [float(v) for v in values.split()]
                median = statistics.median(numbers)
                spread = (max(numbers) - min(numbers)) / median if median else 0
                figures.append({"name": name, "what": what, "unit": unit, "median": median,
                                "spread": spread, "values": numbers})
    return figures


def start_rows(figures):
    rows = {}
    for f in figures:
        if f["what"] in ("up", "exit") and f["unit"] == "ms":
            rows.setdefault(f["name"], {})[f["what"]] = f
    return rows


def print_tables(figures):
    rows = start_rows(figures)
    floor = rows.get("fork and exec", {}).get("exit", {}).get("median")
    print(f"{'virtual ms':<40} {'up':>8} {'exit':>8} {'spread':>7} {'x floor':>8}")
    for name, row in rows.items():
        up = f"{row['up']['median']:8.2f}" if "up" in row else f"{'-':>8}"
        ratio = f"{row['exit']['median'] / floor:8.1f}" if floor else ""
        print(f"{name:<40} {up} {row['exit']['median']:8.2f} {row['exit']['spread']:7.1%} {ratio}")
    for f in figures:
        if f["what"] not in ("up", "exit"):
            print(f"{f['name'] + ': ' + f['what']:<40} {f['median']:8.2f} {f['unit']}")


def draw(figures, path):
    rows = [(n, r["up"]["median"] if "up" in r else 0, r["exit"]["median"])
            for n, r in start_rows(figures).items()]
    width, left, bar = 900, 290, 22
    scale = (width - left - 80) / max(end for _, _, end in rows)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{bar * len(rows) + 40}" '
             'font-family="sans-serif" font-size="13">',
             '<text x="10" y="18">virtual milliseconds from request to the program\'s first action (dark) '
             'and to the end (light)</text>']
    for i, (name, up, end) in enumerate(rows):
        y = 30 + i * bar
        colour = ("#1b6ca8", "#9cc7e4") if name.startswith("sbx") else ("#777", "#ccc")
        parts.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>'
                     f'<rect x="{left}" y="{y}" width="{end * scale:.1f}" height="{bar - 5}" fill="{colour[1]}"/>'
                     f'<rect x="{left}" y="{y}" width="{up * scale:.1f}" height="{bar - 5}" fill="{colour[0]}"/>'
                     f'<text x="{left + end * scale + 6:.1f}" y="{y + 14}">{up:.1f} / {end:.1f}</text>')
    parts.append("</svg>")
    with open(path, "w", encoding="utf-8") as svg:
        svg.write("\n".join(parts) + "\n")


def main():
    figures = read(sys.argv[1])
    if not start_rows(figures):
        sys.exit(f"bench: no figure in {sys.argv[1]}")
    print_tables(figures)
    with open(f"{sys.argv[2]}/figures.json", "w", encoding="utf-8") as out:
        json.dump(figures, out, indent=1)
    draw(figures, f"{sys.argv[2]}/start.svg")


main()
