# SPDX-License-Identifier: Apache-2.0
"""Rows of the TCP endpoint made of what bench_tcp and bench_splice say."""
import types

import pytest

import endpoint
from rows import Budget


def test_a_case_gives_what_each_end_takes():
    received, sent = endpoint.rows_of(*collect("data 1 104.0 132.0", "data 1 108.0 130.0", "data 1 106.0 131.0"))
    assert received.sluice.median == 106 and sent.sluice.median == 131
    assert received.bar.met(received) and received.unit == "cycles/segment"


def test_a_dear_segment_misses_its_bar():
    received, _ = endpoint.rows_of(*collect("data 1000 401.0 132.0"))
    assert not received.bar.met(received)


def test_many_flows_have_no_bar():
    assert all(row.bar is None for row in endpoint.rows_of(*collect("data 65536 504.0 806.0")))


@pytest.mark.parametrize("cycles, met", [(2999, True), (3001, False)])
def test_a_short_connection_has_its_bar(cycles, met):
    server, client = endpoint.rows_of(*collect(f"connections {cycles} 100"))
    assert server.bar.met(server) is met and client.bar.met(client)


def test_memory_is_of_one_connection():
    row, = endpoint.rows_of(*collect("idle 1000000 904 983698392"))
    assert row.sluice.median == 904 and row.bar.met(row)


def test_a_joined_pair_is_told_by_pairs_and_options():
    one, = endpoint.rows_of(*collect("splice 1 0 37.4", "splice 1 0 37.0", "splice 1 0 38.5"))
    many, = endpoint.rows_of(*collect("splice 1000000 2 212.9"))
    assert one.sluice.median == 37.4 and one.unit == "cycles/packet"
    assert one.what.endswith("1 pair, timestamps") and many.what.endswith("1 M pairs at random, timestamps and two SACK blocks")


def test_each_case_becomes_rows_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(endpoint.endpoint_race, "measure", lambda context, budget: [])
    told = {"data": "data {1} 100 130", "connections": "connections 1800 1900", "idle": "idle {1} 900 9"}

    def answer(command, **_):
        program, *case = command
        splice = program.name == "bench_splice"
        line = "splice {0} {1} 40" if splice else told[case[0]]
        return types.SimpleNamespace(returncode=0, stdout=line.format(*case), stderr="")

    monkeypatch.setattr(endpoint.subprocess, "run", answer)
    rows = endpoint.measure(types.SimpleNamespace(build=tmp_path, quick=False, say=str), Budget(0.0))
    assert len({row.what for row in rows}) == len(rows) == 2 * len(endpoint.DATA) + 3 + 4
    assert all(row.sluice.count == 2 for row in rows)


def test_a_program_that_fails_is_a_row_that_says_why(tmp_path):
    said = []
    context = types.SimpleNamespace(build=tmp_path, quick=True, say=said.append)
    *_, row = endpoint.measure(context, Budget(1.0))
    assert row.skipped and "bench_tcp" in row.skipped


def collect(*lines):
    made = [endpoint.figures(line) for line in lines]
    return made[0][0], [numbers for _, numbers in made]
