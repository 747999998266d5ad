# SPDX-License-Identifier: Apache-2.0
"""A service over IPv6 with a server that knows IPv4 alone, and the reverse: TCP, large bodies, UDP, path MTU."""
import pytest

from conftest import ROOT, wait_for

MEMBER_V4, MEMBER_V6 = "198.51.100.21", "2001:db8:100::22"
VIP_V4, VIP_V6 = "203.0.113.80", "fd00::80"
BYTES = 3_000_000

CONFIG = """
sluice: 1
ports:
  - {name: lan, device: af_xdp:gw-lan, addresses: [10.0.0.1/24, "fd00::1/64"]}
  - {name: wan, device: af_xdp:gw-wan, addresses: [198.51.100.1/24, "2001:db8:100::1/64"]}
services:
  - {name: six, addresses: ["fd00::80"], protocol: tcp, ports: "80", pool: four}
  - {name: six-udp, addresses: ["fd00::80"], protocol: udp, ports: "53", pool: four-udp}
  - {name: four, addresses: [203.0.113.80], protocol: tcp, ports: "80", pool: six}
  - {name: four-udp, addresses: [203.0.113.80], protocol: udp, ports: "53", pool: six-udp}
pools:
  - {name: four, way: full-nat, client-address: toa, sources: [198.51.100.90], members: [{address: 198.51.100.21}]}
  - {name: four-udp, way: full-nat, sources: [198.51.100.91], members: [{address: 198.51.100.21}]}
  - {name: six, way: full-nat, sources: ["2001:db8:100::90"], members: [{address: "2001:db8:100::22"}]}
  - {name: six-udp, way: full-nat, sources: ["2001:db8:100::91"], members: [{address: "2001:db8:100::22"}]}
"""

# Of one family alone. GET: a large body; POST: how many bytes came. Echoes datagrams; the peer's address is logged.
SERVER = """
import http.server, socket, sys, threading
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
BODY = bytes(range(256)) * (int(sys.argv[2]) // 256)

class Handler(http.server.BaseHTTPRequestHandler):
    def reply(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Peer", self.client_address[0])
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.reply(BODY)
    def do_POST(self):
        self.reply(str(sum(self.rfile.read(int(self.headers["Content-Length"])))).encode())
    def log_message(self, *args):
        pass

class Server(http.server.ThreadingHTTPServer):
    address_family = family

def echo():
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.bind((sys.argv[1], 53))
    while True:
        data, peer = s.recvfrom(65535)
        s.sendto(data, peer)

threading.Thread(target=echo, daemon=True).start()
Server((sys.argv[1], 80), Handler).serve_forever()
"""

CLIENT = """
import http.client, socket, sys
address, size = sys.argv[1], int(sys.argv[2]) // 256 * 256
body = bytes(range(256)) * (size // 256)
c = http.client.HTTPConnection(address, 80, timeout=20)
c.request("GET", "/")
r = c.getresponse()
assert r.read() == body
c.request("POST", "/", body, {"Content-Length": str(len(body))})
r = c.getresponse()
assert int(r.read()) == sum(body)
print(r.headers["X-Peer"])
"""

DATAGRAMS = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
for size in map(int, sys.argv[2:]):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(3)
    s.connect((sys.argv[1], 53))
    data = bytes(i * 7 & 255 for i in range(size))
    s.send(data)
    assert s.recv(65535) == data, size
print("done")
"""

# A datagram that fills the client's link and may not be cut: an error says what fits.
PATH_MTU = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 10, 2) # IP_MTU_DISCOVER: IP_PMTUDISC_DO
s.connect((sys.argv[1], 53))
s.send(bytes(1472))
for _ in range(100):
    mtu = s.getsockopt(socket.IPPROTO_IP, 14) # IP_MTU
    if mtu < 1500:
        break
    time.sleep(0.02)
print(mtu)
"""


# What a server's toa module finds in the first segment to port 80 that has TCP option 254: "address port".
TOLD = """
import socket, struct
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
s.settimeout(20)
print("ready", flush=True)
while True:
    ip = s.recv(65535)
    tcp = ip[(ip[0] & 15) * 4:]
    if ip[9] != 6 or tcp[2:4] != b"\\0P":
        continue
    options = tcp[20:(tcp[12] >> 4) * 4]
    while options and options[0]:
        length = 1 if options[0] == 1 else options[1]
        if options[0] == 254:
            family = {8: socket.AF_INET, 20: socket.AF_INET6}[length]
            print(socket.inet_ntop(family, options[4:length]), *struct.unpack("!H", options[2:4]), flush=True)
            raise SystemExit
        options = options[length:]
"""

KNOWN = """
import socket, sys
with socket.create_connection((sys.argv[1], 80), 5) as s:
    print(*s.getsockname()[:2])
    s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    assert s.recv(1)
"""


@pytest.fixture(scope="module")
def families(lab_session):
    lab = lab_session
    lab.up()
    try:
        for host, address in (("server1", MEMBER_V4), ("server2", MEMBER_V6)):
            lab.spawn_python(host, SERVER, address, BYTES)
            lab.wait_port(host, 80)
            lab.wait_port(host, 53, "udp")
        lab.apply(CONFIG)
        wait_for(lab.ready, "the services")
        yield lab
    finally:
        lab.stop_children()
        if lab.ctl("config", "apply", ROOT / "examples" / "lab.yaml", check=False).returncode != 0:
            lab.down()


@pytest.mark.parametrize("vip, source", [(VIP_V6, "198.51.100.90"), (VIP_V4, "2001:db8:100::90")], ids=["six", "four"])
def test_large_bodies_both_ways(families, vip, source):
    assert families.python("client1", CLIENT, vip, BYTES).stdout.strip() == source


@pytest.mark.parametrize("vip", [VIP_V6, VIP_V4], ids=["six", "four"])
def test_datagrams_cross(families, vip):
    assert families.python("client1", DATAGRAMS, vip, 0, 1, 100, 1200).stdout.strip() == "done"


def test_a_client_learns_what_fits_behind_the_longer_header(families):
    assert families.python("client1", PATH_MTU, VIP_V4).stdout.strip() == "1480"


def test_the_server_is_told_who_the_client_is(families):
    sniffer = families.spawn_python("server1", TOLD)
    assert sniffer.stdout.readline().strip() == "ready"
    client = families.python("client1", KNOWN, VIP_V6).stdout.strip()
    assert sniffer.stdout.readline().strip() == client
