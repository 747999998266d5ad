# SPDX-License-Identifier: Apache-2.0
"""What the balancing part of the peers section tells its devices, and when it says that the generator is the limit."""
import pathlib
import shutil
import subprocess

import pytest

from pairs import Pairs
from peers_balance import (MEMBERS, SERVICE, SOURCES, BalancedConnections, CeilingConnections, HaproxyBalance, NftablesBalance,
                           haproxy_config, jhash_rules, limits, served_config)
from veth_lab import MAC


def test_haproxy_has_a_server_line_for_each_member_and_source():
    lines = [line.split() for line in haproxy_config().splitlines() if line.startswith("    server ")]
    assert {(line[2], line[4]) for line in lines} == {(f"{m}:80", s) for m in MEMBERS for s in SOURCES}
    assert len({line[1] for line in lines}) == len(lines) == len(MEMBERS) * len(SOURCES)


@pytest.mark.skipif(not shutil.which("haproxy"), reason="haproxy is not installed: tools/install-deps bench")
def test_haproxy_takes_its_config(tmp_path):
    config = tmp_path / "haproxy.cfg"
    config.write_text(haproxy_config(), encoding="ascii")
    done = subprocess.run(["haproxy", "-c", "-f", config], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr


def test_rules_hash_over_all_members():
    rules = jhash_rules()
    assert f"mod {len(MEMBERS)} map" in rules and SERVICE in rules
    assert all(f"{n} : {member}" in rules for n, member in enumerate(MEMBERS))


def test_sluice_serves_the_same_members():
    text = served_config()
    assert text.count(SERVICE) == 1 and all(f"{{address: {member}}}" in text for member in MEMBERS)


def test_client_connects_to_the_service_and_the_ceiling_to_the_members():
    peer = NftablesBalance("nftables-jhash", pathlib.Path("build"), "directory")
    words = BalancedConnections(peer, peer).destination()
    assert words[words.index("--target") + 1] == SERVICE and words[words.index("--next-hop") + 1] == MAC["din"]
    words = CeilingConnections(peer).destination()
    assert "--target" not in words and words[words.index("--next-hop") + 1] == MAC["gout"]


def test_row_of_haproxy_says_that_it_ends_connections():
    haproxy = HaproxyBalance("haproxy", pathlib.Path("build"), "directory")
    nftables = NftablesBalance("nftables-jhash", pathlib.Path("build"), "directory")
    assert "TCP on each side" in BalancedConnections(nftables, haproxy).how()
    assert "TCP on each side" not in BalancedConnections(haproxy, nftables).how()


def test_rows_of_two_peers_are_told_apart():
    seen = set()
    for kind, name in ((NftablesBalance, "nftables-jhash"), (HaproxyBalance, "haproxy")):
        pair = BalancedConnections(None, kind(name, pathlib.Path("build"), "directory"))
        for _ in range(2):
            pair.rates.add_both(("sluice", "near", 2.0), ("peer", "near", 1.0))
            pair.p50.add_both(("sluice", "near", 2.0), ("peer", "near", 1.0))
        seen |= {row.what for row in pair.rows_beside(Pairs())}
    assert len(seen) == 4


def test_generator_is_the_limit_of_who_comes_near_the_ceiling_where_the_cores_were_the_same():
    rates, ceiling = Pairs(), Pairs()
    rates.add_both(("sluice", "near", 58.0), ("peer", "near", 20.0))
    ceiling.add("bridge", "near", 60.0)
    assert limits(rates, ceiling) == "; the generator is Sluice's limit"
    elsewhere = Pairs()
    elsewhere.add("bridge", "far", 10.0)
    assert limits(rates, elsewhere) == limits(rates, Pairs()) == ""
