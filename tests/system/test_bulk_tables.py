# SPDX-License-Identifier: Apache-2.0
"""Tables of a million entries go live in seconds while traffic flows; one more route in milliseconds."""
import json
import os
import random
import signal
import time

from conftest import DEFAULT, ping_counts, wait_for

MILLION = 1_000_000


def random_prefixes(count, seed):
    """`count` different /24 to /32 prefixes, away from the lab's own addresses."""
    rng = random.Random(seed)
    seen = set()
    while len(seen) < count:
        length = rng.choice((24, 24, 24, 28, 32))
        address = rng.randrange(20 << 24, 190 << 24) >> (32 - length) << (32 - length)
        seen.add((address, length))
    return [f"{a >> 24}.{a >> 16 & 255}.{a >> 8 & 255}.{a & 255}/{n}" for a, n in seen]


def pinging(lab):
    return lab.spawn("client1", "ping", "-q", "-i", 0.005, "-w", 200, "198.51.100.21")


def losses(child):
    os.kill(child.pid, signal.SIGINT)
    sent, received = ping_counts(child.communicate(timeout=20)[0])
    assert sent > 20
    return sent - received


def test_million_denied_prefixes_go_live_within_seconds_without_loss(lab):
    prefixes = random_prefixes(MILLION, 1)
    lab.directory.joinpath("bad.txt").write_text("\n".join(prefixes) + "\n", encoding="utf-8")
    text = DEFAULT.replace('prefixes: [192.0.2.0/24, "2001:db8:bad::/48"]}', 'prefixes: [192.0.2.0/24], files: [bad.txt]}')
    path = lab.config(text)
    ping = pinging(lab)
    time.sleep(0.5)
    start = time.monotonic()
    lab.ctl("config", "apply", path)
    took = time.monotonic() - start
    assert losses(ping) <= 1
    print(f"a million denied prefixes live after {took:.2f} s")
    for prefix in random.Random(2).sample(prefixes, 20):
        answer = lab.ctl_json("prefilter", "test", "wan", prefix.split("/")[0])
        assert answer["verdicts"][0]["verdict"] == "drop", (prefix, answer)
    assert lab.ctl_json("prefilter", "test", "wan", "11.1.1.1")["verdicts"][0]["verdict"] == "pass"
    assert took < 20, "far beyond the two seconds it should take"


def test_million_routes_go_live_and_one_more_is_live_at_once(lab):
    prefixes = random_prefixes(MILLION, 3)
    gateways = [f"198.51.100.{n}" for n in (21, 22, 23)]
    lines = [f"{prefix} via {gateways[i % 3]}\n" for i, prefix in enumerate(prefixes)]
    lab.directory.joinpath("routes.txt").write_text("".join(lines), encoding="utf-8")
    text = DEFAULT + "route-files: [routes.txt]\n"
    ping = pinging(lab)
    time.sleep(0.5)
    start = time.monotonic()
    lab.ctl("config", "apply", lab.config(text))
    took = time.monotonic() - start
    print(f"a million routes live after {took:.2f} s")
    for i in random.Random(4).sample(range(MILLION), 5):
        answer = lab.ctl_json("route", "lookup", prefixes[i].split("/")[0])
        assert int(answer["route"]["prefix"].split("/")[1]) >= 24, answer
    more = text + "routes:\n  - {prefix: 203.0.113.0/24, via: [{address: 198.51.100.22}]}\n"
    answer = json.loads(lab.ctl("-j", "config", "apply", lab.config(more)).stdout)
    print(f"one more route: {answer['duration_us']}")
    assert answer["in_place"] and answer["routes_added"] == 1
    assert lab.ctl_json("route", "lookup", "203.0.113.9")["route"]["via"][0]["address"] == "198.51.100.22"
    assert losses(ping) <= 1
    assert took < 20, "far beyond the two seconds it should take"
