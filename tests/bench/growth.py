# SPDX-License-Identifier: Apache-2.0
"""How cost grows: cycles per packet against flows, sizes of tables, number of rules, and workers. Each point is
measured by a fresh bench_pipeline, in several rounds over all of them, so that a minute in which the machine is slow
does not make a bend in a curve. And what two workers on two cores do together (bench_null)."""
import contextlib
import dataclasses
import pathlib
import re
import statistics
import subprocess

import in_process
import programs
from pairs import PLACES
from plot import Plot, Point
from rows import Row, Sample

BURST = 64  # the workers' own
WORKER_FLOWS = 65536
MILLION = 1000000

# name -> title, label of x, logarithmic y
PLOTS = {
    "flows": ("Cycles per packet by flows", "flows (routing: destinations, over a million routes)", True),
    "tables": ("Cycles per packet by size of tables", "routes; prefixes of the prefilter", False),
    "rules": ("Cycles per packet by rules of the prefilter", "rules, each with a set of a thousand prefixes", False),
    "workers": ("Cycles per packet by workers, in turn on one core", "workers", True),
}


@dataclasses.dataclass(frozen=True)
class Task:
    """A run of bench_pipeline, and the points that come out of it: at one place of some curves."""
    arguments: tuple
    plot: str
    x: int
    curves: dict  # what bench_pipeline calls it -> curve


NAT = {"nat-known": "NAT44, known flow", "nat-new": "NAT44, new flow"}


def wanted(quick):
    flows = (1, 1024, 65536, 1 << 20) if quick else (1, 1024, 65536, 1 << 20, 1 << 22, 1 << 24)
    sizes = (1, 1000, MILLION) if quick else (1, 1000, 10000, 100000, MILLION)
    rules = (1, 16) if quick else (1, 2, 4, 8, 16)
    for count in flows:
        yield Task((f"nat={count}",), "flows", count, NAT)
        yield Task((f"flows={count}",), "flows", count, {"flows": "routing"})
    for count in sizes:
        yield Task((f"route={count}",), "tables", count, {"route": "routing"})
        yield Task((f"prefixes={count}",), "tables", count, {"prefixes": "prefilter and routing"})
    for count in rules:
        yield Task((f"rules={count}",), "rules", count, {"rules": "prefilter and routing"})
    for count in (1, 2, 4):
        yield Task(("--workers", str(count), "route=1", f"nat={WORKER_FLOWS}"), "workers", count, NAT | {"route": "routing"})


def large(point):
    """Those of gigabytes take longest, and are measured once."""
    return point.x > 1 << 20


def fits(point):
    """Whether the machine has the memory: a flow takes about 400 bytes in all, and some are left to others."""
    text = pathlib.Path("/proc/meminfo").read_text(encoding="ascii")
    available = int(re.search(r"MemAvailable: +(\d+) kB", text).group(1)) << 10
    return not large(point) or available > 600 * point.x


def points_measure(context, budget, points):
    """(point, what its processes gave) for each case of each point; and rows of points that failed, which are not tried
    again."""
    seen, failed = {}, {}
    for done in budget.rounds(1, 5):
        for point in points:
            if points.index(point) in failed or (done > 0 and large(point)):
                continue
            try:
                cases = programs.pipeline(context, "--runs", "1", "--no-stages", "--bursts", str(BURST), *point.arguments)
            except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as why:
                failed[points.index(point)] = str(why)
                continue
            for case in cases:
                seen.setdefault((points.index(point), case["case"]), []).append(case)
    return ([(points[index], cases) for (index, _), cases in sorted(seen.items(), key=lambda item: item[0])],
            [point_skipped(points[index], why) for index, why in failed.items()])


def unit_of(point):
    return point.plot.removesuffix("s") if point.plot != "tables" else "prefix" if "prefixes" in point.curves else "route"


def point_row(point, cases):
    curve = point.curves[cases[0]["case"]]
    name = f"{curve}: {counted(point.x, unit_of(point))}"
    how = f"bursts of {BURST}; {in_process.circumstances(cases)}"
    if point.plot == "workers":
        how += "; all workers' cycles, taking turns on one core"
    return Row("growth", name, "cycles/packet", how, in_process.sample(cases), plot=point.plot, curve=curve, x=point.x)


def counted(count, unit):
    return f"{count:,} {unit}{'' if count == 1 else 'es' if unit.endswith('x') else 's'}"


# ---- two workers on two cores ------------------------------------------------------------------------------
THREADS = (("route", "routing"), ("nat", "NAT44, known flow"))
THREADS_SHARE = 0.3  # of the section's time
THREADS_SECONDS = 4.0  # until both programs have made their flows, and three rounds
TRIALS_LEAST = 3  # with the cores in one place


def place(cycles):
    return next(name for name, bound in PLACES if cycles < bound)


def threads_round(one, two, what, milliseconds):
    """(where the cores were, rate of one worker, rate of both, share lost); None where the cores moved meanwhile."""
    before = place(two.trial("roundtrip", 1, 1)["cycles"])
    alone, both = one.trial(what, BURST, milliseconds), two.trial(what, BURST, milliseconds)
    if place(two.trial("roundtrip", 1, 1)["cycles"]) != before:
        return None
    sent = both["packets_per_second"] * milliseconds / 1000
    return before, alone["packets_per_second"] / 1e6, both["packets_per_second"] / 1e6, both["lost"] / (both["lost"] + sent)


def threads_name(name):
    return f"{name}, 2 workers on 2 cores, null ports"


def threads_rows(name, found, moved):
    """Of the place where the cores were in most of the rounds: the rate, and what was lost."""
    what, trials = threads_name(name), len(found) + moved
    where = statistics.mode(one[0] for one in found) if found else ""
    kept = [one for one in found if one[0] == where]
    if len(kept) < TRIALS_LEAST:
        return [Row("growth", what, "Mpps", skipped=f"the cores stayed in one place in only {len(kept)} of {trials} trials")]
    how = f"{len(kept)} of {trials} trials; with the writing of headers"
    return [Row("growth", what, "Mpps", how, Sample.of([one[2] for one in kept]), Sample.of([one[1] for one in kept]),
                "1 worker", higher_is_better=True, condition=f"cores {where}"),
            Row("growth", f"{what}: packets lost between workers", "%", f"{len(kept)} of {trials} trials",
                Sample.of([100 * one[3] for one in kept]), condition=f"cores {where}")]


def threads(context, budget, trials, milliseconds):
    command = programs.Null.command(context, "--flows", str(WORKER_FLOWS), "--routes", "1")
    with contextlib.ExitStack() as stack:
        one, two = (programs.Null(stack.enter_context(programs.running(command + ["--workers", count]))) for count in ("1", "2"))
        found = {what: [] for what, _ in THREADS}
        for _ in budget.rounds(TRIALS_LEAST, trials):
            for what, rounds in found.items():
                rounds.append(threads_round(one, two, what, milliseconds))
    return [row for what, name in THREADS
            for row in threads_rows(name, [one for one in found[what] if one], found[what].count(None))]


def threads_measure(context, budget):
    """Rows without figures where there is no time, or where it fails."""
    why = f"no time: {budget.left():.0f} s of the {THREADS_SECONDS:.0f} that it takes" if budget.left() < THREADS_SECONDS else ""
    if not why:
        context.say("how cost grows: two workers on two cores")
        try:
            return threads(context, budget, *(15, 40) if context.quick else (25, 60))
        except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
            why = str(error)
    return [Row("growth", threads_name(name), "Mpps", skipped=why) for _, name in THREADS]


def point_skipped(point, why):
    return Row("growth", f"{', '.join(point.curves.values())}: {counted(point.x, unit_of(point))}", "", skipped=why)


def measure(context, budget):
    rows = threads_measure(context, budget.part(THREADS_SHARE))
    context.say("how cost grows: flows, tables, rules, workers")
    points = list(wanted(context.quick))
    able = [point for point in points if fits(point)]
    missing = [point_skipped(point, "not enough memory is free") for point in points if point not in able]
    measured, failed = points_measure(context, budget, able)
    return [point_row(point, cases) for point, cases in measured] + failed + missing + rows


def plots(rows):
    """name -> Plot, of those that the rows have points of."""
    made = {}
    for name, (title, x_label, log_y) in PLOTS.items():
        curves = {}
        for row in rows:
            if row.plot == name and row.sluice:
                found = row.sluice
                curves.setdefault(row.curve, []).append(Point(row.x, found.median, found.low, found.high))
        if curves:
            made[name] = Plot(title, x_label, "TSC cycles per packet", dict(sorted(curves.items())),
                              log_x=name in ("flows", "tables"), log_y=log_y)
    return made
