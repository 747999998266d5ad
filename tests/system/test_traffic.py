# SPDX-License-Identifier: Apache-2.0
"""Real programs on both sides of the gateway: what must pass, passes, and looks as it should."""
import json
import re

import pytest

from conftest import ping_counts, wait_for

ECHO_PEER = """
import socket, sys
server = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready")
while True:
    connection, address = server.accept()
    connection.sendall((address[0] + "\\n").encode())
    connection.close()
"""

UDP_WHOAMI = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", int(sys.argv[1])))
while True:
    data, address = s.recvfrom(2048)
    s.sendto(("%s %d" % address).encode(), address)
"""

POOL = {f"198.51.100.{n}" for n in range(100, 104)}


def test_client_fetches_over_ipv4_through_nat(lab):
    lab.http_server("server1")
    assert "hello from server1" in lab.exec("client1", "curl", "-sS", "-m", 10, "http://198.51.100.21/").stdout


def test_server_sees_a_pool_address(lab):
    lab.spawn_python("server1", ECHO_PEER, 7001)
    lab.wait_port("server1", 7001)
    seen = lab.python("client1", "import socket; print(socket.create_connection(('198.51.100.21', 7001), 10).recv(99).decode())")
    assert seen.stdout.strip().replace("::ffff:", "") in POOL


def test_client_fetches_over_ipv6_with_its_own_address(lab):
    lab.spawn_python("server1", ECHO_PEER, 7002)
    lab.wait_port("server1", 7002)
    seen = lab.python("client1", "import socket; print(socket.create_connection(('2001:db8:100::21', 7002), 10).recv(99).decode())")
    assert seen.stdout.strip() == "fd00::11"


@pytest.mark.parametrize("target", ["198.51.100.21", "2001:db8:100::21"])
def test_iperf3_tcp_crosses(lab, target):
    lab.spawn("server1", "iperf3", "-s", "-1")
    lab.wait_port("server1", 5201)
    report = json.loads(lab.exec("client1", "iperf3", "-c", target, "-t", 2, "-J").stdout)
    assert report["end"]["sum_received"]["bytes"] > 1_000_000
    assert report["end"]["sum_received"]["bytes"] >= 0.9 * report["end"]["sum_sent"]["bytes"] - 4_000_000


@pytest.mark.parametrize("target", ["198.51.100.21", "2001:db8:100::21"])
def test_iperf3_udp_crosses_without_loss_at_a_modest_rate(lab, target):
    lab.spawn("server1", "iperf3", "-s", "-1")
    lab.wait_port("server1", 5201)
    report = json.loads(lab.exec("client1", "iperf3", "-u", "-b", "5M", "-l", 1200, "-c", target, "-t", 2, "-J").stdout)
    assert report["end"]["sum"]["packets"] > 500
    assert report["end"]["sum"]["lost_packets"] == 0


@pytest.mark.parametrize("target", ["198.51.100.21", "2001:db8:100::21"])
def test_ping_crosses(lab, target):
    sent, received = ping_counts(lab.exec("client1", "ping", "-c", 20, "-i", 0.02, target).stdout)
    assert sent == received == 20


@pytest.mark.parametrize("target", ["198.51.100.21", "2001:db8:100::21"])
def test_large_ping_crosses_in_fragments(lab, target):
    sent, received = ping_counts(lab.exec("client1", "ping", "-c", 5, "-i", 0.05, "-s", 6000, target).stdout)
    assert sent == received == 5


@pytest.mark.parametrize("target,gateway", [("198.51.100.21", "10.0.0.1"), ("2001:db8:100::21", "fd00::1")])
def test_traceroute_shows_the_gateway_then_the_server(lab, target, gateway):
    out = lab.exec("client1", "traceroute", "-n", "-q", 1, "-w", 2, "-m", 5, target).stdout
    hops = re.findall(r"^\s*\d+\s+(\S+)", out, re.M)
    assert hops == [gateway, target], out


def test_traceroute_with_icmp_probes_shows_the_gateway_then_the_server(lab):
    out = lab.exec("client1", "traceroute", "-I", "-n", "-q", 1, "-w", 2, "-m", 5, "198.51.100.21").stdout
    assert re.findall(r"^\s*\d+\s+(\S+)", out, re.M) == ["10.0.0.1", "198.51.100.21"], out


def test_port_forward_reaches_the_client_from_a_server(lab):
    lab.http_server("client1")
    assert "hello from client1" in lab.exec("server1", "curl", "-sS", "-m", 10, "http://198.51.100.100:8080/").stdout


def test_port_forward_hairpins_from_inside(lab):
    lab.http_server("client1")
    assert "hello from client1" in lab.exec("client2", "curl", "-sS", "-m", 10, "http://198.51.100.100:8080/").stdout


@pytest.mark.parametrize("host,target", [("client1", "10.0.0.1"), ("client1", "fd00::1"), ("server1", "198.51.100.1"),
                                         ("server1", "2001:db8:100::1"), ("client1", "198.51.100.1")])
def test_ping_to_the_gateway_is_answered_by_its_kernel(lab, host, target):
    field = "OutEchoReps" if "." in target else "Icmp6OutEchoReplies"

    def replies():
        path = "/proc/net/snmp" if "." in target else "/proc/net/snmp6"
        text = lab.exec("gateway", "cat", path).stdout
        if "." not in target:
            return int(re.search(rf"{field}\s+(\d+)", text).group(1))
        names, values = [line.split() for line in text.splitlines() if line.startswith("Icmp:")]
        return int(values[names.index(field)])

    before = replies()
    sent, received = ping_counts(lab.exec(host, "ping", "-c", 5, "-i", 0.05, target).stdout)
    assert sent == received == 5
    assert replies() >= before + 5


@pytest.mark.parametrize("host,target", [("client1", "10.0.0.1"), ("client1", "fd00::1"), ("server1", "198.51.100.1")])
def test_tcp_connection_to_the_gateway_reaches_its_kernel(lab, host, target):
    lab.http_server("gateway", port=8022)
    url = f"http://[{target}]:8022/" if ":" in target else f"http://{target}:8022/"
    assert "hello from gateway" in lab.exec(host, "curl", "-gsS", "-m", 10, url).stdout


def test_gateway_kernel_reaches_out_through_the_twin(lab):
    lab.http_server("server2")
    assert "hello from server2" in lab.exec("gateway", "curl", "-sS", "-m", 10, "http://198.51.100.22/").stdout


def test_mapping_is_independent_of_the_endpoint(lab):
    for n in (1, 2, 3):
        lab.spawn_python(f"server{n}", UDP_WHOAMI, 9000)
        lab.wait_port(f"server{n}", 9000, "udp")
    code = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.0.0.11", 45000)); s.settimeout(5)
for n in (21, 22, 23):
    s.sendto(b"?", ("198.51.100.%d" % n, 9000)); print(s.recv(99).decode())
"""
    answers = lab.python("client1", code).stdout.split("\n")[:3]
    assert len(set(answers)) == 1, answers
    assert answers[0].split()[0] in POOL


def test_two_clients_get_mappings_that_do_not_collide(lab):
    lab.spawn_python("server1", UDP_WHOAMI, 9001)
    lab.wait_port("server1", 9001, "udp")
    code = """
import socket
for port in range(46000, 46050):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("0.0.0.0", port)); s.settimeout(5)
    s.sendto(b"?", ("198.51.100.21", 9001)); print(s.recv(99).decode())
"""
    seen = [tuple(line.split()) for host in ("client1", "client2") for line in lab.python(host, code).stdout.splitlines()]
    assert len(seen) == 100 and len(set(seen)) == 100


def test_path_mtu_is_learned_through_translation(lab):
    """A link behind the server is narrow: its 'fragmentation needed' reaches the client, translated (RFC 5508 REQ-4)."""
    lab.exec("server1", "ip", "link", "set", "eth0", "mtu", 1500)
    code = """
import sys
from scapy.all import IP, UDP, ICMP, sniff, send, AsyncSniffer, Raw, conf
conf.verb = 0
def answer(p):
    if UDP in p and p[UDP].dport == 9002:
        send(IP(src="198.51.100.21", dst=p[IP].src) / ICMP(type=3, code=4, nexthopmtu=1300) / Raw(bytes(p[IP])[:28]))
        return True
print("ready", flush=True)
sniff(iface="eth0", stop_filter=lambda p: bool(answer(p)), timeout=15)
"""
    child = lab.spawn_python("server1", code)
    assert child.stdout.readline().strip() == "ready"
    client = """
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("198.51.100.21", 9002))
IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_MTU = 10, 2, 14
s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
for _ in range(50):
    try: s.send(b"x" * 1400)
    except OSError: pass
    time.sleep(0.1)
    if s.getsockopt(socket.IPPROTO_IP, IP_MTU) == 1300: break
print(s.getsockopt(socket.IPPROTO_IP, IP_MTU))
"""
    try:
        assert lab.python("client1", client).stdout.strip() == "1300"
    finally:
        lab.exec("client1", "ip", "route", "flush", "cache", check=False)


def test_denied_source_is_dropped_and_counted(lab):
    before = lab.drops().get("prefilter_denied", 0)
    code = """
from scapy.all import Ether, IP, UDP, sendp, get_if_hwaddr, getmacbyip, conf
conf.verb = 0
sendp([Ether(dst=getmacbyip("198.51.100.1"), src=get_if_hwaddr("eth0")) / IP(src="192.0.2.7", dst="198.51.100.1") / UDP(sport=1, dport=2)] * 10, iface="eth0")
"""
    lab.python("server1", code)
    wait_for(lambda: lab.drops().get("prefilter_denied", 0) >= before + 10, "ten packets counted as denied")


def test_unreachable_destination_is_answered(lab):
    out = lab.exec("client1", "ping", "-c", 1, "-W", 2, "203.0.113.9", check=False).stdout
    assert "Destination Net Unreachable" in out, out


def test_absent_neighbor_is_answered_with_host_unreachable(lab):
    out = lab.exec("client1", "ping", "-c", 3, "-W", 3, "-i", 1, "198.51.100.77", check=False, timeout=30).stdout
    assert "Destination Host Unreachable" in out, out
