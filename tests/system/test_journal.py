# SPDX-License-Identifier: Apache-2.0
"""What the data plane tells its operator: its journal, and what its ports run on."""
import re

from conftest import DEFAULT, wait_for


def test_journal_tells_start_ports_and_generations(lab):
    log = lab.log("dp")
    assert re.search(r"<5>version \S+: 1 workers on cores \d+, housekeeping on \S+, \d+ MB (in|without) huge pages", log), log
    assert "port lan: af_xdp:gw-lan is open, driver af_xdp" in log, log
    assert "port wan: link is up" in log, log
    generation = lab.generation()
    lab.apply(DEFAULT + "routes: [{prefix: 203.0.113.0/24, via: [{address: 198.51.100.23}]}]\n")
    wait_for(lambda: f"generation {lab.generation()} taken over" in lab.log("dp"), "the journal to name the new generation")
    assert lab.generation() > generation
    lab.apply(DEFAULT)


def test_journal_says_why_a_generation_is_refused(lab):
    text = DEFAULT.replace("nat:\n", "  - {name: dmz, device: 'af_xdp:absent0', addresses: [172.20.0.1/24]}\nnat:\n", 1)
    assert lab.apply(text, check=False).returncode != 0
    wait_for(lambda: re.search(r"<3>generation \d+: .*absent0", lab.log("dp")), "the journal to say which device is missing")


def test_port_shows_what_runs(lab):
    for port in lab.ctl_json("port")["ports"]:
        running = port["running"]
        assert running["driver"] == "af_xdp" and running["link_up"] and running["rx_queues"] == 1
        mac = lab.exec("gateway", "cat", f"/sys/class/net/gw-{port['port']}/address").stdout.strip()
        assert running["mac"] == mac
        assert running["xdp_prefilter"] == (port["prefilter"]["where"] == "xdp")
    assert re.search(r"^PORT .* LINK .* QUEUES .* MAC ", lab.ctl("port").stdout, re.M)


def test_link_that_goes_down_is_seen(lab):
    lab.exec("switch", "ip", "link", "set", "gw-wan", "down")
    try:
        wait_for(lambda: not {p["port"]: p for p in lab.ctl_json("port")["ports"]}["wan"]["running"]["link_up"], "link down")
        wait_for(lambda: "port wan: link is down" in lab.log("dp"), "the journal to say so")
    finally:
        lab.exec("switch", "ip", "link", "set", "gw-wan", "up")
    wait_for(lambda: {p["port"]: p for p in lab.ctl_json("port")["ports"]}["wan"]["running"]["link_up"], "link up again")
