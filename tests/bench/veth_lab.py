# SPDX-License-Identifier: Apache-2.0
"""A generator and a device under test in two network namespaces, with two veth pairs between them:

    generator  gin ─── din  device  dout ─── gout  generator
    core 0                  core 1

A veth has no interrupt: what is sent into one is by default received on the sender's core, which would give a part of
the device's work to the generator and the other way round. Here each end that receives has what a NIC's queue has: a
NAPI thread pinned to the core of its side, above ordinary processes as a softirq is, and an interrupt that is held
back for MODERATION_US so that packets gather (without it each packet costs an interrupt between the cores). That is the
same for all devices.

Everything is inside the two namespaces and goes with them; nothing outside is changed.
"""
import contextlib
import os
import pathlib
import subprocess

MODERATION_US = 50
POLLS_BEFORE_INTERRUPTS = 20  # receive polls without a packet before the sender has to raise an interrupt again
GENERATOR_CORE, DEVICE_CORE = 0, 1
INSIDE, OUTSIDE = "10.0.0.1", "192.0.2.1"  # the device's addresses
SERVER = "192.0.2.2"
CLIENTS = [f"10.0.1.{n}" for n in range(1, 17)]
MAC = {"gin": "02:00:00:00:01:01", "din": "02:00:00:00:01:02", "gout": "02:00:00:00:02:01", "dout": "02:00:00:00:02:02"}


class LabError(RuntimeError):
    """The lab cannot be built here: says which command failed and how."""


def run(*argv, text=None):
    done = subprocess.run([str(a) for a in argv], input=text, capture_output=True, text=True, timeout=20, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise LabError(f"{' '.join(map(str, argv))}: {said[0] if said else f'status {done.returncode}'}")
    return done.stdout


def run_ns(thread_schedstat):
    """Nanoseconds on a core, of the text of /proc/PID/task/TID/schedstat."""
    return int(thread_schedstat.split()[0])


def core_busy_ticks(proc_stat, core):
    """(busy, all) clock ticks of a core, of the text of /proc/stat. Time taken by the hypervisor is neither."""
    for line in proc_stat.splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}":
            user, nice, system, idle, iowait, irq, softirq = map(int, ticks[:7])
            busy = user + nice + system + irq + softirq
            return busy, busy + idle + iowait
    raise ValueError(f"no cpu{core} in /proc/stat")


def thread_ns(pid, tid=None):
    return run_ns(pathlib.Path(f"/proc/{pid}/task/{tid or pid}/schedstat").read_text(encoding="ascii"))


def threads_named(name):
    """Kernel threads whose name begins so."""
    found = set()
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if (entry / "comm").read_text(encoding="utf-8").startswith(name):
                    found.add(int(entry.name))
    return found


class VethLab:
    """Namespaces NAME-gen and NAME-dut. `threads`: the NAPI threads of either core."""

    def __init__(self, name):
        self.generator, self.device = f"{name}-gen", f"{name}-dut"
        self.threads = {GENERATOR_CORE: [], DEVICE_CORE: []}

    def __enter__(self):
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in (self.generator, self.device):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=20, check=False)

    def _build(self):
        for name in (self.generator, self.device):
            run("ip", "netns", "add", name)
        for side in ("in", "out"):
            run("ip", "link", "add", f"g{side}", "netns", self.generator, "numrxqueues", 1, "numtxqueues", 1, "type", "veth",
                "peer", "name", f"d{side}", "netns", self.device, "numrxqueues", 1, "numtxqueues", 1)
        for namespace, letter, core in ((self.generator, "g", GENERATOR_CORE), (self.device, "d", DEVICE_CORE)):
            for side in ("in", "out"):
                self.threads[core].append(self._end_set_up(namespace, letter + side, core))

    def _end_set_up(self, namespace, link, core):
        """Checksums and segments as on a wire; then the NAPI thread, whose process id is returned."""
        run(*self.within(namespace), "sysctl", "-qw", f"net.ipv6.conf.{link}.disable_ipv6=1")
        run(*self.within(namespace), "ethtool", "-K", link, "tx", "off", "tso", "off", "gso", "off", "gro", "on")
        run("ip", "-n", namespace, "link", "set", link, "address", MAC[link], "up")
        before = threads_named(f"napi/{link}-")
        knobs = {"threaded": 1, "napi_defer_hard_irqs": POLLS_BEFORE_INTERRUPTS, "gro_flush_timeout": MODERATION_US * 1000}
        for knob, value in knobs.items():
            run(*self.within(namespace), "sh", "-c", f"echo {value} >/sys/class/net/{link}/{knob}")
        made = threads_named(f"napi/{link}-") - before
        if len(made) != 1:
            raise LabError(f"{link}: {len(made)} NAPI threads instead of one: threaded NAPI wants Linux 5.12 and GRO on veth")
        thread = made.pop()
        os.sched_setaffinity(thread, {core})
        os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(1))
        return thread

    def threads_ns(self, core):
        """Nanoseconds that receiving has taken on a core so far."""
        return sum(thread_ns(thread) for thread in self.threads[core])

    @staticmethod
    def within(namespace, *cores):
        """What stands before a command that is to run in a namespace, and on these cores."""
        pin = ["taskset", "-c", ",".join(map(str, cores))] if cores else []
        return ["ip", "netns", "exec", namespace, *pin]

    def generator_ports(self, peer_mac=MAC["din"], driver="af_xdp"):
        return [["-p", f"in={driver}:gin", "--address", "10.0.0.2/16", "--peer-mac", peer_mac],
                ["-p", f"out={driver}:gout", "--address", f"{SERVER}/24"]]

    def own_core(self):
        """All that the generator does, its main thread too, is on its core."""
        return self.within(self.generator, GENERATOR_CORE)

    def neighbors_set(self):
        """For a device that is the kernel: who is where, so that no packet waits for ARP."""
        run("ip", "-n", self.device, "neigh", "replace", SERVER, "dev", "dout", "lladdr", MAC["gout"])
        for client in CLIENTS:
            run("ip", "-n", self.device, "neigh", "replace", client, "dev", "din", "lladdr", MAC["gin"])
