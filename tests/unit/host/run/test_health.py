# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A broken network is never shown as healthy: each kind of damage is named, and the next apply repairs what is on the vhost's side."""

from __future__ import annotations

import dataclasses
import subprocess
import time

import pytest
from ansible_collections.deter.benito.plugins.module_utils.host.base.namespaces import Registry, home
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.net import netlink
from ansible_collections.deter.benito.plugins.module_utils.host.net.firewall import firewall_state
from ansible_collections.deter.benito.plugins.module_utils.host.run.apply import apply
from ansible_collections.deter.benito.plugins.module_utils.host.run.health import Health, NodeHealth, look
from ansible_collections.deter.benito.plugins.module_utils.host.run.kinds import KIND_PARTS
from ansible_collections.deter.benito.plugins.module_utils.hostplan import VnodePlan
from ansible_collections.deter.benito.tests.unit.host.plans import LOCAL, REMOTE, TUNNEL, interface, plan
from ansible_collections.deter.benito.tests.unit.host.sandbox import install_plan, sandboxed

PLACE = ExperimentPaths("Proj.exp")
LAN0, LAN1, PORT_A, PORT_B = "bblan00000000", "bblan10000000", "bva0000000000", "bvb0000000000"
TABLE = PLACE.nft_table


def run(*command):
    subprocess.run(command, check=True)


def shell(text):
    run("sh", "-ec", text)


def in_node(name, command):
    with home() as origin:
        registry = Registry(PLACE)
        assert registry.open(origin)
        with registry.network(name):
            shell(command)
        registry.close()


def built(made=None):
    install_plan(made or plan())
    shell("ip link set lo up; ip link add eth1 mtu 1600 type veth peer name far1; ip link set eth1 up; ip link set far1 up")
    shell(f"ip address add {LOCAL}/24 dev eth1")
    apply(PLACE)
    assert seen(made).nodes == {} and states(seen(made)) == dict.fromkeys(states(seen(made)), "up")


def seen(made=None, probe=False) -> Health:
    made = made or plan()
    kinds = {vnode.kind for vnode in made.vnodes}
    nodes = {name: node["state"] for part in KIND_PARTS if part.kind in kinds for name, node in part.status(made, PLACE).items()}
    return look(made, PLACE, nodes, probe)


def states(health):
    return {name: substrate.state for name, substrate in health.substrates.items()}


def faults(health):
    return {name: substrate.faults for name, substrate in health.substrates.items() if substrate.faults}


def port(name, of):
    return f"port {name} of {of}:inf000"


DAMAGE = {  # what is done: (substrate, its state, its faults, the node that has one)
    f"ip link set {PORT_A} nomaster": ("lan0", "broken", [f"{port(PORT_A, 'a')} is not in bridge {LAN0}"], "a"),
    f"ip link set {PORT_A} down": ("lan0", "broken", [f"{port(PORT_A, 'a')} is down"], "a"),
    f"ip link set {PORT_A} mtu 1400": (
        "lan0", "broken", [f"bridge {LAN0} has MTU 1400 instead of 1500", f"{port(PORT_A, 'a')} has MTU 1400 instead of 1500"], "a"),  # the bridge follows
    f"ip link delete {PORT_A}": ("lan0", "broken", [f"{port(PORT_A, 'a')} is missing"], "a"),
    f"ip link set {LAN0} down": ("lan0", "broken", [f"bridge {LAN0} is down"], ""),
    f"ip link set {LAN0} mtu 1400": ("lan0", "broken", [f"bridge {LAN0} has MTU 1400 instead of 1500"], ""),
    f"ip link set {LAN0} type bridge stp_state 1": ("lan0", "broken", None, ""),
    f"ip link set {LAN0} type bridge mcast_snooping 1 nf_call_iptables 1": (
        "lan0", "broken", [f"bridge {LAN0} has mcast_snooping 1 instead of 0", f"bridge {LAN0} has nf_call_iptables 1 instead of 0"], ""),
    f"echo 0 > /proc/sys/net/ipv6/conf/{LAN0}/disable_ipv6": (
        "lan0", "broken", [f"bridge {LAN0} lets this host take part in the network of the nodes"], ""),
    f"ip link delete {LAN0}": ("lan0", "missing", None, "a"),
    f"ip link delete {TUNNEL.device}": ("lan1", "broken", [f"tunnel {TUNNEL.device} is missing"], ""),
    f"ip link set {TUNNEL.device} down": ("lan1", "broken", [f"tunnel {TUNNEL.device} is down"], ""),
    f"ip link set {TUNNEL.device} nomaster": ("lan1", "broken", [f"tunnel {TUNNEL.device} is not in bridge {LAN1}"], ""),
    f"bridge fdb delete 00:00:00:00:00:00 dev {TUNNEL.device} dst {REMOTE}": (
        "lan1", "broken", [f"tunnel {TUNNEL.device} does not flood to {REMOTE}"], ""),
    f"bridge fdb append 00:00:00:00:00:00 dev {TUNNEL.device} dst 192.0.2.77": (
        "lan1", "broken", [f"tunnel {TUNNEL.device} floods to 192.0.2.77, which is not planned"], ""),
    f"ip link delete {TUNNEL.device}; ip link add {TUNNEL.device} group {PLACE.group} type vxlan id 5 dstport 4789 local {LOCAL}": ("lan1", "broken", None, ""),
}


@pytest.mark.parametrize("damage", DAMAGE)
@sandboxed
def test_damage_on_the_vhosts_side_is_named_and_repaired_by_the_next_apply(damage):
    name, state, reasons, node = DAMAGE[damage]
    built()
    shell(damage)
    found = seen()
    other = {"lan0": "lan1", "lan1": "lan0"}[name]
    assert states(found) == {name: state, other: "up"}
    assert faults(found)[name] and (reasons is None or faults(found)[name] == tuple(reasons))
    assert {which for which, health in found.nodes.items() if health.faults} >= ({node} if node else set())
    assert apply(PLACE)["changed"]
    found = seen(probe=True)
    assert (states(found), faults(found), found.nodes, found.checked) == ({"lan0": "up", "lan1": "up"}, {}, {}, 2)
    assert apply(PLACE)["changes"] == []


INSIDE = {
    "ip address delete 10.0.0.1/24 dev inf000": ["inf000 has no address 10.0.0.1/24", "has no route to 10.0.0.0/16 via 10.0.0.254"],
    "ip route delete 10.0.0.0/16": ["has no route to 10.0.0.0/16 via 10.0.0.254"],
    "ip link set inf000 down": ["inf000 is down", "has no route to 10.0.0.0/16 via 10.0.0.254"],
}


@pytest.mark.parametrize("damage", INSIDE)
@sandboxed
def test_what_is_taken_away_inside_a_process_node_is_noted_and_put_back(damage):
    built()
    in_node("a", damage)
    found = seen()
    assert found.nodes == {"a": NodeHealth((), tuple(INSIDE[damage]))} and states(found) == {"lan0": "up", "lan1": "up"}
    assert apply(PLACE)["changed"]
    assert seen().nodes == {}


@sandboxed
def test_an_interface_that_is_deleted_inside_a_node_breaks_its_port_and_is_made_again():
    built()
    in_node("a", "ip link delete inf000")
    found = seen()
    assert found.nodes["a"].faults == (f"{port(PORT_A, 'a')} is missing",) and found.nodes["a"].differs[0] == "inf000 is missing"
    assert states(found)["lan0"] == "broken"
    assert apply(PLACE)["changed"]
    assert seen().nodes == {}


@sandboxed
def test_addresses_routes_mtu_and_mac_that_an_experimenter_has_set_stay_and_the_latter_are_noted():
    built()
    in_node("a", "ip link set inf000 down; ip link set inf000 mtu 1300 address 02:00:00:00:00:99; ip link set inf000 up")
    in_node("a", "ip address add 10.9.9.9/24 dev inf000; ip route replace 10.0.0.0/16 via 10.0.0.254; ip route add 10.8.0.0/16 via 10.0.0.254")
    noted = ("inf000 has MAC address 02:00:00:00:00:99 instead of 02:00:00:00:61:00", "inf000 has MTU 1300 instead of 1500")
    assert seen().nodes == {"a": NodeHealth((), noted)} and states(seen()) == {"lan0": "up", "lan1": "up"}
    assert not apply(PLACE)["changed"] and seen().nodes["a"].differs == noted


@sandboxed
def test_a_filter_that_is_flushed_is_shown_and_loaded_again():
    built()
    run("nft", "flush", "table", "bridge", TABLE)
    assert firewall_state(plan(), PLACE) == "changed"
    assert apply(PLACE)["changed"] and firewall_state(plan(), PLACE) == "up"


DROPS = "table inet foreign { chain forward { type filter hook forward priority 0; policy drop; }; }"


@sandboxed
def test_where_another_programs_filter_drops_what_crosses_bridges_nothing_passes():
    built()
    shell("echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables")
    assert seen(probe=True) == dataclasses.replace(seen(), checked=2)
    shell(f"nft '{DROPS}'")
    assert faults(seen(probe=True)) == {}, "br_netfilter is off: a frame is no business of this filter"
    shell("echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables")
    found = seen(probe=True)
    assert states(found) == {"lan0": "broken", "lan1": "broken"}
    assert all(reasons[0].startswith("nothing passes from port to port of bridge bblan") for reasons in faults(found).values())
    assert states(seen()) == {"lan0": "up", "lan1": "up"}, "only a probe sends frames"
    run("nft", "delete", "table", "inet", "foreign")
    assert faults(seen(probe=True)) == {}


@sandboxed
def test_a_probe_leaves_nothing_and_is_not_seen_by_nodes():
    built()
    before = netlink.links()
    count = _received_in("a")
    seen(probe=True)
    assert _received_in("a") == count
    after = netlink.links()
    assert {name: dataclasses.replace(link, mac_address="") for name, link in after.items()} == {
        name: dataclasses.replace(link, mac_address="") for name, link in before.items()}


def _received_in(name) -> str:
    found = []
    with home() as origin:
        registry = Registry(PLACE)
        registry.open(origin)
        with registry.network(name), open("/proc/thread-self/net/dev", encoding="ascii") as stream:
            found = [line.split()[2] for line in stream if "inf000" in line]
        registry.close()
    return found[0]


@sandboxed
def test_faults_of_many_ports_are_bounded_and_those_of_a_dead_node_are_not_listed():
    nodes = tuple(VnodePlan(f"{chr(97 + number)}", "process", f"n{number}", (interface(chr(97 + number), 0, "lan0"),)) for number in range(26))
    made = plan(vnodes=nodes)
    built(made)
    shell("".join(f"ip link set bv{vnode.name}0000000000 down;" for vnode in nodes))
    found = seen(made)
    assert len(faults(found)["lan0"]) == 21 and faults(found)["lan0"][-1] == "and 6 more" and len(found.nodes) == 26
    assert states(look(made, PLACE, {vnode.name: "dead" for vnode in nodes})) == {"lan0": "up", "lan1": "up"}


@sandboxed
def test_the_interfaces_of_a_machine_that_is_a_node_are_looked_at_too():
    node = VnodePlan("a", "embedded_pnode", "a", (interface("a", 0, "lan0", "10.0.0.1/24"),), plan().vnodes[0].routes)
    made = plan(vnodes=(node,))
    built(made)
    shell(f"ip address delete 10.0.0.1/24 dev inf000; ip link set {PORT_A} nomaster")
    found = seen(made)
    assert found.nodes == {"a": NodeHealth((f"{port(PORT_A, 'a')} is not in bridge {LAN0}",),
                                           ("inf000 has no address 10.0.0.1/24", "has no route to 10.0.0.0/16 via 10.0.0.254"))}
    assert apply(PLACE)["changed"] and seen(made).nodes == {}


@sandboxed
def test_frames_are_sent_across_many_bridges_in_bounded_time():
    lan0 = plan().substrates[0]
    made = plan(vnodes=(), substrates=tuple(dataclasses.replace(lan0, name=f"l{number}", bridge=f"bbl{number:010}") for number in range(120)))
    built(made)
    shell("nft 'table bridge foreign { chain forward { type filter hook forward priority 0; oifname \"bpr0000000007\" drop; }; }'")
    began = time.monotonic()
    found = seen(made, probe=True)
    assert (list(faults(found)), found.checked) == (["l7"], 120)
    assert time.monotonic() - began < 30
