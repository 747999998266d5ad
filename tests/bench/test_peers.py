# SPDX-License-Identifier: Apache-2.0
"""What the peers section reckons: core time, carried rates, the walk to the highest of them, rows."""
import random

import pytest

from peers_devices import cpu_spent, sluice_config, undisturbed
from peers_measure import Staircase, carried, rows_of
from pairs import Pairs
from veth_lab import MAC, LabError, core_busy_ticks, run, run_ns

STAT = """cpu  300 20 100 900 10 5 7 3 0 0
cpu0 200 10 50 400 5 0 3 1 0 0
cpu1 100 10 50 500 5 5 4 2 0 0
intr 12345
"""


def test_busy_ticks_of_a_core_leave_idle_and_stolen_time_out():
    assert core_busy_ticks(STAT, 1) == (100 + 10 + 50 + 5 + 4, 169 + 505)
    assert core_busy_ticks(STAT, 0)[0] == 263


def test_core_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match="cpu7"):
        core_busy_ticks(STAT, 7)


def test_time_of_a_thread_is_the_first_figure():
    assert run_ns("94018162 586779 3877\n") == 94018162


def test_polling_worker_is_charged_for_its_busy_passes_only():
    before = {"receive threads": 100, "worker": 1000, "busy": 50, "idle": 50}
    after = {"receive threads": 700, "worker": 2000, "busy": 80, "idle": 120}
    assert cpu_spent(before, after) == {"receive threads": 600, "worker": 1000 * 30 / 100}


def test_kernel_device_is_charged_for_its_thread():
    assert cpu_spent({"receive threads": 5}, {"receive threads": 25}) == {"receive threads": 20}


def test_worker_that_did_not_run_cost_nothing():
    same = {"receive threads": 1, "worker": 2, "busy": 3, "idle": 4}
    assert cpu_spent(same, same) == {"receive threads": 0, "worker": 0.0}


def test_trial_whose_core_others_had_is_disturbed():
    before = {0: 0, 1: 5_000_000}
    assert undisturbed(before, {0: 99_000_000, 1: 104_000_000}, 0.1)
    assert not undisturbed(before, {0: 99_000_000, 1: 80_000_000}, 0.1)


def result(sent, lost=0, seconds=0.1):
    return {"seconds": seconds, "total": {"sent": sent, "lost": lost}}


@pytest.mark.parametrize("sent, lost, is_carried", [(100000, 0, True), (99000, 0, True), (100000, 1, False), (97000, 0, False)])
def test_rate_is_carried_when_all_was_sent_and_all_came(sent, lost, is_carried):
    assert carried(1e6, result(sent, lost)) is is_carried


def walk(stair, limit, trials, disturbed=0.0):
    rng = random.Random(7)
    for _ in range(trials):
        stair.note(stair.rate <= limit and rng.random() >= disturbed)
    return stair


@pytest.mark.parametrize("limit", [90e3, 350e3, 622e3, 2.1e6])
def test_walk_finds_the_limit_from_either_side(limit):
    stair = walk(Staircase(0.35e6), limit, 60)
    assert len(stair.found) >= 5
    assert all(limit / Staircase.FINE <= rate <= limit for rate in stair.found[1:])


def test_trials_that_others_disturbed_hardly_move_the_walk():
    stair = walk(Staircase(0.35e6), 622e3, 200, disturbed=0.2)
    ordered = sorted(stair.found)
    assert 0.88 * 622e3 <= ordered[len(ordered) // 2] <= 622e3


def test_nothing_is_found_before_a_rate_was_carried():
    assert walk(Staircase(0.35e6), 0, 30).found == []


def test_rows_are_of_places_that_both_sides_were_seen_in():
    pairs = Pairs()
    for _ in range(2):
        pairs.add_both(("sluice", "near", 2.0), ("peer", "near", 0.5))
    pairs.add("sluice", "far", 1.0)
    (row,) = rows_of("NAT", "Mpps", pairs, "how", "nftables", True, 4)
    assert (row.condition, row.ratio(), row.bar.met(row)) == ("cores near", 4.0, True)


def test_row_without_figures_says_why():
    (row,) = rows_of("NAT", "Mpps", Pairs(), "how", "nftables")
    assert row.skipped and row.sluice is None


def test_config_names_both_links_and_translates_where_asked():
    text = sluice_config(nat=True)
    assert "af_xdp:din" in text and "af_xdp:dout" in text and MAC["gout"] in text and "pools:" in text
    assert "nat:" not in sluice_config(nat=False)


def test_command_that_fails_is_told_with_its_words():
    with pytest.raises(LabError, match="ls .*nothing-here.*No such file"):
        run("ls", "/nothing-here")
