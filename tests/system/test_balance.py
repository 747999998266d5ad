# SPDX-License-Identifier: Apache-2.0
"""Three real servers behind one address: shares, drains, flushes, deaths, restarts of sluiced, weights that change."""
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import time

import pytest

from conftest import BUILD, ROOT, run, wait_for

SERVICE = "203.0.113.80"
SERVICE_V6 = "fd00::80"
MEMBERS = ["198.51.100.21", "198.51.100.22", "198.51.100.23"]
INTERVAL_MS, FALL = 200, 2

CONFIG = """
sluice: 1
ports:
  - {{name: lan, device: af_xdp:gw-lan, addresses: [10.0.0.1/24, "fd00::1/64"]}}
  - {{name: wan, device: af_xdp:gw-wan, addresses: [198.51.100.1/24, "2001:db8:100::1/64"]}}
services:
  - {{name: web, addresses: [203.0.113.80, 10.0.0.80], protocol: tcp, ports: "80", pool: web, timeout-closing: 1}}
  - {{name: names, addresses: [203.0.113.80], protocol: udp, ports: "53", pool: names}}
  - {{name: web-v6, addresses: ["fd00::80"], protocol: tcp, ports: "80", pool: web-v6, timeout-closing: 1}}
pools:
  - name: web
    on-down: {on_down}
    members: [{members}]
    way: {way}
    sources: [{sources}]
    health: {{type: tcp, interval: 200, fall: 2, rise: 1, passive: {{failures: {passive}, window: 10000, share: 10}}}}
  - name: names
    balance: round-robin
    members: [{{address: 198.51.100.21}}, {{address: 198.51.100.22}}, {{address: 198.51.100.23}}]
  - name: web-v6
    members: [{{address: "2001:db8:100::21"}}, {{address: "2001:db8:100::22"}}, {{address: "2001:db8:100::23"}}]
"""

# Says its name to whoever connects, then echoes; says its name to each datagram.
SERVER = """
import asyncio, socket, sys
NAME = sys.argv[1].encode()

async def serve(reader, writer):
    try:
        writer.write(NAME + b"\\n")
        while line := await reader.readline():
            writer.write(line)
    except ConnectionError:
        pass
    finally:
        writer.close()

class Names(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport
    def datagram_received(self, data, address):
        self.transport.sendto(NAME, address)

async def main():
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(Names, local_addr=("0.0.0.0", 53))
    listen = socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True, backlog=4096)
    server = await asyncio.start_server(serve, sock=listen)
    await server.serve_forever()

asyncio.run(main())
"""

# Connects one after the other, reads the name, ends with a reset so that no port stays taken. Prints {name: connections}
# and what failed. Until `count` are done, or the file given is gone.
CONNECT = """
import collections, json, os, socket, struct, sys
address, count, until = sys.argv[1], int(sys.argv[2]), sys.argv[3]
seen, failed = collections.Counter(), []
while sum(seen.values()) + len(failed) < count and (until == "-" or os.path.exists(until)):
    try:
        with socket.create_connection((address, 80), 5) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            name = s.recv(64)
            if not name:
                raise ConnectionError("ended without a word")
            seen[name.decode().strip()] += 1
    except OSError as error:
        failed.append(str(error))
print(json.dumps({"seen": seen, "failed": failed}))
"""

DATAGRAMS = """
import collections, json, socket, sys
seen, failed = collections.Counter(), []
for _ in range(int(sys.argv[2])):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(2)
        s.connect((sys.argv[1], 53))
        s.send(b"who")
        try:
            seen[s.recv(64).decode()] += 1
        except OSError as error:
            failed.append(str(error))
print(json.dumps({"seen": seen, "failed": failed}))
"""

# Opens connections and keeps them: says what became of them whenever there is another number in the file given.
HOLD = """
import json, os, socket, sys, time
held = []
for _ in range(int(sys.argv[2])):
    s = socket.create_connection((sys.argv[1], 80), 5)
    held.append((s.recv(64).decode().strip(), s))
print(json.dumps([name for name, _ in held]), flush=True)
asked = 0
while True:
    time.sleep(0.02)
    try:
        wanted = int(open(sys.argv[3]).read() or 0)
    except (OSError, ValueError):
        continue
    if wanted == asked:
        continue
    asked, fate = wanted, {}
    for name, s in held:
        s.settimeout(2)
        try:
            s.sendall(b"still there\\n")
            good = s.recv(64) == b"still there\\n"
        except OSError:
            good = False
        fate.setdefault(name, []).append(good)
    print(json.dumps(fate), flush=True)
"""


def config(weights=(100, 100, 100), on_down="keep", way="dnat", sources="", passive=0):
    members = ", ".join(f"{{address: {m}, weight: {w}}}" for m, w in zip(MEMBERS, weights))
    return CONFIG.format(members=members, on_down=on_down, way=way, sources=sources, passive=passive)


class Balanced:
    """The lab with the services' config live and a server on each of the three hosts."""

    def __init__(self, lab):
        self.lab = lab
        self.servers = {}
        self.asked = 0

    def begin(self):
        for host in ("server1", "server2", "server3"):
            self.serve(host)
        self.reset()

    def reset(self):
        """As it was in the beginning, whatever the test before this one has done."""
        for host, server in self.servers.items():
            self.plug(host, True)
            # Answers go through the gateway: DNAT has only the destination changed.
            self.lab.exec(host, "ip", "route", "replace", "10.0.0.0/24", "via", "198.51.100.1")
            if server.poll() is not None:
                self.serve(host)
        self.apply()
        for member in self.members():
            if member["runtime"]:
                self.ctl("pool", "enable", "web", member["member"])
                self.ctl("pool", "weight", "web", member["member"], member["weight_config"])
        wait_for(lambda: all(m["state"] == "up" and m["health"]["good"] for m in self.members()), "checked members")

    def plug(self, host, into):
        """The host's cable in or out of its switch; the host itself does not see it."""
        self.lab.exec("switch", "ip", "link", "set", host, *(("master", "wan") if into else ("nomaster",)))

    def stop_clients(self):
        for child in [c for c in self.lab.children if c not in self.servers.values()]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            child.stdout.close()
            self.lab.children.remove(child)

    def end(self):
        self.lab.stop_children()
        for host in self.servers:
            self.lab.exec(host, "ip", "route", "del", "10.0.0.0/24", check=False)

    def serve(self, host):
        self.servers[host] = self.lab.spawn_python(host, SERVER, host)
        self.lab.wait_port(host, 80)
        self.lab.wait_port(host, 53, "udp")

    def ctl(self, *args, check=True):
        """Straight to the socket: 200 of these in a row must be quick."""
        return run([BUILD / "tools/ctl/sluicectl", "-s", self.lab.paths["SOCKET"], *args], check=check)

    def apply(self, **kwargs):
        self.lab.apply(config(**kwargs))

    def members(self, pool="web"):
        return json.loads(self.ctl("-j", "pool", pool).stdout)["pools"][0]["members"]

    def member(self, address):
        return next(m for m in self.members() if m["member"] == address)

    def connect(self, count, address=SERVICE):
        return json.loads(self.lab.python("client1", CONNECT, address, count, "-", timeout=60).stdout)

    def load(self):
        """Connections without a pause until end_load()."""
        going = self.lab.directory / "going"
        going.write_text("", encoding="utf-8")
        return going, self.lab.spawn_python("client1", CONNECT, SERVICE, 10**9, going)

    def end_load(self, load):
        going, child = load
        going.unlink()
        return json.loads(child.communicate(timeout=20)[0].splitlines()[-1])

    def hold(self, count):
        ask = self.lab.directory / "ask"
        ask.write_text("0", encoding="utf-8")
        child = self.lab.spawn_python("client2", HOLD, SERVICE, count, ask)
        return ask, child, json.loads(child.stdout.readline())

    def fate(self, held):
        ask, child, _ = held
        self.asked += 1
        ask.write_text(str(self.asked), encoding="utf-8")
        return json.loads(child.stdout.readline())


@pytest.fixture(scope="module")
def balanced_lab(lab_session):
    lab_session.up()
    one = Balanced(lab_session)
    try:
        one.begin()
        yield one
    finally:
        one.end()
        if lab_session.ctl("config", "apply", ROOT / "examples" / "lab.yaml", check=False).returncode != 0:
            lab_session.down()


@pytest.fixture
def balanced(balanced_lab):
    balanced_lab.reset()
    yield balanced_lab
    balanced_lab.stop_clients()


def assert_shares(result, weights):
    total = sum(result["seen"].values())
    assert not result["failed"], result
    for i, weight in enumerate(weights):
        share = result["seen"].get(f"server{i + 1}", 0) / total
        assert abs(share - weight / sum(weights)) <= 0.03, (i, share, result)


@pytest.mark.parametrize("weights", [(100, 100, 100), (100, 200, 300)], ids=["equal", "unequal"])
def test_tcp_is_shared_by_weight(balanced, weights):
    balanced.apply(weights=weights)
    assert_shares(balanced.connect(3000), weights)


def test_an_address_on_a_link_is_answered_for(balanced):
    assert_shares(balanced.connect(2000, "10.0.0.80"), (1, 1, 1))


def test_ipv6_is_shared(balanced):
    assert_shares(balanced.connect(2000, SERVICE_V6), (1, 1, 1))


def test_udp_is_shared_in_turn(balanced):
    result = json.loads(balanced.lab.python("client1", DATAGRAMS, SERVICE, 3000).stdout)
    assert not result["failed"], result
    # In turn but for the few whose port was used before: their flow is still there.
    assert all(abs(n - 1000) <= 30 for n in result["seen"].values()), result


def test_full_nat_needs_no_way_back(balanced):
    for host in balanced.servers:
        balanced.lab.exec(host, "ip", "route", "del", "10.0.0.0/24")
    balanced.apply(way="full-nat", sources="198.51.100.200, 198.51.100.201")
    assert_shares(balanced.connect(1000), (1, 1, 1))
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
        wait_for(lambda: json.loads(balanced.ctl("-j", "status").stdout)["control"]["state"] == "applying", "the apply", 10, 0.001)
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


def test_killing_sluiced_changes_nothing(balanced):
    lab = balanced.lab
    balanced.ctl("pool", "weight", "web", MEMBERS[1], 50)
    balanced.ctl("pool", "drain", "web", MEMBERS[0])
    before, generation = balanced.members(), lab.generation()
    load = balanced.load()
    lab.daemon("kill", "control")
    time.sleep(0.5)
    lab.daemon("start", "control")
    lab.wait_ready()
    time.sleep(0.5)
    result = balanced.end_load(load)
    assert not result["failed"] and sum(result["seen"].values()) > 200, result
    assert "server1" not in result["seen"]
    assert lab.generation() == generation
    same = ("member", "state", "by", "since_ms", "weight", "runtime")
    assert [[m[k] for k in same] for m in balanced.members()] == [[m[k] for k in same] for m in before]


def test_runtime_changes_are_marked_in_config_diff(balanced):
    balanced.ctl("pool", "weight", "web", MEMBERS[1], 50)
    diff = balanced.lab.ctl_json("config", "diff", balanced.lab.config(config()))
    assert diff["same"]
    assert [(c["path"], c["config"], c["runtime"]) for c in diff["runtime"]] == [
        ("pools[web].members[198.51.100.22].weight", "100", "50")]
    balanced.apply(weights=(100, 70, 100)) # the config's own word is the newer one
    assert balanced.member(MEMBERS[1])["weight"] == 70
    assert balanced.member(MEMBERS[1])["runtime"] is None


def test_weights_that_change_under_load_fail_no_connection(balanced):
    load = balanced.load()
    held = balanced.hold(30)
    pick = random.Random(4)
    for _ in range(200):
        balanced.ctl("pool", "weight", "web", pick.choice(MEMBERS), pick.randint(1, 1000))
    assert all(all(goods) for goods in balanced.fate(held).values())
    result = balanced.end_load(load)
    assert not result["failed"] and sum(result["seen"].values()) > 500, result
