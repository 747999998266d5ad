# SPDX-License-Identifier: Apache-2.0
"""sluicectl as an operator meets it: every view in both forms, without root, with exit codes that can be trusted."""
import json

import pytest

from conftest import wait_for

VIEWS = [["status"], ["port"], ["neighbor"], ["route"], ["route", "lookup", "198.51.100.21"], ["worker"], ["flow"], ["flow", "count"],
         ["nat"], ["prefilter"], ["prefilter", "test", "wan", "192.0.2.1"], ["drops"], ["config", "show"], ["config", "history"]]


@pytest.mark.parametrize("view", VIEWS, ids=" ".join)
def test_view_is_readable_and_json_and_needs_no_root(lab, view):
    lab.exec("client1", "ping", "-c", 1, "198.51.100.21")
    human = lab.ctl(*view).stdout
    assert human.strip()
    json.loads(lab.ctl("-j", *view).stdout)
    as_nobody = lab.ctl_as_nobody("-j", *view)
    assert as_nobody.returncode == 0, as_nobody.stderr
    json.loads(as_nobody.stdout)


def test_change_without_root_is_refused(lab):
    refused = lab.ctl_as_nobody("flow", "kill", "proto", "tcp")
    assert refused.returncode == 4, refused.stderr


def test_flow_is_listed_and_killed(lab):
    server = "import socket,time\ns=socket.create_server(('0.0.0.0',7100))\nc,_=s.accept()\ntime.sleep(60)"
    lab.spawn_python("server1", server)
    lab.wait_port("server1", 7100)
    lab.spawn_python("client1", "import socket,time\ns=socket.create_connection(('198.51.100.21',7100),5)\ntime.sleep(60)")

    def listed():
        return [f for f in lab.ctl_json("flow", "inside", "10.0.0.11", "proto", "tcp")["flows"] if "7100" in json.dumps(f)]

    wait_for(listed, "the flow to be listed")
    lab.ctl("flow", "kill", "inside", "10.0.0.11", "proto", "tcp")
    wait_for(lambda: not listed(), "the flow to be gone")


def test_nat_shows_the_pools_use(lab):
    lab.exec("client1", "ping", "-c", 1, "198.51.100.21")
    pools = lab.ctl_json("nat")["pools"]
    assert pools[0]["pool"] == "public"
    assert pools[0]["ports_used"] >= 1 and pools[0]["subscribers"] >= 1, pools


def test_worker_shows_cycles_by_stage(lab):
    lab.exec("client1", "ping", "-c", 100, "-i", 0.002, "198.51.100.21")
    worker = lab.ctl_json("worker")["workers"][0]
    assert worker["generation"] == lab.generation()
    assert worker["stages"]


def test_ctl_says_so_when_control_is_down_and_doctor_still_works(fresh_lab):
    lab = fresh_lab
    lab.up()
    lab.daemon("stop", "control")
    status = lab.ctl("status", check=False)
    assert status.returncode == 3 and "sluiced" in status.stderr, status
    doctor = lab.ctl("doctor", check=False)
    assert doctor.returncode in (0, 1) and "sluiced" in doctor.stdout


def test_unknown_command_is_a_usage_error(lab):
    assert lab.ctl("sttaus", check=False).returncode == 2
