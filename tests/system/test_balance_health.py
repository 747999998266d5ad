# SPDX-License-Identifier: Apache-2.0
"""Members that die, answer nobody, come back, flap: out in time, in again."""
import json
import os
import random
import re
import signal
import subprocess
import time

import pytest

from balance import CONNECT, FALL, INTERVAL_MS, MEMBERS, SERVICE, config
from conftest import BUILD, wait_for


@pytest.mark.parametrize("how", ["killed", "cut off"])
def test_a_dead_member_is_out_in_time(balanced, how):
    time.sleep(random.random() * INTERVAL_MS / 1000)
    died_ms = time.time() * 1000
    if how == "killed":
        os.killpg(balanced.servers["server2"].pid, signal.SIGKILL)
    else:
        balanced.plug("server2", False)
    wait_for(lambda: balanced.member(MEMBERS[1])["state"] == "down", "the member to be down", 5, 0.01)
    out_ms = balanced.member(MEMBERS[1])["since_ms"]
    assert out_ms - died_ms <= FALL * INTERVAL_MS + 50, (out_ms - died_ms, balanced.member(MEMBERS[1]))
    result = balanced.connect(300)
    assert not result["failed"] and "server2" not in result["seen"], result


def large_config():
    """The lab's services and 1,000 pools of 100 members besides."""
    pools = "pools:\n" + "".join(
        f"  - name: many{p}\n    members:\n"
        + "".join(f"      - {{address: 172.{16 + p // 250}.{p % 250}.{m}, port: 80}}\n" for m in range(100))
        for p in range(1000))
    return re.sub(r"^pools:\n", lambda _: pools, config(), count=1, flags=re.MULTILINE)


def test_a_member_that_dies_during_a_large_apply_is_out_before_that_ends(balanced):
    path = balanced.lab.config(large_config(), "large.yaml")
    apply = [BUILD / "tools/ctl/sluicectl", "-s", balanced.lab.paths["SOCKET"], "config", "apply", path]
    with subprocess.Popen(apply, stdout=subprocess.DEVNULL) as going:
        wait_for(lambda: json.loads(balanced.ctl("-j", "status").stdout)["control"]["state"] == "applying", "the apply",
                 10, 0.001)
        os.killpg(balanced.servers["server2"].pid, signal.SIGKILL)
        wait_for(lambda: balanced.member(MEMBERS[1])["state"] == "down", "the member to be down", 5, 0.01)
        under_way = going.poll() is None
    assert going.returncode == 0
    assert under_way
    assert balanced.member(MEMBERS[1])["state"] == "down"  # in the new table as well
    result = balanced.connect(300)
    assert not result["failed"] and "server2" not in result["seen"], result


def test_a_member_that_leaves_flows_unanswered_is_held_back(balanced):
    """Its checks are good: they come from its own link, and only answers to clients have no way."""
    balanced.apply(passive=3)
    balanced.lab.exec("server2", "ip", "route", "del", "10.0.0.0/24")
    for _ in range(8):
        balanced.lab.spawn_python("client1", CONNECT, SERVICE, 2, "-")
    wait_for(lambda: balanced.member(MEMBERS[1])["state"] == "drain", "the member to be held back", 15)
    member = balanced.member(MEMBERS[1])
    assert member["by"] == "health" and member["health"]["state"] == "inhibited", member
    assert member["unanswered"] >= 3, member
    balanced.lab.exec("server2", "ip", "route", "replace", "10.0.0.0/24", "via", "198.51.100.1")
    wait_for(lambda: balanced.member(MEMBERS[1])["state"] == "up", "the member to be tried again", 10)


def test_a_member_that_comes_back_serves_again(balanced):
    balanced.plug("server2", False)
    wait_for(lambda: balanced.member(MEMBERS[1])["state"] == "down", "the member to be down", 5)
    balanced.plug("server2", True)
    wait_for(lambda: balanced.member(MEMBERS[1])["state"] == "up", "the member to be up", 10)
    assert balanced.connect(500)["seen"]["server2"] > 100


def toggle(balanced):
    """The server dies and comes back as soon as its checks have seen it: what its member then is, and every state that
    was seen meanwhile."""
    states = set()

    def health_is(*wanted):
        member = balanced.member(MEMBERS[1])
        states.add(member["state"])
        return member["health"]["state"] in wanted

    balanced.stop_server("server2")
    wait_for(lambda: health_is("down"), "the checks to fail", 5, 0.02)
    balanced.serve("server2")
    wait_for(lambda: health_is("up", "inhibited"), "the checks to be good", 5, 0.02)
    return balanced.member(MEMBERS[1]), states


def test_a_flapping_member_is_held_out_until_it_is_steady(balanced):
    """Each loss adds 1000 to a penalty that halves in 4 s; over 3000 it is held out, under 1000 it is back."""
    balanced.apply(half_life=4000)
    returns = 0
    member, _ = toggle(balanced)
    while member["health"]["state"] != "inhibited" and returns < 12:
        returns += 1
        member, _ = toggle(balanced)
    assert member["health"]["state"] == "inhibited" and "too often" in member["why"], (returns, member)
    assert returns >= 3  # three losses are not yet more than 3000
    for _ in range(2):
        member, states = toggle(balanced)
        assert "up" not in states and member["state"] == "drain", (states, member)
    result = balanced.connect(300)
    assert not result["failed"] and "server2" not in result["seen"], result
    held_ms = balanced.member(MEMBERS[1])["health"]["held_for_ms"]
    print(f"held out at loss {returns + 1}, for {held_ms} ms more after {member['health']['losses']} losses")
    assert 0 < held_ms <= 16000, held_ms  # four half-lives at most
    wait_for(lambda: balanced.member(MEMBERS[1])["state"] == "up", "the member to be back", 25)
    assert balanced.connect(300)["seen"]["server2"] > 30


def test_a_hold_survives_a_restart_of_sluiced(balanced):
    balanced.apply(half_life=60000)
    member, _ = toggle(balanced)
    while member["health"]["state"] != "inhibited" and member["health"]["losses"] < 12:
        member, _ = toggle(balanced)
    assert member["health"]["state"] == "inhibited", member
    time.sleep(1.5)  # stored within a second
    balanced.lab.daemon("kill", "control")
    balanced.lab.daemon("start", "control")
    balanced.lab.wait_ready()
    after = balanced.member(MEMBERS[1])
    assert after["health"]["state"] == "inhibited" and after["state"] == "drain", after
    assert 0 < after["health"]["held_for_ms"] <= member["health"]["held_for_ms"], (member, after)
