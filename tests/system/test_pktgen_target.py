# SPDX-License-Identifier: Apache-2.0
"""`sluice-pktgen stateful both` through a balanced service: its client connects to an address (--target) that none of its
servers has; who answers are the members."""
import sys

import pytest

from conftest import BUILD, ROOT
from pktgen import measured

sys.path.insert(0, str(ROOT / "tests" / "bench"))
from rig import Sluice  # noqa: E402

NAPPING = ("--sleep-idle", 50)  # the tests' cores are few
CONFIG = """
sluice: 1
ports:
  - {{name: in, device: "memif:{0}/in,role=server", addresses: [10.0.0.1/16, "fd00::1/64"], twin: false}}
  - {{name: out, device: "memif:{0}/out,role=server", addresses: [192.0.2.1/24], twin: false}}
services:
  - {{name: web, addresses: [203.0.113.80], protocol: tcp, ports: "8080", pool: web}}
pools:
  - {{name: web, members: [{{address: 192.0.2.2, port: 80}}, {{address: 192.0.2.3, port: 80}}, {{address: 192.0.2.4, port: 80}}]}}
"""
CONNECTIONS = 300


@pytest.fixture
def balancer(tmp_path):
    with Sluice(BUILD, tmp_path / "sluice", CONFIG.format(tmp_path), memory=256, arguments=NAPPING) as sluice:
        yield sluice


def stateful(directory, *argv, status=0):
    return measured("stateful", "both", "-p", f"in=memif:{directory}/in,role=client", "-p", f"out=memif:{directory}/out,role=client",
                    "--client", "10.0.0.2-10.0.0.9", "--server", "192.0.2.2-192.0.2.4", "--gateway", "10.0.0.1", "-c", 20,
                    "-r", 1000, "--count", CONNECTIONS, "--memory", 256, *argv, status=status)["sides"]


def test_members_answer_for_the_target(balancer, tmp_path):
    client, server = stateful(tmp_path, "--target", "203.0.113.80", "--target-ports", 8080, "--request-bytes", 2000,
                              "--response-bytes", 5000)
    assert client["completed"] == client["opened"] == CONNECTIONS, client
    assert server["opened"] == CONNECTIONS
    members = [member["flows_new"] for member in balancer.ask("pool", "web")["pools"][0]["members"]]
    assert sum(members) == CONNECTIONS and min(members) > 0, members


def test_servers_are_not_asked_past_a_target_that_nobody_has(balancer, tmp_path):
    client, server = stateful(tmp_path, "--target", "203.0.113.81", "--target-ports", 8080, "--count", 5, "--rto", 50,
                              "--retries", 1, "--drain", 1, status=1)
    assert client["completed"] == server["opened"] == 0
