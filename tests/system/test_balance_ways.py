# SPDX-License-Identifier: Apache-2.0
"""Members that answer past the gateway, on real hosts: direct return, IPIP, GUE; both families, large bodies, small MTUs.

The kernel's own tunnels need ipip, ip6_tunnel and fou, which this one may not have: then a small program on each server
takes the packets out of raw and UDP sockets and puts them into a tun device, as those would.
"""
import json

import pytest

from conftest import wait_for

V4, V6 = "203.0.113.80", "fd00::80"
SERVERS = ("server1", "server2", "server3")

CONFIG = """
sluice: 1
ports:
  - {{name: lan, device: af_xdp:gw-lan, addresses: [10.0.0.1/24, "fd00::1/64"]}}
  - {{name: wan, device: af_xdp:gw-wan, addresses: [198.51.100.1/24, "2001:db8:100::1/64"]}}
services:
  - {{name: web, addresses: [203.0.113.80], protocol: tcp, ports: "80", pool: pool}}
  - {{name: names, addresses: [203.0.113.80], protocol: udp, ports: "53", pool: pool}}
  - {{name: web-v6, addresses: ["fd00::80"], protocol: tcp, ports: "80", pool: pool-v6}}
  - {{name: names-v6, addresses: ["fd00::80"], protocol: udp, ports: "53", pool: pool-v6}}
pools:
  - {{name: pool, balance: round-robin, way: {way}, sources: [{sources}], members: [{members}]}}
  - {{name: pool-v6, balance: round-robin, way: {way}, sources: [{sources}], members: [{members_v6}]}}
routes:
  - {{prefix: 10.9.0.0/24, via: [{{address: 10.0.0.11}}]}}
  - {{prefix: "fd09::/64", via: [{{address: "fd00::11"}}]}}
  - {{prefix: 10.8.0.0/24, via: [{{address: 198.51.100.22}}]}}
  - {{prefix: "fd08::/64", via: [{{address: "2001:db8:100::22"}}]}}
"""

# Takes IPIP (any family in any) and GUE from all sides, and gives what is inside to the kernel over a tun device.
UNPACK = """
import fcntl, os, select, socket, struct
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH", b"unpack", 0x1001)) # TUNSETIFF: IFF_TUN | IFF_NO_PI
skip = {}
for family in (socket.AF_INET, socket.AF_INET6):
    for proto in (4, 41):
        s = socket.socket(family, socket.SOCK_RAW, proto)
        skip[s] = 20 if family == socket.AF_INET else 0 # of IPv4 the header comes along
    s = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind(("", 6080))
    skip[s] = 4
for s in skip:
    s.setsockopt(socket.SOL_SOCKET, 33, 16 << 20) # SO_RCVBUFFORCE
print("ready", flush=True)
while True:
    for s in select.select(list(skip), [], [])[0]:
        packet = s.recv(65535)
        if skip[s] == 4 and (packet[0] != 0 or packet[1] not in (4, 41)):
            continue # not GUE version 0 without options
        os.write(tun, packet[skip[s]:])
"""

# GET gives as many bytes as asked for, POST takes a body; both say who served. Each datagram is answered with its name,
# its digest and as many bytes as it has.
SERVER = """
import hashlib, http.server, socket, sys, threading
NAME = sys.argv[1]
BODY = bytes(range(251)) * 40000

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, body, digest):
        self.send_response(200)
        self.send_header("X-Server", NAME)
        self.send_header("X-Digest", digest)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        body = BODY[:int(self.path[1:])]
        self.answer(body, hashlib.sha256(body).hexdigest())
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(b"", hashlib.sha256(body).hexdigest())
    def log_message(self, *args):
        pass

class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6

def names(family, address):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.bind((address, 53)) # so that answers come from there
    while True:
        data, client = s.recvfrom(65535)
        s.sendto((NAME + " " + hashlib.sha256(data).hexdigest()).encode().ljust(len(data)), client)

for family, address in ((socket.AF_INET, sys.argv[2]), (socket.AF_INET6, sys.argv[3])):
    threading.Thread(target=names, args=(family, address), daemon=True).start()
Server(("::", 80), Handler).serve_forever()
"""

# Downloads and uploads, one connection each. Prints [who served each].
CLIENT = """
import hashlib, http.client, json, sys
address, count, down, up = sys.argv[1], *map(int, sys.argv[2:5])
source = (sys.argv[5], 0) if len(sys.argv) > 5 else None
served = []
for i in range(count):
    for method, path, body in (("GET", "/%d" % down, None), ("POST", "/", bytes(range(256)) * (up // 256))):
        http_ = http.client.HTTPConnection(address, 80, timeout=20, source_address=source)
        http_.request(method, path, body)
        answer = http_.getresponse()
        got = answer.read()
        assert len(got) == (down if body is None else 0), len(got)
        assert hashlib.sha256(got if body is None else body).hexdigest() == answer.headers["X-Digest"]
        served.append(answer.headers["X-Server"])
        http_.close()
print(json.dumps(served))
"""

DATAGRAMS = """
import hashlib, json, os, socket, sys
address, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
served = []
for _ in range(count):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect((address, 53))
        if ":" not in address:
            s.setsockopt(socket.IPPROTO_IP, 10, 0) # IP_MTU_DISCOVER: IP_PMTUDISC_DONT
        data = os.urandom(size)
        s.send(data)
        answer = s.recv(65535)
        name, digest = answer.decode().split()
        assert digest == hashlib.sha256(data).hexdigest() and len(answer) == size
        served.append(name)
print(json.dumps(served))
"""

# What the path takes, as the client's kernel learns it from a datagram that must not be cut.
PROBE = """
import socket, sys, time
v6 = ":" in sys.argv[1]
s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
level, discover, mtu = (socket.IPPROTO_IPV6, 23, 24) if v6 else (socket.IPPROTO_IP, 10, 14)
s.setsockopt(level, discover, 2)
s.connect((sys.argv[1], 53))
for _ in range(20):
    try:
        s.send(bytes(1500 - (48 if v6 else 28)))
    except OSError:
        pass
    time.sleep(0.05)
    if s.getsockopt(level, mtu) < 1500:
        break
print(s.getsockopt(level, mtu))
"""


class Ways:
    def __init__(self, lab):
        self.lab = lab

    def begin(self):
        for host in SERVERS:
            self.host(host)
        for host in SERVERS:
            self.lab.spawn_python(host, SERVER, host, V4, V6)
            self.lab.wait_port(host, 80)
            self.lab.wait_port(host, 53, "udp")

    def host(self, host):
        """A server as docs/operations.md says: the service's addresses on lo, nobody told of them, no source check."""
        ip = lambda *words: self.lab.exec(host, "ip", *words)
        self.lab.exec(host, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
                      "net.ipv4.conf.eth0.rp_filter=0", "net.ipv4.conf.all.arp_ignore=1",
                      "net.ipv4.conf.all.arp_announce=2", "net.ipv4.conf.all.arp_notify=1")
        ip("address", "add", V4 + "/32", "dev", "lo")
        ip("address", "add", V6 + "/128", "dev", "lo", "nodad")
        for net in ("10.0.0.0/24", "10.9.0.0/24"):
            ip("route", "replace", net, "via", "198.51.100.1")
        unpack = self.lab.spawn_python(host, UNPACK)
        assert unpack.stdout.readline() == "ready\n"
        ip("link", "set", "unpack", "up", "mtu", "1500")

    def apply(self, way, outside="same", members=None):
        v4 = [f"198.51.100.2{i}" for i in (1, 2, 3)]
        v6 = [f'"2001:db8:100::2{i}"' for i in (1, 2, 3)]
        if members:
            v4, v6 = members
        if outside == "crossed":
            v4, v6 = v6, v4
        text = lambda members: ", ".join(f"{{address: {m}}}" for m in members)
        self.lab.apply(CONFIG.format(way=way, members=text(v4), members_v6=text(v6),
                                     sources="" if way == "direct" else '198.51.100.200, "2001:db8:100::200"'))

    def transfer(self, address, count=6, down=2_000_000, up=2_000_000, host="client1", source=None):
        args = [address, count, down, up] + ([source] if source else [])
        return json.loads(self.lab.python(host, CLIENT, *args, timeout=90).stdout)

    def datagrams(self, address, count, size):
        return json.loads(self.lab.python("client1", DATAGRAMS, address, count, size).stdout)

    def members(self, pool):
        return self.lab.ctl_json("pool", pool)["pools"][0]["members"]

    def forget(self):
        for host in (*SERVERS, "client1", "client2"):
            for family in ("-4", "-6"):
                self.lab.exec(host, "ip", family, "route", "flush", "cache")


@pytest.fixture(scope="module")
def ways_lab(lab_session):
    lab_session.down()
    lab_session.up()
    one = Ways(lab_session)
    try:
        one.begin()
        yield one
    finally:
        lab_session.stop_children()
        lab_session.down()


@pytest.fixture
def ways(ways_lab):
    ways_lab.forget()
    return ways_lab


WAYS = [("direct", "same"), ("ipip", "same"), ("gue", "same"), ("ipip", "crossed"), ("gue", "crossed")]


@pytest.mark.parametrize("address", [V4, V6], ids=["v4", "v6"])
@pytest.mark.parametrize("way, outside", WAYS)
def test_large_bodies_go_both_ways(ways, way, outside, address):
    ways.apply(way, outside)
    served = ways.transfer(address)
    assert set(served) == set(SERVERS), served
    for member in ways.members("pool-v6" if address == V6 else "pool"):
        assert member["packets_in"] > 500 and member["packets_out"] == 0, member


@pytest.mark.parametrize("size", [200, 3000], ids=["small", "fragments"])
@pytest.mark.parametrize("way, outside", WAYS)
def test_datagrams(ways, way, outside, size):
    ways.apply(way, outside)
    assert set(ways.datagrams(V4, 12, size)) == set(SERVERS)
    if size == 200:
        assert set(ways.datagrams(V6, 12, size)) == set(SERVERS)


@pytest.mark.parametrize("address", [V4, V6], ids=["v4", "v6"])
@pytest.mark.parametrize("way, outside, overhead", [("ipip", "same", 0), ("gue", "same", 12), ("ipip", "crossed", 0)])
def test_clients_learn_what_the_tunnel_leaves(ways, way, outside, overhead, address):
    ways.apply(way, outside)
    header = 40 if (address == V6) != (outside == "crossed") else 20
    told = int(ways.lab.python("client1", PROBE, address).stdout)
    assert told == 1500 - header - overhead


class Router:
    """One host becomes the router of another, over a link that takes 1300 bytes from the router's side on."""

    def __init__(self, lab, router, behind, v4, v6):
        self.lab, self.router, self.behind, self.v4, self.v6 = lab, router, behind, v4, v6

    def __enter__(self):
        name = self.lab.paths["NAME"]
        one = lambda host, *words: self.lab.exec(host, *words)
        one(self.router, "ip", "link", "add", "narrow", "type", "veth", "peer", "name", "narrow",
            "netns", f"{name}-{self.behind}")
        for host, last, mtu in ((self.router, 1, 1300), (self.behind, 2, 1500)):
            one(host, "ethtool", "-K", "narrow", "tx", "off", "tso", "off", "gso", "off")
            one(host, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.narrow.rp_filter=0")
            one(host, "ip", "address", "add", f"{self.v4}.{last}/24", "dev", "narrow")
            one(host, "ip", "address", "add", f"{self.v6}::{last}/64", "dev", "narrow", "nodad")
            one(host, "ip", "link", "set", "narrow", "mtu", str(mtu), "up")
        return self

    def __exit__(self, *_):
        self.lab.exec(self.router, "ip", "link", "del", "narrow")


@pytest.mark.parametrize("address", [V4, V6], ids=["v4", "v6"])
@pytest.mark.parametrize("way, outside", WAYS[1:])
def test_a_router_before_the_member_narrows_the_tunnel(ways, way, outside, address):
    """The router speaks to the tunnel's source, about the tunnel's packets: the client has to hear of it."""
    ways.apply(way, outside, members=(["10.8.0.2"], ['"fd08::2"']))
    with Router(ways.lab, "server2", "server1", "10.8.0", "fd08"):
        assert set(ways.transfer(address, count=2)) == {"server1"}
        header = 40 if (address == V6) != (outside == "crossed") else 20
        told = 1300 - header - (12 if way == "gue" else 0)
        known = int(ways.lab.python("client1", PROBE, address).stdout)
        assert known == (told if address == V4 else max(told, 1280)), known


@pytest.mark.parametrize("address", [V4, V6], ids=["v4", "v6"])
@pytest.mark.parametrize("way, outside", WAYS)
def test_packet_too_big_on_the_client_s_side_reaches_the_member(ways, way, outside, address):
    """A router near the client speaks to the service's address, about an answer that the gateway merely routed."""
    ways.apply(way, outside)
    source = "fd09::2" if address == V6 else "10.9.0.2"
    with Router(ways.lab, "client1", "client2", "10.9.0", "fd09"):
        family, via = ("-6", "fd09::1") if address == V6 else ("-4", "10.9.0.1")
        ways.lab.exec("client2", "ip", family, "route", "replace", address, "via", via)
        try:
            served = ways.transfer(address, 6, down=500_000, up=1024, host="client2", source=source)
        finally:
            ways.lab.exec("client2", "ip", family, "route", "del", address)
    assert set(served) == set(SERVERS), served


def test_a_direct_member_s_new_mac_is_learned(ways):
    ways.apply("direct", members=(["198.51.100.21"], ['"2001:db8:100::21"']))
    assert ways.transfer(V4, count=1, down=1000, up=1024) == ["server1"] * 2
    ways.lab.exec("server1", "ip", "link", "set", "eth0", "address", "02:00:00:00:99:21")
    wait_for(lambda: ways.lab.python("client1", CLIENT, V4, 1, 1000, 1024, check=False).returncode == 0, "the new MAC")


def test_a_direct_member_that_does_not_answer_is_told_to_clients(ways):
    ways.apply("direct", members=(["198.51.100.99"], ['"2001:db8:100::99"']))
    for address in (V4, V6):
        done = ways.lab.python("client1", CLIENT, address, 1, 1000, 1024, check=False)
        assert "No route to host" in done.stderr, done.stderr
