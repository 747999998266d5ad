# SPDX-License-Identifier: Apache-2.0
"""Rows of the race between our TCP and the kernel's."""
import types

import pytest

import endpoint_race
from rows import Budget


@pytest.mark.parametrize("ours, theirs, met", [(10.0, 10.0, True), (9.6, 10.0, True), (9.0, 10.0, False), (20.0, 10.0, True)])
def test_a_path_is_judged_beside_the_kernel(ours, theirs, met):
    row = endpoint_race.path_row(20, 1000, [(ours, theirs)] * 3)
    assert row.bar.met(row) is met and "20 ms, 1 % lost" in row.what


@pytest.mark.parametrize("rates, index", [([5, 5], 1.0), ([10, 0], 0.5), ([0, 0], 0.0)])
def test_jains_index(rates, index):
    assert endpoint_race.jain(rates) == pytest.approx(index)


def test_two_flows_are_told_by_whose_they_are():
    row = endpoint_race.sharing_row(("ours", "kernel"), [[40, 50], [50, 40]])
    assert "one of the kernel's" in row.what and "45, 45 Mbit/s" in row.how and row.sluice.median > 0.98


def test_a_race_that_cannot_run_is_a_row_that_says_why(tmp_path):
    context = types.SimpleNamespace(build=tmp_path, quick=True, say=lambda _: None)
    row, = endpoint_race.measure(context, Budget(1.0))
    assert "tcp-race" in row.skipped
