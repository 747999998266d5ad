# SPDX-License-Identifier: Apache-2.0
"""Starting and ending what a benchmark measures: Sluice's daemons, testpmd, the generator. Each is a context manager
that ends its processes, by their pids, whatever happened; each is ready when it has said so itself.

A process that is not being measured is paused (SIGSTOP): a poll-mode worker takes its whole core otherwise, so several
devices under test can live on one core and be measured in turn.
"""
import contextlib
import json
import os
import pathlib
import select
import shlex
import signal
import subprocess
import tempfile
import time

READY_SECONDS = 30.0


class Gone(RuntimeError):
    """A process that a measurement needs has ended, or does not answer."""


def wait_for(condition, what, seconds=READY_SECONDS, every=0.02):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Gone(f"no {what} within {seconds:.0f} s")
        time.sleep(every)


class Process:
    """A child with its log in a file. `within` is put before the command (such as ip netns exec NAME)."""

    def __init__(self, argv, log, within=(), **pipes):
        self.name = pathlib.Path(str(argv[0])).name
        self.log = pathlib.Path(log)
        with open(self.log, "ab") as out:
            pipes.setdefault("stdin", subprocess.DEVNULL)
            pipes.setdefault("stdout", out)
            self.child = subprocess.Popen([*map(str, within), *map(str, argv)], stderr=out, start_new_session=True, **pipes)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def alive(self):
        return self.child.poll() is None

    def check(self):
        if not self.alive():
            raise Gone(f"{self.name} ended with status {self.child.returncode}: {self.last_words()}")

    def last_words(self):
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return " / ".join(lines[-3:]) or "it said nothing"

    def signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.child.pid, number)

    def thread_times(self):
        """Of each thread: nanoseconds that it ran, and that it waited for a core."""
        times = {}
        for path in pathlib.Path(f"/proc/{self.child.pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError, ValueError):
                ran, waited, _ = path.read_text(encoding="ascii").split()
                times[path.parent.name] = int(ran), int(waited)
        return times

    def pause(self):
        self.signal(signal.SIGSTOP)

    def go_on(self):
        self.signal(signal.SIGCONT)

    def end(self, patience=5.0):
        """Asks it to end, then makes it."""
        if self.alive():
            self.signal(signal.SIGTERM)
            self.go_on()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(patience)
        self.kill()

    def kill(self):
        if self.alive():
            self.child.kill()
        self.child.wait()
        for pipe in (self.child.stdin, self.child.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()


class Sluice:
    """Both daemons of a gateway, with run directory, socket and state of their own."""

    def __init__(self, build, directory, config, cores="1", memory=1024, within=(), arguments=()):
        self.build, self.directory, self.within = pathlib.Path(build), pathlib.Path(directory), within
        self.directory.mkdir(parents=True, exist_ok=True)
        self.socket = self.directory / "control.sock"
        self.arguments = ["--cores", cores, "--memory", memory, *arguments]
        self.config = self.directory / "sluice.yaml"
        self.config.write_text(config, encoding="utf-8")
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.stack.close()
            raise
        return self

    def _start(self):
        run_dir = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-bench-", dir="/dev/shm"))
        self.control = self.stack.enter_context(Process(
            [self.build / "control/sluiced", "--config", self.config, "--run-dir", run_dir, "--socket", self.socket,
             "--state-dir", self.directory / "state", "--foreground"], self.directory / "sluiced.log", self.within))
        self.plane = self.stack.enter_context(Process(
            [self.build / "dataplane/sluice-dp", "--run-dir", run_dir, "--xdp-prog",
             self.build / "dataplane/prefilter/prefilter.bpf.o", *self.arguments], self.directory / "sluice-dp.log", self.within))
        wait_for(self.ready, "live generation on a running data plane")

    def __exit__(self, *_):
        self.stack.close()

    def ready(self):
        self.control.check()
        self.plane.check()
        with contextlib.suppress(Gone):
            status = self.ask("status")
            return status["data_plane"]["state"] == "running" and status["generation"]["state"] == "live"
        return False

    def ctl(self, *args, timeout=60):
        done = subprocess.run([self.build / "tools/ctl/sluicectl", "-s", self.socket, *args], capture_output=True,
                              text=True, timeout=timeout, check=False)
        if done.returncode != 0:
            raise Gone(f"sluicectl {shlex.join(map(str, args))}: {(done.stderr or done.stdout).strip()[-200:]}")
        return done.stdout

    def ask(self, *args):
        return json.loads(self.ctl("-j", *args))

    def apply(self, config):
        """A new config goes live; the data plane must not be paused."""
        self.config.write_text(config, encoding="utf-8")
        self.ctl("config", "apply", self.config)

    def drops(self):
        return {row["reason"]: row["packets"] for row in self.ask("drops")["drops"]}

    def counters(self):
        return {row["counter"]: row["value"] for row in self.ask("counters")["counters"]}

    def thread_times(self):
        return self.plane.thread_times()

    def pause(self):
        self.plane.pause()

    def go_on(self):
        self.plane.go_on()

    def check(self):
        self.plane.check()


class Testpmd(Process):
    """DPDK's testpmd, which sends every packet back on the other port of its pair with the MAC addresses swapped."""

    def __init__(self, directory, vdevs, core=1, house=0, forward="macswap", within=()):
        pathlib.Path(directory).mkdir(parents=True, exist_ok=True)
        argv = ["dpdk-testpmd", f"--lcores=0@{house},1@{core}", "--no-huge", "--no-shconf", "-m", 512,
                "--single-file-segments", "--no-pci", "--no-telemetry", "--log-level=*:warning",
                f"--file-prefix=sluice-bench-{os.getpid()}"]
        for vdev in vdevs:
            argv += ["--vdev", vdev]
        argv += ["--", "-i", f"--forward-mode={forward}", "--nb-cores=1", "--auto-start", "--no-mlockall", "--no-numa", "--total-num-mbufs=16384"]
        super().__init__(argv, pathlib.Path(directory) / "testpmd.log", within, stdin=subprocess.PIPE)

    def wait_socket(self, path):
        """Returns when it listens there: a memif port of role server is up."""
        def listens():
            self.check()
            return pathlib.Path(path).is_socket()
        wait_for(listens, f"memif socket {path}")


class Generator(Process):
    """sluice-pktgen series: one process that runs a trial whenever it is asked to."""

    def __init__(self, build, directory, ports, core=0, memory=512, within=()):
        """`ports`: a list of option lists, each beginning with its -p."""
        pathlib.Path(directory).mkdir(parents=True, exist_ok=True)
        argv = [pathlib.Path(build) / "tools/pktgen/sluice-pktgen", "series", "--cores", core, "--memory", memory, "--wait", 3]
        argv += [option for port in ports for option in port]
        super().__init__(argv, pathlib.Path(directory) / "pktgen.log", within, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE)
        self.rest = b""

    def trial(self, options, seconds=READY_SECONDS):
        """One trial; `options` as on the command line of sluice-pktgen run. The result, as its JSON tells it."""
        self.check()
        self.child.stdin.write((shlex.join(map(str, options)) + "\n").encode())
        self.child.stdin.flush()
        result = json.loads(self._line(time.monotonic() + seconds))
        if "error" in result:
            raise Gone(f"sluice-pktgen: {result['error']}")
        return result

    def _line(self, deadline):
        pipe = self.child.stdout.fileno()
        while b"\n" not in self.rest:
            if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise Gone("sluice-pktgen does not answer")
            more = os.read(pipe, 65536)
            if not more:
                self.child.wait(5)
                self.check()
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        return line


def core_distance(build, first=0, second=1, milliseconds=8):
    """Median round trip of a cache line between two cores, in TSC cycles. Both must be idle."""
    done = subprocess.run([pathlib.Path(build) / "tests/bench/core_distance", str(first), str(second), str(milliseconds)],
                          capture_output=True, text=True, timeout=10, check=True)
    return json.loads(done.stdout)["median"]
