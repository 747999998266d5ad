# SPDX-License-Identifier: Apache-2.0
"""Throughput of the TCP endpoint as a sender beside the kernel's with CUBIC, over the same emulated path in the same run,
by round trip and loss; and how two flows share it. tests/tcp/race.c says how; receivers are the kernel's in all cases."""
import subprocess

from rows import Bar, Row, Sample

SECTION = "tcp"
RATE = 100  # Mbit/s
RTTS = (1, 20, 100)  # ms
LOSSES = (0, 100, 1000, 3000)  # of 100,000
SECONDS = 4
SHARING_SECONDS = 12
RATIO_BAR = 0.95  # of the kernel's: what one run differs from the next by


def race(context, senders, rtt, loss, seconds, seed):
    """Mbit/s of each flow."""
    command = [context.build / "tests/tcp/tcp-race", "--rate", str(RATE), "--rtt", str(rtt), "--loss", str(loss), "--seconds",
               str(seconds), "--seed", str(seed), *(word for sender in senders for word in ("--sender", sender))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip()[-200:] or f"tcp-race ended with {done.returncode}")
    return [float(line.split()[1]) / 1e6 for line in done.stdout.splitlines()]


def named(rtt, loss):
    return f"one flow over {RATE} Mbit/s, {rtt} ms, {loss / 1000:g} % lost"


def path_row(rtt, loss, pairs):
    """pairs: (ours, the kernel's) of each trial."""
    return Row(SECTION, named(rtt, loss), "Mbit/s", f"{SECONDS} s each in turn, {len(pairs)} trial{'s' * (len(pairs) > 1)}; a round trip's worth of queue",
               Sample.of([ours for ours, _ in pairs]), Sample.of([theirs for _, theirs in pairs]), "Linux CUBIC",
               higher_is_better=True, bar=Bar(RATIO_BAR, of_ratio=True))


def jain(rates):
    """Jain's index of fairness: 1 where all are equal, 1/n where one has all."""
    return sum(rates) ** 2 / (len(rates) * sum(rate * rate for rate in rates)) if any(rates) else 0.0


def sharing_row(senders, trials):
    who = "two flows of ours" if senders == ("ours", "ours") else "a flow of ours and one of the kernel's"
    means = ", ".join(f"{sum(rates) / len(trials):.0f}" for rates in zip(*trials))
    return Row(SECTION, f"{who} over {RATE} Mbit/s, 20 ms: Jain's index", "", f"{means} Mbit/s on average over {SHARING_SECONDS} s",
               Sample.of([jain(rates) for rates in trials]), higher_is_better=True)


def measure(context, budget):
    context.say("the TCP endpoint beside the kernel's, over emulated paths")
    pairs, shared, rows = {}, {}, []
    try:
        for seed in budget.rounds(1, 5):
            for rtt in RTTS:
                for loss in LOSSES if not context.quick else LOSSES[:2]:
                    one = [race(context, [sender], rtt, loss, SECONDS, seed)[0] for sender in ("ours", "kernel")]
                    pairs.setdefault((rtt, loss), []).append(tuple(one))
            for senders in () if context.quick else (("ours", "ours"), ("ours", "kernel")):
                shared.setdefault(senders, []).append(race(context, senders, 20, 0, SHARING_SECONDS, seed))
    except (OSError, RuntimeError, ValueError, IndexError, subprocess.SubprocessError) as why:
        rows.append(Row(SECTION, "the TCP endpoint beside the kernel's, the rest", "", skipped=str(why)))
    rows += [path_row(*path, trials) for path, trials in pairs.items()]
    return rows + [sharing_row(senders, trials) for senders, trials in shared.items()]
