# SPDX-License-Identifier: Apache-2.0
"""What the wire section measures (wire.py says of what), each kind with the rows that it gives. A round is one trial of
each side; a section repeats rounds as long as its time lasts."""
import statistics

from pairs import Pairs, RateSearch, carried
from rows import Bar, Row
from wire_rig import SIDES

SECTION = "wire"


FLAT_OUT = ("-r", "max", "--no-verify")  # the generator does the least it can; it still finds what is lost
RING = 1024  # packets; of every port here
PAIRS_LEAST = 5  # before a bar is judged
NAMES = {"sluice": "Sluice", "peer": "the peer"}


def refused_share(total):
    """How much of what the generator made did not fit into the ring: about 0 means that the generator is the limit."""
    return total["refused"] / (total["sent"] + total["refused"]) if total["sent"] else 0.0


def places_of(pairs, at_least=3):
    """Where both sides were seen; where Sluice was, if there is no such place: its own figures need no peer."""
    return pairs.places(SIDES, at_least) or pairs.places(("sluice",), at_least)


def counted(pairs, place):
    """How many trials are behind a row's figures."""
    both, one = pairs.sample("quotient", place), pairs.sample("sluice", place)
    return f"{both.count} pair{'s' * (both.count != 1)}" if both else f"{one.count} trials"


class Throughput:
    """Packets a second that come through when the generator sends all it can."""

    def __init__(self, case):
        self.case, self.rates, self.full, self.stages, self.no_peer = case, Pairs(), Pairs(), "", ""

    def round(self, wire):
        self.no_peer = wire.no_peer
        seen = [(side, *wire.trial(side, [*self.case.options, *FLAT_OUT])) for side in wire.sides()]
        self.rates.add_turn([(side, place, result["total"]["received_pps"] / 1e6) for side, place, result in seen])
        for side, place, result in seen:
            self.full.add(side, place, refused_share(result["total"]))

    def measure_stages(self, wire):
        """Where the worker's cycles go, from its own meters."""
        before = wire.sluice.ask("worker")
        _, result = wire.trial("sluice", [*self.case.options, *FLAT_OUT])
        self.stages = stages_text(before, wire.sluice.ask("worker"), result)

    def rows(self):
        bar = Bar(self.case.bar, of_ratio=True, pairs=PAIRS_LEAST) if self.case.bar else None
        places = places_of(self.rates)
        if not places:
            return [Row(SECTION, self.case.what, "Mpps", skipped=self.rates.why_none(), higher_is_better=True)]
        return [Row(SECTION, self.case.what, "Mpps", self.how(place), self.rates.sample("sluice", place),
                    self.rates.sample("peer", place), "macswap", True, bar,
                    paired=self.rates.sample("quotient", place), condition=f"cores {place}") for place in places]

    def how(self, place):
        refused = {side: self.full.median(side, place) for side in SIDES}
        limit = " and ".join(f"{name}'s" for side, name in NAMES.items() if refused[side] is not None and refused[side] < 0.01)
        return "; ".join(filter(None, (counted(self.rates, place), f"no peer: {self.no_peer}" if self.no_peer else "",
                                       f"the generator is {limit} limit" if limit else "", self.stages)))


def stages_text(before, after, result):
    """Where the worker's cycles went between two answers of `sluicectl worker`, a packet, and how busy it was during
    the trial between them. (What it counts as idle has the pauses in it.)"""
    old, new = before["workers"][0], after["workers"][0]
    busy = (new["busy_cycles"] - old["busy_cycles"]) / (result["seconds"] * result["tsc_hz"])
    spent = {b["stage"]: (b["cycles"] - a["cycles"], b["packets"] - a["packets"]) for a, b in zip(old["stages"], new["stages"])}
    packets = spent["rx"][1]
    if not packets:
        return ""
    cycles = " ".join(f"{name} {value / packets:.0f}" for name, (value, _) in spent.items() if value >= packets)
    return f"worker busy {min(100, 100 * busy):.0f} %: {cycles}"


def receiver_was_away(rate_pps, result):
    """Whether packets were lost while the generator was kept from its core for so long that its ring had to overflow."""
    return result["total"]["lost"] > 0 and result["longest_pass_ns"] > 0.5 * RING * 1e9 / rate_pps


class LossFree:
    """The highest rate without loss at 64 bytes, and the latency at half of it."""

    def __init__(self, case, throughput):
        self.case, self.most = case, throughput.rates
        self.searches, self.trials = {}, 0
        self.p50, self.p99 = Pairs(), Pairs()

    def search(self, side, place):
        most = 1e6 * (self.most.median(side, place) or 20)
        return self.searches.setdefault((side, place), RateSearch(1.1 * most))

    def round(self, wire):
        for side in wire.sides():
            expected = wire.place()
            search = self.search(side, expected)
            rate = search.rate()
            place, result = wire.trial(side, [*self.case.options, "-r", f"{rate:.0f}pps"])
            self.trials += 1
            if place == expected and not receiver_was_away(rate, result):
                search.note(carried(rate, result))

    def latency_round(self, wire):
        for side in wire.sides():
            expected = wire.place()
            search = self.search(side, expected)
            if not search.results:
                continue
            rate = statistics.median(search.results) / 2
            place, result = wire.trial(side, [*self.case.options, "-r", f"{rate:.0f}pps"])
            place = place if place == expected else None
            self.p50.add(side, place, result["total"]["latency_ns"]["p50"] / 1e3)
            self.p99.add(side, place, result["total"]["latency_ns"]["p99"] / 1e3)

    def found(self, place):
        """Sides -> what their searches found in that place, in Mpps."""
        samples = {side: self.searches[side, place].sample() for side in SIDES if (side, place) in self.searches}
        return {side: sample.scaled(1e-6) for side, sample in samples.items() if sample}

    def rate_rows(self):
        what, rows = f"loss-free: {self.case.what}", []
        for place in dict.fromkeys(place for _, place in self.searches if place):
            found = self.found(place)
            if "sluice" not in found:
                continue
            counts = ", ".join(f"{name} {found[side].count}" for side, name in NAMES.items() if side in found)
            rows.append(Row(SECTION, what, "Mpps", f"highest rate of which nothing is lost in two trials; searches: {counts}",
                            found["sluice"], found.get("peer"), "macswap", True, condition=f"cores {place}"))
        return rows or [Row(SECTION, what, "Mpps", skipped=f"no search came to its end in {self.trials} trials", higher_is_better=True)]

    def latency_rows(self):
        rows = []
        for name, pairs in (("p50", self.p50), ("p99", self.p99)):
            what = f"latency {name} at half of that: {self.case.what}"
            rows += [Row(SECTION, what, "us", f"{counted(pairs, place)}; each at half of its own loss-free rate", pairs.sample("sluice", place),
                         pairs.sample("peer", place), "macswap", condition=f"cores {place}") for place in places_of(pairs, 2)] \
                or [Row(SECTION, what, "us", skipped=pairs.why_none())]
        return rows

    def rows(self):
        return self.rate_rows() + self.latency_rows()


class NewSessions:
    """Every packet begins a flow; the sessions that were made are counted by the data plane."""

    PORTS = 4  # of each inside address in a trial: more flows than it can send packets

    def __init__(self, inside, first_port):
        self.inside, self.port = inside, first_port
        self.rates, self.stages = Pairs(), ""

    def round(self, wire):
        options = [*self.inside, "--sport", f"{self.port}-{self.port + self.PORTS - 1}"]
        self.port += self.PORTS
        before, stages = wire.sluice.counters(), wire.sluice.ask("worker")
        place, result = wire.trial("sluice", [*options, *FLAT_OUT])
        made = wire.sluice.counters()["flow_created"] - before.get("flow_created", 0)
        self.rates.add("sluice", place, made / result["seconds"] / 1e3)
        self.stages = stages_text(stages, wire.sluice.ask("worker"), result)

    def rows(self):
        what, unit = "new NAT44 sessions, every packet a new flow, 64 bytes", "k/s"
        places = self.rates.places(("sluice",))
        if not places:
            return [Row(SECTION, what, unit, skipped=self.rates.why_none(), higher_is_better=True)]
        return [Row(SECTION, what, unit, f"{counted(self.rates, place)}; {self.stages}", self.rates.sample("sluice", place), higher_is_better=True, bar=Bar(500),
                    condition=f"cores {place}") for place in places]


class Ceiling:
    """What the generator can do at all: against its own reflector, which only exchanges two addresses and sends back."""

    ROUNDS = 3

    def __init__(self):
        self.rates = Pairs()

    def round(self, wire):
        for _ in range(self.ROUNDS):
            place, result = wire.trial("reflect", ["--dst", "192.0.2.2", *FLAT_OUT])
            self.rates.add("reflect", place, result["total"]["received_pps"] / 1e6)

    def rows(self, others):
        """`others`: the section's rows, to say how far above them it is."""
        what = "the generator's ceiling: its own reflector on one memif, 64 bytes"
        rows = []
        for place in self.rates.places(("reflect",), 2):
            sample = self.rates.sample("reflect", place)
            most = max((row.sluice.median for row in others if row.unit == "Mpps" and row.sluice and row.condition.endswith(place)),
                       default=None)
            how = f"{sample.count} trials" + (f"; {sample.median / most:.2f} times the highest of Sluice's here" if most else "")
            rows.append(Row(SECTION, what, "Mpps", how, sample, higher_is_better=True, condition=f"cores {place}"))
        return rows or [Row(SECTION, what, "Mpps", skipped=self.rates.why_none(), higher_is_better=True)]
