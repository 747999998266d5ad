# SPDX-License-Identifier: Apache-2.0
"""The pipeline alone, in cycles per packet (bench_pipeline.c says how), and with null ports around it beside testpmd's
macswap on such ports (bench_null.c). All on one core, in several fresh processes: where a process's memory lies moves
its figures as much as what it does."""
import contextlib

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
# what bench_null calls it, row, bar: share of macswap
NULL_CASES = [("route", "routing, 1 M routes", 0.8), ("nat", "NAT44, 1 M flows", 0.6)]
BURSTS = (32, 64)
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


def rounds(budget, least, most):
    """Counts up to `most`, and past `least` only while another one fits into the budget."""
    before = budget.left()
    for done in range(most):
        if done >= least and budget.left() < (before - budget.left()) / done:
            return
        yield done


def pipeline_row(cases):
    first = cases[0]
    name, bar = CASES[first["case"], first["count"]]
    return Row("in-process", f"{name}, bursts of {first['burst']}", "cycles/packet",
               f"{stages(cases)}; {circumstances(cases)}", sample(cases), bar=Bar(bar) if bar else None)


def pipeline(context, budget):
    bursts = "64" if context.quick else "32,64"
    seen = {}
    for _ in rounds(budget, 3, PROCESSES_MOST):
        for case in programs.pipeline(context, "--runs", "1", "--bursts", bursts, *ARGUMENTS):
            seen.setdefault((case["burst"], case["case"], case["count"]), []).append(case)
    return [pipeline_row(cases) for _, cases in sorted(seen.items(), key=lambda item: item[0][0])]


def null_round(testpmd, null, burst, milliseconds):
    """Cycles a packet of each, a trial each, and the core's burden; testpmd has its trial between two of ours."""
    trials = {what: null.trial(what, burst, milliseconds) for what in ("macswap", "written", "nat")}
    rate = testpmd.trial(burst, milliseconds)
    trials["route"] = null.trial("route", burst, milliseconds)
    cycles = {what: trial["cycles"] for what, trial in trials.items()}
    return cycles | {"testpmd": rate, "burden": max(trial["burden"] for trial in trials.values())}


def undisturbed(processes):
    """Of the processes' rounds those with a core of their own all the time, and how many of how many that were. Where
    hardly any was, all of them."""
    every = [one for found in processes for one in found]
    least = min(one["burden"] for one in every)
    kept = [[one for one in found if one["burden"] <= SHARED_BURDEN * least] for found in processes]
    kept = [found for found in kept if found]
    count = sum(map(len, kept))
    if count < len(every) * ALONE_LEAST:
        return processes, "on a shared core"
    return kept, f"{count} of {len(every)} trials"


def null_process(context, milliseconds, trials):
    """burst -> the rounds of a fresh pair of processes."""
    with contextlib.ExitStack() as stack:
        null = programs.Null(stack.enter_context(programs.running(programs.Null.command(context))))
        testpmd = programs.Testpmd(stack.enter_context(programs.running(programs.Testpmd.command())))
        found = {burst: [] for burst in BURSTS}
        for _ in range(trials):
            for burst in BURSTS:
                found[burst].append(null_round(testpmd, null, burst, milliseconds))
        testpmd.quit()
        return found


def corrected(one, what):
    """Cycles of a round without what the writing of headers costs."""
    return one[what] - (one["written"] - one["macswap"])


def null_rows(context, burst, processes):
    """processes: a list of rounds each."""
    processes, which = undisturbed(processes)

    def across(value):
        return Sample.across([Sample.of([value(one) for one in rounds_of]) for rounds_of in processes])

    def row(name, how, cycles, bar=None):
        rate = across(lambda one: context.tsc_hz / cycles(one) / 1e6)
        return Row("in-process", f"{name}, null ports, bursts of {burst}", "Mpps", f"{how}; {which}", rate, testpmd, "testpmd macswap",
                   higher_is_better=True, bar=bar)
    testpmd = across(lambda one: one["testpmd"] / 1e6)
    written = across(lambda one: one["written"] - one["macswap"]).median
    yield row("a MAC swap of our own", "how much of testpmd's figure is testpmd", lambda one: one["macswap"])
    for what, name, bar in NULL_CASES:
        raw = across(lambda one, what=what: one[what]).median
        how = (f"{raw - written:.0f} cycles/packet; {context.tsc_hz / raw / 1e6:.1f} Mpps, {raw:.0f} cycles with the "
               f"{written:.0f} of writing headers")
        yield row(name, how, lambda one, what=what: corrected(one, what), Bar(bar, of_ratio=True))


def null_ports(context, budget):
    milliseconds, trials = (25, 8) if context.quick else (50, 12)
    processes = [null_process(context, milliseconds, trials) for _ in rounds(budget, 2, PROCESSES_MOST)]
    for burst in BURSTS:
        yield from null_rows(context, burst, [found[burst] for found in processes])


def measure(context, budget):
    context.say("the pipeline between null ports, beside testpmd macswap")
    rows = list(null_ports(context, budget.part(0.35)))
    context.say("the pipeline in process")
    return rows + pipeline(context, budget)
