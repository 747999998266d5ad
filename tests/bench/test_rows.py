# SPDX-License-Identifier: Apache-2.0
"""Statistics, ratios, bars and regressions of the table."""
import dataclasses
import json

import pytest

import run
from rows import Bar, Budget, Row, Sample, table


def row(median, low=None, high=None, peer=None, **more):
    sample = Sample(median, low or median, high or median, 3)
    return Row("wire", "NAT44", more.pop("unit", "Mpps"), sluice=sample, peer=Sample(peer, peer, peer) if peer else None, **more)


def test_sample_is_the_median_and_the_middle_eight_tenths():
    assert Sample.of([3]) == Sample(3, 3, 3, 1)
    assert Sample.of([5, 1, 3]) == Sample(3, 1, 5, 3)
    assert Sample.of(range(1, 21)) == Sample(10.5, 3, 18, 20)


@pytest.mark.parametrize("higher, ratio", [(True, 0.5), (False, 2.0)])
def test_ratio_says_how_many_times_better(higher, ratio):
    assert row(5, peer=10, higher_is_better=higher).ratio() == ratio
    assert row(5, higher_is_better=higher).ratio() is None
    assert row(5, peer=0, higher_is_better=higher).ratio() is None


def test_ratio_of_pairs_comes_before_that_of_medians():
    paired = row(5, peer=10, higher_is_better=True, paired=Sample(0.9, 0.8, 1, 5))
    assert paired.ratio() == 0.9
    assert Row.of_json(paired.as_json()) == paired
    assert Bar(0.85, of_ratio=True).met(paired)


def test_bars_of_figures_and_of_ratios():
    assert Bar(60).met(row(59)) and not Bar(60).met(row(61))
    assert Bar(500).met(row(501, higher_is_better=True)) and not Bar(500).met(row(499, higher_is_better=True))
    assert Bar(0.85, of_ratio=True).met(row(9, peer=10, higher_is_better=True))
    assert not Bar(0.92, of_ratio=True).met(row(9, peer=10, higher_is_better=True))
    assert Bar(0.85, of_ratio=True).met(row(9, higher_is_better=True)) is None
    assert Bar(0.92, of_ratio=True).text(row(9, peer=10, higher_is_better=True)) == "92 % (not met)"


@pytest.mark.parametrize("before, after, higher, slower", [
    ((10, 9, 11), (8, 7, 8.5), True, True), ((10, 9, 11), (8.5, 8, 9.5), True, False),  # spreads meet
    ((10, 9.9, 10.1), (9.5, 9.4, 9.6), True, False),  # less than a tenth
    ((10, 9, 11), (12, 11.5, 13), True, False), ((10, 9, 11), (12, 11.5, 13), False, True)])
def test_slower_is_beyond_both_spreads_and_a_tenth(before, after, higher, slower):
    assert row(*after, higher_is_better=higher).slower_than(row(*before, higher_is_better=higher)) == slower


def test_rows_under_other_conditions_are_not_compared():
    old, new = row(10, higher_is_better=True, condition="cores near"), row(4, higher_is_better=True, condition="cores far")
    assert not new.slower_than(old)
    assert dataclasses.replace(new, condition="cores near").slower_than(old)
    assert not row(4, higher_is_better=True, unit="kpps").slower_than(row(10, higher_is_better=True))


def test_regressions_are_found_in_a_file(tmp_path):
    before = [row(10, higher_is_better=True, condition=f"cores {place}") for place in ("near", "far")]
    path = tmp_path / "before.json"
    path.write_text(json.dumps({"rows": [one.as_json() for one in before]}))
    assert [Row.of_json(one.as_json()) for one in before] == before
    now = [row(10, higher_is_better=True, condition="cores near"), row(5, higher_is_better=True, condition="cores far"),
           row(1, higher_is_better=True, condition="cores siblings")]
    worse = run.regressions(now, path)
    assert len(worse) == 1 and "far" in worse[0]


def test_table_tells_why_a_row_has_no_figures():
    text = table([Row("wire", "NAT44", "Mpps", skipped="no core"), row(10, peer=8, higher_is_better=True, condition="cores far")])
    assert "| NAT44 | Mpps | no core | - | - | - |  |" in text
    assert "| NAT44, cores far | Mpps |  | 10.0 (10.0-10.0) | 8.00  | 1.25 |  |" in text


def test_parts_of_a_budget():
    budget = Budget(100)
    assert 49 < budget.part(0.5).left() <= 50
    assert Budget(0).part(0.5).seconds == 0
