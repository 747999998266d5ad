# SPDX-License-Identifier: Apache-2.0
"""Balancing of the peers section: new TCP connections a second to one service in front of MEMBERS, by Sluice, by nftables
(`dnat to jhash`) and by HAProxy in TCP mode, each on one core in the lab of veth_lab.py. The generator's client connects to
the service, its server side answers as the members, both on the other core.

HAProxy ends each connection and opens another of its own, from SOURCES, so it has the kernel's TCP on either side: that is
what it is, and the row says it. It has a port for each connection for a minute, on each of the sources and members."""

from pairs import Pairs
from peers_devices import SLUICE, KernelRouting, NftablesNat, SluiceDevice
from peers_measure import SECTION, SIDES, Connections, rows_of
from rig import Process, wait_for
from rows import Row
from veth_lab import CLIENTS, DEVICE_CORE, INSIDE, MAC, OUTSIDE, VethLab, run

SERVICE = "203.0.113.80"
MEMBERS = [f"192.0.2.{n}" for n in range(2, 6)]
SOURCES = [f"192.0.2.{n}" for n in range(20, 28)]
NEAR = 0.9  # of the ceiling: then the generator is the limit

JHASH = """table ip nat {{
  chain prerouting {{
    type nat hook prerouting priority dstnat; policy accept;
    ip daddr {service} tcp dport 80 dnat to jhash ip saddr . tcp sport mod {count} map {{ {members} }}
  }}
}}
"""
HAPROXY = """global
    nbthread 1
    maxconn 4000
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen web
    bind {service}:80 backlog 4096
    balance roundrobin
"""
SERVED = """services:
  - {{name: web, addresses: [{service}], protocol: tcp, ports: "80", pool: web}}
pools:
  - {{name: web, members: [{members}]}}
"""


def named(peer):
    """What a row measures: rows are told apart by it."""
    return f"balancing beside {peer}, TCP connections: open, one request, close"


def jhash_rules():
    members = ", ".join(f"{n} : {member}" for n, member in enumerate(MEMBERS))
    return JHASH.format(service=SERVICE, count=len(MEMBERS), members=members)


def haproxy_config():
    """A server line for each member and source: ports are counted by both."""
    lines = [f"    server m{m}-{s} {member}:80 source {source}"
             for s, source in enumerate(SOURCES) for m, member in enumerate(MEMBERS)]
    return HAPROXY.format(service=SERVICE) + "\n".join(lines) + "\n"


def served_config():
    text = SLUICE.format(inside=INSIDE, outside=OUTSIDE)
    text += "".join(f'  - {{address: {member}, port: out, mac: "{MAC["gout"]}"}}\n' for member in MEMBERS)
    text += "".join(f'  - {{address: {client}, port: in, mac: "{MAC["gin"]}"}}\n' for client in CLIENTS)
    return text + SERVED.format(service=SERVICE, members=", ".join(f"{{address: {member}}}" for member in MEMBERS))


def members_known(lab):
    for member in MEMBERS:
        run("ip", "-n", lab.device, "neigh", "replace", member, "dev", "dout", "lladdr", MAC["gout"])


class SluiceBalance(SluiceDevice):
    def config(self):
        return served_config()

    def generate(self):
        self.sluice.pause()


class NftablesBalance(NftablesNat):
    def rules(self):
        return jhash_rules()

    def set_up(self):
        super().set_up()
        members_known(self.lab)

    def generate(self):
        """Connections alone."""


class HaproxyBalance(KernelRouting):
    def set_up(self):
        super().set_up()
        members_known(self.lab)
        run("ip", "-n", self.lab.device, "link", "set", "lo", "up")
        run("ip", "-n", self.lab.device, "addr", "add", f"{SERVICE}/32", "dev", "lo")
        for source in SOURCES:
            run("ip", "-n", self.lab.device, "addr", "add", f"{source}/24", "dev", "dout")
        within = VethLab.within(self.lab.device, DEVICE_CORE)
        run(*within, "sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65535", "net.core.somaxconn=4096")
        config = self.directory / "haproxy.cfg"
        config.write_text(haproxy_config(), encoding="ascii")
        process = self.stack.enter_context(Process(["haproxy", "-db", "-f", config], self.directory / "haproxy.log", within))
        wait_for(lambda: self.listens(process), "listening HAProxy")

    def listens(self, process):
        process.check()
        return ":80 " in run(*VethLab.within(self.lab.device), "ss", "-ltnH")

    def generate(self):
        """Connections alone."""


PEERS = {"nftables-jhash": NftablesBalance, "haproxy": HaproxyBalance}


class BalancedConnections(Connections):
    """Of Sluice and one peer."""

    def destination(self):
        return ["--target", SERVICE, "--server", f"{MEMBERS[0]}-{MEMBERS[-1]}", "--next-hop", MAC["din"]]

    def rows_beside(self, ceiling):
        what, how = named(self.peer_name()), f"{self.how()}{limits(self.rates, ceiling)}"
        return rows_of(what, "k/s", self.rates, how, self.peer_name(), True) + \
            rows_of(f"{what}: connect p50", "us", self.p50, self.how(), self.peer_name())

    def how(self):
        own_tcp = ""
        if self.peer_name() == "haproxy":
            own_tcp = "; it has the kernel's TCP on each side, which accepts before a member has"
        return f"{len(MEMBERS)} members; {super().how()}{own_tcp}"


class CeilingConnections(Connections):
    """What the generator does with a bridge in the device's place."""

    def __init__(self, bridge):
        super().__init__(bridge, None)

    def destination(self):
        return ["--server", f"{MEMBERS[0]}-{MEMBERS[-1]}", "--next-hop", MAC["gout"]]

    def round(self, rig):
        place, client = rig.around(self.devices["sluice"], lambda: self.run(self.devices["sluice"]))
        self.rates.add("bridge", place, client["completed"] / self.SECONDS / 1e3)

    def rows(self):
        return [Row(SECTION, "the generator's ceiling: TCP connections, a bridge in the device's place", "k/s",
                    f"{self.AT_A_TIME} at a time; client and server on one core", self.rates.sample("bridge", place),
                    higher_is_better=True, condition=f"cores {place}") for place in self.rates.places(("bridge",), 2)]


def limits(rates, ceiling):
    """Words that say whose limit the generator is, of what was seen where the cores were the same."""
    near = [side for side in SIDES if any(
        (rates.median(side, place) or 0) >= NEAR * ceiling.median("bridge", place)
        for place in rates.places(SIDES, 1) if ceiling.places(("bridge",), 1) and ceiling.values[place]["bridge"])]
    names = {"sluice": "Sluice's", "peer": "the peer's"}
    return f"; the generator is {' and '.join(names[side] for side in near)} limit" if near else ""


def measure(context, budget, rig, devices, bridge, repeat, seconds):
    """`repeat` and `seconds` as in peers.py; devices beyond the packets' are set up here."""
    where = (context.build, context.scratch / "peers")
    sluice = devices.add(SluiceBalance("sluice-balance", *where, nat=False))
    peers = {name: devices.add(kind(name, *where)) for name, kind in PEERS.items()}
    missing = [Row(SECTION, named(name), "k/s", skipped=devices.why("sluice-balance", name))
               for name, peer in peers.items() if not (sluice and peer)]
    pairs = [BalancedConnections(sluice, peer) for peer in peers.values() if sluice and peer]
    if not pairs:
        return missing
    if bridge:  # its links are wanted
        bridge.generator.end()
    ceiling = CeilingConnections(bridge) if bridge else None
    rounds = [lambda pair=pair: pair.round(rig) for pair in pairs] + ([lambda: ceiling.round(rig)] if ceiling else [])
    context.say("peers: balanced connections")
    repeat(budget, rounds, 2, seconds)
    top = ceiling.rates if ceiling else Pairs()
    return [row for pair in pairs for row in pair.rows_beside(top)] + (ceiling.rows() if ceiling else []) + missing
