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

import balanced
import endpoint
import endpoint_wire
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
    ("balance", 0.1, balanced.measure),
    ("tcp", 0.08, endpoint.measure),
    ("tcp", 0.06, endpoint_wire.measure),
    ("growth", 0.15, growth.measure),
    ("wire", 0.35, wire.measure),
    ("peers", 0.3, peers.measure),
]


SECONDS_LEAST = 20


class Context:
    """What a run has: the build, how long it may take, a directory for its files, and the clock's rate."""

    def __init__(self, build, quick, scratch):
        self.build = build
        self.quick = quick
        self.scratch = scratch
        self.tsc_hz = tsc_hz(build)

    @staticmethod
    def say(text):
        print(f"{text} ...", file=sys.stderr, flush=True)


def tsc_hz(build):
    """Of the TSC, measured by a program of ours: the kernel's word for it may be hidden, and cpuinfo's clock is that of
    the moment."""
    done = subprocess.run([build / "tests/bench/core_distance", "--tsc"], capture_output=True, text=True, timeout=10, check=True)
    return float(json.loads(done.stdout)["tsc_hz"])


def cpu_name():
    found = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace"))
    return found.group(1) if found else "a CPU without a name"


def sections_run(context, wanted, seconds, rows):
    """Puts each section's rows into `rows` as soon as it is over, so that what is done is there when a later one is
    interrupted."""
    total = sum(share for name, share, _ in SECTIONS if not wanted or name in wanted)
    for name, share, measure in SECTIONS:
        if wanted and name not in wanted:
            continue
        try:
            rows += measure(context, Budget(seconds * share / total))
        except Exception as why:  # pylint: disable=broad-except  # whatever it is: the others go on
            rows.append(Row(name, "all", "", skipped=f"{type(why).__name__}: {why}"))
        except BaseException:
            rows.append(Row(name, "all", "", skipped="interrupted"))
            raise


def earlier_read(path):
    """(name of the CPU, rows) of a --json file; ValueError says what is wrong with it."""
    try:
        data = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        return data["cpu"], [Row.of_json(row) for row in data["rows"]]
    except OSError as why:
        raise ValueError(f"{path}: {why.strerror}") from why
    except (ValueError, TypeError, KeyError, AttributeError) as why:
        raise ValueError(f"{path} is not what this version's --json writes ({type(why).__name__}: {why})") from why


def named(row):
    return ": ".join(filter(None, row.key()))


def regressions(rows, earlier):
    before = {row.key(): row for row in earlier}
    pairs = ((before[row.key()], row) for row in rows if row.key() in before)
    return [f"{named(row)}: {old.sluice.text()} -> {row.sluice.text()} {row.unit}" for old, row in pairs if row.slower_than(old)]


def missing(rows, earlier, wanted):
    """Names of the rows of the `wanted` sections (none: all) that had figures and have none now."""
    figures = {row.key() for row in rows if row.sluice}
    return [named(row) for row in earlier if row.sluice and row.key() not in figures and (not wanted or row.section in wanted)]


def compare(rows, cpu, earlier, wanted):
    """Says how the rows stand beside those of an earlier run; whether one is slower."""
    cpu_before, rows_before = earlier
    if cpu_before != cpu:
        print(f"another CPU than before: {cpu_before}, now {cpu}")
    for name in missing(rows, rows_before, wanted):
        print(f"no longer measured: {name}")
    worse = regressions(rows, rows_before)
    for line in worse:
        print(f"slower than before: {line}")
    return bool(worse)


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
    parser.add_argument("--only", action="append", choices=list(dict.fromkeys(name for name, _, _ in SECTIONS)), help="this section alone; may be given again")
    parser.add_argument("--json", metavar="FILE", help="write the results there")
    parser.add_argument("--html", metavar="FILE", help="write the table and the plots there, as a page")
    parser.add_argument("--against", metavar="FILE", help="compare with an earlier --json file; status 1 on a regression")
    parser.add_argument("--write-docs", action="store_true", help="put the table into docs/performance.md and the plots beside it")
    options = parser.parse_args()
    if options.seconds is not None and options.seconds < SECONDS_LEAST:
        parser.error(f"--seconds: nothing can be measured in less than {SECONDS_LEAST}")
    try:
        options.earlier = earlier_read(options.against) if options.against else None
    except ValueError as why:
        parser.error(f"--against: {why}")
    return options


def report(options, context, rows, complete):
    """The status to end with."""
    note = f"{cpu_name()}, TSC {context.tsc_hz / 1e9:.2f} GHz, {time.strftime('%Y-%m-%d')}{'' if complete else ', interrupted'}"
    plots = growth.plots(rows)
    print(f"{note}\n\n{table(rows)}")
    if options.json:
        result = {"cpu": cpu_name(), "tsc_hz": context.tsc_hz, "rows": [row.as_json() for row in rows]}
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if options.html:
        write_html(options.html, note, rows, plots)
    if options.write_docs and complete:
        write_docs(f"{note}\n\n{table(rows)}", plots)
    return 1 if options.earlier and compare(rows, cpu_name(), options.earlier, options.only) else 0


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of everything that must be ended and removed
    seconds = options.seconds or (120 if options.quick else 600)
    start, rows, ended, status = time.monotonic(), [], None, 0
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as scratch:
        context = Context(options.build, options.quick, pathlib.Path(scratch))
        try:
            sections_run(context, options.only, seconds, rows)
        except KeyboardInterrupt:
            ended = 130
        except SystemExit as why:
            ended = why.code
        finally:
            status = report(options, context, rows, ended is None)
    print(f"measured in {time.monotonic() - start:.0f} s")
    return ended or status


if __name__ == "__main__":
    sys.exit(main())
