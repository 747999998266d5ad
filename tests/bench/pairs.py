# SPDX-License-Identifier: Apache-2.0
"""Comparing two devices whose speed hangs on where the hypervisor has put our cores. Pure; tested by test_pairs.py.

What crosses cores pays for cache lines that cross them, and a line takes 130 cycles between siblings, 500 to 900 within
a chip, 1,200 and more between chips. A virtual core changes its place within seconds. So the distance is measured
before and after each trial; a trial counts where the two agree, and only trials of one distance are compared.
"""
import collections
import dataclasses
import math
import random
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

    def add_turn(self, seen):
        """Of one or of two sides."""
        if len(seen) == 2:
            self.add_both(*seen)
        else:
            self.add(*seen[0])

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
    that was carried, where one at most `width` above it was not, or `most`. Then it searches again, close to it, from
    bounds that a random part of a step has shifted: from the same bounds the same rates would be tried again, and the
    results would agree more than what they say is known."""

    VOIDS_MOST = 8

    def __init__(self, most, width=0.03, rng=random.random):
        self.most, self.width, self.rng = most, width, rng
        self.low, self.high = 0.5 * most, most
        self.low_seen = self.high_seen = False
        self.votes, self.voids = [0, 0], 0
        self.results = []

    def rate(self):
        if not self.high_seen and self.low_seen:
            return self.high
        return (self.low + self.high) / 2

    def note(self, carried):
        """What a trial at rate() showed; None: nothing. A rate that is asked for in vain again and again is one that
        cannot be shown to be carried."""
        if carried is None:
            self.voids += 1
        else:
            self.votes[bool(carried)] += 1
        if max(self.votes) < 2 and self.voids < self.VOIDS_MOST:
            return
        self._decide(self.rate(), self.votes[1] == 2)
        self.votes, self.voids = [0, 0], 0
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
            middle = self.low * (1 + self.width * (self.rng() - 0.5))
            self.low, self.high = 0.9 * middle, min(self.most, 1.1 * middle)
            self.low_seen = self.high_seen = False

    def sample(self):
        """Of the results: what lies within a step above one of them is not known, so the bounds are a step apart at
        least."""
        if not self.results:
            return None
        found = Sample.of(self.results)
        return dataclasses.replace(found, high=min(self.most, max(found.high, found.low * (1 + self.width))))


LEFT_OUT = 0.01  # of what was asked for


def carried(asked_pps, result):
    """Whether a trial's rate was carried without loss: True; False: packets were lost, or more than a hundredth was
    refused, which is the device's full ring; None, the trial says nothing: the generator left out more than a hundredth
    because it was kept from its core."""
    total, asked = result["total"], asked_pps * result["seconds"]
    if total["lost"] or not total["sent"]:
        return False
    if total["skipped"] > LEFT_OUT * asked:
        return None
    return total["sent"] + total["skipped"] >= (1 - LEFT_OUT) * asked
