# SPDX-License-Identifier: Apache-2.0
"""Packets a second from port to port: sluice-pktgen on one core, the device under test on the other, memif between them.
The device is sluice-dp, and in turn with it testpmd macswap on ports of the same kind, under the same traffic. A trial
takes a twentieth of a second; pairs.py says how trials are compared."""
import dataclasses

from rig import Gone
from rows import Budget, Row
from wire_measure import PAIRS_LEAST, SECTION, Ceiling, LossFree, NewSessions, Throughput
from wire_rig import TRIAL_SECONDS, Wire

SIZES_QUICK, SIZES = (64, 256, 1518), (64, 128, 256, 512, 1024, 1518)
MILLION = 1 << 20
ROUTES = "11.0.0.0-122.255.255.0/1792"  # a million: every seventh /24 of 112 /8s, so that their memory is not in the cache
INSIDE = ["--src", "10.0.1.0-10.0.255.255", "--dst", "192.0.2.2"]
KNOWN = [*INSIDE, "--sport", "1024-1040"]  # 65,280 addresses with 17 ports: a million flows and some
NEW_PORT = 2048  # where the ports of new flows begin
NEW_TRIALS = 20  # a pass: what they leave in the session table must fit


@dataclasses.dataclass(frozen=True)
class Case:
    what: str
    options: tuple
    bar: float | None = None


def route_cases(sizes, count):
    one = "1 M routes" if count > 1 else "1 route"
    return [Case(f"routing, {one}, {size} bytes", ("--dst", ROUTES, "--flows", MILLION, "--random-flows", "-s", size),
                 0.92 if size == 64 else None) for size in sizes]


def nat_cases(sizes):
    cases = [Case(f"NAT44, {name}, 64 bytes", (*KNOWN, "--flows", flows, "--random-flows"), bar)
             for name, flows, bar in (("1 flow", 1, None), ("64 K flows", 65280, None), ("1 M flows", MILLION, 0.85))]
    return cases + [Case(f"NAT44, 1 M flows, {size} bytes", (*KNOWN, "--flows", MILLION, "--random-flows", "-s", size))
                    for size in sizes if size != 64]


def config(directory, nat=False, routes="0.0.0.0/0"):
    lines = ["sluice: 1", "ports:",
             f'  - {{name: in, device: "memif:{directory}/s0,role=server", addresses: [10.0.0.1/16], twin: false}}',
             f'  - {{name: out, device: "memif:{directory}/s1,role=server", addresses: [192.0.2.1/24], twin: false}}',
             "flow: {capacity: 4194304}"]
    if nat:
        lines += ["nat:", "  pools: [{name: p, addresses: [203.0.113.0-203.0.113.255]}]",
                  "  source: [{inside: [10.0.0.0/16], port: out, pool: p}]"]
    if routes.endswith(".txt"):
        lines += [f"route-files: [{routes}]"]
    else:
        lines += [f"routes: [{{prefix: {routes}, via: [{{address: 192.0.2.2}}]}}]"]
    return "\n".join(lines) + "\n"


def routes_write(path):
    first, step = 11 << 24, 1792
    lines = (f"{a >> 24}.{a >> 16 & 255}.{a >> 8 & 255}.0/24 via 192.0.2.2\n" for a in range(first, first + step * MILLION, step))
    path.write_text("".join(lines), encoding="ascii")


class Phase:
    """Measurements that take turns under one config until their time is over."""

    def __init__(self, name, config, cases, loss_free=None, sessions=None):
        self.name, self.config, self.sessions = name, config, sessions
        self.throughputs = [Throughput(case) for case in cases]
        searched = [t for t in self.throughputs if t.case is loss_free]
        self.loss_free = LossFree(loss_free, searched[0]) if searched else None
        self.ended = False  # has been run to its end once

    def run(self, wire, budget):
        """Those with bars have their trials first, and more of them."""
        self._measure(wire, budget)
        self.ended = True

    def _measure(self, wire, budget):
        shares = 1 + 0.8 * bool(self.loss_free) + 0.15 * bool(self.sessions)
        wire.reconfigure(self.config, self.throughputs[0].case.options)
        if self.sessions:
            flows_make(wire)
        rates = budget.part(1 / shares)
        barred, others = ([m for m in self.throughputs if bool(m.case.bar) == wanted] for wanted in (True, False))
        repeat(rates.part(0.4), [lambda m=m: m.round(wire) for m in barred], 2, at_least=PAIRS_LEAST + 2)
        repeat(rates, [lambda m=m: m.round(wire) for m in others or barred], 2, at_least=3)
        for throughput in self.throughputs:
            throughput.measure_stages(wire)
        if self.sessions:
            repeat(budget.part(0.15), [lambda: self.sessions.round(wire)], 1, NEW_TRIALS)
        if self.loss_free:
            repeat(budget.part(0.75), [lambda: self.loss_free.round(wire)], 2)
            repeat(budget, [lambda: self.loss_free.latency_round(wire)], 2)

    def rows(self, why=""):
        """`why`: what ended the section before its time; rows without figures say so where this phase did not end."""
        parts = [*self.throughputs, *filter(None, (self.loss_free, self.sessions))]
        rows = [row for part in parts for row in part.rows()]
        if not why or self.ended:
            return rows
        return [dataclasses.replace(row, skipped=f"not measured: {why}") if row.skipped else row for row in rows]


def repeat(budget, rounds, trials, most=1000, at_least=1):
    """Runs all of `rounds` (each of so many trials) in turn, so often at least, until the time is over."""
    seconds = len(rounds) * trials * TRIAL_SECONDS
    for done in range(1, most + 1):
        for one in rounds:
            one()
        if done >= at_least and budget.left() < seconds:
            return


def flows_make(wire):
    """Makes the million flows that NAT knows, and sees that they are there."""
    for _ in range(5):
        wire.devices["sluice"].trial([*KNOWN, "--flows", MILLION, "--count", MILLION, "-r", "700kpps", "-d", "8s"])
        known = sum(worker["flows"] for worker in wire.sluice.ask("worker")["workers"])
        if known >= 0.995 * MILLION:
            return
    raise Gone(f"only {known} of {MILLION} flows came to be")


def phases(directory, quick):
    sizes = SIZES_QUICK if quick else SIZES
    table = directory / "routes.txt"
    routes_write(table)
    plain, million, nat = route_cases(sizes, 1), route_cases(sizes[:1], MILLION), nat_cases(sizes)
    return [(Phase("routing", config(directory), plain, plain[0]), 0.36),
            (Phase("1 M routes", config(directory, routes=str(table)), million), 0.12),
            (Phase("NAT44", config(directory, nat=True), nat, next(c for c in nat if c.bar), NewSessions(INSIDE, NEW_PORT)), 0.52)]


def measure(context, budget):
    directory = context.scratch / "wire"
    directory.mkdir()
    made, ceiling, passes = phases(directory, context.quick), Ceiling(), 1 if context.quick else 3
    why = ""
    context.say("memif: sluice-dp and testpmd")
    try:
        with Wire(context.build, directory, config(directory)) as wire:
            for left in range(passes, 0, -1):
                turn(context, wire, made, ceiling, budget.part(1 / left))
    except Exception as error:  # pylint: disable=broad-except  # what was measured before is not lost
        why = f"{type(error).__name__}: {error}"
    rows = [row for phase, _ in made for row in phase.rows(why)]
    failed = [Row(SECTION, "the rest of the section", "", skipped=why)] if why else []
    return rows + ceiling.rows(rows) + failed


def turn(context, wire, made, ceiling, budget):
    """All phases once."""
    seconds = budget.left()
    for phase, share in made:
        context.say(f"memif: {phase.name}")
        phase.run(wire, Budget(seconds * share))
        ceiling.round(wire)
