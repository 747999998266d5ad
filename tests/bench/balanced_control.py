# SPDX-License-Identifier: Apache-2.0
"""What control takes for balancing: a thousand services going live, a member's state changing, health checks
(bench_health.c). The data plane has one worker and no traffic."""
import re
import subprocess
import time

from rig import Gone, Sluice
from rows import Bar, Row, Sample

SECTION = "balance"
SERVICES, MEMBERS = 1000, 100
CHANGES = 40
CHECKS_SECONDS = 3
# kind -> checks a second, bar as per cent of a core. TLS computes: its share of the other kinds' rate would be over a core.
KINDS = {"tcp": (5000, 20), "http": (5000, 20), "https": (1000, None)}
SAID = re.compile(r"(?P<rate>[\d.]+) checks a second: (?P<core>[\d.]+) % of a core .*?(?P<each>[\d.]+) us a check; "
                  r"(?P<up>\d+) up of (?P<targets>\d+), bad (?P<bad>\d+)")


def config(directory, services):
    """The last 100,000 addresses of 10/8 are the members'."""
    lines = ["sluice: 1", "ports:",
             f'  - {{name: in, device: "memif:{directory}/balance,role=server", addresses: [10.0.0.1/8], twin: false}}']
    if services:
        lines += ["services:", *(
            f'  - {{name: s{n}, addresses: [203.{n // 250}.0.{n % 250 + 1}], protocol: tcp, ports: "80", pool: p{n}}}'
            for n in range(services)), "pools:"]
    for n in range(services):
        members = ", ".join(f"{{address: {member(n, m)}}}" for m in range(MEMBERS))
        lines.append(f"  - {{name: p{n}, members: [{members}]}}")
    return "\n".join(lines) + "\n"


def member(pool, number):
    return f"10.{1 + pool // 250}.{pool % 250}.{number + 1}"


def timed(action):
    start = time.monotonic()
    action()
    return time.monotonic() - start


def tables_rows(context, budget):
    """Loads until live in the worker, and changes until sluicectl has been told that they are in its table."""
    loads, changes, idle = [], [], []
    directory = context.scratch / "balance"
    with Sluice(context.build, directory, config(directory, 0)) as sluice:
        for _ in budget.rounds(1, 3):
            loads.append(timed(lambda: sluice.apply(config(directory, SERVICES))))
            for n in range(CHANGES):
                verb = "enable" if n % 2 else "drain"
                changes.append(1e3 * timed(lambda verb=verb: sluice.ctl("pool", verb, "p5", member(5, 7))))
                idle.append(1e3 * timed(lambda: sluice.ctl("status")))
            sluice.apply(config(directory, 0))
    alone = Sample.of(idle)
    return [Row(SECTION, f"{SERVICES:,} services of {MEMBERS} members, from config apply to live", "s",
                "maglev; reading, checking, building, taking over", Sample.of(loads)),
            Row(SECTION, "a member drained or enabled among them, until in the worker's table", "ms",
                f"sluicectl from start to end; {alone.median:.1f} of it are sluicectl's own", Sample.of(changes), bar=Bar(10))]


def health_row(kind, said):
    """Of what bench_health prints."""
    found = SAID.search(said)
    checks, bar = KINDS[kind]
    what = f"health checks, {kind}, {checks:,} a second"
    if not found:
        return Row(SECTION, what, "% of a core", skipped=f"bench_health said: {said.strip()[-200:]}")
    if found["up"] != found["targets"] or int(found["bad"]):
        return Row(SECTION, what, "% of a core", skipped=f"{found['up']} of {found['targets']} up, {found['bad']} bad")
    share = float(found["core"]) * checks / float(found["rate"])
    how = f"at {float(found['rate']):,.0f} a second, {found['each']} us each, kernel included; server on another thread"
    if kind == "https":
        how += "; TLS 1.3, sessions resumed, certificate verified"
    return Row(SECTION, what, "% of a core", how, Sample(share, share, share), bar=Bar(bar) if bar else None)


def health_rows(context):
    rows = []
    for kind, (checks, _) in KINDS.items():
        done = subprocess.run([context.build / "tests/bench/bench_health", str(checks), str(CHECKS_SECONDS), kind],
                              capture_output=True, text=True, timeout=60, check=False)
        rows.append(health_row(kind, done.stdout + done.stderr))
    return rows


def measure(context, budget):
    try:
        rows = tables_rows(context, budget)
    except (Gone, OSError, subprocess.SubprocessError) as why:
        rows = [Row(SECTION, "services going live", "s", skipped=str(why))]
    return rows + health_rows(context)
