# SPDX-License-Identifier: Apache-2.0
"""Comparing two devices whose speed hangs on where the hypervisor has put our cores. Pure; tested by test_pairs.py.

What crosses cores pays for cache lines that cross them, and a line takes 130 cycles between siblings, 500 to 900 within
a chip, 1,200 and more between chips. A virtual core changes its place within seconds. So the distance is measured
before and after each trial; a trial counts where the two agree, and only trials of one distance are compared.
"""
import collections
import math
import statistics

from rows import Sample

# round trips of a cache line in TSC cycles, upper bound
PLACES = (("siblings", 300), ("near", 700), ("middle", 1050), ("far", math.inf))
AGREE = 1.25


def place_of(before, after):
    """Where the cores were during a trial; None where they moved."""
    if max(before, after) > AGREE * min(before, after):
        return None
    names = {next(name for name, bound in PLACES if distance < bound) for distance in (before, after)}
    return names.pop() if len(names) == 1 else None


def waited_share(before, after):
    """Of two looks at thread_times(): how much of its time the busiest thread waited for its core."""
    ran, waited = max((tuple(b - a for a, b in zip(before.get(thread, (0, 0)), times)) for thread, times in after.items()),
                      default=(0, 0))
    return waited / (ran + waited) if ran + waited else 0.0


class Pairs:
    """Values of two sides (or one), by place."""

    def __init__(self):
        self.values = collections.defaultdict(lambda: collections.defaultdict(list))
        self.moved = 0

    def add(self, side, place, value):
        if place is None:
            self.moved += 1
        else:
            self.values[place][side].append(value)

    def add_both(self, one, other):
        """What two sides (SIDE, PLACE, VALUE) showed one after the other: their quotient too, where the cores stayed."""
        for side, place, value in (one, other):
            self.add(side, place, value)
        if one[1] and one[1] == other[1] and other[2]:
            self.values[one[1]]["quotient"].append(one[2] / other[2])

    def places(self, sides, at_least=3):
        """Places with enough values of all `sides`, the best known first."""
        def least(place):
            return min(len(self.values[place][side]) for side in sides)
        return sorted((place for place in self.values if least(place) >= at_least), key=least, reverse=True)

    def sample(self, side, place):
        """None where there is nothing."""
        values = self.values[place][side]
        return Sample.of(values) if values else None

    def median(self, side, place):
        """Of that place; of all places where there is nothing of it; None where there is nothing at all."""
        here = self.values.get(place, {}).get(side) or [v for sides in self.values.values() for v in sides.get(side, [])]
        return statistics.median(here) if here else None

    def why_none(self):
        seen = ", ".join(f"{place}: {', '.join(f'{len(v)} of {side}' for side, v in sides.items())}"
                         for place, sides in self.values.items()) or "none"
        return f"too few trials with the cores in one place ({seen}; disturbed or moved: {self.moved})"


class RateSearch:
    """The highest rate that a device carries, by halving. A rate is decided when two trials agree; a result is a rate
    that was carried, where one at most `width` above it was not, or `most`. Then it searches again, close to it."""

    def __init__(self, most, width=0.03):
        self.most, self.width = most, width
        self.low, self.high = 0.5 * most, most
        self.low_seen = self.high_seen = False
        self.votes = [0, 0]
        self.results = []

    def rate(self):
        if not self.high_seen and self.low_seen:
            return self.high
        return (self.low + self.high) / 2

    def note(self, carried):
        """What a trial at rate() showed."""
        self.votes[bool(carried)] += 1
        if max(self.votes) < 2:
            return
        self._decide(self.rate(), self.votes[1] == 2)
        self.votes = [0, 0]
        if self.high - self.low <= self.width * self.high:
            self._bounds_check()

    def _decide(self, rate, carried):
        if carried:
            self.low, self.low_seen = rate, True
        else:
            self.high, self.high_seen = rate, True
            if not self.low_seen:  # nothing says that the lower bound holds
                self.low = min(self.low, 0.4 * rate)

    def _bounds_check(self):
        if not self.high_seen and self.high < self.most:
            self.high = min(self.most, 1.2 * self.high)
        else:
            self.results.append(self.low)
            self.low, self.high = 0.9 * self.low, min(self.most, 1.1 * self.low)
            self.low_seen = self.high_seen = False


def carried(asked_pps, result):
    """Whether a trial's rate was carried without loss: nothing lost, and what was asked for was sent. Packets that the
    generator left out because it was kept from its core are not the device's fault."""
    total = result["total"]
    return total["lost"] == 0 and total["sent"] > 0 and \
        total["sent"] + total["skipped"] >= 0.985 * asked_pps * result["seconds"]
