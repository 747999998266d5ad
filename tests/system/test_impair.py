# SPDX-License-Identifier: Apache-2.0
"""sluice-impair between two hosts of its own: delays, losses and rates as asked, counts that agree, bad arguments."""
import json
import os
import re
import signal
import subprocess

import pytest

from conftest import BUILD, run, wait_for

PROGRAM = BUILD / "tools/impair/sluice-impair"


class Between:
    """Two namespaces whose links end here, and the program between these ends."""

    def __init__(self, name):
        self.hosts = [f"{name}-{side}" for side in "ab"]
        self.ends = [f"{name[:8]}{os.getpid() % 10000}{side}" for side in "ab"]
        self.program = None

    def __enter__(self):
        for number, (host, end) in enumerate(zip(self.hosts, self.ends)):
            run(["ip", "netns", "add", host])
            run(["ip", "link", "add", end, "type", "veth", "peer", "name", "eth0", "netns", host])
            run(["ip", "link", "set", end, "up"])
            for command in (["ip", "addr", "add", f"10.98.0.{number + 1}/24", "dev", "eth0"],
                            ["ip", "link", "set", "eth0", "up"], ["ethtool", "-K", "eth0", "tso", "off", "gso", "off"]):
                run(["ip", "netns", "exec", host, *command])
            run(["sysctl", "-q", f"net.ipv6.conf.{end}.disable_ipv6=1"])
        return self

    def __exit__(self, *_):
        if self.program:
            self.program.kill()
            self.program.communicate()
        for host, end in zip(self.hosts, self.ends):
            subprocess.run(["ip", "link", "del", end], check=False, capture_output=True)
            subprocess.run(["ip", "netns", "del", host], check=False, capture_output=True)

    def begin(self, *options):
        self.program = subprocess.Popen([PROGRAM, "--a", self.ends[0], "--b", self.ends[1], "--seconds", "60", *options],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert "between" in self.program.stderr.readline()

    def end(self):
        self.program.send_signal(signal.SIGTERM)
        output, _ = self.program.communicate(timeout=10)
        assert self.program.returncode == 0
        self.program = None
        return json.loads(output)

    def exec(self, side, *command, **more):
        return run(["ip", "netns", "exec", self.hosts[side], *command], **more)


@pytest.fixture
def between():
    with Between(os.environ.get("SLUICE_LAB", "sluice") + "-impair") as made:
        yield made


def ping(between, count, *more):
    out = subprocess.run(["ip", "netns", "exec", between.hosts[0], "ping", "-q", "-c", str(count), "-i", "0.005", "-W", "1", *more,
                          "10.98.0.2"], capture_output=True, text=True, check=False).stdout
    received = int(re.search(r"(\d+) received", out).group(1))
    least = re.search(r"= ([\d.]+)/", out)
    return received, float(least.group(1)) if least else None


def test_a_ping_takes_both_ways_delay(between):
    between.begin("--delay", "20ms", "--b-to-a", "--delay", "30ms")
    received, least_ms = ping(between, 20)
    assert received == 20 and least_ms >= 50


def test_what_is_lost_is_counted(between):
    between.begin("--a-to-b", "--loss", "20%")
    ping(between, 3)  # addresses are known from here on
    received, _ = ping(between, 400)
    counts = between.end()
    lost = counts["a_to_b"]["lost"]
    assert 40 <= lost <= 130 and 400 - received <= lost <= 400 - received + 10
    assert counts["b_to_a"]["lost"] == 0


def test_tcp_gets_through_all_of_it_together(between):
    between.begin("--delay", "2ms", "--loss", "1%", "--duplicate", "1%", "--reorder", "2%:3ms", "--corrupt", "1%",
                  "--rate", "200mbit", "--queue", "256k", "--seed", "5")
    serve = "import socket,hashlib\ns=socket.create_server(('',7));c,_=s.accept();h=hashlib.sha256()\n" \
            "while b:=c.recv(65536): h.update(b)\nprint(h.hexdigest())"
    send = "import socket,hashlib,os\nd=os.urandom(2000000);c=socket.create_connection(('10.98.0.2',7),30)\n" \
           "c.sendall(d);c.shutdown(1);print(hashlib.sha256(d).hexdigest())"
    server = subprocess.Popen(["ip", "netns", "exec", between.hosts[1], "/usr/bin/python3", "-c", serve],
                              stdout=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: ":7 " in between.exec(1, "ss", "-ltnH").stdout, "the server", 10)
        sent = between.exec(0, "/usr/bin/python3", "-c", send).stdout
        got, _ = server.communicate(timeout=60)
    finally:
        server.kill()
    assert got == sent
    counts = between.end()["a_to_b"]
    assert counts["lost"] and counts["duplicated"] and counts["held_back"] and counts["corrupted"]
    assert counts["in"] + counts["duplicated"] == sum(
        counts[name] for name in ("out", "lost", "too_large", "queue_full", "no_room", "inside"))


def test_what_is_larger_than_the_mtu_vanishes(between):
    between.begin("--mtu", "1400")
    assert ping(between, 3, "-s", "1372")[0] == 3
    assert ping(between, 3, "-s", "1373", "-M", "do")[0] == 0


@pytest.mark.parametrize("arguments, said", [
    ([], "two interfaces"),
    (["--a", "lo", "--b", "lo"], "same interface"),
    (["--a", "lo", "--b", "nothing-there"], "no such interface"),
    (["--a", "lo", "--b", "x", "--loss", "150%"], "a chance is wanted"),
    (["--a", "lo", "--b", "x", "--delay", "20"], "a time is wanted"),
    (["--a", "lo", "--b", "x", "--queue", "64k"], "say the rate"),
    (["--a", "lo", "--b", "x", "--seed", "one"], "a whole number"),
    (["--a", "lo", "--b", "x", "more"], "not an option")])
def test_a_wrong_command_line_is_told_what_is_wrong(arguments, said):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode != 0 and said in done.stderr
