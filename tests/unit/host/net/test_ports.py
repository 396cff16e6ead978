# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports in a kernel of their own: the vhost's ends of wires, as veth pairs and as taps."""

from __future__ import annotations

import dataclasses
import os
import subprocess

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.net import netlink
from ansible_collections.deter.benito.plugins.module_utils.host.net.netlink import Batch
from ansible_collections.deter.benito.plugins.module_utils.host.net.ports import Medium, Peer, Port, Ports, media, remove_interfaces, remove_ports
from ansible_collections.deter.benito.plugins.module_utils.host.net.substrates import SubstrateHealth, apply_network, look
from ansible_collections.deter.benito.plugins.module_utils.host.qemu.taps import apply_taps
from ansible_collections.deter.benito.plugins.module_utils.hostplan import ControlPlan, UplinkPlan, VnodePlan
from ansible_collections.deter.benito.tests.unit.host.plans import interface, plan
from ansible_collections.deter.benito.tests.unit.host.sandbox import sandboxed

PATHS = ExperimentPaths("Proj.exp")
LAN = Medium("lan0", "bblan00000000", 1400)
KINDS = pytest.mark.parametrize("kind", ["veth", "tap"])


def ip(*commands):
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands) + "\n", text=True, check=True)


def medium():
    ip(f"link add {LAN.master} mtu {LAN.mtu} up type bridge", "link add bbother type bridge")


def port(kind, number=0, owner="a"):
    peer = Peer(f"bi{owner}{number}", f"02:00:00:00:00:{number:02x}") if kind == "veth" else None
    return Port(f"bv{owner}{number}", owner, f"inf{number:03}", LAN, peer)


def applied(*ports, dry_run=False):
    return Ports(PATHS, ports).apply(dry_run)


@KINDS
@sandboxed
def test_a_port_is_made_once_with_its_mark_its_master_and_its_mtu_and_without_an_address_of_the_vhosts(kind):
    medium()
    assert applied(port(kind), dry_run=True) == ["port bva0 of a:inf000: made"] and "bva0" not in netlink.links()
    assert applied(port(kind)) == ["port bva0 of a:inf000: made"]
    live = netlink.links()["bva0"]
    assert (live.up, live.master, live.mtu, live.group, live.alias) == (True, LAN.master, 1400, PATHS.group, "benito:Proj.exp:port:a:inf000")
    assert not [entry for entry in netlink.ip_json("address", "show", "dev", "bva0") if entry["addr_info"]]
    assert applied(port(kind)) == []
    if kind == "veth":
        other = netlink.links()["bia0"]
        assert (other.peer, other.mtu, other.mac_address) == ("bva0", 1400, "02:00:00:00:00:00")


@KINDS
@pytest.mark.parametrize("mark", ["", " alias benito:Proj.exp2:port:a:inf000", " alias anything"])
@sandboxed
def test_a_strangers_device_of_the_ports_name_is_refused_and_left_alone(kind, mark):
    medium()
    ip("link add bva0 type bridge", *([f"link set bva0{mark}"] if mark else []))
    before = netlink.links()["bva0"]
    with pytest.raises(HostError, match="^port bva0 of a:inf000: a device named bva0 exists on this host and is not this experiment's$"):
        applied(port(kind), port(kind, 1))
    assert netlink.links()["bva0"] == before and "bva1" not in netlink.links()
    assert remove_ports(PATHS) == [] and "bva0" in netlink.links()


@KINDS
@pytest.mark.parametrize("damage", ["nomaster", "master bbother", "down", "mtu 1300", "alias benito:Proj.exp:"])
@sandboxed
def test_a_port_that_was_changed_is_put_back_and_no_other_is_touched(kind, damage):
    medium()
    applied(port(kind), port(kind, 1))
    ip(f"link set bva0 {damage}")
    index = {name: link.index for name, link in netlink.links().items()}
    words = [f"port bva0 of a:inf000: put on {LAN.master} with MTU 1400"]
    assert applied(port(kind), port(kind, 1), dry_run=True) == words
    assert applied(port(kind), port(kind, 1)) == words
    assert applied(port(kind), port(kind, 1)) == []
    assert index == {name: link.index for name, link in netlink.links().items()}, "nothing was made anew"


@KINDS
@sandboxed
def test_a_port_whose_master_was_taken_away_is_put_back(kind):
    medium()
    applied(port(kind))
    ip(f"link delete {LAN.master}")
    with pytest.raises(HostError, match="^port bva0 of a:inf000: substrate lan0 is not built on this host: benito-host apply --part network builds it$"):
        applied(port(kind))
    ip(f"link add {LAN.master} mtu 1400 up type bridge")
    assert applied(port(kind)) == [f"port bva0 of a:inf000: put on {LAN.master} with MTU 1400"]
    assert netlink.links()["bva0"].master == LAN.master


@KINDS
@sandboxed
def test_one_port_is_added_and_removed_without_touching_the_others(kind):
    medium()
    first, second, third = (port(kind, number, owner) for number, owner in ((0, "a"), (1, "a"), (0, "ab")))
    applied(first, third)
    before = netlink.links()
    assert applied(second) == ["port bva1 of a:inf001: made"]
    assert remove_ports(PATHS, but=[first.name, third.name], dry_run=True) == ["port bva1 (benito:Proj.exp:port:a:inf001): removed"]
    assert remove_ports(PATHS, but=[first.name, third.name]) == ["port bva1 (benito:Proj.exp:port:a:inf001): removed"]
    assert netlink.links() == before
    remove_ports(PATHS, owners=["a"])
    assert sorted(name for name in netlink.links() if name.startswith("bv")) == ["bvab0"], "ab is another node"


@KINDS
@sandboxed
def test_a_port_of_an_interrupted_making_is_finished(kind):
    medium()
    ip(f"link add bva0 group {PATHS.group} type veth peer name bia0" if kind == "veth" else "tuntap add bva0 mode tap vnet_hdr")
    ip(f"link set bva0 group {PATHS.group}")
    assert applied(port(kind)) == [f"port bva0 of a:inf000: put on {LAN.master} with MTU 1400"]
    assert applied(port(kind)) == []


@pytest.mark.parametrize(("before", "after"), [("veth", "tap"), ("tap", "veth")])
@sandboxed
def test_a_node_that_became_one_of_another_kind_gets_a_port_of_the_other_kind(before, after):
    medium()
    applied(port(before), port(before, 1))
    assert applied(port(after), port(before, 1)) == ["port bva0 of a:inf000: made"]
    assert netlink.links()["bva0"].kind == {"tap": "tun", "veth": "veth"}[after]
    assert applied(port(after), port(before, 1)) == []


@sandboxed
def test_the_other_end_may_be_in_a_network_of_its_own():
    medium()
    child = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdout.read(1)
    network = os.open(f"/proc/{child.pid}/ns/net", os.O_RDONLY)
    batch, ports = Batch(), Ports(PATHS, [port("veth")])
    ports.make(batch, ports.planned["bva0"], network)
    batch.send()
    os.close(network)
    inside = subprocess.run(["nsenter", f"--net=/proc/{child.pid}/ns/net", "ip", "link", "show", "bia0"], capture_output=True, text=True, check=True)
    child.communicate()
    assert "mtu 1400" in inside.stdout and "bia0" not in netlink.links()
    assert ports.missing == [ports.planned["bva0"]], "what is live was seen before"


@sandboxed
def test_an_end_that_stays_in_the_vhosts_network_is_marked_refused_and_removed_with_its_port():
    medium()
    wire = dataclasses.replace(port("veth"), peer=Peer("exp0", "02:00:00:00:00:00", stays=True))
    ip("link add exp0 type bridge")
    with pytest.raises(HostError, match="^a: this machine has a device exp0 of its own: give the interface another name in the topology"):
        applied(wire)
    assert remove_interfaces(PATHS) == [] and "exp0" in netlink.links()
    ip("link delete exp0")
    applied(wire, port("veth", 1))
    assert netlink.links()["exp0"].alias == "benito:Proj.exp:interface:a:inf000"
    ip("link delete bva0", f"link add exp0 group {PATHS.group} type veth peer name exp1")
    assert applied(wire, port("veth", 1)) == ["port bva0 of a:inf000: made"], "what an interrupted run has left is replaced"
    assert remove_interfaces(PATHS, but=["exp0"]) == [] and remove_interfaces(PATHS) == ["interface exp0: removed"]
    assert sorted(name for name in netlink.links() if name.startswith(("bv", "exp"))) == ["bva1"]


@sandboxed
def test_ports_that_are_wrong_in_other_ways_are_repaired_in_one_batch():
    medium()
    ports = [port("veth", number) for number in range(40)]
    applied(*ports)
    ip(*(f"link set {one.name} {'nomaster' if number % 2 else 'down'}" for number, one in enumerate(ports)))
    ip("link delete bva7")
    assert len(applied(*ports)) == 40
    assert applied(*ports) == []


def machine():
    return VnodePlan("m", "qemu", "m", (interface("m", 0, "lan0", "10.0.0.9/24"),), control=ControlPlan("bvcontrol", "02:00:00:00:99:00", "192.0.2.9/24"),
                     uplinks=(UplinkPlan("bvup", "lan1", "02:00:00:00:99:01"),))


def without_tunnels():
    return plan(substrates=tuple(dataclasses.replace(substrate, tunnel=None, probe_address="", probe_peers={}) for substrate in plan().substrates))


@sandboxed
def test_a_virtual_machine_has_a_port_for_its_control_network_its_interfaces_and_what_it_carries():
    apply_network(without_tunnels(), PATHS)
    with pytest.raises(HostError, match="^port bvcontrol of m:control0: there is no bridge control0 on this host: the role deter.benito.control_bridge"):
        apply_taps(without_tunnels(), [machine()], PATHS)
    ip("link add control0 mtu 1300 up type bridge")
    changes = apply_taps(without_tunnels(), [machine()], PATHS)
    assert changes == ["port bvcontrol of m:control0: made", "port bvm0000000000 of m:inf000: made", "port bvup of m:uplink-lan1: made"]
    live = netlink.links()
    assert [(live[name].master, live[name].mtu) for name in ("bvcontrol", "bvm0000000000", "bvup")] == [
        ("control0", 1300), ("bblan00000000", 1500), ("bblan10000000", 1500)]
    assert apply_taps(without_tunnels(), [machine()], PATHS) == []


@sandboxed
def test_of_a_plan_every_substrate_and_the_control_network_are_media_and_the_state_of_each_is_known():
    apply_network(without_tunnels(), PATHS)
    assert media(without_tunnels(), netlink.links()) == {
        "lan0": Medium("lan0", "bblan00000000", 1500), "lan1": Medium("lan1", "bblan10000000", 1500), "control0": Medium("control0", "control0", 1500)}
    ip("link delete bblan10000000")
    assert look(without_tunnels(), PATHS, netlink.links()) == {
        "lan0": SubstrateHealth("up"), "lan1": SubstrateHealth("missing", ("bridge bblan10000000 is missing",))}
