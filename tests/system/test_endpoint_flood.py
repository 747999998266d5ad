# SPDX-License-Identifier: Apache-2.0
"""A SYN flood at all that the generator can send: a connection that is there goes on, new ones open by cookies."""
import re

import pytest

from conftest import BUILD, DEFAULT, wait_for
from endpoint_clients import ECHO, ENDPOINTS, LASTING, counted, tcp_counters

# family: the gateway, where the flood says that it comes from, and the way there: a host that answers nothing
FLOODS = {
    "v4": ("10.0.0.1", "172.16.0.0-172.31.255.255", "{prefix: 172.16.0.0/12, via: [{address: 10.0.0.12}]}"),
    "v6": ("fd00::1", "2001:db8:f::-2001:db8:f::f:ffff", '{prefix: "2001:db8:f::/64", via: [{address: "fd00::12"}]}'),
}
CONNECTIONS, ENOUGH, PATIENCE_S = 16, 12, 15

# Short connections that begin 50 ms one after the other; waits for all, PATIENCE_S at most, and prints how long each
# one that was served took, in ms. What an overrun port loses is repeated ever later: some outlast any patience.
HONEST = """
import os, socket, sys, threading, time
took = []
def one():
    start = time.monotonic()
    s = socket.create_connection((sys.argv[1], 7), 60)
    s.settimeout(60)
    s.sendall(b"x" * 100)
    if s.makefile("rb").read(100) == b"x" * 100:
        took.append(round((time.monotonic() - start) * 1000))
    s.close()
end = time.monotonic() + float(sys.argv[3])
clients = [threading.Thread(target=one) for n in range(int(sys.argv[2]))]
for client in clients:
    client.start()
    time.sleep(0.05)
for client in clients:
    client.join(max(0, end - time.monotonic()))
print(*took, flush=True)
os._exit(0)
"""


def flood(lab, address, sources):
    """SYNs of a million addresses and ports, as fast as they can be sent; each carries the generator's signature."""
    mac = next(port["running"]["mac"] for port in lab.ctl_json("port")["ports"] if port["port"] == "lan")
    return lab.spawn("client2", BUILD / "tools/pktgen/sluice-pktgen", "run", "-p", "af_packet:eth0", "--peer-mac", mac,
                     "-P", "tcp", "--tcp-flags", "S", "--src", sources, "--dst", address, "--sport", "1024-65535",
                     "--dport", "7", "--flows", 1 << 20, "--random-flows", "-s", "96", "-r", "max", "-d", "120s",
                     "--no-receive", "--huge", "off", "-q")


def least(lab, name):
    """A counter at the worker where it is least."""
    row = tcp_counters(lab).get(name)
    return min(row["per_worker"]) if row else 0


def echoed(lab):
    """Bytes that the connection which was there before has got back, as client1's kernel counts them."""
    told = lab.exec("client1", "ss", "-tinH", "state", "established", "dport", "=", ":7").stdout
    return int(re.search(r"bytes_received:(\d+)", told).group(1))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("family", FLOODS)
def test_honest_clients_are_served_during_a_syn_flood(fresh_lab, family, workers):
    lab, (address, sources, route) = fresh_lab, FLOODS[family]
    lab.up("--workers", str(workers))
    lab.apply(DEFAULT + ENDPOINTS + f"routes: [{route}]\ntcp: {{connections: 4096}}\n")
    lasting = lab.spawn_python("client1", LASTING, address)
    assert lasting.stdout.readline().strip() == "ready"
    generator = flood(lab, address, sources)
    wait_for(lambda: least(lab, "tcp_cookies_sent") > 5000, "cookies of every worker")
    before, heard = counted(lab, "tcp_cookies_good"), echoed(lab)
    took = lab.python("client1", HONEST, address, CONNECTIONS, PATIENCE_S).stdout.split()
    good, sent = counted(lab, "tcp_cookies_good") - before, counted(lab, "tcp_cookies_sent")
    print(f"ms for {len(took)} of {CONNECTIONS} connections: {' '.join(took)}; {good} by a cookie, {sent} cookies sent")
    wait_for(lambda: echoed(lab) > heard, "the connection that was there to go on", 30)
    assert lasting.poll() is None
    assert generator.poll() is None, generator.stdout.read()
    assert len(took) >= ENOUGH
    assert good >= ENOUGH # a few may have come right after a half-open one's end, and be that
    lab.stop_children()
    lab.python("client1", ECHO, address, 5)
