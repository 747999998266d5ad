# SPDX-License-Identifier: Apache-2.0
"""Sluice beside what people would use instead, in the same veth lab (veth_lab.py), with the same generator, in the same
run, each on one core: the kernel's routing, nftables' NAT with and without a flow table, and its DNAT and HAProxy for
balancing (peers_balance.py).

The hypervisor moves our cores about, which changes all of these by a factor of two; so trials are short, the devices
take turns, and only trials with the cores in one place are compared (pairs.py)."""
import contextlib
import pathlib
import subprocess
import time

import peers_balance
from pairs import place_of
from peers_devices import (Bridge, KernelRouting, NftablesFlowtable, NftablesNat, SluiceDevice, SluiceMemif, cpu_spent,
                           undisturbed)
from peers_measure import SECTION, Case, Ceiling, Connections
from rig import Gone, core_distance
from rows import Row
from veth_lab import DEVICE_CORE, GENERATOR_CORE, LabError, core_busy_ticks

TRIAL = ["-d", "150ms", "--settle", "15ms"]  # a step too much (4 % of 0.5 Mpps) overflows the longest queue, of 2,048
TRIAL_SECONDS = 0.24
EASY_TRIAL = ["-d", "250ms", "--settle", "15ms"]
EASY_SECONDS = 0.4
CONNECTIONS_SECONDS = 1.2


def core_ticks():
    return core_busy_ticks(pathlib.Path("/proc/stat").read_text(encoding="ascii"), DEVICE_CORE)


class Rig:
    """Runs trials, and looks where the cores are before and after each."""

    def __init__(self, build):
        self.build, self.distance, self.undisturbed = build, None, True

    def place(self):
        if self.distance is None:
            self._look()
        return place_of(self.distance, self.distance)

    def _look(self):
        before, self.distance = self.distance, core_distance(self.build, GENERATOR_CORE, DEVICE_CORE)
        return place_of(before or self.distance, self.distance)

    def around(self, device, action):
        """What `action` gives, and where the cores were: None where they moved or others had them."""
        self.place()
        self.undisturbed = True
        with device.running():
            done = action()
        place = self._look()
        return place if self.undisturbed else None, done

    def _generate(self, device, options):
        before, start = device.polling(), time.monotonic()
        result = device.generator.trial(options)
        self.undisturbed = undisturbed(before, device.polling(), time.monotonic() - start)
        return result

    def trial(self, device, options):
        return self.around(device, lambda: self._generate(device, [*TRIAL, *options]))

    def trial_with_cpu(self, device, options):
        """Also what the trial cost the device's core: nanoseconds by thread, and the share of the time it was busy."""
        def action():
            before, ticks = device.cpu(), core_ticks()
            result = self._generate(device, [*EASY_TRIAL, *options])
            busy, passed = (now - then for now, then in zip(core_ticks(), ticks))
            return result, cpu_spent(before, device.cpu()), busy / passed if passed else 0.0
        place, (result, spent, busy) = self.around(device, action)
        return place, result, spent, busy


def repeat(budget, rounds, trials, seconds=TRIAL_SECONDS, at_least=2):
    """All of `rounds` (each of so many trials) in turn, until the time is over."""
    for done in range(1, 1000):
        for one in rounds:
            one()
        if done >= at_least and budget.left() < len(rounds) * trials * seconds:
            return


class Devices:
    """All that could be set up; of the others, why not."""

    def __init__(self, context):
        self.stack, self.context, self.missing = contextlib.ExitStack(), context, {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def add(self, device):
        self.context.say(f"peers: {device.name}")
        try:
            return self.stack.enter_context(device)
        except (LabError, Gone, OSError, subprocess.SubprocessError) as why:
            self.missing[device.name] = str(why)
            return None

    def why(self, *names):
        """Why devices whose names begin so are missing."""
        return "; ".join(f"{who}: {text}" for who, text in self.missing.items() if who.startswith(names))


FULL_RUN_ONLY = "measured in the full run only"
VETH_AND_MEMIF = "NAT44, 64 K flows, Sluice over memif and nftables over veth: different ports"


def cases_make(devices, context):
    """The cases whose devices are there, and rows that say why others are not."""
    where = (context.build, context.scratch / "peers")
    routed = devices.add(SluiceDevice("sluice-route", *where, nat=False))
    routing = devices.add(KernelRouting("kernel-routing", *where))
    translated = devices.add(SluiceDevice("sluice-nat", *where, nat=True))
    nat = devices.add(NftablesNat("nftables", *where))
    fast = devices.add(NftablesFlowtable("nftables-flowtable", *where))
    wanted = [("routing, 1 flow", 1, routed, routing, "kernel-routing", None),
              ("NAT44, 64 K flows", 65536, translated, nat, "nftables", 4),
              ("NAT44, 64 K flows, against a flow table", 65536, translated, fast, "nftables-flowtable", None)]
    rows = []
    if context.quick:
        rows = [Row(SECTION, what, "Mpps", skipped=FULL_RUN_ONLY) for what in ("NAT44, 1 flow", VETH_AND_MEMIF)]
    else:
        wanted.insert(1, ("NAT44, 1 flow", 1, translated, nat, "nftables", 4))
        wanted.append((VETH_AND_MEMIF, 65536, devices.add(SluiceMemif("sluice-memif", *where, nat=True)), nat, "nftables", 4))
    cases = [Case(what, flows, sluice, peer, bar, rates_only=what == VETH_AND_MEMIF)
             for what, flows, sluice, peer, _, bar in wanted if sluice and peer]
    rows += [Row(SECTION, what, "Mpps", skipped=devices.why(*([name] if sluice else [name, "sluice"])))
             for what, _, sluice, peer, name, _ in wanted if not (sluice and peer)]
    return cases, rows


def packets_measure(context, budget, rig, cases, ceiling):
    context.say("peers: overload")
    for case in cases:
        case.warm()
    floods = [lambda case=case: case.flood_round(rig) for case in cases]
    repeat(budget.part(0.1), floods + ([lambda: ceiling.round(rig)] if ceiling else []), 2, at_least=3)
    context.say("peers: the highest rate without loss")
    repeat(budget.part(0.75), [lambda case=case: case.search_round(rig) for case in cases], 2)
    context.say("peers: latency, the core's time")
    repeat(budget, [lambda case=case: case.easy_round(rig) for case in cases], 2, EASY_SECONDS)


def connections_measure(context, budget, rig, cases):
    nat = next((case for case in cases if case.peer_name() == "nftables"), None)
    if not nat:
        return [Row(SECTION, "NAT44, TCP connections", "k/s", skipped="Sluice or nftables could not be set up")]
    context.say("peers: connections")
    for device in nat.devices.values():
        with device.running():
            device.generator.end()
    connections = Connections(nat.devices["sluice"], nat.devices["peer"])
    repeat(budget, [lambda: connections.round(rig)], 2, CONNECTIONS_SECONDS)
    return connections.rows()


def measure(context, budget):
    rig = Rig(context.build)
    with Devices(context) as devices:
        cases, missing = cases_make(devices, context)
        bridge = devices.add(Bridge("bridge", context.build, context.scratch / "peers"))
        ceiling = Ceiling(bridge) if bridge else None
        packets_measure(context, budget.part(0.7), rig, cases, ceiling)
        rows = [row for case in cases for row in case.rows()] + missing
        rows += ceiling.rows() if ceiling else [Row(SECTION, "the generator's ceiling", "Mpps", skipped=devices.why("bridge"))]
        rows += connections_measure(context, budget.part(0.45), rig, cases)
        return rows + peers_balance.measure(context, budget, rig, devices, bridge, repeat, CONNECTIONS_SECONDS)
