#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the benchmarks and prints one table. tools/bench builds and calls this.

In-process: whole bursts through pipeline_run(), no driver (tests/bench/bench_nat.c says how). Ceiling: DPDK's testpmd,
macswap between two null ports with copying, on one core of the same machine in the same run: it also pays for the
(null) driver, so it is a yardstick of the machine, not a like-for-like peer.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "performance.md"
MARK = ("<!-- table: written by tools/bench --write-docs -->", "<!-- end of table -->")

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


def fail(text):
    sys.exit(f"bench: {text}")


def tsc_hz():
    """Of the TSC, measured against the clock by the kernel; falls back on /proc/cpuinfo's figure."""
    found = re.search(r"tsc: (?:Refined TSC clocksource calibration|Detected).*?([\d.]+) MHz", subprocess.run(
        ["dmesg"], capture_output=True, text=True, check=False).stdout)
    if not found:
        found = re.search(r"cpu MHz\s*: ([\d.]+)", pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii"))
    return float(found.group(1)) * 1e6


def in_process(build, quick):
    command = [build / "tests/bench/bench_nat", "--json", "--runs", "3" if quick else "11"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode != 0:
        fail(f"{command[0]} failed: {done.stderr.strip() or done.returncode}")
    rows = []
    for case in json.loads(done.stdout):
        name, bar = NAMES.get((case["case"], case["count"]), (f"{case['case']}, {case['count']}", None))
        rows.append({"what": name, "burst": case["burst"], "median": case["median"], "low": case["tenth"],
                     "high": case["ninetieth"], "bar": bar, "stages": case["stages"]})
    return rows


def testpmd_packets(child, pause):
    """Packets forwarded within `pause` seconds, and that time, of a running testpmd."""
    def total():
        child.stdin.write("show port stats all\n")
        child.stdin.flush()
        seen = []
        while len(seen) < 2:
            line = child.stdout.readline()
            if not line:
                fail("testpmd ended early")
            if match := re.search(r"TX-packets: (\d+)\s+TX-errors", line):
                seen.append(int(match.group(1)))
        return sum(seen), time.monotonic()
    first, start = total()
    time.sleep(pause)
    second, end = total()
    return (second - first) / (end - start)


def macswap(quick):
    """testpmd's rate on two null ports: (packets a second: median, least, most)."""
    command = ["stdbuf", "-oL", "dpdk-testpmd", "-l", "0,1", "--no-huge", "-m", "256", "--no-pci", "--no-telemetry", "--file-prefix=bench",
               "--vdev", "net_null0,copy=1", "--vdev", "net_null1,copy=1", "--", "-i", "--forward-mode=macswap",
               "--nb-cores=1", "--total-num-mbufs=8192", "--auto-start"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        rates = [testpmd_packets(child, 0.5) for _ in range(5 if quick else 11)]
        child.stdin.write("stop\nquit\n")
        child.stdin.close()
        child.wait(timeout=30)
    finally:
        child.kill()
        child.wait()
    return statistics.median(rates), min(rates), max(rates)


def table(result):
    ceiling = result["ceiling"]
    lines = ["| what | burst | cycles/packet | middle 80 % | bar | of macswap | where the cycles go |", "|---|---|---|---|---|---|---|"]
    lines.append(f"| testpmd macswap, two null ports | 32 | {ceiling['median']:.0f} | {ceiling['low']:.0f}-{ceiling['high']:.0f} | | 100 % | {ceiling['mpps']:.1f} Mpps with its driver |")
    for row in result["rows"]:
        stages = " ".join(f"{name} {cycles:.0f}" for name, cycles in row["stages"].items())
        bar = "" if row["bar"] is None else f"{row['bar']} ({'met' if row['median'] <= row['bar'] else 'not met'})"
        lines.append(f"| {row['what']} | {row['burst']} | {row['median']:.0f} | {row['low']:.0f}-{row['high']:.0f} | {bar} "
                     f"| {100 * ceiling['median'] / row['median']:.0f} % | {stages} |")
    return "\n".join(lines)


def regressions(result, path):
    """Rows whose median is beyond the earlier run's spread, and more than a tenth slower."""
    before = {(row["what"], row["burst"]): row for row in json.loads(pathlib.Path(path).read_text(encoding="utf-8"))["rows"]}
    worse = []
    for row in result["rows"]:
        old = before.get((row["what"], row["burst"]))
        if old and row["median"] > old["high"] and row["median"] > 1.1 * old["median"]:
            worse.append(f"{row['what']}, bursts of {row['burst']}: {old['median']:.0f} -> {row['median']:.0f} cycles")
    return worse


def write_docs(text):
    page = PAGE.read_text(encoding="utf-8")
    start, end = (page.index(mark) for mark in MARK)
    PAGE.write_text(page[:start] + MARK[0] + "\n" + text + "\n" + page[end:], encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    parser.add_argument("--json", metavar="FILE", help="write the results there")
    parser.add_argument("--against", metavar="FILE", help="compare with an earlier --json file; status 1 on a regression")
    parser.add_argument("--write-docs", action="store_true", help="put the table into docs/performance.md")
    options = parser.parse_args()

    hz = tsc_hz()
    print("testpmd macswap ...", file=sys.stderr)
    rate, low, high = macswap(options.quick)
    print("in-process pipeline ...", file=sys.stderr)
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii")).group(1)
    result = {"cpu": cpu, "tsc_hz": hz, "rows": in_process(options.build, options.quick),
              "ceiling": {"median": hz / rate, "low": hz / high, "high": hz / low, "mpps": rate / 1e6}}
    text = f"{cpu}, TSC {hz / 1e9:.2f} GHz, {time.strftime('%Y-%m-%d')}\n\n{table(result)}"
    print(text)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if options.write_docs:
        write_docs(text)
    worse = regressions(result, options.against) if options.against else []
    for line in worse:
        print(f"slower than before: {line}")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
