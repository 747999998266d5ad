# SPDX-License-Identifier: Apache-2.0
"""The two devices under test of the wire section, each with a generator of its own, and trials on them. See wire.py."""
import contextlib

from pairs import place_of, waited_share
from programs import testpmd_missing
from rig import Generator, Gone, Process, Sluice, Testpmd, core_distance, wait_for

TRIAL = ["-d", "50ms", "--settle", "4ms"]
TRIAL_SECONDS = 0.11  # with a probe and a pause
SIDES = ("sluice", "peer")
WAITED_MOST = 0.03  # of a trial, for a core that another process had: more voids the trial


class Device:
    """A device under test with the generator that is wired to it. It polls only during its trials."""

    def __init__(self, name, process, generator):
        self.name, self.process, self.generator = name, process, generator

    def trial(self, options):
        """The result, and whether device and generator had their cores for themselves."""
        self.process.check()
        before = [one.thread_times() for one in (self.process, self.generator)]
        with self.running():
            result = self.generator.trial(options)
        after = [one.thread_times() for one in (self.process, self.generator)]
        return result, all(waited_share(*looks) <= WAITED_MOST for looks in zip(before, after))

    @contextlib.contextmanager
    def running(self):
        self.process.go_on()
        try:
            yield
        finally:
            self.process.pause()


class Wire:
    """Both devices, wired; what is common to all measurements."""

    def __init__(self, build, directory, config):
        self.build, self.directory, self.config = build, directory, config
        self.stack = contextlib.ExitStack()
        self.devices = {}
        self.no_peer = ""  # why there is none: Sluice's own figures need none
        self.distance = None

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        # The generators end last, when their peers are gone: Debian's memif driver may crash the side that polls.
        self.stack.close()

    def _start(self):
        self.generators = self.stack.enter_context(contextlib.ExitStack())
        self._start_reflector()
        self.no_peer = testpmd_missing()
        try:
            if not self.no_peer:
                self._start_peer()
        except (Gone, OSError) as why:
            self.no_peer = str(why)
        self._start_sluice()

    def _start_reflector(self):
        socket = self.directory / "c0"
        process = self.stack.enter_context(Process(
            [self.build / "tools/pktgen/sluice-pktgen", "reflect", "-p", f"memif:{socket},role=server", "--cores", 1],
            self.directory / "reflect.log"))
        wait_for(lambda: process.check() or socket.is_socket(), "memif socket of the reflector")
        self._wire("reflect", process, "c", [["--peer-mac", "02:00:00:00:00:01"]])

    def _start_peer(self):
        sockets = [self.directory / f"t{i}" for i in (0, 1)]
        with contextlib.ExitStack() as started:  # one that does not come up must not keep its core busy
            process = started.enter_context(Testpmd(self.directory / "testpmd", [
                f"net_memif{i},role=server,socket={socket},socket-abstract=no" for i, socket in enumerate(sockets)]))
            for socket in sockets:
                process.wait_socket(socket)
            self._wire("peer", process, "t", [["--peer-mac", "02:00:00:00:00:01"], []])
            self.stack.enter_context(started.pop_all())

    def _start_sluice(self):
        self.sluice = self.stack.enter_context(Sluice(self.build, self.directory / "sluice", self.config))
        self._wire("sluice", self.sluice, "s", [["--address", "10.0.0.2/16", "--gateway", "10.0.0.1"],
                                                ["--address", "192.0.2.2/24"]])

    def _wire(self, name, process, letter, options):
        """A generator at the other ends of the device's ports, which are the memif sockets LETTER0, LETTER1."""
        ports = [["-p", f"port{i}=memif:{self.directory}/{letter}{i},role=client", *more] for i, more in enumerate(options)]
        generator = self.generators.enter_context(Generator(self.build, self.directory / f"generator-{name}", ports))
        device = Device(name, process, generator)
        self.warm(device, ["--dst", "192.0.2.2"])
        self.devices[name] = device

    @staticmethod
    def warm(device, options):
        """Links come up, neighbors become known: nothing is measured."""
        device.trial([*options, "-r", "100kpps", "-d", "20ms"])

    def reconfigure(self, text, options):
        with self.devices["sluice"].running():
            self.sluice.apply(text)
        self.warm(self.devices["sluice"], options)

    def trial(self, name, options):
        """A trial between two looks at the cores: where they were (None: they moved, or others used them), and its
        result."""
        before = self.distance or core_distance(self.build)
        result, alone = self.devices[name].trial([*TRIAL, *options])
        self.distance = core_distance(self.build)
        return place_of(before, self.distance) if alone else None, result

    def sides(self):
        return tuple(side for side in SIDES if side in self.devices)

    def place(self):
        """Where the cores were last seen."""
        return place_of(self.distance, self.distance)
