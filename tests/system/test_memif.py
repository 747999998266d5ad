# SPDX-License-Identifier: Apache-2.0
"""Sluice between two memif ports, without namespaces or privileges: packets of the generator pass, translated."""
import os
import pathlib
import sys

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "bench"))
from rig import Generator, Gone, Sluice  # noqa: E402

BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD", ROOT / "build"))
NAPPING = ("--sleep-idle", 50)  # the tests' cores are few
CONFIG = """
sluice: 1
ports:
  - {{name: in, device: "memif:{0}/in,role=server", addresses: [10.0.0.1/16], twin: false}}
  - {{name: out, device: "memif:{0}/out,role=server", addresses: [192.0.2.1/24], twin: false}}
nat:
  pools: [{{name: p, addresses: [203.0.113.0-203.0.113.7]}}]
  source: [{{inside: [10.0.0.0/16], port: out, pool: p}}]
"""
TRAFFIC = ["--src", "10.0.1.0-10.0.1.249", "--sport", "2000-2003", "--dst", "192.0.2.2"]  # 1,000 flows
PACE = ["--rate", "20kpps", "--duration", "5s", "--settle", "500ms"]


@pytest.fixture
def wired(tmp_path):
    with Sluice(BUILD, tmp_path / "sluice", CONFIG.format(tmp_path), memory=256, arguments=NAPPING) as sluice:
        with Generator(BUILD, tmp_path / "generator",
                       [["-p", f"in=memif:{tmp_path}/in,role=client", "--address", "10.0.0.2/16", "--gateway", "10.0.0.1"],
                        ["-p", f"out=memif:{tmp_path}/out,role=client", "--address", "192.0.2.2/24"]],
                       memory=256) as generator:
            generator.trial([*TRAFFIC, *PACE, "--count", 5])  # neighbors become known; what waits for them may be lost
            yield sluice, generator
            sluice.plane.kill()  # before its peer: Debian's memif driver may crash the side that is left


def test_packets_pass_translated_and_whole(wired):
    sluice, generator = wired
    total = generator.trial([*TRAFFIC, *PACE, "--count", 4000])["total"]
    assert total["sent"] == total["received"] >= 4000
    assert total["lost"] == total["corrupt"] == total["duplicate"] == total["reordered"] == 0
    flows = sluice.ask("worker")["workers"][0]["flows"]
    counters = sluice.counters()
    assert flows == counters["flow_created"] == 1000
    assert counters["nat_mapping_created"] == 1000
    assert counters["flow_lookup_hit"] >= 3000


def test_each_trial_of_a_series_has_its_own_traffic(wired):
    sluice, generator = wired
    for size in (64, 1518):
        total = generator.trial([*TRAFFIC, *PACE, "--count", 100, "--size", size])["total"]
        assert total["received"] == total["sent"] >= 100
        assert total["sent_bytes"] == size * total["sent"]
    before = sluice.counters()["flow_created"]
    plain = generator.trial(["--src", "10.9.0.1", "--dst", "10.8.0.1", *PACE, "--count", 50])["total"]
    assert plain["lost"] == plain["sent"] >= 50, "nothing leads there"
    assert sluice.counters()["flow_created"] == before
    with pytest.raises(Gone, match="63"):
        generator.trial([*TRAFFIC, "--size", 63])
