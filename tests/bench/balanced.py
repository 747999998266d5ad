# SPDX-License-Identifier: Apache-2.0
"""Balancing in cycles, in process, on one core: packets of known flows, new flows by method and way, whole connections
(bench_pipeline.c and bench_connections.c say how); then what control takes: balanced_control.py."""
import subprocess

import balanced_control
import in_process
import programs
from rows import Bar, Row, Sample

PROCESSES_MOST = 5
COUNTS = {1: "1 flow", 65536: "64 K flows", 1048576: "1 M flows"}
PACKET_BAR = {1048576: 150}  # cycles
CONNECTIONS_BAR = 300000  # a second
METHODS = ("maglev", "round-robin", "least", "weighted-least", "source-hash", "two-choices")
WAYS = ("full-nat", "direct", "ipip", "gue")
LINGERING = 900000  # closed flows whose timeout is awaited
FEW = 65536

# The arguments of one process each: what takes long to make is made once.
KNOWN = [f"balance={count}" for count in COUNTS]
NEW = [f"balance:{method}:{members}={FEW}" for method in METHODS for members in (100, 500)]
OTHER_WAYS = [f"balance:maglev:{8 if way == 'direct' else 100}:{way}={FEW}" for way in WAYS]


def named(case, count):
    """(row's name, bar in cycles per packet) of a case as bench_pipeline calls it; None where it makes no row."""
    name, _, kind = case.rpartition("-")
    words = name.split(":")
    if words == ["balance"]:
        if kind == "new":
            return f"balancing (DNAT, maglev), new flow among {COUNTS[count].removesuffix(' flows')}", None
        return f"balancing (DNAT, maglev), {COUNTS[count]}", PACKET_BAR.get(count)
    if len(words) == 4 and kind == "known":
        return f"balancing ({words[3]}), {COUNTS[count]}", None
    if len(words) == 3 and kind == "new":
        return f"balancing, new flow by {words[1]} of {words[2]} members", None
    return None


def packet_row(cases):
    first = cases[0]
    found = named(first["case"], first["count"])
    if found is None:
        return None
    name, bar = found
    return Row("balance", f"{name}, bursts of {first['burst']}", "cycles/packet",
               f"{in_process.stages(cases)}; {in_process.circumstances(cases)}", in_process.sample(cases),
               bar=Bar(bar) if bar else None)


def connection_rows(cases, tsc_hz):
    """Cycles of a connection, and how many a second a core of this TSC has the time for."""
    cycles = in_process.sample(cases)
    rate = Sample(tsc_hz / cycles.median / 1e3, tsc_hz / cycles.high / 1e3, tsc_hz / cycles.low / 1e3, cycles.count)
    how = f"eight packets each, {cases[0]['count']:,} closed ones lingering, ends counted; {in_process.circumstances(cases)}"
    return [Row("balance", "balanced TCP connections, new", "cycles/connection", how, cycles),
            Row("balance", "balanced TCP connections, a core", "k/s", how, rate, higher_is_better=True,
                bar=Bar(CONNECTIONS_BAR / 1e3))]


def rows_of(seen, tsc_hz):
    """seen: (case, count) -> what each process measured."""
    rows = []
    for (case, _), cases in seen.items():
        if case.startswith("connections"):
            rows += connection_rows(cases, tsc_hz)
        elif row := packet_row(cases):
            rows.append(row)
    return rows


def arguments(quick):
    """Of each of the processes of a round."""
    few = [KNOWN[-1:], [f"balance:least:500={FEW}"], [f"connections={LINGERING}"]]
    return few if quick else [KNOWN, NEW, OTHER_WAYS, [f"connections={LINGERING}"]]


def measure(context, budget):
    context.say("balancing in process")
    rows = in_process_rows(context, budget.part(0.75))
    context.say("services, members, health checks")
    return rows + balanced_control.measure(context, budget)


def in_process_rows(context, budget):
    seen, failed = {}, []
    try:
        for _ in budget.rounds(1, PROCESSES_MOST):
            for words in arguments(context.quick):
                for case in programs.pipeline(context, "--runs", "1", "--bursts", "64", *words):
                    seen.setdefault((case["case"], case["count"]), []).append(case)
    except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as why:
        failed = [Row("balance", "balancing, the rest of the processes", "", skipped=str(why))]
    return failed + rows_of(seen, context.tsc_hz)
