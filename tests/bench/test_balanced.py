# SPDX-License-Identifier: Apache-2.0
"""Rows of balancing made of what bench_pipeline says."""
import types

import pytest

import balanced
import balanced_control
import programs
from rows import Budget


def case(name, count, median, **more):
    return {"case": name, "count": count, "workers": 1, "burst": 64, "median": median, "tenth": median - 1,
            "ninetieth": median + 1, "clock_ghz": 3.5, "alone": 1.0, "burden": 1.0, "chunks": 256,
            "stages": {"parse": 30.0, "nat": 32.0}, **more}


@pytest.mark.parametrize("name, count, text, bar", [
    ("balance-known", 1048576, "balancing (DNAT, maglev), 1 M flows, bursts of 64", 150),
    ("balance-known", 1, "balancing (DNAT, maglev), 1 flow, bursts of 64", None),
    ("balance-new", 1048576, "balancing (DNAT, maglev), new flow among 1 M, bursts of 64", None),
    ("balance:maglev:100:full-nat-known", 65536, "balancing (full-nat), 64 K flows, bursts of 64", None),
    ("balance:two-choices:500-new", 65536, "balancing, new flow by two-choices of 500 members, bursts of 64", None)])
def test_each_case_has_its_row(name, count, text, bar):
    row, = balanced.rows_of({(name, count): [case(name, count, 100)]}, 2.6e9)
    assert row.what == text and row.sluice.median == 100
    assert (row.bar.value if row.bar else None) == bar


@pytest.mark.parametrize("name", ["balance:maglev:100:gue-new", "balance:least:100-known"])
def test_what_another_row_says_already_makes_none(name):
    assert not balanced.rows_of({(name, 65536): [case(name, 65536, 100)]}, 2.6e9)


def test_connections_a_second_are_of_the_clock_and_higher_is_better():
    made = [case("connections", 900000, 2600), case("connections", 900000, 2600)]
    cycles, rate = balanced.rows_of({("connections", 900000): made}, 2.6e9)
    assert cycles.sluice.median == 2600 and cycles.unit == "cycles/connection"
    assert rate.sluice.median == 1000 and rate.sluice.low < 1000 < rate.sluice.high
    assert rate.bar.met(rate)
    slow = balanced.rows_of({("connections", 900000): [case("connections", 900000, 26000)]}, 2.6e9)[1]
    assert not slow.bar.met(slow)


def test_a_program_that_fails_costs_the_rest_and_says_why(monkeypatch):
    asked = []

    def pipeline(_context, *words):
        asked.append(words)
        if len(asked) == 2:
            raise RuntimeError("no memory")
        return [case("balance-known", 1048576, 100)]

    monkeypatch.setattr(programs, "pipeline", pipeline)
    rows = balanced.in_process_rows(types.SimpleNamespace(quick=True, tsc_hz=2.6e9), Budget(60))
    assert "no memory" in rows[0].skipped and rows[1].sluice.median == 100


SAID = ("5000 checks a second: 24.0 % of a core (19.0 % in the kernel), 48.0 us a check; "
        "5000 up of 5000, bad 0, not checked 0, 3 ms late at most\n")


def test_health_row_is_of_as_many_checks_as_asked_for():
    row = balanced_control.health_row("tcp", SAID)
    assert row.sluice.median == 24 and not row.bar.met(row)
    half = balanced_control.health_row("tcp", SAID.replace("5000 checks", "2500 checks"))
    assert half.sluice.median == 48


@pytest.mark.parametrize("said", ["", SAID.replace("5000 up", "4000 up"), SAID.replace("bad 0", "bad 7")])
def test_checks_that_failed_make_no_figure(said):
    assert balanced_control.health_row("tcp", said).skipped


def test_services_have_members_of_their_own():
    addresses = {balanced_control.member(n, m) for n in range(1000) for m in range(100)}
    assert len(addresses) == 100000
    assert balanced_control.config("/x", 0).count("name:") == 1
