# SPDX-License-Identifier: Apache-2.0
"""`sluice-pktgen stateful` between its own two sides: over ring ports, which are a line, and over memif."""
import csv
import json

import pytest

from conftest import wait_for
from pktgen import CORES, Process, client_of, interrupted, measured, on_terminal, scratch, screen_of

RINGS = ("both", "-p", "ring:a", "-p", "ring:b")


def adds_up(side):
    assert side["opened"] == side["completed"] + sum(side["failed"].values()) + side["open"]


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_share_the_connections_and_every_byte_is_right(workers):
    client, server = measured("stateful", *RINGS, "--workers", workers, "-c", "1000", "--count", "10001", "-n", "3",
                              "--request-bytes", "2000", "--response-bytes", "5000", "-d", "30")["sides"]
    for side in (client, server):
        adds_up(side)
        assert (side["workers"], side["completed"], sum(side["failed"].values())) == (workers, 10001, 0), side
        assert side["requests"] == 30003
    assert client["connect_ns"]["count"] == 10001 and client["request_ns"]["count"] == 30003
    assert server["bytes_out"] >= client["bytes_in"] > 30003 * 5000  # more where something was sent again


def test_million_connections_are_open_at_once():
    client, server = measured("stateful", *RINGS, "-c", "1000000", "--count", "1000000", "-n", "2", "--think", "4000",
                              "-d", "40", "--drain", "20", "--rto", "2000", timeout=90)["sides"]
    adds_up(client)
    assert client["open_most"] > 990000 and server["open_most"] > 990000, (client, server)
    assert (client["completed"], client["requests"], sum(client["failed"].values())) == (1000000, 2000000, 0), client


def test_port_with_one_queue_keeps_one_worker_and_says_so():
    with scratch() as directory:
        socket = directory / "a.sock"
        server = Process("stateful", "server", "-p", f"memif:{socket},role=server", "--cores", CORES[0], "-j", "-q")
        try:
            wait_for(socket.exists, "the server's socket")
            port, device, *cores = client_of(socket)
            client = measured("stateful", "client", port, device, *cores, "-r", "2000", "--count", "1000", "-d", "20")
            status, out, err = server.interrupt()
        finally:
            server.kill()
    assert status == 0, err
    sides = client["sides"] + json.loads(out)["sides"]
    for side in sides:
        adds_up(side)
        assert (side["workers"], side["completed"], side["requests"]) == (1, 1000, 1000), side


def test_reports_hold_the_same_numbers():
    with scratch() as directory:
        table, page = directory / "t.csv", directory / "p.html"
        client, _ = measured("stateful", *RINGS, "-r", "5000", "-d", "1", "--csv", table, "--html", page)["sides"]
        with open(table, encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
        html = page.read_text(encoding="utf-8")
    assert [row["role"] for row in rows] == ["client", "server"]
    for key in ("opened", "completed", "requests", "bytes_in", "retransmits"):
        assert int(rows[0][key]) == client[key]
    assert int(rows[0]["request_p99_ns"]) == client["request_ns"]["p99"]
    for title in ("Rate over time", "Connections open", "Latency: share of connects"):
        assert title in html
    assert html.count("<svg") == html.count("</svg>") == 3 and "http:" not in html


def test_ctrl_c_ends_with_the_numbers_so_far():
    status, out, err = interrupted(1.5, "stateful", *RINGS, "-r", "1000", "-d", "600", "-n", "1000",
                                   "--think", "50", "-j", "-q")
    client = json.loads(out)["sides"][0]
    adds_up(client)
    assert status == 0, err
    assert client["open"] > 100 and client["requests"] > 100


def test_screen_shows_rates_and_latency_and_clears():
    status, out, told = on_terminal("stateful", *RINGS, "-r", "1000", "-d", "1.2", "-j")
    assert status == 0
    adds_up(json.loads(out)["sides"][0])
    for part in ("connections ", "requests ", "open ", "failed 0", "connect p50", "request p50"):
        assert part in told, told
    assert told.count("\033[") >= 4 and not any("connections" in line for line in screen_of(told))
