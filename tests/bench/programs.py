# SPDX-License-Identifier: Apache-2.0
"""The programs that the in-process sections run: bench_pipeline, bench_null, and testpmd beside the latter."""
import contextlib
import json
import pathlib
import os
import re
import select
import shutil
import subprocess
import time

ANSWER_SECONDS = 60.0  # that a child may take: the longest thing it does is to make its tables
HUGE_FREE = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")


def pipeline(context, *arguments):
    """What a fresh bench_pipeline measures: a dictionary for each case and burst."""
    done = subprocess.run([context.build / "tests/bench/bench_pipeline", "--json", *arguments], capture_output=True,
                          text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"bench_pipeline {' '.join(arguments)}: {done.stderr.strip()[-200:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


@contextlib.contextmanager
def running(command):
    """A child that is spoken to over its standard input and output; it is gone afterwards, whatever happens."""
    child = Child(command)
    try:
        yield child
        child.end()
    finally:
        child.kill()


class Child:
    """Answers within a time, or is given up."""

    def __init__(self, command):
        self.name = next(pathlib.Path(str(word)).name for word in command if "bench_" in str(word) or "testpmd" in str(word))
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.rest = b""

    def tell(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def line_matching(self, pattern, seconds=ANSWER_SECONDS):
        """The match in its next line that has one."""
        seen, end = [], time.monotonic() + seconds
        while (line := self._line(end, seconds)) is not None:
            if match := re.search(pattern, line):
                return match
            seen.append(line)
        raise RuntimeError(f"{self.name} ended early: {' '.join(seen)[-200:]}")

    def _line(self, end, seconds):
        """None at the end of its output."""
        pipe = self.process.stdout.fileno()
        while b"\n" not in self.rest:
            if not select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
                raise RuntimeError(f"{self.name} did not answer within {seconds:.0f} s and was ended")
            more = os.read(pipe, 65536)
            if not more:
                return None
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode(errors="replace").strip()

    def end(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(timeout=30)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        with contextlib.suppress(OSError):
            self.process.stdin.close()


def testpmd_missing():
    """Why it cannot run here; empty where it can."""
    if not shutil.which("dpdk-testpmd"):
        return "dpdk-testpmd is not installed: tools/install-deps bench"
    return "" if len(os.sched_getaffinity(0)) > 1 else "testpmd needs two cores, and this process may use only one"


class Null:
    """bench_null at work: one trial after the other."""

    def __init__(self, child):
        self.child = child
        child.line_matching("^ready$")

    @staticmethod
    def command(context, *arguments):
        return [context.build / "tests/bench/bench_null", *arguments]

    def trial(self, what, burst, milliseconds):
        self.child.tell(f"{what} {burst} {milliseconds}\n")
        return json.loads(self.child.line_matching(r"^\{.*\}$").group(0))


class Testpmd:
    """testpmd's macswap between two null ports, forwarding on the last core, standing still between the trials."""

    def __init__(self, child):
        self.child = child
        child.tell("show port info 0\n")
        child.line_matching("Infos for port 0")

    @staticmethod
    def command():
        huge = HUGE_FREE.exists() and 2 * int(HUGE_FREE.read_text(encoding="ascii")) >= 512  # bench_null's and its own
        memory = ["--in-memory"] if huge else ["--no-huge", "--no-shconf"]
        mine = sorted(os.sched_getaffinity(0))
        return ["stdbuf", "-oL", "dpdk-testpmd", "-l", f"{mine[0]},{mine[-1]}", *memory, "-m", "256", "--no-pci", "--no-telemetry",
                "--file-prefix=sluice-bench", "--vdev", "net_null0,copy=1", "--vdev", "net_null1,copy=1", "--", "-i",
                "--forward-mode=macswap", "--nb-cores=1", "--total-num-mbufs=8192"]

    def rate(self):
        """Packets a second since it was asked last, by testpmd's own clock."""
        self.child.tell("show port stats all\n")
        return sum(int(self.child.line_matching(r"Tx-pps: +(\d+)").group(1)) for _ in range(2))

    def trial(self, burst, milliseconds):
        """Packets a second."""
        self.child.tell(f"set burst {burst}\nstart\n")
        self.child.line_matching("macswap packet forwarding - ports=2")
        self.rate()
        time.sleep(milliseconds / 1000)
        rate = self.rate()
        self.child.tell("stop\n")
        self.child.line_matching(r"^Done\.$")
        return rate

    def quit(self):
        self.child.tell("quit\n")
