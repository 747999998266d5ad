# SPDX-License-Identifier: Apache-2.0
"""The programs that the in-process sections run: bench_pipeline, bench_null, and testpmd beside the latter."""
import contextlib
import json
import pathlib
import re
import subprocess
import time

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
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield child
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
        child.wait(timeout=30)
    finally:
        child.kill()
        child.wait()


def tell(child, text):
    child.stdin.write(text)
    child.stdin.flush()


def line_matching(child, pattern):
    """The match in the child's next line that has one."""
    seen = []
    for line in child.stdout:
        if match := re.search(pattern, line):
            return match
        seen.append(line.strip())
    raise RuntimeError(f"{child.args[0]} ended early: {' '.join(seen)[-200:]}")


class Null:
    """bench_null at work: one trial after the other."""

    def __init__(self, child):
        self.child = child
        line_matching(child, "^ready$")

    @staticmethod
    def command(context, *arguments):
        return [context.build / "tests/bench/bench_null", *arguments]

    def trial(self, what, burst, milliseconds):
        tell(self.child, f"{what} {burst} {milliseconds}\n")
        return json.loads(line_matching(self.child, r"^\{.*\}$").group(0))


class Testpmd:
    """testpmd's macswap between two null ports, forwarding on the last core, standing still between the trials."""

    def __init__(self, child):
        self.child = child
        tell(child, "show port info 0\n")
        line_matching(child, "Infos for port 0")

    @staticmethod
    def command():
        huge = HUGE_FREE.exists() and 2 * int(HUGE_FREE.read_text(encoding="ascii")) >= 512  # bench_null's and its own
        memory = ["--in-memory"] if huge else ["--no-huge", "--no-shconf"]
        return ["stdbuf", "-oL", "dpdk-testpmd", "-l", "0,1", *memory, "-m", "256", "--no-pci", "--no-telemetry",
                "--file-prefix=sluice-bench", "--vdev", "net_null0,copy=1", "--vdev", "net_null1,copy=1", "--", "-i",
                "--forward-mode=macswap", "--nb-cores=1", "--total-num-mbufs=8192"]

    def rate(self):
        """Packets a second since it was asked last, by testpmd's own clock."""
        tell(self.child, "show port stats all\n")
        return sum(int(line_matching(self.child, r"Tx-pps: +(\d+)").group(1)) for _ in range(2))

    def trial(self, burst, milliseconds):
        """Packets a second."""
        tell(self.child, f"set burst {burst}\nstart\n")
        line_matching(self.child, "macswap packet forwarding - ports=2")
        self.rate()
        time.sleep(milliseconds / 1000)
        rate = self.rate()
        tell(self.child, "stop\n")
        line_matching(self.child, r"^Done\.$")
        return rate

    def quit(self):
        tell(self.child, "quit\n")
