# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a command line of `sluice-pktgen` is told before anything is sent: where, what, how to mend."""
import json
import subprocess

import pytest

from pktgen import PKTGEN, pktgen, scratch

RINGS = ("both", "-p", "ring:a", "-p", "ring:b")
USAGE, ENVIRONMENT = 2, 3


@pytest.mark.parametrize("argv, words", [
    (("run",), ("no port", "--port")),
    (("run", "-p", "foo:bar"), ("foo:bar", "no known kind", "memif:")),
    (("run", "-p", "ring:a", "--size", "10"), ("sizes", "'10'", "64")),
    (("run", "-p", "ring:a", "--size", "64", "-P", "tcp"), ("64 bytes", "need 76")),
    (("run", "-p", "ring:a", "-r", "10x"), ("rate", "'10x'", "1.5Mpps")),
    (("run", "-p", "ring:a", "--cores", "0,1", "--workers", "3"), ("2 cores", "3 workers")),
    (("run", "-p", "ring:a", "--src", "1.2.3.4", "--dst", "::1"), ("dst", "different families")),
    (("run", "-p", "ring:a", "--tcp-flags", "S"), ("tcp-flags", "only TCP", "make the protocol tcp")),
    (("run", "-p", "ring:a", "--gateway", "10.0.0.1", "--peer-mac", "02:00:00:00:00:01"), ("--gateway", "leave one")),
    (("run", "-p", "ring:a", "-f", "/nowhere/p.yaml"), ("/nowhere/p.yaml", "No such file")),
    (("run", "-p", "ring:a", "--csv", "/nowhere/t.csv"), ("--csv /nowhere/t.csv", "No such file")),
    (("run", "-p", "ring:a", "--csv", "/tmp/slpg-x", "--html", "/tmp/slpg-x"), ("--csv and --html", "its own file")),
    (("run", "--address", "10.0.0.1/24", "-p", "ring:a"), ("--address", "follow the --port")),
    (("rfc2544", "-p", "ring:a", "--size", "64"), ("--size", "--sizes")),
    (("rfc2544", "-p", "ring:a", "--count", "9"), ("--count", "--duration")),
    (("rfc2544", "-p", "ring:a", "--bad", "ttl"), ("bad packets", "sluice-pktgen run")),
    (("rfc2544", "-p", "ring:a", "--sizes", "64-1518"), ("15 sizes", "give a step")),
    (("rfc2544", "-p", "ring:a", "--tests", "fly"), ("--tests", "'fly'")),
    (("replay", "-p", "ring:a"), ("name the capture file",)),
    (("replay", "-p", "ring:a", "--rate", "1kpps", "--speed", "2", "x.pcap"), ("--rate and --speed", "leave one")),
    (("replay", "-p", "ring:a", "/dev/null"), ("/dev/null", "too short for a capture")),
    (("reflect", "-p", "ring:a", "--lose", "1", "--corrupt", "2"), ("more than all frames", "raise their N")),
    (("reflect", "-p", "ring:a", "--rate", "50%"), ("--rate", "packets a second")),
    (("reflect", "-p", "ring:a", "--burst", "9"), ("--burst belongs to --rate",)),
    (("stateful", "-p", "ring:a"), ("client, server or both",)),
    (("stateful", "both", "-p", "ring:a"), ("'both' wants 2 ports",)),
    (("stateful", "server", "-p", "ring:a", "-r", "9"), ("--rate tells a client", "leave it out")),
    (("stateful", *RINGS, "--client", "1.1.1.1", "--client-ports", "1-2", "-c", "3"), ("3 connections", "widen --client")),
    (("stateful", *RINGS, "--server", "::1"), ("different families", "--client")),
    (("stateful", *RINGS, "--target", "::1"), ("different families", "--target")),
    (("stateful", *RINGS, "--target", "1.1.1.1-"), ("--target: '1.1.1.1-'", "is no address")),
    (("stateful", *RINGS, "--target-ports", "0"), ("--target-ports: '0'", "no number from 1")),
    (("stateful", "server", "-p", "ring:a", "--target", "1.1.1.1"), ("--target tells a client", "leave it out")),
    (("stateful", *RINGS, "--gateway", "1.1.1.1", "--next-hop", "02:00:00:00:00:01"), ("--next-hop", "leave one")),
    (("stateful", *RINGS, "--html", "/nowhere/p.html"), ("--html /nowhere/p.html", "No such file")),
])
def test_fault_of_a_command_line_is_told_with_its_place_and_its_cure(argv, words):
    done = pktgen(*argv)
    assert done.returncode == USAGE, done
    assert done.stdout == ""
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize("text, place, words", [
    ("pktgen: 1\nstreams: [{nme: x}]\n", ":2:12: streams[0]", ("unknown key 'nme'", "did you mean 'name'")),
    ("pktgen: 1\nstreams:\n  - {name: x, port: nope}\n", ":3:21: streams[0].port", ("there is no port 'nope'",)),
    ("pktgen: 1\nstreams:\n  - {dport: 70000}\n", ":3:", ("dport", "'70000'")),
    ("pktgen: 1\nrate: fast\nstreams: [{}]\n", ":2:", ("rate", "'fast'", "10Gbps")),
    ("pktgen: 9\nstreams: [{}]\n", ":1:", ("pktgen",)),
])
def test_fault_of_a_profile_is_told_with_line_and_column(text, place, words):
    with scratch() as directory:
        profile = directory / "p.yaml"
        profile.write_text(text, encoding="utf-8")
        done = pktgen("run", "-p", "ring:a", "-f", profile)
    assert done.returncode == USAGE, done
    assert f"{profile}{place}" in done.stderr
    for word in words:
        assert word in done.stderr


def test_memif_without_its_other_end_says_what_to_start():
    with scratch() as directory:
        done = pktgen("run", "-p", f"memif:{directory}/a.sock")
    assert done.returncode == ENVIRONMENT
    assert "the other end, with role=server, started" in done.stderr


def test_gateway_that_does_not_answer_is_named():
    done = pktgen("run", "-p", "ring:a", "--address", "10.0.0.2/24", "--gateway", "10.0.0.1")
    assert done.returncode == ENVIRONMENT
    assert "10.0.0.1 does not answer" in done.stderr and "--peer-mac" in done.stderr


def test_series_answers_a_wrong_line_and_goes_on():
    good = "--duration 20ms"
    wrong = {"--flows x": "--flows: 'x'", "-p null:": "--port", "--cores 0,1": "--cores", "--csv t.csv": "--csv",
             "--html t.html": "--html", "--nothing": "option", "stray": "Too many arguments", "-P tcp": "need 76",
             "-q " * 300: "words"}
    lines = [line for fault in wrong for line in (fault, good)]
    done = subprocess.run([PKTGEN, "series", "-p", "ring:a", "-r", "2kpps", "--settle", "5ms"],
                          input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=60, check=False)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and len(answers) == len(lines), done
    for words, told, trial in zip(wrong.values(), answers[::2], answers[1::2]):
        assert words in told["error"], told
        assert "error" not in trial and trial["total"]["sent"] > 0
