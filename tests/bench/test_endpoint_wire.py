# SPDX-License-Identifier: Apache-2.0
"""Rows of the endpoint over a link, made of what its client and the cores said, and what the servers are told."""
import collections
import shutil
import subprocess

import pytest

import endpoint_wire as wire
from pairs import Pairs

QUIET, CLIENT_FULL, BOTH_FULL = (0.5, {"all": 0.6}), (0.99, {"all": 0.3}), (0.99, {"receive threads": 0.5, "worker": 0.48})


def pairs_of(*values, place="siblings"):
    made = Pairs()
    for sluice, peer in values:
        made.add_both(("sluice", place, sluice), ("peer", place, peer))
    return made


def words(kind="short", peer="epoll", sluice=QUIET, beside=QUIET):
    return wire.how(kind, peer, {"sluice": [sluice], peer: [beside]}, collections.Counter({"sluice": 2}))


def test_connections_are_counted_by_thousands_a_second_and_bytes_by_gigabits():
    said = {"connections": 6000, "failed": 0, "bytes": 250000000, "seconds": 0.5}
    assert wire.figure("short", said) == 12 and wire.figure("stream", said) == 4


def test_a_row_has_both_sides_and_the_quotient_of_turns():
    row, = wire.rows_of("short", "epoll", pairs_of((20, 10), (30, 10), (40, 10)), "")
    assert (row.sluice.median, row.peer.median, row.ratio()) == (30, 10, 3)
    assert row.unit == "k/s" and row.higher_is_better and row.condition == "cores siblings"


def test_trials_of_different_places_are_not_compared():
    mixed = pairs_of((20, 10), (20, 10))
    mixed.add("sluice", "far", 1)
    mixed.add("peer", "middle", 1)
    row, = wire.rows_of("stream", "nginx", mixed, "")
    assert row.condition == "cores siblings" and row.sluice.low == 20


def test_too_few_trials_give_no_figures_but_a_reason():
    row, = wire.rows_of("stream", "nginx", pairs_of((1, 1)), "")
    assert row.sluice is None and "too few trials" in row.skipped


@pytest.mark.parametrize("sluice, beside, limited", [
    (QUIET, QUIET, None), (CLIENT_FULL, QUIET, "Sluice"), (QUIET, CLIENT_FULL, "peer"), (BOTH_FULL, QUIET, None),
    (CLIENT_FULL, CLIENT_FULL, "Sluice and peer")])
def test_row_says_whom_the_client_limits(sluice, beside, limited):
    text = words(sluice=sluice, beside=beside)
    assert text.endswith(f"the client limits {limited}") if limited else "limits" not in text


def test_row_says_failures_and_what_nginx_does_otherwise():
    assert "failed: Sluice 2, peer 0" in words()
    assert "closes first" in words(peer="nginx") and "one way" in words("stream", "nginx")


def test_row_says_what_does_the_work_on_the_core():
    assert "Sluice 99 and 98 % (receive threads 50, worker 48), peer 50 and 60 %" in words(sluice=BOTH_FULL)


def test_less_of_the_cores_time_is_better():
    row, = wire.cost_rows("short", "epoll", pairs_of((10, 40), (10, 40)))
    assert row.unit == "us" and row.ratio() == 4
    assert wire.cost_rows("stream", "epoll", pairs_of((10, 40), (10, 40))) == []


def test_share_is_of_the_time_between_the_looks():
    assert wire.share((10, 100), (40, 160)) == 0.5 and wire.share((1, 1), (1, 1)) == 0


def test_missing_peer_has_a_row_for_each_load():
    rows = wire.skipped_rows(["nginx"], lambda name: f"no {name}")
    assert len(rows) == 2 and all(row.skipped == "no nginx" and "nginx" in row.what for row in rows)


@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed: tools/install-deps bench")
def test_nginx_takes_its_config(tmp_path):
    config = tmp_path / "nginx.conf"
    config.write_text(wire.nginx_config(tmp_path).replace(wire.INSIDE, "127.0.0.1"), encoding="ascii")
    done = subprocess.run(["nginx", "-t", "-p", tmp_path, "-c", config], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
