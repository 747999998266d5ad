# SPDX-License-Identifier: Apache-2.0
"""`sluice-pktgen run` and `reflect`: what is done to frames on their way is counted, exactly."""
import csv
import json
import shutil
import subprocess

import pytest

from pktgen import PKTGEN, Process, client_of, ended, interrupted, measured, on_terminal, reflector, scratch, screen_of

HARMS = ("--lose", "20", "--duplicate", "25", "--reorder", "30", "--corrupt", "35")


@pytest.mark.parametrize("seed", ["1", "77"])
def test_planted_faults_of_another_process_are_counted_exactly(seed):
    with scratch() as directory:
        socket = directory / "a.sock"
        with reflector(socket, *HARMS, "--seed", seed) as device:
            total = measured("run", *client_of(socket), "-r", "5kpps", "-d", "2", "--settle", "500ms", status=1)["total"]
            planted = ended(device)
    assert planted["refused"] == 0, planted
    assert planted["received"] == total["sent"]
    for ours, theirs in (("lost", "lost"), ("duplicate", "duplicated"), ("reordered", "reordered"),
                         ("corrupt", "corrupted")):
        assert total[ours] == planted[theirs] > 50, (total, planted)


def test_nothing_is_lost_where_nothing_was_planted():
    with scratch() as directory:
        socket = directory / "a.sock"
        with reflector(socket) as device:
            total = measured("run", *client_of(socket), "-r", "5kpps", "-d", "1", "--settle", "500ms")["total"]
            planted = ended(device)
    assert total["received"] == total["sent"] == planted["sent"]
    assert total["lost"] + total["duplicate"] + total["reordered"] + total["corrupt"] == 0
    assert total["latency_ns"]["samples"] == total["received"]


@pytest.mark.parametrize("ports", [1, 2])
def test_workers_and_ports_share_the_streams_and_lose_nothing(ports):
    names = [f"p{i}" for i in range(ports)]
    streams = "".join(f"  - {{name: s{i}, port: {name}, flows: 1000, sport: 1024-9999}}\n"
                      for i, name in enumerate(names))
    with scratch() as directory:
        profile = directory / "p.yaml"
        profile.write_text("pktgen: 1\nports:\n" + "".join(f"  - {{name: {n}, device: 'ring:{n}'}}\n" for n in names) +
                           "streams:\n" + streams, encoding="utf-8")
        result = measured("run", "-f", profile, "--workers", "2", "--count", "100001", "-r", "1Mpps", "--settle", "500ms")
    assert result["workers"] == 2
    assert [s["sent"] for s in result["streams"]] == [100001] * ports
    assert [s["received"] for s in result["streams"]] == [100001] * ports
    assert result["total"]["lost"] + result["total"]["duplicate"] + result["total"]["reordered"] == 0


def test_count_is_not_passed():
    assert measured("run", "-p", "ring:a", "--count", "100")["total"]["sent"] == 100


def test_reports_hold_the_same_numbers():
    with scratch() as directory:
        table, page = directory / "t.csv", directory / "p.html"
        total = measured("run", "-p", "ring:a", "--count", "1000", "--csv", table, "--html", page)["total"]
        with open(table, encoding="utf-8") as lines:
            last = list(csv.DictReader(lines))[-1]
        html = page.read_text(encoding="utf-8")
    assert (last["stream"], int(last["sent"]), int(last["received"])) == ("total", total["sent"], total["received"])
    assert "<svg" in html and "http" not in html and html.rstrip().endswith("</html>")


def test_ctrl_c_ends_with_the_numbers_so_far():
    status, out, err = interrupted(1.5, "run", "-p", "ring:a", "-r", "1kpps", "-d", "600", "-j", "-q")
    total = json.loads(out)["total"]
    assert status == 0, err
    assert 100 < total["sent"] == total["received"] < 10000


def test_screen_draws_over_itself_and_leaves_json_alone():
    status, out, told = on_terminal("run", "-p", "ring:a", "-r", "10kpps", "-d", "1.2", "-j", columns=60)
    assert status == 0
    assert json.loads(out)["total"]["sent"] > 1000
    assert "k/s   came " in told and "latency p50" in told and told.count("\033[") >= 4
    assert all(len(line) < 60 for line in told.replace("\r", "").replace("\033[3A\033[J", "").split("\n"))
    assert not any("latency" in line for line in screen_of(told))


def test_nobody_may_generate_over_memif():
    before = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    with scratch() as directory:
        program, socket = directory / "sluice-pktgen", directory / "a.sock"
        shutil.copy(PKTGEN, program)
        with reflector(socket, program=program, before=before) as device:
            generator = Process("run", *client_of(socket), "-r", "5kpps", "-d", "1", "-j", "-q", program=program,
                                before=before)
            try:
                out, err = generator.child.communicate(timeout=30)
            finally:
                generator.kill()
            planted = ended(device)
    assert generator.child.returncode == 0, err
    total = json.loads(out)["total"]
    assert total["sent"] == total["received"] == planted["sent"] > 1000


def test_generator_ends_by_itself_when_the_device_has_gone_first():
    """The driver of memif may crash in that moment (see the documents); it must not hang."""
    with scratch() as directory:
        socket = directory / "a.sock"
        with reflector(socket) as device:
            generator = Process("run", *client_of(socket), "-r", "10kpps", "-d", "3", "-j", "-q")
            try:
                with pytest.raises(subprocess.TimeoutExpired):
                    generator.child.communicate(timeout=1.5)
                device.interrupt()
                out, _ = generator.child.communicate(timeout=20)
            finally:
                generator.kill()
    if generator.child.returncode >= 0:
        assert json.loads(out)["total"]["lost"] > 0


def test_reflector_tells_what_it_did_in_words():
    status, out, err = interrupted(1, "reflect", "-p", "ring:a", "--lose", "2")
    assert status == 0, err
    assert "0 frames sent back" in out and "on purpose: 0 lost" in out
