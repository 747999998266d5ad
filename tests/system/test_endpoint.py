# SPDX-License-Identifier: Apache-2.0
"""Linux clients against the TCP that the data plane itself speaks: echo, discard and chargen."""
import pytest

from conftest import DEFAULT, ping_counts, wait_for
from endpoint_clients import ECHO, ENDPOINTS, LASTING, counted, tcp_counters

OWN = ["10.0.0.1", "fd00::1"]

# Many connections open at once, each echoing a line of its own; prints how many were right.
MANY = """
import socket, sys
open_ones = [socket.create_connection((sys.argv[1], 7), 20) for n in range(int(sys.argv[2]))]
for n, s in enumerate(open_ones):
    s.sendall(b"line %d\\n" % n)
print(sum(s.makefile("rb").readline() == b"line %d\\n" % n for n, s in enumerate(open_ones)))
"""

# Many connections that send small segments for ever and read nothing: each segment keeps a whole packet buffer.
DEAF = """
import select, socket, sys
deaf = []
for n in range(int(sys.argv[2])):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.connect((sys.argv[1], 7))
    s.setblocking(False)
    deaf.append(s)
print("ready", flush=True)
while True:
    for s in select.select([], deaf, [])[1]:
        s.send(b"x" * 100)
"""

# Connections one after the other whose first line goes with the SYN where the kernel has a cookie (RFC 7413); prints for each
# whether the gateway acknowledged it there: TCPI_OPT_SYN_DATA of TCP_INFO's tcpi_options.
EARLY = """
import socket, sys
open("/proc/sys/net/ipv4/tcp_fastopen", "w").write("1")
TCP_FASTOPEN_CONNECT, TCPI_OPT_SYN_DATA = 30, 32
told = []
for n in range(int(sys.argv[2])):
    s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
    s.settimeout(10)
    s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
    s.connect((sys.argv[1], 7))
    s.sendall(b"line %d\\n" % n)
    assert s.makefile("rb").readline() == b"line %d\\n" % n
    told.append(bool(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[5] & TCPI_OPT_SYN_DATA))
    s.close()
print(told)
"""


@pytest.fixture
def endpoints(lab):
    lab.apply(DEFAULT + ENDPOINTS)
    return lab


@pytest.mark.parametrize("address", OWN)
def test_a_hundred_megabytes_come_back_through_echo_as_they_were(endpoints, address):
    print("Mbit/s each way:", endpoints.python("client1", ECHO, address, 100).stdout.strip())


def test_echo_answers_on_every_port_of_the_gateway(endpoints):
    for host, address in (("client2", "198.51.100.1"), ("server1", "198.51.100.1"), ("server1", "2001:db8:100::1")):
        endpoints.python(host, ECHO, address, 1)


@pytest.mark.parametrize("address", OWN)
def test_discard_takes_all_and_closes_without_a_word(endpoints, address):
    code = ("import socket, sys; s = socket.create_connection((sys.argv[1], 9), 10); s.settimeout(10);"
            "s.sendall(bytes(20 << 20)); s.shutdown(socket.SHUT_WR); print(s.recv(10))")
    before = counted(endpoints, "tcp_bytes_in")
    assert endpoints.python("client1", code, address).stdout.strip() == "b''"
    wait_for(lambda: counted(endpoints, "tcp_bytes_in") - before == 20 << 20, "the counter to tell")


@pytest.mark.parametrize("address", OWN)
def test_chargen_sends_its_pattern_until_the_client_closes(endpoints, address):
    code = ("import socket, sys; f = socket.create_connection((sys.argv[1], 19), 10).makefile('rb');"
            "ring = bytes(range(32, 127)) * 2;"
            "lines = [f.readline() for n in range(100000)];"
            "print(all(l == ring[n % 95:n % 95 + 72] + b'\\r\\n' for n, l in enumerate(lines)))")
    assert endpoints.python("client1", code, address).stdout.strip() == "True"


def test_the_hosts_own_services_are_reached_beside_endpoints(endpoints):
    endpoints.http_server("gateway", 8088)
    assert "hello from gateway" in endpoints.exec("client1", "curl", "-sS", "-m", 10, "http://10.0.0.1:8088/").stdout


def test_a_service_taken_out_resets_its_connections_and_others_stay(endpoints):
    child = endpoints.spawn_python("client1", LASTING, "10.0.0.1")
    assert child.stdout.readline().strip() == "ready"
    endpoints.apply(DEFAULT + ENDPOINTS.replace("port: 9", "port: 10"))
    assert child.poll() is None
    endpoints.apply(DEFAULT)
    assert child.stdout.readline().strip() == "reset"


def fast_open_counted(lab):
    return [counted(lab, "tcp_fast_open_" + name) for name in ("cookies", "accepted", "refused")]


def test_a_second_connections_first_line_arrives_with_its_syn(fresh_lab):
    lab = fresh_lab
    lab.up("--workers", "2")
    lab.apply(DEFAULT + ENDPOINTS.replace("port: 7", "port: 7, fast-open: true"))
    for n, (host, address) in enumerate((("client1", "10.0.0.1"), ("client2", "fd00::1")), 1):
        assert lab.python(host, EARLY, address, 5).stdout.strip() == "[False, True, True, True, True]"
        wait_for(lambda n=n: fast_open_counted(lab) == [n, 4 * n, 0], "the counters to tell")
    lab.apply(DEFAULT + ENDPOINTS) # a cookie is of no use then, and the line comes after the handshake
    assert lab.python("client1", EARLY, "10.0.0.1", 2).stdout.strip() == "[False, False]"
    assert fast_open_counted(lab) == [2, 8, 0]


def traced(lab, *filters):
    return lab.ctl_json("trace", "flow", *filters)["flows"]


def test_a_connections_life_is_told_while_it_lasts_and_after_its_end(endpoints):
    child = endpoints.spawn_python("client1", LASTING, "10.0.0.1")
    assert child.stdout.readline().strip() == "ready"
    one = traced(endpoints, "remote", "10.0.0.11", "port", 7)[0]
    assert one["state"] == "ESTABLISHED" and one["local"] == "10.0.0.1:7"
    assert [event["event"] for event in one["events"]][:4] == ["open", "state", "state", "options"]
    endpoints.apply(DEFAULT)
    assert child.stdout.readline().strip() == "reset"
    port = one["remote"].rsplit(":", 1)[1]
    after = traced(endpoints, "remote-port", port)[0]
    assert after["state"] == "CLOSED" and after["began_ns"] == one["began_ns"]
    assert [event["event"] for event in after["events"]][-3:] == ["reset", "state", "end"]
    assert f"10.0.0.11:{port}  CLOSED" in endpoints.ctl("trace", "flow", "slot", after["slot"]).stdout
    assert not traced(endpoints, "remote", "fd00::99")


def test_two_workers_share_the_connections(fresh_lab):
    lab = fresh_lab
    lab.up("--workers", "2")
    lab.apply(DEFAULT + ENDPOINTS)
    for host, address in (("client1", "10.0.0.1"), ("client2", "fd00::1")):
        assert int(lab.python(host, MANY, address, 400).stdout) == 400
        lab.python(host, ECHO, address, 20)
    shares = tcp_counters(lab)["tcp_established"]["per_worker"]
    assert sum(shares) == 802 and min(shares) > 250, shares
    assert lab.drops().get("steer_loop", 0) == 0


def test_a_killed_control_plane_is_not_felt_and_a_restarted_data_plane_resets(fresh_lab):
    lab = fresh_lab
    lab.up()
    lab.apply(DEFAULT + ENDPOINTS)
    child = lab.spawn_python("client1", LASTING, "10.0.0.1")
    assert child.stdout.readline().strip() == "ready"
    lab.daemon("kill", "control")
    lab.python("client2", ECHO, "10.0.0.1", 1)
    lab.daemon("start", "control")
    wait_for(lambda: lab.ctl("status", check=False).returncode == 0, "sluiced to be back")
    assert child.poll() is None
    lab.daemon("kill", "dp")
    lab.daemon("start", "dp")
    lab.wait_ready()
    assert child.stdout.readline().strip() == "reset"
    lab.python("client1", ECHO, "10.0.0.1", 1)


def test_clients_that_never_read_starve_neither_routed_traffic_nor_others(endpoints):
    deaf = endpoints.spawn_python("client2", DEAF, "10.0.0.1", 300)
    assert deaf.stdout.readline().strip() == "ready"
    assert endpoints.ctl_json("status")["totals"]["tcp_connections"] >= 300
    wait_for(lambda: counted(endpoints, "tcp_refused_memory") > 1000, "the cap to bind")
    sent, received = ping_counts(endpoints.exec("client1", "ping", "-q", "-c", 200, "-i", 0.005, "198.51.100.21").stdout)
    assert sent == received
    endpoints.python("client1", ECHO, "10.0.0.1", 1)
    endpoints.stop_children()
    endpoints.python("client1", ECHO, "10.0.0.1", 20)
    assert endpoints.drops().get("no_memory", 0) == 0
