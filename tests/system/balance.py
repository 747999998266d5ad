# SPDX-License-Identifier: Apache-2.0
"""Three real servers behind one address: what the tests of balancing share."""
import collections
import contextlib
import json
import os
import signal
import time

from conftest import BUILD, run, wait_for

SERVICE = "203.0.113.80"
SERVICE_V6 = "fd00::80"
MEMBERS = ["198.51.100.21", "198.51.100.22", "198.51.100.23"]
MEMBERS_V6 = ["2001:db8:100::21", "2001:db8:100::22", "2001:db8:100::23"]
FLOWS = BUILD / "tests" / "system" / "flows"
INTERVAL_MS, FALL = 200, 2

CONFIG = """
sluice: 1
ports:
  - {{name: lan, device: af_xdp:gw-lan, addresses: [10.0.0.1/24, "fd00::1/64"]}}
  - {{name: wan, device: af_xdp:gw-wan, addresses: [198.51.100.1/24, "2001:db8:100::1/64"]}}
services:
  - {{name: web, addresses: [203.0.113.80, 10.0.0.80], protocol: tcp, ports: "80", pool: web}}
  - {{name: names, addresses: [203.0.113.80], protocol: udp, ports: "53", pool: names}}
  - {{name: web-v6, addresses: ["fd00::80"], protocol: tcp, ports: "80", pool: web-v6}}
  - {{name: names-v6, addresses: ["fd00::80"], protocol: udp, ports: "53", pool: names-v6}}
pools:
  - name: web
    on-down: {on_down}
    members: [{members}]
    way: {way}
    sources: [{sources}]
    health:
      {{type: tcp, interval: 200, fall: 2, rise: 1, damping: {{half-life: {half_life}}},
       passive: {{failures: {passive}, window: 10000, share: 10}}}}
  - {{name: names, balance: weighted-round-robin, members: [{members}]}}
  - {{name: web-v6, members: [{members_v6}]}}
  - {{name: names-v6, members: [{members_v6}]}}
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

# Connects one after the other until the file given is gone: when each connection began (Unix time in ms), and to whom.
STAMP = """
import json, os, socket, struct, sys, time
stamps = []
while os.path.exists(sys.argv[2]):
    began = time.time() * 1000
    with socket.create_connection((sys.argv[1], 80), 5) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stamps.append((began, s.recv(64).decode().strip()))
print(json.dumps(stamps))
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


def members_of(addresses, weights):
    return ", ".join(f'{{address: "{address}", weight: {weight}}}' for address, weight in zip(addresses, weights))


def config(weights=(100, 100, 100), on_down="keep", way="dnat", sources="", passive=0, half_life=0):
    return CONFIG.format(members=members_of(MEMBERS, weights), members_v6=members_of(MEMBERS_V6, weights),
                         on_down=on_down, way=way, sources=sources, passive=passive, half_life=half_life)


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
        self.servers[host] = self.lab.spawn(host, FLOWS, "serve", host)
        self.lab.wait_port(host, 80)
        self.lab.wait_port(host, 53, "udp")

    def stop_server(self, host):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.servers[host].pid, signal.SIGKILL)
        self.servers[host].wait()

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

    def many(self, kind, address, count, hosts=("client1",)):
        """So many connections (tcp) or questions (dns) from each of the hosts at once: their results added up."""
        clients = [self.lab.spawn(host, FLOWS, kind, address, count, 0, 60) for host in hosts]
        return self.added([client.communicate(timeout=90)[0] for client in clients])

    def stream(self, rate, seconds=120, hosts=("client1", "client2")):
        """Connections, so many a second together, until end_stream()."""
        return [self.lab.spawn(host, FLOWS, "tcp", SERVICE, 10**9, rate // len(hosts), seconds) for host in hosts]

    def end_stream(self, clients):
        for client in clients:
            os.killpg(client.pid, signal.SIGTERM)
        return self.added([client.communicate(timeout=20)[0] for client in clients])

    @staticmethod
    def added(texts):
        whole = {"seconds": 0, "seen": collections.Counter(), "failed": collections.Counter()}
        for one in map(json.loads, texts):
            whole["seconds"] = max(whole["seconds"], one["seconds"])
            whole["seen"].update(one["seen"])
            whole["failed"].update(one["failed"])
        return whole

    def load(self, code, *args):
        """Connections without a pause until end_load()."""
        going = self.lab.directory / "going"
        going.write_text("", encoding="utf-8")
        return going, self.lab.spawn_python("client1", code, SERVICE, *args, going)

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


def assert_shares(result, weights):
    total = sum(result["seen"].values())
    assert not result["failed"], result
    for i, weight in enumerate(weights):
        share = result["seen"].get(f"server{i + 1}", 0) / total
        assert abs(share - weight / sum(weights)) <= 0.03, (i, share, result)
