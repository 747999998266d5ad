# SPDX-License-Identifier: Apache-2.0
"""Host routes of services in the gateway's kernel: they come, go and stay with pools, config and daemons."""
import json

import pytest

from conftest import ROOT, wait_for

TABLE = "184"
CONFIG = """
sluice: 1
ports:
  - {{name: lan, device: af_xdp:gw-lan, addresses: [10.0.0.1/24, "fd00::1/64"]}}
  - {{name: wan, device: af_xdp:gw-wan, addresses: [198.51.100.1/24, "2001:db8:100::1/64"]}}
announce: {{delay: {delay}, dead-after: 500, enabled: {enabled}, table: {table}}}
services:
  - {{name: web, addresses: [203.0.113.80, 203.0.113.81], protocol: tcp, ports: "80", pool: web, announce: {web},
     announce-least: {least}}}
  - {{name: dns, addresses: [203.0.113.80], protocol: udp, ports: "53", pool: dns, announce: {dns}}}
  - {{name: web-v6, addresses: ["2001:db8:200::80"], protocol: tcp, ports: "80", pool: web-v6, announce: true}}
  - {{name: quiet, addresses: [203.0.113.90], protocol: tcp, ports: "80", pool: dns}}
pools:
  - {{name: web, members: [{{address: 198.51.100.21}}, {{address: 198.51.100.22, backup: true}}]}}
  - {{name: dns, members: [{{address: 198.51.100.22}}]}}
  - {{name: web-v6, members: [{{address: "2001:db8:100::21"}}]}}
"""
V4, V6 = {"203.0.113.80", "203.0.113.81"}, {"2001:db8:200::80"}


def config(delay=0, enabled="true", table=TABLE, web="true", least=1, dns="false"):
    return CONFIG.format(delay=delay, enabled=enabled, table=table, web=web, least=least, dns=dns)


def routes(lab, table=TABLE):
    """Addresses of the host routes in a table of the gateway's kernel; all must be ours and export nothing else."""
    found = set()
    for family in ("-4", "-6"):
        done = lab.exec("gateway", "ip", "-j", "-N", family, "route", "show", "table", table, check=False)
        for route in json.loads(done.stdout) if done.returncode == 0 else []:  # else there is no such table
            assert (route["type"], route["protocol"], route["metric"]) == ("6", "184", 1024), route
            found.add(route["dst"])
    return found


def wait_routes(lab, expected, table=TABLE):
    wait_for(lambda: routes(lab, table) == expected, f"the routes {expected}; there are {routes(lab, table)}", seconds=8)


def announce_of(lab, service):
    return lab.ctl_json("service", service)["services"][0]["announce"]


def watch(lab):
    """Every change of a route in the gateway's kernel, as text, from now on."""
    path = lab.directory / "monitor"
    with open(path, "w", encoding="utf-8") as out:
        lab.spawn("gateway", "ip", "monitor", "route", stdout=out)

    def heard():
        for verb in ("add", "del"):
            lab.exec("gateway", "ip", "route", verb, "blackhole", "192.0.2.99/32", "table", "77")
        return "192.0.2.99" in path.read_text(encoding="utf-8")
    wait_for(heard, "the monitor")
    return lambda: [line for line in path.read_text(encoding="utf-8").splitlines() if "table 184" in line]


@pytest.fixture
def announcing(lab):
    lab.apply(config())
    wait_routes(lab, V4 | V6)
    yield lab
    lab.daemon("start", "control")
    lab.daemon("start", "dp")
    lab.wait_ready()


def test_a_pool_that_nobody_serves_is_withdrawn_and_comes_back(announcing):
    announcing.ctl("pool", "disable", "web", "198.51.100.21")  # its backup serves
    assert announce_of(announcing, "web")["announced"]
    announcing.ctl("pool", "drain", "web", "198.51.100.22")
    wait_routes(announcing, V6)
    assert "too few members" in announce_of(announcing, "web")["why"]
    assert "web: withdrawn: too few members" in announcing.ctl("service").stdout
    assert "service web: withdrawn: too few members" in announcing.log("control")
    assert announcing.ctl_json("service", "quiet")["services"][0]["announce"] is None
    announcing.ctl("pool", "enable", "web", "198.51.100.21")
    announcing.ctl("pool", "enable", "web", "198.51.100.22")
    wait_routes(announcing, V4 | V6)
    assert "web: announced (for " in announcing.ctl("service").stdout


def test_the_config_decides_what_is_announced_and_where(announcing):
    announcing.apply(config(enabled="false"))
    wait_routes(announcing, set())
    announcing.apply(config(table="4000000000"))
    wait_routes(announcing, V4 | V6, table="4000000000")
    assert routes(announcing) == set()
    announcing.apply(config(web="false"))
    wait_routes(announcing, V6)
    announcing.apply(config(web="false", dns="true"))
    wait_routes(announcing, V6 | {"203.0.113.80"})
    announcing.apply(config(least=2))
    wait_routes(announcing, V4 | V6)
    announcing.ctl("pool", "disable", "web", "198.51.100.22")
    wait_routes(announcing, V6)
    announcing.ctl("pool", "enable", "web", "198.51.100.22")
    announcing.apply((ROOT / "examples" / "lab.yaml").read_text(encoding="utf-8"))
    wait_routes(announcing, set())


def test_routes_outlive_sluiced_and_its_restart_moves_none(announcing):
    moved = watch(announcing)
    announcing.daemon("kill", "control")
    assert routes(announcing) == V4 | V6
    announcing.exec("gateway", "ip", "route", "add", "blackhole", "192.0.2.7/32", "table", TABLE, "proto", "184",
                    "metric", "1024")
    announcing.daemon("start", "control")
    announcing.wait_ready()
    wait_routes(announcing, V4 | V6)  # a stale one of ours is gone
    assert [line for line in moved() if "192.0.2.7" not in line] == []
    assert announce_of(announcing, "web")["announced"]


def test_a_data_plane_that_died_is_withdrawn_and_its_restart_is_not(announcing):
    moved = watch(announcing)
    announcing.daemon("kill", "dp")
    wait_routes(announcing, set())
    assert "no data plane" in announce_of(announcing, "web")["why"]
    assert len(moved()) == 3
    announcing.daemon("start", "dp")
    wait_routes(announcing, V4 | V6)


def test_routes_that_somebody_changed_are_put_back(announcing):
    announcing.exec("gateway", "ip", "route", "del", "blackhole", "203.0.113.81/32", "table", TABLE)
    wait_routes(announcing, V4 | V6)
    announcing.exec("gateway", "ip", "route", "flush", "table", TABLE)
    wait_routes(announcing, V4 | V6)
    announcing.exec("gateway", "ip", "route", "replace", "unreachable", "203.0.113.80/32", "table", TABLE, "metric",
                    "1024", "proto", "static")
    wait_for(lambda: "blackhole 203.0.113.80" in announcing.exec("gateway", "ip", "route", "show", "table",
                                                                 TABLE).stdout, "the route as it was")


def test_the_delay_keeps_a_pool_that_comes_and_goes_out(announcing):
    announcing.apply(config(delay=1500))
    moved = watch(announcing)
    announcing.ctl("pool", "disable", "dns", "198.51.100.22")
    announcing.ctl("pool", "disable", "web-v6", "2001:db8:100::21")
    wait_routes(announcing, V4)
    before = len(moved())
    for _ in range(3):
        announcing.ctl("pool", "enable", "web-v6", "2001:db8:100::21")
        wait_for(lambda: "delay" in announce_of(announcing, "web-v6")["why"], "the delay")
        announcing.ctl("pool", "disable", "web-v6", "2001:db8:100::21")
        wait_for(lambda: "too few" in announce_of(announcing, "web-v6")["why"], "the withdrawal")
    assert len(moved()) == before
    announcing.ctl("pool", "enable", "web-v6", "2001:db8:100::21")
    announcing.ctl("pool", "enable", "dns", "198.51.100.22")
    wait_routes(announcing, V4 | V6)
