# SPDX-License-Identifier: Apache-2.0
"""Two gateways announce one service to an ECMP router: connections outlive either, at the members that they have."""
import json
import os
import pathlib
import time

import pytest

from conftest import LAB, Lab, run, wait_for

SERVICE, SERVICE_V6 = "203.0.113.80", "2001:db8:200::80"
EACH = 150 # connections of a client and family

# Answers every line with its name and the line.
SERVER = """
import asyncio, socket, sys
NAME = sys.argv[1].encode()

async def serve(reader, writer):
    try:
        while line := await reader.readline():
            writer.write(NAME + b" " + line)
    except ConnectionError:
        pass
    finally:
        writer.close()

async def main():
    listen = socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True, backlog=4096)
    await (await asyncio.start_server(serve, sock=listen)).serve_forever()

asyncio.run(main())
"""

# Opens `count` connections to each address and says something on all of them, round after round. A line of JSON for
# each round: when it began (CLOCK_MONOTONIC), members by connections, and what went wrong so far.
CLIENT = """
import asyncio, collections, json, sys, time
count, addresses = int(sys.argv[1]), sys.argv[2:]
failed = []

async def say(connection, text):
    reader, writer = connection["stream"]
    try:
        writer.write(text)
        name, _, echo = (await asyncio.wait_for(reader.readline(), 25)).partition(b" ")
        if echo != text or connection.setdefault("name", name) != name:
            failed.append(f"{connection['name']}: {name} {echo}")
    except (OSError, asyncio.TimeoutError) as error:
        failed.append(repr(error))

async def main():
    connections = [{"stream": await asyncio.open_connection(a, 80)} for a in addresses for _ in range(count)]
    turn = 0
    while not failed:
        began, turn = time.monotonic(), turn + 1
        await asyncio.gather(*(say(c, b"%d\\n" % turn) for c in connections))
        members = collections.Counter(c.get("name", b"?").decode() for c in connections)
        print(json.dumps({"began": began, "took": time.monotonic() - began, "members": members, "failed": failed}))
        await asyncio.sleep(0.1)

asyncio.run(main())
"""


class Clients:
    """Connections held from both clients over the service."""

    def __init__(self, lab):
        self.lab, self.path = lab, {}
        for host in ("client1", "client2"):
            self.path[host] = lab.directory / f"rounds-{host}"
            with open(self.path[host], "w", encoding="utf-8") as out:
                lab.spawn_python(host, CLIENT, EACH, SERVICE, SERVICE_V6, stdout=out)
        self.members = {host: self.round(host, 0)["members"] for host in self.path}

    def round(self, host, since):
        """The first whole round that began after a moment."""
        def found():
            text = self.path[host].read_text(encoding="utf-8")
            rounds = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
            assert all(not one["failed"] for one in rounds), rounds[-1]["failed"][:5]
            return next((one for one in rounds if one["began"] > since), None)
        return wait_for(found, f"a round of {host}", seconds=30)

    def go_on(self):
        """All of them, at the same members."""
        since = time.monotonic()
        for host, members in self.members.items():
            assert sum(members.values()) == 2 * EACH
            assert self.round(host, since)["members"] == members


class Gateways(Lab):
    def gateway(self, number, *args, check=True):
        return run([LAB, "--gateway", number, *args], check=check)

    def flows(self, number):
        """Flows that a gateway has ever made, of both services."""
        text = self.gateway(number, "ctl", "-j", "service").stdout
        return sum(service["flows_new"] for service in json.loads(text)["services"])

    def ways(self):
        """Gateways that the router sends either family's flows to."""
        v4 = self.exec("router", "ip", "route", "show", SERVICE).stdout
        v6 = self.exec("router", "ip", "-6", "route", "show", SERVICE_V6).stdout
        return [[n for n in (1, 2) if f"dev gw{n} " in text] for text in (v4, v6)]

    def wait_ways(self, *numbers, seconds=10.0):
        wait_for(lambda: self.ways() == [list(numbers)] * 2, f"a router that knows the gateways {numbers}", seconds)

    def announced(self, number):
        """Host routes in the kernel of a gateway."""
        return [self.exec(f"gateway{number}", "ip", family, "route", "show", "table", "184", check=False).stdout.strip()
                for family in ("-4", "-6")]

    def whole(self):
        """Both gateways as they were at first."""
        for number in (1, 2):
            self.gateway(number, "link", "up")
            self.gateway(number, "start", "control")
            self.gateway(number, "start", "dp")
        self.wait_ways(1, 2, seconds=20)


@pytest.fixture(scope="module")
def gateways_module():
    name = os.environ.get("SLUICE_LAB")
    os.environ["SLUICE_LAB"] = (name or "sluice") + "-two"
    lab = Gateways()
    try:
        lab.down()
        lab.up("--two-gateways")
        for host in ("server1", "server2", "server3"):
            lab.spawn_python(host, SERVER, host)
            lab.wait_port(host, 80)
        yield lab
    finally:
        lab.stop_children()
        lab.down()
        if name is None:
            del os.environ["SLUICE_LAB"]
        else:
            os.environ["SLUICE_LAB"] = name
        run(["rm", "-rf", lab.directory])


@pytest.fixture
def gateways(gateways_module):
    gateways_module.whole()
    return gateways_module


@pytest.fixture(scope="module")
def clients(gateways_module):
    gateways_module.whole()
    return Clients(gateways_module)


def test_a_killed_gateways_connections_go_on_at_their_members(gateways, clients):
    made = [gateways.flows(n) for n in (1, 2)]
    assert min(made) > EACH // 2, f"flows of the gateways: {made}"
    gateways.gateway(1, "kill", "dp")
    gateways.gateway(1, "kill", "control")
    gateways.gateway(1, "link", "down")
    gateways.wait_ways(2)
    clients.go_on()
    assert gateways.flows(2) >= made[1] + made[0] * 0.9, "flows of the dead gateway opened anew at the other"


def test_connections_that_return_with_their_gateway_go_on(gateways, clients):
    clients.go_on()


def test_a_gateway_whose_data_plane_died_is_withdrawn_and_left(gateways, clients):
    assert all(gateways.announced(2))
    gateways.gateway(2, "kill", "dp")
    wait_for(lambda: gateways.announced(2) == ["", ""], "sluiced to withdraw", seconds=5)
    gateways.wait_ways(1)  # the session, which ran through the data plane, is held dead
    clients.go_on()


def test_a_gateway_that_is_told_to_withdraw_loses_nobody(gateways, clients):
    path = pathlib.Path(__file__).resolve().parents[2] / "examples" / "two-gateways" / "gateway1.yaml"
    text = path.read_text(encoding="utf-8")
    quiet = text.replace("announce: {delay: 500", "announce: {enabled: false, delay: 500")
    assert quiet != text
    gateways.gateway(1, "ctl", "config", "apply", gateways.config(quiet))
    gateways.wait_ways(2)
    clients.go_on()
    gateways.gateway(1, "ctl", "config", "apply", path)
    gateways.wait_ways(1, 2)
    clients.go_on()


def test_a_pool_without_members_is_gone_from_the_router(gateways):
    for number in (1, 2):
        for member in (21, 22, 23):
            gateways.gateway(number, "ctl", "pool", "drain", "web", f"198.51.100.{member}")
        wait_for(lambda left=[2][number - 1:]: gateways.ways() == [left, [1, 2]], "the router to hear", seconds=5)
    for number in (1, 2):
        for member in (21, 22, 23):
            gateways.gateway(number, "ctl", "pool", "enable", "web", f"198.51.100.{member}")
    gateways.wait_ways(1, 2)
