# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The firewall and the bridges of a testbed, in a real network namespace."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import traceback

import pytest
from ansible_collections.deter.benito.plugins.module_utils.testbed import kernel, network
from ansible_collections.deter.benito.plugins.module_utils.testbed.addresses import Subnets
from ansible_collections.deter.benito.plugins.module_utils.testbed.firewall import Firewall, dropping_chains
from ansible_collections.deter.benito.plugins.module_utils.testbed.names import Identity

IDENTITY = Identity("/nowhere", "unit")
SUBNETS = Subnets("172.28.0.0/21", "10.254.0.0/16")
DOCKER = 'table ip filter { chain FORWARD { type filter hook forward priority filter; policy drop; iifname "docker0" accept; }; }'

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("nft") or not shutil.which("ip"), reason="needs root, nft and ip")


def alone(function):
    """Run the test in its own network namespace."""

    def test():
        child = os.fork()
        if child == 0:
            try:
                if ctypes.CDLL(None, use_errno=True).unshare(0x40000000 | 0x20000):
                    raise OSError(ctypes.get_errno(), "unshare")
                subprocess.run(["mount", "--make-rprivate", "/"], check=True)
                subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], check=True)
                function()
            except BaseException:
                traceback.print_exc()
                sys.stderr.flush()
                os._exit(1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "see the traceback on standard error"

    test.__name__, test.__doc__ = function.__name__, function.__doc__
    return test


def listing(*what):
    return subprocess.run(["nft", "list", *what], capture_output=True, text=True, check=True).stdout


@alone
def test_firewall_is_set_up_and_removed_and_reports_its_state():
    firewall = Firewall(IDENTITY, SUBNETS)
    assert not firewall.is_up() and not firewall.is_there()
    firewall.up()
    firewall.up()
    assert firewall.is_up() and firewall.is_there()
    assert "masquerade" in listing("ruleset")
    Firewall(IDENTITY).down()
    assert listing("ruleset") == ""
    Firewall(IDENTITY).down()


@alone
def test_pnodes_pass_a_foreign_drop_policy_whose_rules_are_restored_afterwards():
    subprocess.run(["nft", "-f", "-"], input=DOCKER, text=True, check=True)
    before = listing("ruleset")
    firewall = Firewall(IDENTITY, SUBNETS)
    firewall.up()
    assert firewall.is_up()
    assert listing("chain", "ip", "filter", "FORWARD").count("accept") == 5
    Firewall(IDENTITY).down()
    assert listing("ruleset") == before


@alone
def test_next_run_opens_a_chain_that_started_to_drop():
    firewall = Firewall(IDENTITY, SUBNETS)
    firewall.up()
    subprocess.run(["nft", "-f", "-"], input=DOCKER, text=True, check=True)
    assert not firewall.is_up()
    firewall.up()
    assert firewall.is_up()


@alone
def test_bridges_are_made_repaired_and_removed():
    bridges = network.Bridges(IDENTITY, SUBNETS)
    names = (IDENTITY.control_bridge, IDENTITY.experiment_bridge)
    assert bridges.missing() == names
    for name in names:
        bridges.make(name)
    assert bridges.missing() == ()
    assert SUBNETS.gateway in subprocess.run(["ip", "-4", "-brief", "address"], capture_output=True, text=True, check=True).stdout
    subprocess.run(["ip", "link", "set", IDENTITY.control_bridge, "down"], check=True)
    assert bridges.missing() == (IDENTITY.control_bridge,)
    bridges.make(IDENTITY.control_bridge)
    assert bridges.missing() == ()
    network.remove(network.leftovers(IDENTITY))
    assert network.leftovers(IDENTITY) == ()


@alone
def test_devices_of_another_testbed_are_not_taken_for_ours():
    other = Identity("/elsewhere", "unit")
    network.Bridges(other, SUBNETS).make(other.control_bridge)
    Firewall(other, SUBNETS).up()
    assert network.leftovers(IDENTITY) == ()
    assert not Firewall(IDENTITY).is_there()


@alone
def test_subnets_of_routes_and_name_servers_count_as_taken():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "route", "add", "172.29.0.0/16", "dev", "lo"], check=True)
    taken = network.taken_networks("nameserver 192.0.2.53\nnameserver fd00::1\n")
    assert {"172.29.0.0/16", "192.0.2.53"} <= set(taken)
    assert "fd00::1" not in taken


def test_this_machine_can_run_a_testbed(tmp_path):
    assert kernel.lacking(str(tmp_path)) == ()


def test_only_forward_chains_that_drop_block_pnodes():
    chain = {"family": "ip", "table": "filter", "name": "FORWARD", "hook": "forward", "policy": "drop"}
    chains = [{"metainfo": {}}, {"chain": chain}, {"chain": {**chain, "policy": "accept"}}, {"chain": {**chain, "hook": "input"}},
              {"chain": {"family": "ip", "table": "filter", "name": "DOCKER"}}, {"chain": {**chain, "family": "ip6"}}]
    assert dropping_chains(chains) == (("ip", "filter", "FORWARD"),)
