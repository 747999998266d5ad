# SPDX-License-Identifier: Apache-2.0
"""Which trials are compared, and how a rate is searched."""
import random

import pytest

from pairs import Pairs, RateSearch, carried, place_of, waited_share
from rows import Sample


@pytest.mark.parametrize("before, after, place", [
    (134, 139, "siblings"), (520, 560, "near"), (830, 850, "middle"), (1250, 1500, "far"),
    (560, 1300, None), (134, 560, None), (1040, 1060, None), (1200, 1600, None)])
def test_place_is_told_only_where_both_looks_agree(before, after, place):
    assert place_of(before, after) == place


def test_only_places_with_enough_of_both_sides_count():
    pairs = Pairs()
    for i in range(5):
        pairs.add("sluice", "far", 4 + i)
        pairs.add("peer", "far", 7)
        pairs.add("sluice", "near", 10)
    for _ in range(3):
        pairs.add("peer", "near", 13)
    pairs.add("peer", None, 1)
    assert pairs.places(("sluice", "peer")) == ["far", "near"]
    assert pairs.places(("sluice", "peer"), at_least=4) == ["far"]
    assert pairs.sample("sluice", "far").median == 6
    assert pairs.why_none().endswith("disturbed or moved: 1)")


def test_quotients_are_of_pairs_in_one_place():
    pairs = Pairs()
    pairs.add_both(("sluice", "near", 6), ("peer", "near", 8))
    pairs.add_both(("sluice", "near", 3), ("peer", "near", 4))
    pairs.add_both(("sluice", "near", 3), ("peer", "far", 3))
    pairs.add_both(("sluice", None, 3), ("peer", None, 3))
    assert pairs.sample("quotient", "near").median == 0.75
    assert pairs.sample("quotient", "far") is None


def test_median_falls_back_on_other_places():
    pairs = Pairs()
    assert pairs.median("peer", "far") is None
    pairs.add("peer", "near", 3)
    assert pairs.median("peer", "far") == 3
    assert pairs.median("sluice", "near") is None


def searched(capacity, most, trials=60, noise=0.0, seed=1):
    search, rng = RateSearch(most), random.Random(seed)
    for _ in range(trials):
        search.note(search.rate() <= capacity and rng.random() >= noise)
    return search.results


@pytest.mark.parametrize("capacity", [0.05, 0.3, 0.97, 1.0, 2.6, 6.1, 9.9])
def test_search_finds_what_is_carried_and_never_more(capacity):
    results = searched(capacity, most=10)
    assert len(results) >= 1
    assert all(0.96 * capacity <= result <= capacity for result in results)


def test_search_ends_where_everything_is_carried():
    assert set(searched(12, most=10)) == {10}


def test_search_survives_trials_that_lose_by_chance():
    results = searched(5, most=10, trials=200, noise=0.1)
    assert max(results) > 4.8
    assert all(result <= 5 for result in results)


@pytest.mark.parametrize("seed", range(5))
def test_results_of_repeated_searches_differ_and_their_spread_is_a_step_at_least(seed):
    search = RateSearch(10, rng=random.Random(seed).random)
    for _ in range(200):
        search.note(search.rate() <= 5)
    assert len(search.results) >= 5 and len(set(search.results)) > len(search.results) / 2
    found = search.sample()
    assert found.low <= found.median <= found.high and found.count == len(search.results)
    assert found.high >= found.low * 1.03 and found.low <= 5 <= found.high


def test_spread_of_one_result_is_a_step():
    search = RateSearch(10)
    assert search.sample() is None
    search.results = [5.0]
    assert search.sample() == Sample(5.0, 5.0, 5.15, 1)
    search.results = [10.0]
    assert search.sample() == Sample(10.0, 10.0, 10, 1)


def test_trials_that_say_nothing_do_not_vote_but_end_the_wait():
    search = RateSearch(10)
    rate = search.rate()
    search.note(True)
    for _ in range(RateSearch.VOIDS_MOST - 1):
        search.note(None)
    assert search.rate() == rate
    search.note(None)
    assert search.rate() < rate and not search.results


def trial(sent, lost=0, skipped=0, seconds=1.0):
    return {"seconds": seconds, "total": {"sent": sent, "lost": lost, "skipped": skipped}}


def test_carried_is_all_sent_and_nothing_lost():
    assert carried(1000, trial(1000))
    assert carried(1000, trial(500, seconds=0.5))
    assert carried(1000, trial(991, skipped=9)), "the generator left them out"
    assert carried(1000, trial(985, skipped=15)) is None, "it left out too many"
    assert carried(1000, trial(900, skipped=90, lost=1)) is False, "a loss is one at any rate"
    assert not carried(1000, trial(1000, lost=1))
    assert carried(1000, trial(991))
    assert carried(1000, trial(988)) is False, "the ring was full"
    assert not carried(1000, trial(0))


def test_waiting_for_a_core_is_that_of_the_busiest_thread():
    before = {"1": (0, 0), "2": (1000, 50)}
    assert waited_share(before, {"1": (10, 90), "2": (1900, 150)}) == 0.1
    assert waited_share(before, {"1": (10, 90), "2": (1900, 50)}) == 0
    assert waited_share({}, {"3": (75, 25)}) == 0.25
    assert waited_share({}, {}) == 0
