# SPDX-License-Identifier: Apache-2.0
"""Drains, flushes, weights, restarts of sluiced: connections that are there go on, and new ones come about."""
import os
import random
import signal
import time

from balance import CONNECT, MEMBERS, STAMP, config
from conftest import wait_for


def test_drain_lets_connections_go_on_and_gives_no_new_ones(balanced):
    held = balanced.hold(60)
    assert "server1" in held[2], held[2]
    balanced.ctl("pool", "drain", "web", MEMBERS[0])
    assert "server1" not in balanced.connect(500)["seen"]
    assert all(all(goods) for goods in balanced.fate(held).values())
    balanced.ctl("pool", "enable", "web", MEMBERS[0])
    assert balanced.connect(500)["seen"]["server1"] > 100


def test_flush_cuts_at_once(balanced):
    held = balanced.hold(60)
    began = time.monotonic()
    balanced.ctl("pool", "flush", "web", MEMBERS[0])
    time.sleep(0.2) # workers look through a million flows while they forward
    fate = balanced.fate(held)
    assert time.monotonic() - began < 2
    assert not any(fate["server1"]), fate
    assert all(fate["server2"]) and all(fate["server3"]), fate
    assert "server1" not in balanced.connect(200)["seen"]


def test_drain_with_a_deadline_ends(balanced):
    held = balanced.hold(60)
    balanced.ctl("pool", "drain", "web", MEMBERS[0], "--deadline", "2s")
    assert all(balanced.fate(held)["server1"])
    wait_for(lambda: balanced.member(MEMBERS[0])["state"] == "flush", "the deadline", 4)
    time.sleep(0.3)
    assert not any(balanced.fate(held)["server1"])


def lasting(member):
    """What of it no restart changes; that a drained one is empty by now may."""
    same = {key: member[key] for key in ("member", "state", "by", "since_ms", "weight")}
    return same, {key: value for key, value in (member["runtime"] or {}).items() if key != "empty"}


def test_killing_sluiced_changes_nothing(balanced):
    lab = balanced.lab
    balanced.ctl("pool", "weight", "web", MEMBERS[1], 50)
    balanced.ctl("pool", "drain", "web", MEMBERS[0])
    before, generation = balanced.members(), lab.generation()
    load = balanced.load(CONNECT, 10**9)
    lab.daemon("kill", "control")
    time.sleep(0.5)
    lab.daemon("start", "control")
    lab.wait_ready()
    time.sleep(0.5)
    result = balanced.end_load(load)
    assert not result["failed"] and sum(result["seen"].values()) > 200, result
    assert "server1" not in result["seen"]
    assert lab.generation() == generation
    assert [lasting(m) for m in balanced.members()] == [lasting(m) for m in before]


def test_runtime_changes_are_marked_in_config_diff(balanced):
    balanced.ctl("pool", "weight", "web", MEMBERS[1], 50)
    diff = balanced.lab.ctl_json("config", "diff", balanced.lab.config(config()))
    assert diff["same"]
    assert [(c["path"], c["config"], c["runtime"]) for c in diff["runtime"]] == [
        ("pools[web].members[198.51.100.22].weight", "100", "50")]
    balanced.apply(weights=(100, 70, 100)) # the config's own word is the newer one
    assert balanced.member(MEMBERS[1])["weight"] == 70
    assert balanced.member(MEMBERS[1])["runtime"] is None


def test_a_state_change_is_live_at_once(balanced):
    """How long after control's time of the change a connection still begins that gets the drained member: printed, as a
    busy machine may give a worker or the client no time just then; under 10 ms is asked of the best of twelve."""
    load = balanced.load(STAMP)
    drains = []
    for _ in range(12):
        time.sleep(0.05)
        balanced.ctl("pool", "drain", "web", MEMBERS[0])
        since_ms = balanced.member(MEMBERS[0])["since_ms"]
        time.sleep(0.1)
        drains.append((since_ms, time.time() * 1000 - 30))  # one begun just now may get there after the return
        balanced.ctl("pool", "enable", "web", MEMBERS[0])
    stamps = balanced.end_load(load)
    assert sum(name == "server1" for _, name in stamps) > 20
    late_ms = [max((began - since for began, name in stamps if name == "server1" and since < began < end), default=0)
               for since, end in drains]
    tried = [sum(since < began < end for began, _ in stamps) for since, end in drains]
    print("ms late:", [round(late, 1) for late in late_ms], "connections meanwhile:", tried)
    assert min(late for late, count in zip(late_ms, tried) if count >= 10) < 10, (late_ms, tried)


# ---- under 2,000 connections a second --------------------------------------------------------------------------
RATE = 2000


def end_without_failure(balanced, stream):
    """All came about; and so many that the changes were made under load. What the machine has no time for is late."""
    result = balanced.end_stream(stream)
    total = sum(result["seen"].values())
    print(f"{total} connections in {result['seconds']:.1f} s: {dict(result['seen'])}")
    assert not result["failed"], result
    assert total > result["seconds"] * RATE / 4, result


def test_a_rolling_drain_and_return_of_every_member_fails_no_connection(balanced):
    stream = balanced.stream(RATE)
    held = balanced.hold(60)
    for member in MEMBERS:
        balanced.ctl("pool", "drain", "web", member)
        new = balanced.member(member)["flows_new"]
        time.sleep(1)
        assert balanced.member(member)["flows_new"] == new
        balanced.ctl("pool", "enable", "web", member)
        wait_for(lambda: balanced.member(member)["flows_new"] > new + 50, "new connections at the member")
    assert all(all(goods) for goods in balanced.fate(held).values())
    end_without_failure(balanced, stream)


def test_five_hundred_weight_changes_fail_no_connection(balanced):
    stream = balanced.stream(RATE)
    held = balanced.hold(60)
    pick = random.Random(4)
    for _ in range(500):
        balanced.ctl("pool", "weight", "web", pick.choice(MEMBERS), pick.randint(1, 1000))
    assert all(all(goods) for goods in balanced.fate(held).values())
    end_without_failure(balanced, stream)


def test_kills_of_sluiced_fail_no_connection(balanced):
    stream = balanced.stream(RATE)
    held = balanced.hold(60)
    for weight in (10, 70, 300):
        balanced.ctl("pool", "weight", "web", MEMBERS[0], weight)
        balanced.lab.daemon("kill", "control")
        time.sleep(0.5)
        balanced.lab.daemon("start", "control")
        balanced.lab.wait_ready()
        assert balanced.member(MEMBERS[0])["weight"] == weight
    assert all(all(goods) for goods in balanced.fate(held).values())
    end_without_failure(balanced, stream)


def test_only_connections_of_a_killed_server_fail(balanced):
    """Until its checks tell, new connections to the dead one are refused; connections it had are reset by its kernel.
    All others go on, and none fails once it is out."""
    began = balanced.member(MEMBERS[1])["flows_new"]
    stream = balanced.stream(RATE)
    held = balanced.hold(60)
    time.sleep(1)
    before = balanced.member(MEMBERS[1])
    os.killpg(balanced.servers["server2"].pid, signal.SIGKILL)
    wait_for(lambda: balanced.member(MEMBERS[1])["state"] == "down", "the member to be down", 5, 0.01)
    time.sleep(0.2)  # what had come to it before is answered
    at_it = balanced.member(MEMBERS[1])
    fate = balanced.fate(held)
    assert not any(fate["server2"]) and all(fate["server1"]) and all(fate["server3"]), fate
    result = balanced.end_stream(stream)
    after = balanced.member(MEMBERS[1])
    print(f"{dict(result['failed'])} of {sum(result['seen'].values())}; the member was out after "
          f"{after['flows_new'] - before['flows_new']} more connections")
    assert after["flows_new"] == at_it["flows_new"]
    assert set(result["failed"]) <= {"Connection refused", "Connection reset by peer", "ended without a word"}, result
    # As many as the member was given and did not serve: nobody else's.
    assert sum(result["failed"].values()) + result["seen"]["server2"] + held[2].count("server2") == \
        after["flows_new"] - began, result
