#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the benchmarks and prints one table. tools/bench builds and calls this.

A section is a module with measure(context, budget), which gives rows (rows.py) and keeps within its budget. A section
that fails becomes a row that says why; the others go on.
"""
import argparse
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import growth
import in_process
import peers
import plot
import wire
from rows import HEAD, Budget, Row, table

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "performance.md"
PLOT_FILE = "performance-{}.svg"
MARK = ("<!-- table: written by tools/bench --write-docs -->", "<!-- end of table -->")

# name, share of the time, measure
SECTIONS = [
    ("in-process", 0.2, in_process.measure),
    ("growth", 0.15, growth.measure),
    ("wire", 0.35, wire.measure),
    ("peers", 0.3, peers.measure),
]


class Context:
    """What a run has: the build, how long it may take, a directory for its files, and the clock's rate."""

    def __init__(self, build, quick, scratch):
        self.build = build
        self.quick = quick
        self.scratch = scratch
        self.tsc_hz = tsc_hz()

    @staticmethod
    def say(text):
        print(f"{text} ...", file=sys.stderr, flush=True)


def tsc_hz():
    """Of the TSC, measured against the clock by the kernel; falls back on /proc/cpuinfo's figure."""
    found = re.search(r"tsc: (?:Refined TSC clocksource calibration|Detected).*?([\d.]+) MHz", subprocess.run(
        ["dmesg"], capture_output=True, text=True, check=False).stdout)
    if not found:
        found = re.search(r"cpu MHz\s*: ([\d.]+)", pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii"))
    return float(found.group(1)) * 1e6


def cpu_name():
    return re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii")).group(1)


def sections_run(context, wanted, seconds):
    rows = []
    total = sum(share for name, share, _ in SECTIONS if not wanted or name in wanted)
    for name, share, measure in SECTIONS:
        if wanted and name not in wanted:
            continue
        try:
            rows += measure(context, Budget(seconds * share / total))
        except (OSError, RuntimeError, subprocess.SubprocessError, ValueError) as why:
            rows.append(Row(name, "all", "", skipped=f"{type(why).__name__}: {why}"))
    return rows


def regressions(rows, path):
    old_rows = map(Row.of_json, json.loads(pathlib.Path(path).read_text(encoding="utf-8"))["rows"])
    before = {row.key(): row for row in old_rows}
    worse = []
    for row in rows:
        old = before.get(row.key())
        if old and row.slower_than(old):
            worse.append(f"{': '.join(filter(None, row.key()))}: {old.sluice.text()} -> {row.sluice.text()} {row.unit}")
    return worse


def write_docs(text, plots):
    """The table into the page, the plots beside it; a plot that this run has no points of stays as it is."""
    page = PAGE.read_text(encoding="utf-8")
    start, end = (page.index(mark) for mark in MARK)
    PAGE.write_text(page[:start] + MARK[0] + "\n" + text + "\n" + page[end:], encoding="utf-8")
    for name, made in plots.items():
        (PAGE.parent / PLOT_FILE.format(name)).write_text(plot.svg(made), encoding="utf-8")


def write_html(path, note, rows, plots):
    sections = dict.fromkeys(row.section for row in rows)
    tables = {section: (HEAD, [row.cells() for row in rows if row.section == section]) for section in sections}
    pathlib.Path(path).write_text(plot.page("Sluice: performance", note, tables, plots.values()), encoding="utf-8")


def arguments():
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="two minutes instead of ten")
    parser.add_argument("--seconds", type=int, help="how long it may take in all")
    parser.add_argument("--only", action="append", choices=[name for name, _, _ in SECTIONS], help="this section alone; may be given again")
    parser.add_argument("--json", metavar="FILE", help="write the results there")
    parser.add_argument("--html", metavar="FILE", help="write the table and the plots there, as a page")
    parser.add_argument("--against", metavar="FILE", help="compare with an earlier --json file; status 1 on a regression")
    parser.add_argument("--write-docs", action="store_true", help="put the table into docs/performance.md and the plots beside it")
    return parser.parse_args()


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of everything that must be ended and removed
    seconds = options.seconds or (120 if options.quick else 600)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as scratch:
        context = Context(options.build, options.quick, pathlib.Path(scratch))
        rows = sections_run(context, options.only, seconds)
    note = f"{cpu_name()}, TSC {context.tsc_hz / 1e9:.2f} GHz, {time.strftime('%Y-%m-%d')}"
    plots = growth.plots(rows)
    print(f"{note}\n\n{table(rows)}")
    if options.json:
        result = {"cpu": cpu_name(), "tsc_hz": context.tsc_hz, "rows": [row.as_json() for row in rows]}
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if options.html:
        write_html(options.html, note, rows, plots)
    if options.write_docs:
        write_docs(f"{note}\n\n{table(rows)}", plots)
    print(f"measured in {time.monotonic() - start:.0f} s")
    worse = regressions(rows, options.against) if options.against else []
    for line in worse:
        print(f"slower than before: {line}")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
