# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Process nodes in a kernel of their own: made, repaired, changed, interrupted, removed."""

from __future__ import annotations

import dataclasses
import os
import random
import signal
import stat
import subprocess
import time

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base.namespaces import Registry, home, join
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.base.plan_file import read_plan
from ansible_collections.deter.benito.plugins.module_utils.host.net import netlink
from ansible_collections.deter.benito.plugins.module_utils.host.process.kind import reboot_process_nodes
from ansible_collections.deter.benito.plugins.module_utils.host.run import reboot as reboot_file
from ansible_collections.deter.benito.plugins.module_utils.host.run.apply import apply, down
from ansible_collections.deter.benito.plugins.module_utils.hostplan import InterfacePlan, RoutePlan, VnodePlan
from ansible_collections.deter.benito.tests.unit.host.plans import LOCAL, interface, plan, with_vnode
from ansible_collections.deter.benito.tests.unit.host.sandbox import install_plan, sandboxed

PLACE = ExperimentPaths("Proj.exp")
reboot = reboot_file.reboot


def built(made=None):
    install_plan(made or plan())
    if LOCAL not in str(netlink.ip_json("address", "show")):
        subprocess.run(["ip", "-batch", "-"], input=f"link set lo up\naddress add {LOCAL}/32 dev lo\n", text=True, check=True)
    return apply(PLACE)["changes"]


def inside(name, command):
    """What a shell command prints in a node."""
    with home() as origin:
        registry = Registry(PLACE)
        assert registry.open(origin)
        descriptors = registry.descriptors(name)
        registry.close()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(writer, 1)
        join(descriptors)
        os.execv("/bin/sh", ["sh", "-c", command])
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as stream:
        text = stream.read()
    os.waitpid(pid, 0)
    for fd in descriptors.values():
        os.close(fd)
    return text.strip()


def traces():
    """All that could be left of an experiment on this host."""
    found = [name for name in netlink.links() if name.startswith("b")]
    found += [folder for folder in ("/run/benito", "/var/benito") if os.path.exists(folder)]
    with open("/proc/self/mountinfo", encoding="utf-8") as lines:
        found += [line for line in lines if "benito" in line]
    return found + subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout.split()


def processes_inside(name):
    """Command names of every process whose network is the node's."""
    network = inside(name, "readlink /proc/self/ns/net")
    found = []
    for process in os.listdir("/proc"):
        try:
            if process.isdigit() and os.readlink(f"/proc/{process}/ns/net") == network:
                with open(f"/proc/{process}/comm", encoding="utf-8") as stream:
                    found.append(stream.read().strip())
        except OSError:
            continue  # it ended meanwhile, or is not for us to see
    return found


@sandboxed
def test_nodes_have_their_own_name_network_and_files_and_reach_each_other():
    assert [change for change in built() if change.startswith("process")] == [f"process node {name}: made" for name in "arb"]
    assert built() == []
    assert inside("a", "hostname; cat /var/benito/pid; grep -c ' b$' /etc/hosts; ls /var/benito/log | wc -l").split() == ["a", "Proj", "1", "0"]
    assert inside("a", "ls /sys/class/net").split() == ["inf000", "lo"]
    assert inside("a", "cat /proc/sys/net/ipv4/ip_forward") == "0"
    assert inside("r", "cat /proc/sys/net/ipv4/ip_forward") == "1"
    assert "3 received" in inside("a", "ping -c 3 -i 0.05 -W 10 10.0.1.1")
    assert "1 received" in inside("b", "ping -c 1 -W 10 -M do -s 1472 a")
    assert inside("b", "getent hosts r").split()[0] == "10.0.1.254"
    assert inside("a", "getent hosts r").split()[0] == "10.0.0.254"
    assert inside("a", "ip -6 address show dev inf000 scope link") == "", "addresses are the user's to make"
    assert processes_inside("a") == []


@sandboxed
def test_one_subnet_on_two_networks_of_a_node_is_made_and_stays():
    """As ``embedding/routing/unclear.py`` plans it: no routes. Each member reaches who is on its own network."""
    alike = with_vnode(plan(), "a", routes=())
    alike = with_vnode(alike, "b", interfaces=(interface("b", 0, "lan1", "10.0.0.2/24"),), routes=())
    alike = with_vnode(alike, "r", interfaces=(interface("r", 0, "lan0", "10.0.0.254/24"), interface("r", 1, "lan1", "10.0.0.253/24")))
    assert built(alike)
    assert built(alike) == []
    assert "10.0.0.254/24" in inside("r", "ip address show dev inf000") and "10.0.0.253/24" in inside("r", "ip address show dev inf001")
    assert "1 received" in inside("r", "ping -c 1 -W 3 -I inf000 10.0.0.1")
    assert "1 received" in inside("r", "ping -c 1 -W 3 -I inf001 10.0.0.2")


@sandboxed
def test_what_was_taken_away_inside_a_node_is_repaired_and_nothing_else():
    built()
    inside("a", "ip address add 10.99.0.1/24 dev inf000; ip route add 10.98.0.0/16 via 10.0.0.254")
    for name, damage, words in (
        ("a", "ip link delete inf000", ["a: interface inf000 made", "a: interface inf000 set up", "a: route to 10.0.0.0/16 via 10.0.0.254"]),
        ("a", "ip address flush dev inf000", ["a: interface inf000 set up", "a: route to 10.0.0.0/16 via 10.0.0.254"]),
        ("b", "ip route delete 10.0.0.0/16", ["b: route to 10.0.0.0/16 via 10.0.1.254"]),
        ("r", "ip link set inf001 down", ["r: interface inf001 set up"]),
        ("r", "umount /etc/hosts", ["r: /etc/hosts is the node's own again"]),
        ("r", "rm -f /var/benito/hosts", ["r: hosts file written", "r: /etc/hosts is the node's own again"]),
    ):
        inside(name, damage)
        assert built() == words, damage
        assert built() == [], damage
        assert "1 received" in inside("a", "ping -c 1 -W 3 10.0.1.1"), damage


@sandboxed
def test_what_was_added_inside_a_node_stays():
    built()
    inside("b", "ip address add 10.99.0.1/24 dev inf000; ip route add 10.98.0.0/16 via 10.0.1.254; ip link add own type bridge")
    assert built() == []
    assert "10.99.0.1" in inside("b", "ip address")
    assert "10.98.0.0/16" in inside("b", "ip route")


@sandboxed
def test_damage_on_the_vhosts_side_is_repaired():
    built()
    for damage in ("link delete bblan00000000", "link set bva0000000000 nomaster", "link set bva0000000000 down", "link delete bva0000000000",
                   "link delete bxtunnel00000"):
        subprocess.run(["ip", "-batch", "-"], input=damage, text=True, check=True)
        assert built(), damage
        assert built() == [], damage
        assert "1 received" in inside("a", "ping -c 1 -W 3 10.0.1.1"), damage


@sandboxed
def test_a_changed_plan_changes_what_differs():
    built()
    moved = with_vnode(plan(), "a", interfaces=(interface("a", 0, "lan0", "10.0.0.7/24"),), routes=(RoutePlan("10.0.1.0/24", "10.0.0.254"),))
    without_b = dataclasses.replace(moved, vnodes=moved.vnodes[:2])
    changes = built(without_b)
    assert changes[0] == "process node b: removed"
    assert "a: address 10.0.0.1/24 taken back" in changes and "a: route to 10.0.1.0/24 via 10.0.0.254" in changes
    assert built(without_b) == []
    assert "10.0.0.1/24" not in inside("a", "ip address")
    assert "bvb0000000000" not in netlink.links()
    other = with_vnode(plan(), "a", interfaces=(interface("a", 0, "lan1", "10.0.1.7/24"),), routes=())
    built(other)
    assert built(other) == []
    assert "1 received" in inside("a", "ping -c 1 -W 3 10.0.1.1"), "its interface moved to another substrate"


@sandboxed
def test_a_changed_mtu_reaches_both_ends_and_one_set_inside_stays():
    built()
    inside("a", "ip link set inf000 mtu 1300")
    assert built() == []
    smaller = plan(substrates=tuple(dataclasses.replace(substrate, mtu=1400) for substrate in plan().substrates))
    assert "a: interface inf000 has MTU 1400" in built(smaller)
    assert built(smaller) == []
    assert inside("r", "cat /sys/class/net/*/mtu").split()[:2] == ["1400", "1400"]
    assert {netlink.links()[port].mtu for port in ("bva0000000000", "bvr0000000000", "bvr1000000000")} == {1400}
    assert "1 received" in inside("a", "ping -c 1 -W 3 -M do -s 1372 10.0.1.1")


@sandboxed
def test_files_and_folders_are_the_roots_and_nodes_files_are_readable_whatever_the_umask():
    os.umask(0o077)
    from ansible_collections.deter.benito.plugins.module_utils.host.cli import main

    install_plan(plan(substrates=plan().substrates[:1], vnodes=plan().vnodes[:1]))
    assert main(["apply", "-e", "Proj.exp", "--json"]) == 0

    def modes(*paths):
        return [stat.S_IMODE(os.stat(path).st_mode) for path in paths]

    assert modes(PLACE.directory, PLACE.run, "/run/benito/exp") == [0o700] * 3
    assert modes(PLACE.node("a"), PLACE.node("a") + "/log") == [0o755] * 2
    assert modes(PLACE.node_hosts("a")) == [0o644]
    assert modes(f"{PLACE.run}/applied-processes.json") == [0o600]


@sandboxed
def test_taking_it_down_leaves_nothing_and_twice_is_nothing():
    before = traces()
    built()
    assert down(PLACE)["changed"]
    assert traces() == before
    assert not down(PLACE)["changed"]


def interrupted(after_s):
    """Apply in a process that is killed after that time. Whether it was killed before its end."""
    pid = os.fork()
    if pid == 0:
        apply(PLACE)
        os._exit(0)
    time.sleep(after_s)
    os.kill(pid, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def many(count=40):
    def node(n):
        wire = InterfacePlan("inf000", f"bvn{n}x", "lan0", f"02:00:00:00:01:{n:02x}", f"10.0.0.{n + 1}/24")
        return VnodePlan(f"n{n}", "process", f"n{n}", (wire,))

    return plan(vnodes=tuple(map(node, range(count))))


@sandboxed
def test_killed_at_any_moment_it_goes_on_or_goes_away():
    chance, killed, before = random.Random(7), 0, traces()
    built(many())
    started = time.monotonic()
    down(PLACE)
    built(many())
    whole = time.monotonic() - started
    for round_number in range(6):
        down(PLACE)
        assert traces() == before
        install_plan(many())
        for _again in range(2):
            killed += interrupted(chance.uniform(0.0, whole))
        if round_number % 2:
            apply(PLACE)
            assert apply(PLACE)["changes"] == []
            assert "1 received" in inside("n0", "ping -c 1 -W 3 10.0.0.40")
    assert killed >= 3
    down(PLACE)
    assert traces() == before


@sandboxed
def test_a_node_that_is_rebooted_is_made_anew_and_nothing_else_is():
    built()
    inside("a", "ip route flush 10.0.0.0/16; echo mine > /var/benito/mine")
    for name in "arb":  # the number of a namespace that went may be the new one's
        inside(name, "ip address add 10.200.0.1/32 dev lo")
    assert reboot_process_nodes(read_plan(PLACE), PLACE, ("a", "b")) == ["a: rebooted", "b: rebooted"]
    assert built() == []
    assert [name for name in "arb" if "10.200.0.1" in inside(name, "ip address")] == ["r"] and inside("a", "cat /var/benito/mine") == "mine"
    assert "1 received" in inside("a", "ping -c 1 -W 3 10.0.1.1")


@sandboxed
def test_what_cannot_be_rebooted_is_named_all_of_it_and_nothing_is_done():
    made = plan()
    install_plan(dataclasses.replace(made, vnodes=(*made.vnodes, VnodePlan("g", "process", "g", ghost=True))))
    with pytest.raises(HostError, match="^no node z of Proj.exp is on this host; g is a ghost, which never runs$"):
        reboot(PLACE, ["a", "z", "g", "z"])
    table, reboot_file.KIND_PARTS = reboot_file.KIND_PARTS, tuple(dataclasses.replace(part, reboot=None) for part in reboot_file.KIND_PARTS)
    with pytest.raises(HostError, match="^a is of kind process, which cannot be rebooted from its host$"):
        reboot(PLACE, ["a"])
    reboot_file.KIND_PARTS = table
    install_plan(made)
    with pytest.raises(HostError, match="Proj.exp is not built on this host"):
        reboot(PLACE, ["a"])
