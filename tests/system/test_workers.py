# SPDX-License-Identifier: Apache-2.0
"""Two workers on ports without RSS: software steering keeps every flow with its owner, also over a change of count."""
import pathlib

from conftest import ping_counts, wait_for

MANY = """
import socket, sys
seen = set()
for n in range(int(sys.argv[1])):
    s = socket.create_connection(("198.51.100.21", 7001), 10)
    seen.add(s.recv(99)); s.close()
print(len(seen))
"""

SERVER = """
import socket
server = socket.create_server(("0.0.0.0", 7001), backlog=256)
while True:
    c, a = server.accept(); c.sendall(("%s %d" % a).encode()); c.close()
"""


def test_two_workers_carry_flows_of_both_clients(fresh_lab):
    lab = fresh_lab
    lab.up("--workers", "2")
    lab.spawn_python("server1", SERVER)
    lab.wait_port("server1", 7001)
    for host in ("client1", "client2"):
        assert int(lab.python(host, MANY, 200).stdout) == 200
        sent, received = ping_counts(lab.exec(host, "ping", "-c", 50, "-i", 0.01, "198.51.100.21").stdout)
        assert sent == received
    assert len(lab.ctl_json("worker")["workers"]) == 2


def test_flows_survive_a_restart_with_another_number_of_workers(fresh_lab):
    lab = fresh_lab
    lab.up()
    lab.http_server("server1", size=1 << 36)
    out = lab.directory / "progress"
    out.unlink(missing_ok=True)
    download = lab.spawn("client1", "curl", "-sS", "--limit-rate", "20M", "-o", out, "-m", 100, "http://198.51.100.21/blob")
    wait_for(lambda: out.exists() and out.stat().st_size > 1 << 20, "the download to start")
    args = pathlib.Path(lab.paths["STATE"], "dp.args")
    lab.daemon("kill", "dp")
    args.write_text(args.read_text(encoding="utf-8").replace("--workers 1", "--workers 2"), encoding="utf-8")
    lab.daemon("start", "dp")
    lab.wait_ready()
    size = out.stat().st_size
    wait_for(lambda: out.stat().st_size > size + (4 << 20), "the download to go on")
    assert download.poll() is None
