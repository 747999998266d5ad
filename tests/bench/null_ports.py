# SPDX-License-Identifier: Apache-2.0
"""Sluice and testpmd's macswap, each between two null ports with copying, on the same core of the same machine
(bench_null.c says how), in short trials that take turns.

What disturbs a core for some milliseconds, a sibling or another program, would fall on one side or the other. So a MAC
swap of our own runs before and after each trial, and a trial counts where both were about as fast as it ever is."""
import contextlib
import dataclasses
import subprocess

import programs
from rows import Bar, Row, Sample

BURSTS = (32, 64)
KINDS = ("macswap", "written", "nat", "testpmd", "route")  # in turn; testpmd and what bench_null knows
CASES = (("route", "routing, 1 M routes", 0.8), ("nat", "NAT44, 1 M flows", 0.6))  # row, bar: share of macswap
OWN_SWAP = "a MAC swap of our own"
SWAP_MS = 4
DISTURBED = 1.15  # times what the MAC swap takes on a core of its own
TRIALS_LEAST = 6  # of a kind: with fewer, disturbed ones count too, and the row says so
PROCESSES_MOST = 9


@dataclasses.dataclass(frozen=True)
class Trial:
    cycles: float  # a packet
    swap: float  # of the slower one of the MAC swaps before and after


def round_run(context, testpmd, null, burst, milliseconds):
    """A trial of each kind, by its name."""
    found = {}
    before = null.trial("macswap", burst, SWAP_MS)["cycles"]
    for kind in KINDS:
        if kind == "testpmd":
            cycles = context.tsc_hz / testpmd.trial(burst, milliseconds)
        else:
            cycles = null.trial(kind, burst, milliseconds)["cycles"]
        after = null.trial("macswap", burst, SWAP_MS)["cycles"]
        found[kind] = Trial(cycles, max(before, after))
        before = after
    return found


def process_run(context, milliseconds, trials):
    """burst -> the rounds of a fresh pair of processes."""
    with contextlib.ExitStack() as stack:
        null = programs.Null(stack.enter_context(programs.running(programs.Null.command(context))))
        testpmd = programs.Testpmd(stack.enter_context(programs.running(programs.Testpmd.command())))
        found = {burst: [] for burst in BURSTS}
        for _ in range(trials):
            for burst in BURSTS:
                found[burst].append(round_run(context, testpmd, null, burst, milliseconds))
        testpmd.quit()
        return found


def undisturbed(processes, kind):
    """(cycles of the trials of a kind that count, a list for each process; how many of how many they are)."""
    swaps = sorted(trial.swap for found in processes for one in found for trial in one.values())
    limit = DISTURBED * swaps[len(swaps) // 10]
    kept = [[one[kind].cycles for one in found if one[kind].swap <= limit] for found in processes]
    count, every = sum(map(len, kept)), sum(map(len, processes))
    if count < min(TRIALS_LEAST, every):
        return [[one[kind].cycles for one in found] for found in processes], f"{every} trials, on a disturbed core"
    return [cycles for cycles in kept if cycles], f"{count} of {every} trials"


def rows_of(context, burst, processes):
    """processes: a list of rounds each."""
    cycles, counted = {}, {}
    for kind in KINDS:
        cycles[kind], counted[kind] = undisturbed(processes, kind)

    def rate(kind, less=0.0):
        return Sample.pooled([[context.tsc_hz / (one - less) / 1e6 for one in found] for found in cycles[kind]])

    def row(kind, name, how, less=0.0, bar=None):
        return Row("in-process", f"{name}, null ports, bursts of {burst}", "Mpps",
                   f"{how}; {counted[kind]}, testpmd {counted['testpmd']}", rate(kind, less), rate("testpmd"),
                   "testpmd macswap", higher_is_better=True, bar=bar)
    swap, written = (Sample.pooled(cycles[kind]).median for kind in ("macswap", "written"))
    yield row("macswap", OWN_SWAP, "how much of testpmd's figure is testpmd")
    for kind, name, bar in CASES:
        raw = Sample.pooled(cycles[kind]).median
        less = written - swap
        how = (f"{raw - less:.0f} cycles/packet; {raw:.0f} ({context.tsc_hz / raw / 1e6:.1f} Mpps) with the {less:.0f} of "
               "writing headers")
        yield row(kind, name, how, less, Bar(bar, of_ratio=True))


def skipped_rows(why):
    return [Row("in-process", f"{name}, null ports, bursts of {burst}", "Mpps", skipped=why, higher_is_better=True)
            for burst in BURSTS for name in (OWN_SWAP, *(name for _, name, _ in CASES))]


def measure(context, budget):
    """Rows without figures where testpmd or bench_null cannot run; those of fewer processes where a later one fails."""
    if why := programs.testpmd_missing():
        return skipped_rows(why)
    milliseconds, trials = (20, 8) if context.quick else (50, 12)
    processes, failed = [], []
    try:
        for _ in budget.rounds(2, PROCESSES_MOST):
            processes.append(process_run(context, milliseconds, trials))
    except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as why:
        if not processes:
            return skipped_rows(str(why))
        failed = [Row("in-process", "null ports, the rest of the trials", "", skipped=str(why))]
    return [row for burst in BURSTS for row in rows_of(context, burst, [found[burst] for found in processes])] + failed
