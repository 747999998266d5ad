# SPDX-License-Identifier: Apache-2.0
"""`sluice-pktgen stateful` against the kernel's TCP, over a veth whose other end is in a namespace of its own."""
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

from conftest import PYTHON, ROOT, run, wait_for

BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD", ROOT / "build"))
PKTGEN = BUILD / "tools" / "pktgen" / "sluice-pktgen"
NAME = os.environ.get("SLUICE_LAB", "sluice") + "pg"
PEER, OURS = f"{NAME}-peer", f"{NAME}-gen"

# A server that makes the bodies by the same rule as ours, and may spoil one byte.
SERVER = """
import http.server, sys
SPOIL = sys.argv[1] == "spoil"

def word(key, index):
    x = (key << 32 | index) * 0x9e3779b97f4a7c15 & 0xffffffffffffffff
    return (x ^ x >> 32).to_bytes(8, "little")

def body(key, count):
    return b"".join(word(key, i) for i in range((count + 7) // 8))[:count]

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self):
        key, count = int(self.path[1:9], 16), int(self.path[10:])
        asked = int(self.headers.get("Content-Length", 0))
        right = self.rfile.read(asked) == body(key ^ 0x5bd1e995, asked)
        answer = bytearray(body(key, count))
        if SPOIL:
            answer[-1] ^= 1
        self.send_response(200 if right else 400)
        self.send_header("Content-Length", str(count))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST

    def log_message(self, *args):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128

Server(("10.99.0.2", 8080), Handler).serve_forever()
"""

# A client that asks for two bodies on one connection and checks them.
CLIENT = """
import http.client

def word(key, index):
    x = (key << 32 | index) * 0x9e3779b97f4a7c15 & 0xffffffffffffffff
    return (x ^ x >> 32).to_bytes(8, "little")

def body(key, count):
    return b"".join(word(key, i) for i in range((count + 7) // 8))[:count]

for port in range(40000, 40020):
    c = http.client.HTTPConnection("10.99.0.1", 80, timeout=10, source_address=("10.99.0.2", port))
    for key, count in ((port, 100000), (port + 1, 3)):
        c.request("POST", f"/{key:08x}/{count}", body(key ^ 0x5bd1e995, 5000))
        r = c.getresponse()
        assert r.status == 200 and r.read() == body(key, count)
    c.close()
print("all right")
"""


def in_peer(*argv, **kwargs):
    return run(["ip", "netns", "exec", PEER, *argv], **kwargs)


@pytest.fixture
def wire():
    """The generator's namespace and the peer's, a veth between them: eth0 in each."""
    for name in (PEER, OURS):
        run(["ip", "netns", "del", name], check=False)
        run(["ip", "netns", "add", name])
    run(["ip", "link", "add", "eth0", "netns", PEER, "numrxqueues", "1", "numtxqueues", "1", "type", "veth",
         "peer", "name", "eth0", "netns", OURS, "numrxqueues", "1", "numtxqueues", "1"])
    for name in (PEER, OURS):
        run(["ip", "netns", "exec", name, "ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off"], check=False)
        run(["ip", "netns", "exec", name, "ip", "link", "set", "eth0", "up"])
    in_peer("ip", "addr", "add", "10.99.0.2/16", "dev", "eth0")
    in_peer("ip", "link", "set", "lo", "up")
    children = []
    yield children
    for child in children:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    for name in (PEER, OURS):
        run(["ip", "netns", "del", name], check=False)


def start(children, name, *argv):
    child = subprocess.Popen(["ip", "netns", "exec", name, *map(str, argv)], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL, start_new_session=True)
    children.append(child)
    return child


def kernel_server(children, mode):
    start(children, PEER, PYTHON, "-c", SERVER, mode)
    wait_for(lambda: ":8080 " in in_peer("ss", "-ltnH").stdout, "the kernel's server")


def generate(*argv, timeout=30):
    done = run(["ip", "netns", "exec", OURS, PKTGEN, "stateful", *argv, "-j", "-q", "--huge", "off"], timeout=timeout,
               check=False)
    assert done.stdout.startswith("{"), done.stderr
    return done.returncode, json.loads(done.stdout)["sides"]


def adds_up(side):
    assert side["opened"] == side["completed"] + sum(side["failed"].values()) + side["open"]


LOAD = ("client", "--client", "10.99.0.1", "--server", "10.99.0.2", "--server-ports", "8080", "-d", "60",
        "--request-bytes", "3000", "--response-bytes", "20000", "--drain", "10")


@pytest.mark.parametrize("driver", ["af_packet", "af_xdp"])
def test_client_exchanges_checked_bytes_with_a_kernel_server(wire, driver):
    kernel_server(wire, "right")
    status, (client,) = generate(*LOAD, "--port", f"{driver}:eth0", "-r", 100, "-c", 20, "-n", 3, "--count", 100)
    adds_up(client)
    assert (status, client["completed"], client["requests"]) == (0, 100, 300), client
    assert client["bytes_in"] > 300 * 20000
    assert client["connect_ns"]["count"] == 100 and client["request_ns"]["count"] == 300


def test_client_finds_the_byte_that_a_kernel_server_spoils(wire):
    kernel_server(wire, "spoil")
    status, (client,) = generate(*LOAD, "--port", "af_packet:eth0", "-r", 50, "-c", 20, "--count", 10)
    adds_up(client)
    assert (status, client["completed"], client["failed"]["bad-byte"]) == (1, 0, 10), client


def test_closed_port_counts_as_refused(wire):
    status, (client,) = generate(*LOAD, "--port", "af_packet:eth0", "-r", 50, "-c", 20, "--count", 10)
    adds_up(client)
    assert (status, client["failed"]["refused"]) == (1, 10), client


def test_kernel_client_is_served(wire):
    server = start(wire, OURS, PKTGEN, "stateful", "server", "--server", "10.99.0.1", "--port", "af_packet:eth0", "-j", "-q",
                   "--huge", "off")
    wait_for(lambda: in_peer("ping", "-c", "1", "-W", "1", "10.99.0.1", check=False) and
             "lladdr" in in_peer("ip", "neigh", "show", "10.99.0.1").stdout, "the server's answer to ARP")
    assert "all right" in in_peer(PYTHON, "-c", CLIENT).stdout
    closing = ("ss", "-tanH", "state", "connected", "exclude", "time-wait", "dst", "10.99.0.1")
    wait_for(lambda: not in_peer(*closing).stdout.strip(), "the server's FINs")
    time.sleep(0.3)  # and the last acknowledgment's way
    os.killpg(server.pid, signal.SIGINT)
    out, _ = server.communicate(timeout=10)
    side = json.loads(out)["sides"][0]
    adds_up(side)
    assert (side["completed"], side["requests"], sum(side["failed"].values())) == (20, 40, 0), side
