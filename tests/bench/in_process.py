# SPDX-License-Identifier: Apache-2.0
"""The pipeline in cycles per packet (bench_pipeline.c says how), on one core, in several fresh processes: where a
process's memory lies moves its figures as much as what it does. Then with ports around it: null_ports.py."""
import subprocess

import null_ports
import programs
from rows import Bar, Row, Sample

# what bench_pipeline calls it, count -> row, bar in cycles per packet
CASES = {
    ("route", 1): ("routing, 1 route", 60),
    ("route", 1000000): ("routing, 1 M routes", 60),
    ("prefixes", 1): ("prefilter and routing, 1 prefix", None),
    ("prefixes", 1000000): ("prefilter and routing, 1 M prefixes", None),
    ("nat-known", 1): ("NAT44, 1 flow", None),
    ("nat-known", 65536): ("NAT44, 64 K flows", None),
    ("nat-new", 65536): ("NAT44, new flow among 64 K", None),
    ("nat-known", 1048576): ("NAT44, 1 M flows", 150),
    ("nat-new", 1048576): ("NAT44, new flow among 1 M", 800),
}
ARGUMENTS = ["route=1", "route=1000000", "prefixes=1", "prefixes=1000000", "nat=1", "nat=65536", "nat=1048576"]
PROCESSES_MOST = 9
ALONE_LEAST = 1 / 8  # as bench_pipeline has it
SHARED_BURDEN = 1.15  # as bench_gateway.h has it


def on_own_core(cases):
    """Those of the processes that had a core of their own for an eighth of the time and more; all where none had.
    bench_pipeline leaves out what was measured on a shared core, but it knows no better than its own least burden."""
    least = min(case["burden"] for case in cases)
    return [case for case in cases
            if case["alone"] >= ALONE_LEAST and case["burden"] <= SHARED_BURDEN * least] or cases


def sample(cases):
    """One row's sample from the same case of several processes."""
    return Sample.across([Sample(case["median"], case["tenth"], case["ninetieth"], case["chunks"])
                          for case in on_own_core(cases)])


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def circumstances(cases):
    """How many of the processes count, the core's clock, and how much was left out because the core was shared."""
    kept = on_own_core(cases)
    alone = sum(case["alone"] for case in kept) / len(cases)
    count = f"{len(kept)} of {len(cases)}" if len(kept) < len(cases) else f"{len(cases)}"
    text = f"{count} x {mean(case['clock_ghz'] for case in kept):.2f} GHz"
    if max(case["alone"] for case in kept) < ALONE_LEAST:
        return f"{text}, on a shared core"
    return text if alone > 0.99 else f"{text}, {100 * (1 - alone):.0f} % left out: shared core"


def stages(cases):
    kept = on_own_core(cases)
    return " ".join(f"{name} {mean(case['stages'].get(name, 0) for case in kept):.0f}" for name in kept[0]["stages"])


def pipeline_row(cases):
    first = cases[0]
    name, bar = CASES[first["case"], first["count"]]
    return Row("in-process", f"{name}, bursts of {first['burst']}", "cycles/packet",
               f"{stages(cases)}; {circumstances(cases)}", sample(cases), bar=Bar(bar) if bar else None)


def pipeline(context, budget):
    bursts = "64" if context.quick else "32,64"
    seen, failed = {}, []
    try:
        for _ in budget.rounds(3, PROCESSES_MOST):
            for case in programs.pipeline(context, "--runs", "1", "--bursts", bursts, *ARGUMENTS):
                seen.setdefault((case["burst"], case["case"], case["count"]), []).append(case)
    except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as why:
        failed = [Row("in-process", "the pipeline, the rest of the processes", "", skipped=str(why))]
    return failed + [pipeline_row(cases) for _, cases in sorted(seen.items(), key=lambda item: item[0][0])]


def measure(context, budget):
    context.say("the pipeline between null ports, beside testpmd macswap")
    rows = null_ports.measure(context, budget.part(0.35))
    context.say("the pipeline in process")
    return rows + pipeline(context, budget)
