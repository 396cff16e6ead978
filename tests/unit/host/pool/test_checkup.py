# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine finds of itself that would stop or hamper an experiment: real interfaces, sockets and packet filters."""

from __future__ import annotations

import os
import socket
import subprocess

import pytest
from ansible_collections.deter.benito.plugins.module_utils.host.pool import checkup
from ansible_collections.deter.benito.plugins.module_utils.host.pool.checkup import FAILED, OK, WARNING, checks, run_task
from ansible_collections.deter.benito.tests.unit.host.sandbox import sandboxed


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def interface(mtu):
    ip("link", "add", "under", "type", "veth", "peer", "name", "peer")
    ip("link", "set", "peer", "mtu", str(mtu), "up")
    ip("link", "set", "under", "mtu", str(mtu), "up")
    ip("address", "add", "10.254.0.11/24", "dev", "under")


def found(address="", interface_name=""):
    return {check["name"]: check for check in checks(address, interface_name, kvm=False)}


@sandboxed
def test_a_machine_that_can_be_a_pnode_is_well():
    interface(1600)
    result = found("10.254.0.11")
    assert {name: check["state"] for name, check in result.items() if name not in ("memory", "disk")} == dict.fromkeys(
        ("python", "root", "experiment network", "mtu", "udp port", "packet filters"), OK), result
    assert result["experiment network"]["text"] == "10.254.0.11 on under"
    assert not any(check["remedy"] for check in result.values() if check["state"] == OK)


@sandboxed
def test_a_wrong_address_fails_and_names_those_that_there_are():
    interface(1600)
    check = found("10.254.0.99")["experiment network"]
    assert check["state"] == FAILED and "10.254.0.11 on under" in check["text"] and "benito_experiment_address" in check["remedy"]
    assert found("10.254.0.x")["experiment network"]["state"] == FAILED
    assert "mtu" not in found("10.254.0.99")


@sandboxed
def test_no_address_and_a_small_mtu_are_warnings_because_experiments_of_one_machine_work():
    assert found()["experiment network"]["state"] == WARNING
    interface(1500)
    check = found(interface_name="under")["mtu"]
    assert (check["state"], check["text"]) == (WARNING, "1500 on under: nodes get an MTU of 1450 on networks of several machines")
    assert "1550" in check["remedy"]


@sandboxed
def test_a_program_that_has_the_port_of_tunnels_is_named_and_a_tunnel_of_the_kernel_is_no_hindrance():
    interface(1600)
    ip("link", "add", "vx", "type", "vxlan", "id", "42", "dstport", "4789", "local", "10.254.0.11", "dev", "under")
    ip("link", "set", "vx", "up")
    assert found()["udp port"]["state"] == OK
    ip("link", "del", "vx")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("10.254.0.11", 4789))
        check = found()["udp port"]
    assert check["state"] == FAILED and f"process {os.getpid()}" in check["text"]


@sandboxed
def test_the_filter_of_another_program_is_named_and_is_a_fault_only_if_no_rule_of_ours_passes_it():
    rules = "table inet other { chain incoming { type filter hook input priority filter; policy drop; }\n}\n"
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
    check = found()["packet filters"]
    assert check["state"] == OK and "inet other incoming" in check["text"]
    subprocess.run(["nft", "-f", "-"], input=rules.replace("other", "early").replace("priority filter", "priority -400"), text=True, check=True)
    check = found()["packet filters"]
    assert check["state"] == FAILED and "table early" in check["text"] and "table other" not in check["text"]
    listed = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    assert "benito" not in listed, "nothing is changed"


@sandboxed
def test_a_task_that_is_not_root_says_so_and_goes_no_further():
    os.setuid(65534)
    result = found("10.254.0.11")
    assert list(result) == ["python", "root"] and result["root"]["state"] == FAILED and "ansible_become" in result["root"]["remedy"]


@sandboxed
def test_the_result_has_the_machines_time():
    result = run_task({"experiment_address": "", "experiment_interface": "", "kvm": False})
    assert result["changed"] is False and result["time"] > 1_600_000_000 and result["checks"]


@pytest.mark.parametrize(("verdict", "state"), [(("kvm", "a kernel booted under KVM"), OK), (("tcg", "a kernel under KVM printed nothing"), WARNING)])
@sandboxed
def test_a_verdict_on_kvm_that_the_machine_has_is_believed(verdict, state):
    from ansible_collections.deter.benito.plugins.module_utils.host.qemu import acceleration

    acceleration.known_acceleration = lambda: verdict
    check = checkup.kvm_check()
    assert check["state"] == state and verdict[1] in check["text"]
