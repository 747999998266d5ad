# SPDX-License-Identifier: Apache-2.0
"""The devices under test of the peers section, each in a lab (veth_lab.py) with a generator of its own: the kernel's
bridge, its routing, nftables, and Sluice over AF_XDP. They are set up as people set them up, with nothing left out that
would make them faster (see the flow table's own device)."""
import contextlib
import os
import pathlib
import subprocess
import time

from rig import Generator, Sluice
from veth_lab import (CLIENTS, DEVICE_CORE, GENERATOR_CORE, INSIDE, MAC, OUTSIDE, SERVER, LabError, VethLab, run, thread_ns)

POOL = "192.0.2.10-192.0.2.17"
NAT = """table ip nat {{
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    oifname "dout" ip saddr 10.0.0.0/16 snat to {pool}
  }}
}}
"""
FLOWTABLE = """table ip fast {
  flowtable ft { hook ingress priority filter; devices = { din, dout }; }
  chain forward {
    type filter hook forward priority filter; policy accept;
    meta l4proto { tcp, udp } flow add @ft
  }
}
"""
OWN_SHARE = 0.9  # of a trial's time; starting and reporting it takes the rest
CONNECTIONS = 200000  # what the machine's limit must allow for, and the hash table be sized for


class Device:
    """One under test. `cpu()`: nanoseconds that its core has spent on packets so far, by thread."""

    MEMORY_MB = 256
    START_PPS = 0.5e6  # where the search for its rate begins

    def __init__(self, name, build, directory):
        self.name, self.build, self.directory = name, build, pathlib.Path(directory) / name
        self.stack = contextlib.ExitStack()
        self.lab = VethLab(f"slpeer{os.getpid()}-{name}")
        self.generator = self.generators = None

    def __enter__(self):
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self.wire()
            self.generators = self.stack.enter_context(contextlib.ExitStack())  # ends after what set_up() starts
            self.set_up()
            self.generate()
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()

    def wire(self):
        self.stack.enter_context(self.lab)

    def set_up(self):
        """Starts and configures the device."""
        raise NotImplementedError

    def peer_mac(self):
        return MAC["din"]

    def generator_make(self):
        return Generator(self.build, self.directory, self.lab.generator_ports(self.peer_mac()), GENERATOR_CORE, self.MEMORY_MB,
                         self.lab.own_core())

    def generate(self):
        self.generator = self.generators.enter_context(self.generator_make())
        self.generator.trial(["--dst", SERVER, "-r", "10kpps", "-d", "50ms"])

    def running(self):
        """While it holds, the device forwards; else it must leave its core alone."""
        return contextlib.nullcontext()

    def kernel_cpu(self):
        return {"receive threads": self.lab.threads_ns(DEVICE_CORE)}

    def cpu(self):
        return self.kernel_cpu()

    def polling(self):
        """Nanoseconds that our threads have run on each core that is never idle in a trial: what misses went to others."""
        mine = sum(ran for ran, _ in self.generator.thread_times().values())
        return {GENERATOR_CORE: mine + self.lab.threads_ns(GENERATOR_CORE)}


class Bridge(Device):
    """No device but a bridge: what the generator can do at all, through the same links."""

    def set_up(self):
        for table in ("iptables", "ip6tables", "arptables"):
            with contextlib.suppress(LabError):  # br_netfilter may not be there
                run(*VethLab.within(self.lab.device), "sysctl", "-qw", f"net.bridge.bridge-nf-call-{table}=0")
        run("ip", "-n", self.lab.device, "link", "add", "name", "bridge0", "type", "bridge",
            "forward_delay", 0, "mcast_snooping", 0)
        for link in ("din", "dout", "bridge0"):
            run("ip", "-n", self.lab.device, "link", "set", link, *(["master", "bridge0"] if link != "bridge0" else []), "up")

    def peer_mac(self):
        return MAC["gout"]


class KernelRouting(Device):
    def set_up(self):
        run("ip", "-n", self.lab.device, "addr", "add", f"{INSIDE}/16", "dev", "din")
        run("ip", "-n", self.lab.device, "addr", "add", f"{OUTSIDE}/24", "dev", "dout")
        run(*VethLab.within(self.lab.device), "sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.lab.neighbors_set()


class NftablesNat(KernelRouting):
    """Source NAT to a pool. Connection tracking's table is the machine's: it must be large enough as it is, and closed
    connections must not fill it, or the peer would fail for our settings."""

    def rules(self):
        return NAT.format(pool=POOL)

    def set_up(self):
        super().set_up()
        run(*VethLab.within(self.lab.device), "nft", "-f", "-", text=self.rules())
        run(*VethLab.within(self.lab.device), "sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_timeout_time_wait=5")
        for knob in ("max", "buckets"):
            size = int(pathlib.Path(f"/proc/sys/net/netfilter/nf_conntrack_{knob}").read_text(encoding="ascii"))
            if size < (CONNECTIONS if knob == "max" else CONNECTIONS // 4):
                raise LabError(f"net.netfilter.nf_conntrack_{knob} is {size}: too small to be fair to connection tracking")


class NftablesFlowtable(NftablesNat):
    """The same with a flow table, which takes known flows past the routing and most of the hooks."""

    def set_up(self):
        super().set_up()
        try:
            run(*VethLab.within(self.lab.device), "nft", "-f", "-", text=FLOWTABLE)
        except LabError as why:
            raise LabError(f"this kernel takes no flow table (CONFIG_NF_FLOW_TABLE, CONFIG_NFT_FLOW_OFFLOAD): {why}") from why


SLUICE = """sluice: 1
ports:
  - {{name: in, device: "af_xdp:din", addresses: [{inside}/16], twin: false}}
  - {{name: out, device: "af_xdp:dout", addresses: [{outside}/24], twin: false}}
neighbors:
"""
SLUICE_NAT = """nat:
  pools: [{{name: public, addresses: [{pool}]}}]
  source: [{{inside: [10.0.0.0/16], port: out, pool: public}}]
"""


def sluice_config(nat):
    text = SLUICE.format(inside=INSIDE, outside=OUTSIDE)
    text += f'  - {{address: {SERVER}, port: out, mac: "{MAC["gout"]}"}}\n'
    text += "".join(f'  - {{address: {client}, port: in, mac: "{MAC["gin"]}"}}\n' for client in CLIENTS)
    return text + (SLUICE_NAT.format(pool=POOL) if nat else "")


class SluiceDevice(Device):
    """sluice-dp with one worker on the device's core, AF_XDP on the same two links. It is paused between its trials."""

    def __init__(self, name, build, directory, nat):
        super().__init__(name, build, directory)
        self.nat = nat
        self.sluice = self.worker = None

    def config(self):
        return sluice_config(self.nat)

    def set_up(self):
        bpf = self.directory / "bpf"
        bpf.mkdir()
        run("mount", "-t", "bpf", "bpf", bpf)
        self.stack.callback(subprocess.run, ["umount", "-l", bpf], check=False, timeout=20)
        # 'ip netns exec' gives each process a fresh /sys: both daemons must see the same pinned maps there.
        share = ["sh", "-c", f'mount --bind {bpf} /sys/fs/bpf && exec "$@"', "share"]
        self.sluice = self.stack.enter_context(Sluice(
            self.build, self.directory / "sluice", self.config(), str(DEVICE_CORE), 512,
            [*VethLab.within(self.lab.device), *share]))
        self._others_away()
        self.worker = self._thread("rte-worker-1")

    def _others_away(self):
        """The control plane belongs on no worker's core."""
        for task in pathlib.Path(f"/proc/{self.sluice.control.child.pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {GENERATOR_CORE})

    def _thread(self, name):
        for task in pathlib.Path(f"/proc/{self.sluice.plane.child.pid}/task").iterdir():
            if (task / "comm").read_text(encoding="utf-8").strip() == name:
                return int(task.name)
        raise LabError(f"sluice-dp has no thread {name}")

    def generate(self):
        super().generate()
        self.sluice.pause()

    @contextlib.contextmanager
    def running(self):
        self.sluice.check()
        self.sluice.go_on()
        try:
            time.sleep(0.005)  # the pass that the pause fell into is over
            yield
        finally:
            self.sluice.pause()

    def cpu(self):
        """The worker polls, so what counts of its time is the share of the passes that had packets."""
        counts = self.sluice.ask("worker")["workers"][0]
        return {**self.kernel_cpu(), "worker": thread_ns(self.sluice.plane.child.pid, self.worker),
                "busy": counts["busy_cycles"], "idle": counts["idle_cycles"]}

    def polling(self):
        worker = thread_ns(self.sluice.plane.child.pid, self.worker)
        return {**super().polling(), DEVICE_CORE: worker + self.lab.threads_ns(DEVICE_CORE)}


class SluiceMemif(SluiceDevice):
    """The same over memif: what the data plane itself carries, where no kernel makes and frees a buffer for each packet."""

    START_PPS = 3e6

    def wire(self):
        """No veth."""

    def kernel_cpu(self):
        return {}

    def set_up(self):
        text = self.config()
        for port, link in (("in", "din"), ("out", "dout")):
            text = text.replace(f"af_xdp:{link}", f"memif:{self.directory}/{port},role=server")
        self.sluice = self.stack.enter_context(Sluice(self.build, self.directory / "sluice", text, str(DEVICE_CORE), 512))
        self._others_away()
        self.worker = self._thread("rte-worker-1")

    def generator_make(self):
        ports = [["-p", f"{port}=memif:{self.directory}/{port},role=client", *options] for port, options in (
            ("in", ["--address", "10.0.0.2/16", "--gateway", INSIDE]), ("out", ["--address", f"{SERVER}/24"]))]
        return Generator(self.build, self.directory, ports, GENERATOR_CORE, self.MEMORY_MB, ["taskset", "-c", GENERATOR_CORE])


def undisturbed(before, after, seconds):
    """Whether of two readings of polling() so long apart no other process had a core for a notable while."""
    return all(after[core] - before[core] >= OWN_SHARE * 1e9 * seconds for core in after)


def cpu_spent(before, after):
    """Nanoseconds that packets cost between two readings of cpu(), by thread."""
    spent = {name: after[name] - before[name] for name in after}
    busy, idle = spent.pop("busy", 0), spent.pop("idle", 0)
    if "worker" in spent:
        spent["worker"] = spent["worker"] * busy / (busy + idle) if busy + idle else 0.0
    return spent
