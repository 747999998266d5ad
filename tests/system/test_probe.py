# SPDX-License-Identifier: Apache-2.0
"""TCP connections that the data plane opens: `sluicectl probe tcp` against servers of real kernels."""
import json
import subprocess
import time

import pytest

from conftest import DEFAULT, LAB, wait_for

SERVERS = {"198.51.100.21": ("198.51.100.1", 1460), "2001:db8:100::21": ("2001:db8:100::1", 1440)}
SILENT = 9999

# A listener whose queue is full and stays so: its kernel does not answer SYNs.
FULL = """
import socket, sys, time
s = socket.socket(socket.AF_INET6)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("::", int(sys.argv[1])))
s.listen(0)
held = [socket.create_connection(("::1", int(sys.argv[1]))) for n in range(1)]
print("ready", flush=True)
time.sleep(600)
"""

# Greets whoever connects and waits for him to close; a reset makes it say so.
GREETING = """
import socket, sys
s = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
while True:
    c = s.accept()[0]
    c.sendall(b"220 at your service\\r\\n")
    try:
        print("closed" if c.recv(1) == b"" else "data", flush=True)
    except ConnectionResetError:
        print("reset", flush=True)
    c.close()
"""


def probe(lab, *args, check=True):
    done = lab.ctl("-j", "probe", "tcp", *args, check=check)
    return json.loads(done.stdout)


def one(lab, *args):
    """The only answer of a probe, whatever it is."""
    return probe(lab, *args, "--count", 1, check=False)["probes"][0]


def silent_server(lab):
    server = lab.spawn_python("server1", FULL, SILENT)
    assert server.stdout.readline().strip() == "ready"
    return server


def spawn_ctl(lab, address, port, timeout):
    child = subprocess.Popen([LAB, "ctl", "probe", "tcp", address, str(port), "--count", "1", "--timeout", str(timeout)],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             text=True, start_new_session=True)
    lab.children.append(child)
    return child


def open_connections(lab):
    return lab.ctl_json("status")["totals"]["tcp_connections"]


def nothing_is_left(lab):
    wait_for(lambda: open_connections(lab) == 0, "all connections to end")


@pytest.mark.parametrize("address", SERVERS)
def test_a_server_is_connected_to_told_of_and_left_closed(lab, address):
    lab.http_server("server1", 8080)
    local, mss = SERVERS[address]
    answer = one(lab, address, 8080)
    assert answer["result"] == "connected" and answer["syns"] == 1 and 0 < answer["rtt_us"] < 1000000
    assert (answer["local"], answer["out"], answer["mtu"], answer["mss"]) == (local, "wan", 1500, mss)
    assert 61000 <= answer["local_port"] <= 65535
    assert answer["timestamps"] and answer["sack"] and answer["window_scale"] is not None
    place = f":{answer['local_port']} "
    wait_for(lambda: place not in lab.exec("server1", "ss", "-tanH").stdout, "the server to see it closed")
    nothing_is_left(lab)


def test_people_get_a_line_each_and_a_summary(lab):
    lab.http_server("server1", 8080)
    done = lab.ctl("probe", "tcp", "198.51.100.21", 8080, "--count", 3, "--interval", 0.05)
    lines = done.stdout.splitlines()
    assert [line.split(",")[0] for line in lines[:3]] == ["1: connected", "2: connected", "3: connected"]
    assert "from 198.51.100.1:" in lines[0] and "worker 0" in lines[0]
    assert lines[3].startswith("198.51.100.21:8080: 3 of 3 connected, min/mean/max ")


def test_a_server_that_speaks_first_sees_a_close_and_no_reset(lab):
    server = lab.spawn_python("server1", GREETING, 2525)
    assert server.stdout.readline().strip() == "ready"
    # The greeting may come before the close or after it; RFC 2525 wants a reset where it could not be taken in.
    assert one(lab, "198.51.100.21", 2525)["result"] == "connected"
    assert server.stdout.readline().strip() in ("closed", "reset")
    nothing_is_left(lab)


@pytest.mark.parametrize("address", SERVERS)
def test_a_closed_port_refuses(lab, address):
    done = lab.ctl("probe", "tcp", address, 81, "--count", 1, check=False)
    assert done.returncode == 1 and done.stdout.startswith("1: refused, ")
    nothing_is_left(lab)


def test_a_silent_server_is_given_up_at_the_time_said(lab):
    silent_server(lab)
    start = time.monotonic()
    answer = one(lab, "198.51.100.21", SILENT, "--timeout", 1.5)
    assert answer["result"] == "timeout" and answer["syns"] == 2
    assert 1.4 < time.monotonic() - start < 4
    nothing_is_left(lab)


@pytest.mark.parametrize("address, why", [("198.51.100.77", "host unreachable"),
                                          ("2001:db8:100::77", "address unreachable")])
def test_nobody_at_the_address_is_told_before_the_time_is_over(lab, address, why):
    answer = one(lab, address, 80, "--timeout", 10)
    assert answer["result"] == "unreachable" and answer["why"] == why and "router" not in answer
    assert answer["rtt_us"] < 8000000
    nothing_is_left(lab)


def test_what_cannot_be_tried_is_said(lab):
    assert one(lab, "100.64.0.1", 80)["result"] == "no-route"
    for words, text in ((("198.51.100.1", 80), "the gateway's own"), (("198.51.100.100", 80), "no other host's"),
                        (("198.51.100.21", 80, "--local", "10.0.0.9"), "no port has such an address"),
                        (("198.51.100.21", 80, "--worker", 7), "no such worker")):
        done = lab.ctl("probe", "tcp", *words, check=False)
        assert done.returncode == 1 and text in done.stderr, done.stderr


def test_probing_needs_the_right_to_change(lab):
    assert lab.ctl_as_nobody("probe", "tcp", "198.51.100.21", 80).returncode == 4


def test_many_in_a_row_leave_nothing(lab):
    lab.http_server("server1", 8080)
    result = probe(lab, "198.51.100.21", 8080, "--count", 300, "--interval", 0)
    assert result["connected"] == 300
    assert len({answer["local_port"] for answer in result["probes"]}) == 300
    nothing_is_left(lab)
    assert lab.drops().get("no_twin", 0) == 0


def test_the_hosts_services_at_ports_of_the_range_are_reached_meanwhile(lab):
    lab.http_server("server1", 8080)
    lab.http_server("gateway", 62000)
    lab.apply(DEFAULT + "tcp: {ports: 61980-62043}\n")
    for _ in range(5):
        assert probe(lab, "198.51.100.21", 8080, "--count", 8, "--interval", 0)["connected"] == 8
        assert "hello" in lab.exec("server1", "curl", "-sS", "-m", 10, "http://198.51.100.1:62000/").stdout


def test_one_that_waits_holds_up_no_other(lab):
    silent_server(lab)
    lab.http_server("server1", 8080)
    waiting = [spawn_ctl(lab, "198.51.100.21", SILENT, 8) for _ in range(4)]
    wait_for(lambda: open_connections(lab) == 4, "four that wait")
    start = time.monotonic()
    assert one(lab, "198.51.100.21", 8080)["result"] == "connected"
    lab.ctl("neighbor", "flush", "address", "10.0.0.99")
    lab.apply(DEFAULT + "tcp: {ports: 62000-62999}\n")  # tables may change meanwhile
    assert time.monotonic() - start < 6
    for child in waiting:
        assert child.wait(20) == 1
    nothing_is_left(lab)


def test_the_doctor_sees_that_the_host_takes_the_same_ports(lab):
    def found():
        rows = json.loads(lab.ctl("-j", "doctor", check=False).stdout)["findings"]
        return next(row for row in rows if row["check"] == "local ports")
    key = "net.ipv4.ip_local_port_range"
    before = lab.exec("gateway", "sysctl", "-n", key).stdout.split()
    lab.exec("gateway", "sysctl", "-qw", f"{key}=32768 62000")
    try:
        row = found()
        assert row["verdict"] == "hint" and "32768-62000" in row["text"] and "61000-65535" in row["text"]
    finally:
        lab.exec("gateway", "sysctl", "-qw", f"{key}={before[0]} {before[1]}")


def test_either_of_two_workers_connects(fresh_lab):
    lab = fresh_lab
    lab.up("--workers", "2")
    lab.http_server("server1", 8080)
    for address in SERVERS:
        for worker in (0, 1):
            result = probe(lab, address, 8080, "--worker", worker, "--count", 20, "--interval", 0)
            assert result["connected"] == 20 and {answer["worker"] for answer in result["probes"]} == {worker}
    assert {answer["worker"] for answer in probe(lab, "198.51.100.21", 8080, "--interval", 0)["probes"]} == {0, 1}
    shares = next(row for row in lab.ctl_json("counters")["counters"] if row["counter"] == "tcp_established")["per_worker"]
    assert shares == [42, 42]
    nothing_is_left(lab)
    assert lab.drops().get("steer_loop", 0) == 0


def test_a_control_plane_killed_during_a_probe_leaves_none_hanging(fresh_lab):
    lab = fresh_lab
    lab.up()
    silent_server(lab)
    lab.http_server("server1", 8080)
    child = spawn_ctl(lab, "198.51.100.21", SILENT, 3)
    wait_for(lambda: open_connections(lab) == 1, "the probe to be under way")
    lab.daemon("kill", "control")
    assert child.wait(20) == 3  # sluiced does not answer any more
    lab.daemon("start", "control")
    wait_for(lambda: lab.ctl("status", check=False).returncode == 0, "sluiced to be back")
    nothing_is_left(lab)
    assert probe(lab, "198.51.100.21", 8080, "--count", 40, "--interval", 0)["connected"] == 40


def test_a_data_plane_killed_during_a_probe_is_told_and_the_next_one_probes(fresh_lab):
    lab = fresh_lab
    lab.up()
    silent_server(lab)
    lab.http_server("server1", 8080)
    child = spawn_ctl(lab, "198.51.100.21", SILENT, 2)
    wait_for(lambda: open_connections(lab) == 1, "the probe to be under way")
    lab.daemon("kill", "dp")
    assert child.wait(20) == 1
    lab.daemon("start", "dp")
    lab.wait_ready()
    assert one(lab, "198.51.100.21", 8080)["result"] == "connected"
    nothing_is_left(lab)
