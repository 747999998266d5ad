# SPDX-License-Identifier: Apache-2.0
"""What the peers section measures of its devices (peers.py says of which), each kind with its rows. A round is one trial
of either side; rounds are repeated as long as the time lasts."""
import json
import subprocess

from pairs import Pairs
from rows import Bar, Row
from veth_lab import CLIENTS, GENERATOR_CORE, MAC, SERVER

SECTION = "peers"
SIDES = ("sluice", "peer")
FLOOD = ["-r", "max"]
LOSS_FREE = "the highest rates that were carried; found to 12 %, with more than one to 4 %"
OVERLOAD = "what comes through of all that can be sent"
WARM = ["-d", "400ms", "-r", "200kpps"]
LOSS_OF_A_PAUSE = 0.002  # of a trial for latency: the hypervisor's doing, at half of the rate that loses nothing


class Staircase:
    """The highest rate without loss, sought by a walk: a rate that a trial carried is followed by a higher one, a rate
    that two trials in a row did not carry by a lower one. (One such trial says little: the hypervisor takes a core away
    for milliseconds.) Steps are coarse until the walk has met its first bound. `found`: rates that were carried where the one
    a step above was not."""

    COARSE, FINE = 1.12, 1.04

    def __init__(self, start):
        self.rate = start
        self.step = self.COARSE
        self.below = None  # carried last, since a rate was refused
        self.failed = 0
        self.found = []

    def note(self, carried):
        """What a trial at `rate` showed."""
        if carried:
            self.below, self.failed = self.rate, 0
            self.rate *= self.step
            return
        self.failed += 1
        if self.failed < 2:
            return
        if self.below:
            self.found.append(self.below)
            self.step = self.FINE
        self.below, self.failed = None, 0
        self.rate /= self.step


def carried(asked_pps, result):
    """Nothing lost, and all sent: a veth pushes back on its sender, so a rate that was not reached was not carried."""
    total = result["total"]
    return total["lost"] == 0 and total["sent"] >= 0.985 * asked_pps * result["seconds"]


class Case:
    """A pair of devices under one load: all that is measured by packets."""

    def __init__(self, what, flows, sluice, peer, bar=None, rates_only=False):
        self.rates_only = rates_only  # where a common rate would tell nothing: one carries many times what the other does
        self.what, self.flows, self.bar, self.devices = what, flows, bar, {"sluice": sluice, "peer": peer}
        self.options = ["--src", f"{CLIENTS[0]}-{CLIENTS[-1]}", "--sport", "1024-9215", "--dst", SERVER, "--flows", flows]
        self.most, self.p50, self.p99, self.cpu = Pairs(), Pairs(), Pairs(), Pairs()
        self.stairs, self.threads = {}, {}
        self.last = {side: device.START_PPS for side, device in self.devices.items()}

    def peer_name(self):
        return self.devices["peer"].name

    def warm(self):
        """Each flow once: trials meet known flows."""
        for device in self.devices.values() if self.flows > 1 else ():
            with device.running():
                device.generator.trial([*self.options, *WARM])

    def flood_round(self, rig):
        seen = [(side, *rig.trial(self.devices[side], [*self.options, *FLOOD])) for side in SIDES]
        self.most.add_both(*((side, place, result["total"]["received_pps"] / 1e6) for side, place, result in seen))

    def stair(self, side, place):
        """Of this place; a new one begins where the side's walk in another place has come to."""
        return self.stairs.setdefault((side, place), Staircase(self.last[side]))

    def search_round(self, rig):
        for side in SIDES:
            expected = rig.place()
            stair = self.stair(side, expected)
            rate = self.last[side] = stair.rate
            place, result = rig.trial(self.devices[side], [*self.options, "-r", f"{rate:.0f}pps"])
            if place == expected:
                stair.note(carried(rate, result))

    def loss_free(self):
        found = Pairs()
        for (side, place), stair in self.stairs.items():
            for rate in stair.found:
                found.add(side, place, rate / 1e6)
        return found

    def easy_pps(self):
        """Half of what the slower one carries, or is thought to carry while the search has found nothing."""
        found = self.loss_free()
        return 0.5 * min(1e6 * (found.median(side, None) or 0) or self.last[side] for side in SIDES)

    def easy_round(self, rig):
        """Latency and the core's time, at a rate that both carry with ease."""
        if self.rates_only:
            return
        rate, seen = self.easy_pps(), []
        for side in SIDES:
            place, result, spent, busy = rig.trial_with_cpu(self.devices[side], [*self.options, "-r", f"{rate:.0f}pps"])
            total = result["total"]
            place = place if total["lost"] <= LOSS_OF_A_PAUSE * total["sent"] else None
            seen.append((side, place, total["latency_ns"]["p50"] / 1e3, total["latency_ns"]["p99"] / 1e3,
                         sum(spent.values()) / total["sent"]))
            parts = ", ".join(f"{name} {ns / total['sent']:.0f}" for name, ns in spent.items())
            self.threads[side] = f"{parts}, core busy {100 * busy:.0f} %"
        for pairs, column in ((self.p50, 2), (self.p99, 3), (self.cpu, 4)):
            pairs.add_both(*((one[0], one[1], one[column]) for one in seen))

    def rows(self):
        easy = f"at {self.easy_pps() / 1e6:.2f} Mpps"
        threads = "; ".join(f"{side}: {text}" for side, text in self.threads.items())
        name = self.peer_name()
        rates = [*rows_of(f"loss-free: {self.what}", "Mpps", self.loss_free(), LOSS_FREE, name, True, self.bar, at_least=1),
                 *rows_of(f"overload: {self.what}", "Mpps", self.most, OVERLOAD, name, True)]
        if self.rates_only:
            return rates
        return [*rates,
                *rows_of(f"core's time: {self.what}", "ns/packet", self.cpu, f"{easy}; {threads}", name),
                *rows_of(f"latency p50: {self.what}", "us", self.p50, easy, name),
                *rows_of(f"latency p99: {self.what}", "us", self.p99, easy, name)]


def rows_of(what, unit, pairs, how, peer_name, higher=False, bar=None, at_least=2):
    """A row for each place that both sides were seen in."""
    places = pairs.places(SIDES, at_least)
    if not places:
        return [Row(SECTION, what, unit, skipped=pairs.why_none(), higher_is_better=higher)]
    return [Row(SECTION, what, unit, how, pairs.sample("sluice", place), pairs.sample("peer", place), peer_name, higher,
                Bar(bar, of_ratio=True) if bar else None, paired=pairs.sample("quotient", place), condition=f"cores {place}")
            for place in places]


class Connections:
    """New TCP connections a second: each opens, asks once, is answered, closes. Two processes' ports would be taken, so
    it comes when the packet generators of these devices have ended."""

    AT_A_TIME = 64
    SECONDS = 0.4

    def __init__(self, sluice, peer):
        self.devices = {"sluice": sluice, "peer": peer}
        self.rates, self.p50 = Pairs(), Pairs()
        self.failures = {side: 0 for side in SIDES}

    def destination(self):
        """Whom the client connects to, and by way of whom."""
        return ["--server", SERVER, "--next-hop", MAC["din"]]

    def command(self, device):
        lab = device.lab
        ports = ["--port", "af_xdp:gin", "--port", "af_xdp:gout"]
        return [*lab.own_core(), device.build / "tools/pktgen/sluice-pktgen", "stateful", "both", *ports,
                "--client", f"{CLIENTS[0]}-{CLIENTS[-1]}", *self.destination(),
                "-c", self.AT_A_TIME, "-d", self.SECONDS, "--drain", 1, "--cores", GENERATOR_CORE, "--memory", 256, "-j", "-q"]

    def round(self, rig):
        seen = []
        for side in SIDES:
            place, client = rig.around(self.devices[side], lambda device=self.devices[side]: self.run(device))
            self.failures[side] += sum(client["failed"].values())
            seen.append((side, place, client["completed"] / self.SECONDS / 1e3, client["connect_ns"]["p50"] / 1e3))
        self.rates.add_both(*(one[:3] for one in seen))
        self.p50.add_both(*((side, place, p50) for side, place, _, p50 in seen))

    def run(self, device):
        """The client's counts."""
        command = [str(word) for word in self.command(device)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        if not done.stdout.startswith("{"):
            raise RuntimeError(f"sluice-pktgen stateful: {done.stderr.strip()[-200:]}")
        return json.loads(done.stdout)["sides"][0]

    def peer_name(self):
        return self.devices["peer"].name

    def how(self):
        return f"{self.AT_A_TIME} at a time; failed: Sluice {self.failures['sluice']}, peer {self.failures['peer']}"

    def rows(self):
        what = "NAT44, TCP connections: open, one request, close"
        return rows_of(what, "k/s", self.rates, self.how(), self.peer_name(), True) + \
            rows_of(f"{what}: connect p50", "us", self.p50, self.how(), self.peer_name())


class Ceiling:
    """What the generator can do on one core through these links, with a bridge in the place of the device."""

    def __init__(self, bridge):
        self.bridge, self.rates = bridge, Pairs()

    def round(self, rig):
        place, result = rig.trial(self.bridge, ["--dst", SERVER, *FLOOD])
        self.rates.add("bridge", place, result["total"]["received_pps"] / 1e6)

    def rows(self):
        what = "the generator's ceiling: a bridge in the device's place"
        places = self.rates.places(("bridge",), 2)
        return [Row(SECTION, what, "Mpps", "sends and receives on one core, over AF_XDP", self.rates.sample("bridge", place),
                    higher_is_better=True, condition=f"cores {place}") for place in places] \
            or [Row(SECTION, what, "Mpps", skipped=self.rates.why_none(), higher_is_better=True)]
