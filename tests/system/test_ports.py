# SPDX-License-Identifier: Apache-2.0
"""Ports come, change and go while traffic crosses the others."""
import re
import signal

import pytest

from conftest import DEFAULT, ping_counts, wait_for

DMZ = "  - {name: dmz, device: 'af_xdp:gw-dmz', addresses: [%s]%s}\n"


def with_dmz(addresses, more=""):
    return DEFAULT.replace("nat:\n", DMZ % (addresses, more) + "nat:\n", 1)


def add_link(lab):
    """A third link of the gateway; its other end stays in server3's namespace, as dmz0."""
    peer = lab.paths["NAME"] + "-server3"
    lab.exec("gateway", "ip", "link", "add", "gw-dmz", "numrxqueues", 1, "numtxqueues", 1, "type", "veth",
             "peer", "name", "dmz0", "netns", peer, "numrxqueues", 1, "numtxqueues", 1)
    lab.exec("gateway", "ethtool", "-K", "gw-dmz", "tx", "off", "tso", "off", "gso", "off", "gro", "off")
    lab.exec("gateway", "sysctl", "-qw", "net.ipv6.conf.gw-dmz.disable_ipv6=1")
    lab.exec("server3", "ethtool", "-K", "dmz0", "tx", "off", "tso", "off", "gso", "off")
    lab.exec("server3", "ip", "addr", "add", "172.20.0.9/24", "dev", "dmz0")
    lab.exec("server3", "ip", "link", "set", "dmz0", "up")


@pytest.fixture
def dmz(lab):
    add_link(lab)
    yield lab
    lab.apply(DEFAULT)
    lab.exec("gateway", "ip", "link", "del", "gw-dmz", check=False)


@pytest.fixture
def crossing(lab):
    """A ping over the other two ports all the while: at its end not one may be missing."""
    assert ping_counts(lab.exec("client1", "ping", "-c", 2, "-i", 0.05, "198.51.100.21").stdout)[1] == 2
    ping = lab.spawn("client1", "ping", "-q", "-i", 0.01, "198.51.100.21")
    yield
    ping.send_signal(signal.SIGINT)
    sent, received = ping_counts(ping.communicate(timeout=20)[0])
    assert sent > 50
    assert received >= sent - 1  # the last may be on its way


def answers(lab, host, address):
    return ping_counts(lab.exec(host, "ping", "-c", 1, "-W", 1, address, check=False).stdout)[1] == 1


def shown(lab, port):
    return {p["port"]: p for p in lab.ctl_json("port")["ports"]}.get(port)


def test_port_comes_changes_and_goes_without_loss_on_the_others(dmz, crossing):
    lab = dmz
    lab.apply(with_dmz("172.20.0.1/24"))
    wait_for(lambda: answers(lab, "server3", "172.20.0.1"), "an answer over the new port")
    wait_for(lambda: shown(lab, "dmz")["running"], "the new port to be shown as running")

    lab.apply(with_dmz("172.20.0.2/24"))
    wait_for(lambda: answers(lab, "server3", "172.20.0.2"), "an answer from the port's new address")
    assert not answers(lab, "server3", "172.20.0.1")

    lab.apply(with_dmz("172.20.0.2/24", ", enabled: false"))
    wait_for(lambda: not shown(lab, "dmz")["running"], "the disabled port's device to be closed")
    assert not answers(lab, "server3", "172.20.0.2")

    lab.apply(with_dmz("172.20.0.2/24"))
    wait_for(lambda: answers(lab, "server3", "172.20.0.2"), "an answer after it was enabled again")

    lab.apply(DEFAULT)
    wait_for(lambda: "port dmz: af_xdp:gw-dmz is closed" in lab.log("dp"), "the removed port's device to be closed")
    assert shown(lab, "dmz") is None
    links = lab.exec("gateway", "ip", "-br", "link").stdout
    wait_for(lambda: not re.search(r"^dmz\b", lab.exec("gateway", "ip", "-br", "link").stdout, re.M), "its twin to be gone: " + links)


def test_data_plane_starts_with_a_disabled_port(dmz):
    lab = dmz
    lab.apply(with_dmz("172.20.0.1/24", ", enabled: false"))
    lab.daemon("stop", "dp")
    lab.daemon("start", "dp")
    lab.wait_ready()
    wait_for(lambda: answers(lab, "client1", "198.51.100.21"), "traffic over the other two ports")
    assert not shown(lab, "dmz")["running"] and not shown(lab, "dmz")["twin"]["wanted"]


def test_new_port_is_routed_to_from_the_others(dmz):
    lab = dmz
    lab.apply(with_dmz("172.20.0.1/24"))
    lab.exec("server3", "ip", "route", "replace", "10.0.0.0/24", "via", "172.20.0.1")
    try:
        wait_for(lambda: answers(lab, "client1", "172.20.0.9"), "an answer from behind the new port")
    finally:
        lab.exec("server3", "ip", "route", "del", "10.0.0.0/24", check=False)
