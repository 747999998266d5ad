# SPDX-License-Identifier: Apache-2.0
"""Whatever is wrong is said clearly, and what ran goes on running."""
import pathlib
import re
import subprocess

import pytest

from conftest import BUILD, DEFAULT, ROOT, ping_counts, run, wait_for

BAD_CONFIGS = {
    "unknown key": (DEFAULT.replace("flow:", "flows:"), r"config\.yaml:\d+:\d+: .*flow"),
    "not YAML": (DEFAULT + "  - ][\n", r"config\.yaml:\d+"),
    "bad address": (DEFAULT.replace("10.0.0.1/24", "10.0.0.1111/24"), r"config\.yaml:6:\d+: .*10\.0\.0\.1111"),
    "unknown port": (DEFAULT.replace("port: wan, pool", "port: wann, pool"), r"config\.yaml:\d+:\d+: .*wann.*wan"),
    "unknown pool": (DEFAULT.replace("pool: public}", "pool: publik}"), r"config\.yaml:\d+:\d+: .*publik.*public"),
    "unknown set": (DEFAULT.replace("deny: bogons", "deny: bogus"), r"config\.yaml:\d+:\d+: .*bogus"),
    "host bits": (DEFAULT.replace("192.0.2.0/24", "192.0.2.1/24"), r"config\.yaml:\d+:\d+: .*192\.0\.2\.0/24"),
    "missing file": (DEFAULT + "route-files: [absent.txt]\n", r"config\.yaml:\d+:\d+: .*absent\.txt"),
    "own address in a pool": (DEFAULT.replace("198.51.100.100-", "198.51.100.1-"), r"config\.yaml:\d+:\d+: .*198\.51\.100\.1"),
    "gateway off every link": (DEFAULT + "routes: [{prefix: 0.0.0.0/0, via: [{address: 192.168.7.1}]}]\n", r"config\.yaml:\d+:\d+: .*192\.168\.7\.1"),
    "number out of range": (DEFAULT.replace("1048576", "99999999999999"), r"config\.yaml:\d+:\d+"),
    "empty file": ("", r"config\.yaml"),
}


def pings_through(lab):
    sent, received = ping_counts(lab.exec("client1", "ping", "-c", 3, "-i", 0.05, "198.51.100.21").stdout)
    return sent == received == 3


@pytest.mark.parametrize("kind", BAD_CONFIGS)
def test_bad_config_is_refused_with_its_place_and_the_old_one_goes_on(lab, kind):
    text, message = BAD_CONFIGS[kind]
    before = lab.generation()
    refused = lab.apply(text, check=False)
    assert refused.returncode == 1
    assert re.search(message, refused.stdout + refused.stderr), refused.stdout + refused.stderr
    assert lab.generation() == before
    assert pings_through(lab)


def test_config_check_says_the_same_as_apply_without_a_daemon(lab):
    path = lab.config(BAD_CONFIGS["unknown pool"][0])
    checked = lab.ctl("config", "check", path, check=False)
    assert checked.returncode == 1
    assert "publik" in checked.stdout + checked.stderr


def test_port_that_does_not_exist_is_refused_by_the_data_plane_and_rolled_back(lab):
    text = DEFAULT.replace("nat:\n", "  - {name: dmz, device: 'af_xdp:nowhere', addresses: [172.20.0.1/24]}\nnat:\n", 1)
    refused = lab.apply(text, check=False)
    output = refused.stdout + refused.stderr
    assert refused.returncode == 1 and "nowhere" in output, output
    assert pings_through(lab)
    assert "nowhere" not in lab.ctl("config", "show").stdout


def newest(lab, kind):
    files = pathlib.Path(lab.paths["RUN"]).glob(kind + ".*")
    return max(files, key=lambda f: int(f.suffix[1:]))


def test_corrupt_table_file_is_refused_at_the_next_start_and_built_anew(fresh_lab):
    lab = fresh_lab
    lab.up()
    table = newest(lab, "nat")
    content = bytearray(table.read_bytes())
    content[200:232] = b"\xff" * 32
    lab.daemon("stop", "dp")
    table.write_bytes(content)
    lab.daemon("start", "dp")
    wait_for(lambda: "checksum" in lab.log("control"), "control to say why the data plane refused it")
    lab.wait_ready()  # control builds the tables anew
    assert pings_through(lab)


def test_wrong_contract_version_is_refused_with_both_numbers(fresh_lab):
    lab = fresh_lab
    lab.up()
    lab.daemon("stop", "dp")
    board = pathlib.Path(lab.paths["RUN"], "board")
    with open(board, "r+b") as file:
        file.seek(8)
        file.write(b"\x63\x00")  # major 99
    dp = run([BUILD / "dataplane/sluice-dp", "--run-dir", lab.paths["RUN"], "--wait", "1"], check=False, timeout=30)
    assert dp.returncode == 4, dp.stderr
    assert "99" in dp.stderr and re.search(r"\b1\b", dp.stderr), dp.stderr


def test_data_plane_without_permission_says_what_it_lacks(lab):
    dp = lab.as_nobody(BUILD / "dataplane/sluice-dp", "--run-dir", lab.paths["RUN"])
    assert dp.returncode == 3, (dp.returncode, dp.stderr)
    assert re.search(r"permission|CAP_|root", dp.stderr, re.I), dp.stderr


def test_data_plane_without_huge_pages_says_how_to_get_them(lab):
    if int(pathlib.Path("/proc/sys/vm/nr_hugepages").read_text(encoding="utf-8")) > 0:
        pytest.skip("this machine has huge pages reserved")
    dp = run(["ip", "netns", "exec", lab.paths["NAME"] + "-client2", BUILD / "dataplane/sluice-dp", "--run-dir",
              "/dev/shm/" + lab.paths["NAME"] + "-nohuge", "--huge", "on", "--wait", "1"], check=False, timeout=30)
    subprocess.run(["rm", "-rf", "/dev/shm/" + lab.paths["NAME"] + "-nohuge"], check=False)
    assert dp.returncode == 3, (dp.returncode, dp.stderr)
    assert "nr_hugepages" in dp.stderr, dp.stderr


def test_second_control_plane_is_refused(lab):
    env = lab.paths
    second = run(["ip", "netns", "exec", env["NAME"] + "-gateway", BUILD / "control/sluiced", "--config", ROOT / "examples/lab.yaml",
                  "--run-dir", env["RUN"], "--state-dir", env["STATE"] + "/state", "--socket", env["STATE"] + "/second.sock",
                  "--bpffs", env["STATE"] + "/bpf", "--foreground"], check=False, timeout=30)
    assert second.returncode != 0
    assert "another process" in second.stderr, second.stderr
    assert pings_through(lab)


GARBAGE = """
import random, socket, sys
from scapy.all import Ether, IP, IPv6, TCP, UDP, ICMP, Raw, get_if_hwaddr, getmacbyip, conf, raw
conf.verb = 0
rng = random.Random(5)
mac = getmacbyip("10.0.0.1") or "ff:ff:ff:ff:ff:ff"
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("eth0", 0))
ether = Ether(dst=mac, src=get_if_hwaddr("eth0"))
good = [raw(ether / IP(src="10.0.0.12", dst="198.51.100.21") / layer / Raw(b"x" * 40))
        for layer in (TCP(sport=1, dport=2), UDP(sport=1, dport=2), ICMP())]
good += [raw(ether / IPv6(src="fd00::12", dst="2001:db8:100::21") / layer / Raw(b"x" * 40))
         for layer in (TCP(sport=1, dport=2), UDP(sport=1, dport=2))]
for _ in range(20000):
    frame = bytearray(rng.choice(good))
    for _ in range(rng.randrange(1, 6)):
        frame[rng.randrange(12, len(frame))] = rng.randrange(256)
    s.send(bytes(frame[:rng.randrange(15, len(frame) + 1)]))
"""


def test_truncated_and_lying_packets_harm_nobody(lab):
    pid = lab.pid("dp")
    before = lab.drops()
    lab.python("client2", GARBAGE, timeout=120)
    after = lab.drops()
    assert pings_through(lab)
    assert lab.pid("dp") == pid and pathlib.Path(f"/proc/{pid}").exists()
    grown = {name for name in after if after[name] > before.get(name, 0)}
    assert {"too_short", "ipv4_bad_header"} <= grown, grown
