# SPDX-License-Identifier: Apache-2.0
"""Real servers behind one address: who gets which share of connections and questions, and by which way."""
import json

import pytest

from balance import MEMBERS, SERVICE, SERVICE_V6, assert_shares


@pytest.mark.parametrize("weights", [(100, 100, 100), (100, 200, 300)], ids=["equal", "unequal"])
def test_tcp_is_shared_by_weight(balanced, weights):
    balanced.apply(weights=weights)
    assert_shares(balanced.many("tcp", SERVICE, 10000), weights)


def test_an_address_on_a_link_is_answered_for(balanced):
    assert_shares(balanced.many("tcp", "10.0.0.80", 10000), (1, 1, 1))


def test_ipv6_is_shared(balanced):
    assert_shares(balanced.many("tcp", SERVICE_V6, 10000), (1, 1, 1))


def test_udp_is_shared_in_turn(balanced):
    result = balanced.many("dns", SERVICE, 3000)
    assert not result["failed"], result
    # In turn but for the few whose port was used before: their flow is still there.
    assert all(abs(n - 1000) <= 30 for n in result["seen"].values()), result


@pytest.mark.parametrize("kind,address", [("tcp", SERVICE), ("tcp", SERVICE_V6), ("dns", SERVICE), ("dns", SERVICE_V6)],
                         ids=["tcp-v4", "tcp-v6", "dns-v4", "dns-v6"])
def test_a_hundred_thousand_flows_are_shared_by_weight(balanced, kind, address):
    """100,000 real connections, or DNS questions each from a port of its own, of two clients' kernels, answered by
    three servers' kernels."""
    weights = (50, 100, 150)
    balanced.apply(weights=weights)
    result = balanced.many(kind, address, 50000, ("client1", "client2"))
    assert sum(result["seen"].values()) == 100000, result
    print(f"{100000 / result['seconds']:.0f} a second: {dict(result['seen'])}")
    assert_shares(result, weights)


def test_a_resolver_understands_the_answers(balanced):
    told = balanced.lab.exec("client1", "dig", "+short", "+tries=1", f"@{SERVICE}", "who", "TXT").stdout
    assert told.strip().strip('"') in ("server1", "server2", "server3"), told


def test_full_nat_needs_no_way_back(balanced):
    for host in balanced.servers:
        balanced.lab.exec(host, "ip", "route", "del", "10.0.0.0/24")
    balanced.apply(way="full-nat", sources="198.51.100.200, 198.51.100.201")
    assert_shares(balanced.many("tcp", SERVICE, 10000), (1, 1, 1))
    seen = balanced.lab.exec("server1", "ss", "-tanH", "state", "all", "sport", "=", ":80").stdout
    assert "10.0.0.11" not in seen, seen


def test_explain_foretells_the_member(balanced):
    code = ("import socket, sys\ns = socket.socket()\ns.bind(('10.0.0.11', int(sys.argv[1])))\n"
            "s.connect(('203.0.113.80', 80))\nprint(s.recv(64).decode())")
    for port in range(21000, 21010):
        told = json.loads(balanced.ctl("-j", "explain", "tcp", "10.0.0.11", port, SERVICE, 80).stdout)
        name = balanced.lab.python("client1", code, port).stdout.strip()
        assert told["certain"] and not told["flow"]
        assert told["member"] == MEMBERS[int(name[-1]) - 1], (told, name)
        after = json.loads(balanced.ctl("-j", "explain", "tcp", "10.0.0.11", port, SERVICE, 80).stdout)
        assert after["flow"] and after["member"] == told["member"] + ":80", after
