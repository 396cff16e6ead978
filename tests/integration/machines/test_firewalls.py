# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker, ufw, firewalld and iptables-legacy on the machines of an experiment: its traffic passes them, also after they were loaded again.

Two pnodes get the real programs. The experiment has two nodes on one pnode and a third node on the other, so its frames cross a bridge and a tunnel.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
import yaml
from support import wait_until
from topologies import topdl

PAIR = topdl({name: {"on": ["lan"], "partition": partition} for name, partition in (("a", "one"), ("b", "one"), ("c", "two"))})
INSTALL = """printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d
apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends iptables ufw firewalld docker.io
systemctl mask --now --quiet polkit"""  # which does not start in a container, and firewalld would wait for it
# Docker's policy is to drop forwarded packets where it has turned forwarding on itself. The network of its containers is that of the experiment.
DOCKER = """mkdir -p /etc/docker; echo '{"bip": "10.0.0.201/24", "storage-driver": "vfs"}' >/etc/docker/daemon.json
sysctl -qw net.ipv4.ip_forward=0; systemctl start docker"""


@dataclass(frozen=True)
class Firewall:
    """Shell commands that turn a firewall on, load its rules again and turn it off, and a line of its rules while it is on.

    keeps  whether it keeps our rule where it is when its rules are loaded again
    """

    on: str
    reload: str
    off: str
    shows: str
    rules: str = "nft -s list ruleset"
    keeps: bool = False


REJECT = "iptables-legacy -A FORWARD -j REJECT"
FIREWALLS = {
    "docker": Firewall(
        DOCKER, "sysctl -qw net.ipv4.ip_forward=0; systemctl restart docker",
        "systemctl stop docker.socket docker containerd; ip link delete docker0", "policy drop"),
    "ufw": Firewall(
        "ufw allow 22 && ufw default deny routed && ufw default deny incoming && ufw --force enable", "ufw reload", "ufw --force disable", "policy drop",
        keeps=True),
    "firewalld": Firewall(
        "systemctl start firewalld && firewall-cmd --add-service=ssh", "firewall-cmd --reload", "systemctl stop firewalld", "table inet firewalld"),
    "iptables-legacy": Firewall(
        f"iptables-legacy -P FORWARD DROP && {REJECT}", f"iptables-legacy -F FORWARD && {REJECT}",
        "iptables-legacy -F && iptables-legacy -P FORWARD ACCEPT", "FORWARD DROP", "iptables-legacy -S"),
}


@pytest.fixture(scope="module", name="machines")
def fixture_machines(pool):
    """Return the testbed, two of whose pnodes are of the type ``walled`` and have the programs, all of them off."""
    _playbook, home, testbed = pool
    more = home / "inventory" / "more.yml"
    more.write_text(yaml.safe_dump({"pnode_pool": {"hosts": {pnode: {"pnode_type": "walled"} for pnode in testbed.pnodes[:2]}}}))
    try:
        with ThreadPoolExecutor() as threads:
            list(threads.map(lambda pnode: testbed.ssh(pnode, INSTALL), testbed.pnodes[:2]))
        yield testbed
    finally:
        more.unlink()


@pytest.fixture(name="firewall", params=FIREWALLS)
def fixture_firewall(request, machines):
    """Return a firewall that is on. It is turned off, and all its rules are removed, after the test."""
    firewall = FIREWALLS[request.param]
    try:
        for pnode in machines.pnodes[:2]:
            machines.ssh(pnode, firewall.on)
        yield firewall
    finally:
        for pnode in machines.pnodes[:2]:
            machines.ssh(pnode, f"{firewall.off}; nft flush ruleset", check=False)


def rules(testbed, pnode, firewall):
    """Return the sorted rules of the firewall, without what it counts or names by itself."""
    text = re.sub(r"packets \d+ bytes \d+", "", testbed.ssh(pnode, firewall.rules).stdout)
    assert firewall.shows in text
    return sorted(text.splitlines())


def assert_all_reach_each_other(experiment):
    for target in ("b", "c"):
        wait_until(f"a reaches {target}", lambda to=target: not experiment.enter(experiment.carrier, "a", f"ping -c1 -W1 {to}", check=False).returncode, 15)
        experiment.enter(experiment.carrier, "a", f"ping -c1 -W2 -M do -s 1472 {target}")


def test_the_experiment_passes_the_firewall_and_leaves_it_as_it_was(machines, make, firewall):
    pnodes = machines.pnodes[:2]
    before = {pnode: rules(machines, pnode, firewall) for pnode in pnodes}
    experiment = make(PAIR, pnode_types="walled")
    experiment.play("swapin")
    experiment.carrier = next(vhost for vhost in ("pnode-0000", "pnode-0001") if '"a"' in (experiment.path / "plan" / f"{vhost}.json").read_text())
    assert_all_reach_each_other(experiment)
    for action in (firewall.reload, f"{firewall.off}; {firewall.on}"):
        for pnode in pnodes:
            machines.ssh(pnode, action)
        for pnode in pnodes:
            wait_until(f"{pnode} passes it again", lambda on=pnode: foreign(machines, on, experiment) == "passed", 15)
        assert_all_reach_each_other(experiment)
    for pnode in pnodes:
        journal = machines.ssh(pnode, f"journalctl -u benito-host@{experiment.name} -o cat").stdout
        assert ("experiments pass the packet filters of other programs again" in journal) != firewall.keeps
    experiment.play("swapout")
    assert {pnode: rules(machines, pnode, firewall) for pnode in pnodes} == before


def foreign(testbed, pnode, experiment):
    return json.loads(testbed.ssh(pnode, f"benito-host status -e {experiment.name} --json").stdout)["foreign"]
