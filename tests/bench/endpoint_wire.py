# SPDX-License-Identifier: Apache-2.0
"""The TCP endpoint over a link: connections a second and Gbit/s of one core by Sluice's `echo`, by an epoll server of the
kernel's TCP (echo_server.c) and by nginx, each in the lab of veth_lab.py on the device's core; the client (echo_client.c)
has the kernel's TCP and is on the other core. Sluice is paused while the others run; they all take turns.

nginx does not echo: it answers a GET of HTTP/1.0 with `return 200` and closes first, and its Gbit/s are those of a file,
one way, where an echo takes in as much as it sends."""
import collections
import json
import os
import pathlib
import shutil
import statistics
import subprocess

from pairs import Pairs
from peers import Devices, Rig, repeat
from peers_devices import KernelRouting, SluiceDevice, cpu_spent
from rig import Process, wait_for
from rows import Row
from veth_lab import CLIENTS, DEVICE_CORE, GENERATOR_CORE, INSIDE, MAC, LabError, VethLab, core_busy_ticks, run

SECTION = "tcp"
PORT = 7
TRIAL_MS, TRIAL_SECONDS = 300, 0.5
AT_A_TIME = {"short": 64, "stream": 4}
FULL = 0.95  # of its core: who is so busy is at its limit
FILE_BYTES = 512 << 20  # more than a connection reads in a trial
WHAT = {"short": ("connections through echo beside {}: open, 100 bytes each way, close", "k/s"),
        "stream": ("bytes through echo beside {}, 4 connections", "Gbit/s")}
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
PEERS = ("epoll", "nginx")
ECHO = """endpoints:
  - {{name: echo, kind: echo, port: {port}}}
"""
NGINX = """daemon off;
master_process off;
worker_processes 1;
user root;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server {{
    listen {address}:{port} backlog=4096;
    root {directory}/files;
    location = /short {{ return 200 "{body}"; }}
  }}
}}
"""


def nginx_config(directory):
    return NGINX.format(directory=directory, address=INSIDE, port=PORT, body="x" * 100)


def clients_wired(lab):
    """The generator's end becomes a host with the clients' addresses; it knows the device's."""
    for client in CLIENTS:
        run("ip", "-n", lab.generator, "addr", "add", f"{client}/16", "dev", "gin")
    run("ip", "-n", lab.generator, "neigh", "replace", INSIDE, "dev", "gin", "lladdr", MAC["din"])
    run(*VethLab.within(lab.generator), "sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65535", "net.ipv4.tcp_tw_reuse=1")


class Served:
    """A device that is connected to, in place of one that forwards. `ASKS`: what the client asks it for."""

    ASKS = {"short": "echo", "stream": "echo"}

    def generate(self):
        """The client is a process of each trial."""

    def listening(self, process):
        process.check()
        return f":{PORT} " in run(*VethLab.within(self.lab.device), "ss", "-ltnH")

    def serve(self, *argv):
        within = VethLab.within(self.lab.device, DEVICE_CORE)
        run(*within, "sysctl", "-qw", "net.core.somaxconn=4096", "net.ipv4.tcp_max_syn_backlog=4096")
        process = self.stack.enter_context(Process(argv, self.directory / "server.log", within))
        wait_for(lambda: self.listening(process), f"listening {self.name}")

    def spent(self, before, after):
        """Seconds that its core was at work between two looks, by what did the work."""
        return {"all": (after[0] - before[0]) / TICKS_A_SECOND}

    def look(self):
        return ticks(DEVICE_CORE)


class SluiceEcho(Served, SluiceDevice):
    def config(self):
        return super().config() + ECHO.format(port=PORT)

    def set_up(self):
        clients_wired(self.lab)
        super().set_up()

    def generate(self):
        self.sluice.pause()

    def look(self):
        """Its worker polls, so its core is always busy: what counts is what packets cost there (cpu_spent())."""
        return self.cpu()

    def spent(self, before, after):
        return {thread: ns / 1e9 for thread, ns in cpu_spent(before, after).items()}


class EpollEcho(Served, KernelRouting):
    def set_up(self):
        clients_wired(self.lab)
        super().set_up()
        self.serve(self.build / "tests/bench/echo_server", INSIDE, PORT)


class Nginx(Served, KernelRouting):
    ASKS = {"short": "/short", "stream": "/file"}

    def set_up(self):
        program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        if not program:
            raise LabError("nginx is not installed: tools/install-deps bench")
        clients_wired(self.lab)
        super().set_up()
        files = self.directory / "files"
        files.mkdir()
        with open(files / "file", "wb") as made:
            made.truncate(FILE_BYTES)
        config = self.directory / "nginx.conf"
        config.write_text(nginx_config(self.directory), encoding="ascii")
        self.serve(program, "-p", self.directory, "-c", config)


def ticks(core):
    return core_busy_ticks(pathlib.Path("/proc/stat").read_text(encoding="ascii"), core)


def share(before, after):
    busy, passed = (now - then for now, then in zip(after, before))
    return busy / passed if passed else 0.0


def figure(kind, said):
    """k/s or Gbit/s, of what echo_client printed."""
    if kind == "short":
        return said["connections"] / said["seconds"] / 1e3
    return 8 * said["bytes"] / said["seconds"] / 1e9


class Load:
    """One kind of load on Sluice and all peers."""

    def __init__(self, kind, devices):
        self.kind, self.devices = kind, devices  # "sluice" and the peers that are there
        self.pairs = {name: Pairs() for name in devices if name != "sluice"}
        self.costs = {name: Pairs() for name in self.pairs}
        self.busy = collections.defaultdict(list)  # shares of the client's and the server's core
        self.failed = collections.Counter()

    def command(self, device):
        program = device.build / "tests/bench/echo_client"
        return [*device.lab.own_core(), program, self.kind, device.ASKS[self.kind], INSIDE, PORT, AT_A_TIME[self.kind],
                TRIAL_MS, *CLIENTS]

    def client_run(self, name, device):
        server, client = device.look(), ticks(GENERATOR_CORE)
        command = [str(word) for word in self.command(device)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        if done.returncode != 0:
            raise LabError(f"{name}: {done.stderr.strip()[-200:]}")
        client, spent = share(client, ticks(GENERATOR_CORE)), device.spent(server, device.look())
        said = json.loads(done.stdout)
        self.busy[name].append((client, {what: seconds / said["seconds"] for what, seconds in spent.items()}))
        self.failed[name] += said["failed"]
        return figure(self.kind, said), sum(spent.values()) / max(said["connections"], 1)

    def round(self, rig):
        seen = {name: rig.around(device, lambda n=name, d=device: self.client_run(n, d))
                for name, device in self.devices.items()}
        for name, pairs in self.pairs.items():
            sides = [(side, seen[who][0], *seen[who][1]) for side, who in (("sluice", "sluice"), ("peer", name))]
            pairs.add_both(*((side, place, value) for side, place, value, _ in sides))
            self.costs[name].add_both(*((side, place, 1e6 * seconds) for side, place, _, seconds in sides))

    def rows(self):
        return [row for name, pairs in self.pairs.items()
                for row in rows_of(self.kind, name, pairs, how(self.kind, name, self.busy, self.failed)) +
                cost_rows(self.kind, name, self.costs[name])]


def median_shares(seen):
    """Of (client, shares of the server's core by what did the work)."""
    return statistics.median(client for client, _ in seen), \
        {what: statistics.median(server[what] for _, server in seen) for what in seen[0][1]}


def how(kind, peer, busy, failed):
    """Words on what limited whom."""
    sides, limited = [], []
    for name, side in (("sluice", "Sluice"), (peer, "peer")):
        client, server = median_shares(busy[name])
        parts = f" ({', '.join(f'{what} {100 * part:.0f}' for what, part in server.items())})" if len(server) > 1 else ""
        sides.append(f"{side} {100 * client:.0f} and {100 * sum(server.values()):.0f} %{parts}")
        limited += [side] if client >= FULL > sum(server.values()) else []
    text = f"client's and server's core busy: {', '.join(sides)}; failed: Sluice {failed['sluice']}, peer {failed[peer]}"
    if kind == "short":
        text = f"{AT_A_TIME[kind]} at a time; {text}"
    if peer == "nginx":
        text += "; it answers a GET and closes first" if kind == "short" else "; it sends a file, one way"
    return f"{text}; the client limits {' and '.join(limited)}" if limited else text


def cost_rows(kind, peer, pairs):
    """Where the client is the limit these say what the server could do; where it is not, the same as the rates."""
    if kind == "stream":
        return []
    what = f"core's time of one of those connections, beside {peer}"
    words = "receive threads, and for Sluice the worker's passes that had packets; the peer's core in all"
    return rows_made(what, "us", peer, pairs, words, False)


def rows_of(kind, peer, pairs, words):
    return rows_made(WHAT[kind][0].format(peer), WHAT[kind][1], peer, pairs, words, True)


def rows_made(what, unit, peer, pairs, words, higher):
    """A row for each place of the cores that both were seen in."""
    places = pairs.places(("sluice", "peer"), 2)
    if not places:
        return [Row(SECTION, what, unit, skipped=pairs.why_none(), higher_is_better=higher)]
    return [Row(SECTION, what, unit, words, pairs.sample("sluice", place), pairs.sample("peer", place), peer, higher,
                paired=pairs.sample("quotient", place), condition=f"cores {place}") for place in places]


def skipped_rows(names, why):
    return [Row(SECTION, what.format(name), unit, skipped=why(name), higher_is_better=True)
            for name in names for what, unit in WHAT.values()]


def measure(context, budget):
    where = (context.build, context.scratch / "endpoint")
    rig = Rig(context.build)
    with Devices(context) as devices:
        made = {"sluice": devices.add(SluiceEcho("sluice-echo", *where, nat=False)),
                "epoll": devices.add(EpollEcho("epoll", *where)), "nginx": devices.add(Nginx("nginx", *where))}
        there = {name: device for name, device in made.items() if device}
        missing = [name for name in PEERS if "sluice" not in there or name not in there]
        rows = skipped_rows(missing, lambda name: devices.why("sluice", name))
        if len(missing) == len(PEERS):
            return rows
        context.say("the TCP endpoint over a link")
        loads = [Load(kind, there) for kind in WHAT]
        repeat(budget, [lambda load=load: load.round(rig) for load in loads], len(there), TRIAL_SECONDS, at_least=3)
        return [row for load in loads for row in load.rows()] + rows
