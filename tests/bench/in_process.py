# SPDX-License-Identifier: Apache-2.0
"""Cycles per packet of the pipeline without a driver (bench_nat.c says how), beside testpmd's macswap between two null
ports with copying, on one core of the same machine in the same run. macswap also pays for the (null) driver, so it is
a yardstick of the machine, not a like-for-like peer."""
import json
import re
import subprocess
import time

from rows import Bar, Row, Sample

# (what bench_nat calls it, count) -> (row name, bar in cycles per packet)
NAMES = {
    ("route", 1): ("routing, 1 route", 60),
    ("route", 1000000): ("routing, 1 M routes", 60),
    ("nat44 one flow", 1): ("NAT44, 1 flow", None),
    ("nat44 known flows", 65536): ("NAT44, 64 K flows", None),
    ("nat44 known flows", 1048576): ("NAT44, 1 M flows", 150),
    ("nat44 new flows", 1048576): ("NAT44, new flow among 1 M", 800),
    ("prefilter", 1): ("prefilter and routing, 1 prefix", None),
    ("prefilter", 1000000): ("prefilter and routing, 1 M prefixes", None),
}


def pipeline(context, peer):
    command = [context.build / "tests/bench/bench_nat", "--json", "--runs", "3" if context.quick else "11"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode != 0:
        return [Row("in-process", "pipeline", "cycles/packet", skipped=f"bench_nat failed: {done.stderr.strip()[-200:]}")]
    rows = []
    for case in json.loads(done.stdout):
        name, bar = NAMES.get((case["case"], case["count"]), (f"{case['case']}, {case['count']}", None))
        stages = " ".join(f"{stage} {cycles:.0f}" for stage, cycles in case["stages"].items())
        rows.append(Row("in-process", f"{name}, bursts of {case['burst']}", "cycles/packet", stages,
                        Sample(case["median"], case["tenth"], case["ninetieth"], 3), peer, "macswap",
                        bar=Bar(bar) if bar else None))
    return rows


def testpmd_packets(child, pause):
    """Packets a second that a running testpmd forwards, taken over `pause` seconds."""
    def total():
        child.stdin.write("show port stats all\n")
        child.stdin.flush()
        seen = []
        while len(seen) < 2:
            line = child.stdout.readline()
            if not line:
                raise RuntimeError("testpmd ended early")
            if match := re.search(r"TX-packets: (\d+)\s+TX-errors", line):
                seen.append(int(match.group(1)))
        return sum(seen), time.monotonic()
    first, start = total()
    time.sleep(pause)
    second, end = total()
    return (second - first) / (end - start)


def macswap(context):
    """Cycles a packet of testpmd on two null ports."""
    command = ["stdbuf", "-oL", "dpdk-testpmd", "-l", "0,1", "--no-huge", "-m", "256", "--no-pci", "--no-telemetry", "--file-prefix=bench",
               "--vdev", "net_null0,copy=1", "--vdev", "net_null1,copy=1", "--", "-i", "--forward-mode=macswap",
               "--nb-cores=1", "--total-num-mbufs=8192", "--auto-start"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        rates = [testpmd_packets(child, 0.5) for _ in range(5 if context.quick else 11)]
        child.stdin.write("stop\nquit\n")
        child.stdin.close()
        child.wait(timeout=30)
    finally:
        child.kill()
        child.wait()
    return Sample.of([context.tsc_hz / rate for rate in rates])


def measure(context, _budget):
    context.say("testpmd macswap on null ports")
    peer = macswap(context)
    context.say("the pipeline in process")
    return pipeline(context, peer)
