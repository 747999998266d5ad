# SPDX-License-Identifier: Apache-2.0
"""The TCP endpoint beside the kernel's (endpoint_race.py), then in cycles and bytes, in process, on one core: bench_tcp.c
and bench_splice.c say how."""
import subprocess

import endpoint_race
from rows import Bar, Row, Sample

SECTION = "tcp"
PROCESSES_MOST = 7
TIMEOUT = 120
DATA = {1: "1 flow", 1000: "1,000 flows in turn", 65536: "64 K flows in turn"}
DATA_BAR = {1: 400, 1000: 400}  # cycles per segment
SHORT_BAR = 3000  # cycles per connection
PAIRS = {1: "1 pair", 1000000: "1 M pairs at random"}
SACKS = {0: "timestamps", 2: "timestamps and two SACK blocks"}
IDLE = 1000000
IDLE_BAR = 1000  # bytes per connection: a million in under a gigabyte


def commands(quick):
    """Of a process each: the program and its arguments."""
    flows = [1, 1000] if quick else list(DATA)
    engines = [["data", str(count)] for count in flows] + [["connections"], ["idle", str(IDLE)]]
    return [["bench_tcp", *case] for case in engines] + \
        [["bench_splice", str(pairs), str(sacks)] for pairs in PAIRS for sacks in SACKS]


def figures(output):
    """What a process said: (case, the numbers behind it)."""
    case, *numbers = output.split()
    return case, [float(number) for number in numbers]


def data_rows(flows, processes):
    how = f"1,460 bytes on the wire's side of the header, in order, bursts of 32; {len(processes)} processes"
    receiving, sending = (Sample.of([numbers[i] for numbers in processes]) for i in (1, 2))
    bar = DATA_BAR.get(flows)
    return [Row(SECTION, f"a data segment received, {DATA[flows]}", "cycles/segment",
                f"{how}; reading and acknowledging included", receiving, bar=Bar(bar) if bar else None),
            Row(SECTION, f"a data segment sent, {DATA[flows]}", "cycles/segment",
                f"{how}; taking in its acknowledgement included", sending, bar=Bar(bar) if bar else None)]


def joined_row(pairs, sacks, processes):
    how = f"a header translated, watched and mended; bursts of 32; {len(processes)} processes; finding the pair is not in it"
    return Row(SECTION, f"a data segment of a joined pair, {PAIRS[pairs]}, {SACKS[sacks]}", "cycles/packet", how,
               Sample.of([numbers[2] for numbers in processes]))


def rows_of(case, processes):
    """processes: a list of the case's numbers from each."""
    if case == "data":
        return data_rows(int(processes[0][0]), processes)
    if case == "splice":
        return [joined_row(int(processes[0][0]), int(processes[0][1]), processes)]
    if case == "connections":
        how = f"open, 100 bytes each way, close; {len(processes)} processes"
        return [Row(SECTION, f"a whole short connection, the {side}'s end", "cycles/connection", how,
                    Sample.of([numbers[i] for numbers in processes]), bar=Bar(SHORT_BAR))
                for i, side in enumerate(("server", "client"))]
    return [Row(SECTION, f"{IDLE:,} idle connections, memory of each", "bytes", "resident, trace and timers included",
                Sample.of([numbers[1] for numbers in processes]), bar=Bar(IDLE_BAR))]


def run(context, program, *case):
    done = subprocess.run([context.build / "tests/bench" / program, *case], capture_output=True, text=True, timeout=TIMEOUT,
                          check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{program} {' '.join(case)} ended with {done.returncode}: {done.stderr.strip()[-200:]}")
    return figures(done.stdout)


def measure(context, budget):
    rows = endpoint_race.measure(context, budget.part(0.8))
    context.say("the TCP endpoint in process")
    seen = {}
    try:
        for _ in budget.rounds(2, PROCESSES_MOST):
            for command in commands(context.quick):
                name, numbers = run(context, *command)
                seen.setdefault((name, *command), []).append(numbers)
    except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as why:
        rows.append(Row(SECTION, "the TCP endpoint, the rest", "", skipped=str(why)))
    for (name, *_), processes in seen.items():
        rows += rows_of(name, processes)
    return rows
