# SPDX-License-Identifier: Apache-2.0
"""What must not be felt by traffic: applies, a killed control plane, a killed data plane (flows go on)."""
import os
import signal
import time

from conftest import DEFAULT, ping_counts, wait_for

DOWNLOAD = 1 << 36  # more than the test can fetch: it ends when the test does


def start_download(lab):
    lab.http_server("server1", size=DOWNLOAD)
    out = lab.directory / "progress"
    out.unlink(missing_ok=True)
    child = lab.spawn("client1", "curl", "-sS", "--limit-rate", "20M", "-o", out, "-m", 120, "http://198.51.100.21/blob")
    wait_for(lambda: out.exists() and out.stat().st_size > 1 << 20, "the download to start")
    return child, out


def start_ping(lab, target="198.51.100.21"):
    return lab.spawn("client1", "ping", "-q", "-i", 0.001, "-w", 300, target)


def end_ping(child):
    os.kill(child.pid, signal.SIGINT)  # lab exec becomes ip netns exec becomes ping: one pid
    return ping_counts(child.communicate(timeout=20)[0])


def config_variant(n):
    return DEFAULT + f"routes:\n  - {{prefix: 203.0.113.0/24, via: [{{address: 198.51.100.{21 + n % 3}}}]}}\n"


def test_hundred_applies_and_a_killed_control_plane_lose_no_packet(fresh_lab):
    lab = fresh_lab
    lab.up()
    download, out = start_download(lab)
    ping = start_ping(lab)
    time.sleep(1)
    for n in range(100):
        lab.apply(config_variant(n))
    applied = out.stat().st_size
    lab.daemon("kill", "control")
    time.sleep(1)
    lab.daemon("start", "control")
    wait_for(lambda: lab.ctl("status", check=False).returncode == 0, "sluiced to be back")
    lab.apply(config_variant(7))
    time.sleep(1)
    sent, received = end_ping(ping)
    assert download.poll() is None, "the download broke off: " + (download.stdout.read() or "")
    assert out.stat().st_size > applied, "the download stands still"
    assert sent > 1000 and received >= sent - 1, f"{sent - received} of {sent} pings lost"


def test_killed_control_plane_takes_up_the_running_generation(fresh_lab):
    lab = fresh_lab
    lab.up()
    before = lab.generation()
    lab.daemon("kill", "control")
    lab.daemon("start", "control")
    wait_for(lambda: lab.ctl("status", check=False).returncode == 0, "sluiced to be back")
    assert lab.generation() == before


def test_killed_data_plane_takes_its_flows_over(fresh_lab):
    """A TCP download and a UDP mapping outlive kill -9 of sluice-dp."""
    lab = fresh_lab
    lab.up()
    download, out = start_download(lab)
    flows = lab.ctl_json("flow", "count")["matched"]
    assert flows >= 1
    lab.daemon("kill", "dp")
    lab.daemon("start", "dp")
    lab.wait_ready()
    size = out.stat().st_size
    wait_for(lambda: out.stat().st_size > size + (4 << 20), "the download to go on")
    assert download.poll() is None


def test_kernel_twin_keeps_its_addresses_over_a_data_plane_restart(fresh_lab):
    lab = fresh_lab
    lab.up()
    lab.daemon("kill", "dp")
    lab.daemon("start", "dp")
    lab.wait_ready()
    wait_for(lambda: ping_counts(lab.exec("client1", "ping", "-c", 1, "-W", 1, "10.0.0.1", check=False).stdout)[1] == 1, "the twin to answer")


def test_unconfirmed_apply_is_taken_back(lab):
    lab.apply(config_variant(1), extra=("--confirm", "2s"))
    assert "203.0.113.0/24" in lab.ctl("config", "show").stdout
    wait_for(lambda: "203.0.113.0/24" not in lab.ctl("config", "show").stdout, "the revert")


def test_confirmed_apply_stays(lab):
    lab.apply(config_variant(1), extra=("--confirm", "2s"))
    lab.ctl("config", "confirm")
    time.sleep(3)
    assert "203.0.113.0/24" in lab.ctl("config", "show").stdout


def test_rollback_returns_to_the_config_before(lab):
    lab.apply(config_variant(1))
    lab.apply(config_variant(2))
    lab.ctl("config", "rollback")
    assert "198.51.100.22" in lab.ctl("config", "show").stdout
