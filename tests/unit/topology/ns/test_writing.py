# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes, links, addresses and shaping survive the way from TopDL to NS and back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.plugins.module_utils.topology.model import Attribute, Capacity, Computer, Interface, Substrate, Topology
from ansible_collections.deter.benito.plugins.module_utils.topology.ns.reader import read_ns_text
from ansible_collections.deter.benito.plugins.module_utils.topology.ns.writer import write_ns
from ansible_collections.deter.benito.tests.unit.topology import strategies
from ansible_collections.deter.benito.tests.unit.topology.ns.files import LAN, LINK, names, topology_of
from ansible_collections.deter.benito.tests.unit.topology.ns.networks import addresses, members_of, networks, whole_ways
from hypothesis import HealthCheck, given, settings


def written_and_read(topology):
    text, _warnings = write_ns(topology)
    return read_ns_text(text.encode(), "back.tcl", "/nonexistent")[0]


def of_nodes(topology):
    given = ("type", "failureaction")
    return [(node.name, [(one.name, one.value) for one in node.attributes if one.name not in given]) for node in topology.computers]


NS_FILES = {
    "a link": LINK,
    "a LAN": LAN,
    "asymmetric links": LINK + "tb-set-link-simplex-params $link0 $a 50ms 1Mb 0.05",
    "asymmetric LANs": LAN + "tb-set-lan-simplex-params $lan0 $b 10ms 1Mb 0.1 20ms 2Mb 0.2\ntb-set-node-lan-delay $c $lan0 100ms",
    "loss of a LAN": LAN + "tb-set-lan-loss $lan0 0.1",
    "addresses": LAN + "tb-set-ip $a 10.9.0.1\ntb-set-netmask $lan0 255.255.0.0",
    "queues": LAN + "[[$ns lanlink $lan0 $b] queue] set limit_ 9",
    "options, protocols and routes": LINK + "set opt(x-1) {a $b [c]}\n$ns rtproto Manual\n$a add-route $b $b\n$link0 cost 4\ntb-set-sync-server $b",
    "quotes": LINK + r'tb-set-node-startcmd $a "echo \"\{\$x\" \\ \[ ; # > y"',
    "attributes": LAN + "tb-add-node-attribute $a {odd name} {}\ntb-add-network-attribute $lan0 x {y z}\ntb-add-interface-attribute $b $lan0 p q",
    "software": LINK + "tb-set-node-rpms $a /x.rpm\ntb-set-node-tarfiles $a /opt /y.tgz\ntb-set-node-os $b DEB12",
    "vtypes": LINK + "tb-make-soft-vtype any {pc600 pc850}\ntb-make-weighted-vtype w .5 pc1\ntb-set-ip-routing none",
    "machines": LINK + "tb-set-hardware $b pc3000\ntb-fix-node $a pc4\ntb-set-node-testbed $a deter",
}


@pytest.mark.parametrize("case", NS_FILES)
def test_topology_of_an_ns_file_survives_a_round_trip(case):
    topology = topology_of(NS_FILES[case])
    back = written_and_read(topology)
    assert whole_ways(back) == whole_ways(topology)
    assert (back.elements, back.substrates) == (topology.elements, topology.substrates) or "asymmetric" in case
    assert sorted(map(str, back.attributes)) == sorted(map(str, topology.attributes))


def test_written_ns_file_is_idiomatic():
    text, warnings = write_ns(topology_of(LAN + "set n(3) [$ns node]\ntb-set-node-startcmd $n(3) {echo hi}"))
    assert text.splitlines() == [
        "set ns [new Simulator]",
        "source tb_compat.tcl",
        "set a [$ns node]",
        "set b [$ns node]",
        "set c [$ns node]",
        "set n(3) [$ns node]",
        'set lan0 [$ns make-lan "$a $b $c" 100000kb 10ms]',
        "tb-set-node-startcmd $n(3) {echo hi}",
        "$ns run",
    ]
    assert warnings == ()


@pytest.mark.parametrize("wrong", ["a_b", "list", "set", "opt", "ops"])
def test_names_that_ns_does_not_allow_are_refused(wrong):
    with pytest.raises(InputError):
        write_ns(Topology(elements=(Computer(name=wrong),)))


def test_lost_interface_names_give_a_single_warning():
    ends = tuple(Computer(name=name, interfaces=(Interface(name="eth1", substrates=("l",)),)) for name in "abcdefgh")
    (warning,) = write_ns(Topology(elements=ends, substrates=(Substrate(name="l"),)))[1]
    assert str(warning).startswith("8 interfaces: no place for names of interfaces in an NS file")
    assert str(warning).endswith("inf000, inf001, …, for example eth1 of a, eth1 of b, eth1 of c")


def test_node_and_link_with_the_same_name_are_refused():
    with pytest.raises(InputError, match="of one name"):
        write_ns(Topology(elements=(Computer(name="x"),), substrates=(Substrate(name="x"),)))


def test_content_that_ns_cannot_express_gives_a_warning():
    slow = Substrate(name="l", capacity=Capacity(5.0))
    ends = [Computer(name=name, interfaces=(Interface(name="inf000", substrates=("l",)),)) for name in ("n", "n-1", "ns")]
    text, warnings = write_ns(Topology(elements=tuple(ends[:2]), substrates=(slow, Substrate(name="alone"))))
    assert "set n-1 [$ns node]" in text, "n is a name itself"
    assert sorted(str(warning) for warning in warnings) == [
        "link or LAN alone: left out, as an NS file has none with fewer than two members",
        "link or LAN l: a bandwidth is changed to the nearest that an NS file allows (10 kb/s to 10 Gb/s)",
    ]
    assert "set sim [new Simulator]" in write_ns(Topology(elements=tuple(ends), substrates=(Substrate(name="l"),)))[0]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(networks())
def test_nodes_links_addresses_and_shaping_survive_a_round_trip(topology):
    back = written_and_read(topology)
    assert names(back) == names(topology)
    linked = {name for name, members in topology.attachments().items() if len(members) > 1}
    assert [one.name for one in back.substrates] == [one.name for one in topology.substrates if one.name in linked]
    assert members_of(back) == {name: members for name, members in members_of(topology).items() if name in linked}
    assert whole_ways(back) == whole_ways(topology)
    assert addresses(back) == {key: value for key, value in addresses(topology).items() if key[1] in linked}
    assert of_nodes(back) == of_nodes(topology)
    assert [node.software for node in back.computers] == [node.software for node in topology.computers]


def deployable(topology):
    """Return the deployable part of any topology: its computers, each interface on one link or LAN, with names that every format allows."""
    links = {substrate.name: f"l{number}" for number, substrate in enumerate(topology.substrates)}
    computers = []
    for number, computer in enumerate(topology.computers):
        attached = {interface.substrate: interface for interface in computer.interfaces}
        interfaces = [
            replace(interface, name=f"inf{place:03}", substrates=(links[substrate],)) for place, (substrate, interface) in enumerate(attached.items())
        ]
        computers.append(replace(computer, name=f"c{number}", interfaces=tuple(interfaces)))
    substrates = tuple(replace(substrate, name=links[substrate.name]) for substrate in topology.substrates)
    return replace(topology, substrates=substrates, elements=tuple(computers), fragments=(), namemaps=())


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(strategies.topologies().map(deployable))
def test_nodes_and_links_of_any_topology_survive_a_round_trip(topology):
    text, warnings = write_ns(topology)
    back, _warnings, _sources = read_ns_text(text.encode(), "back.tcl", "/nonexistent")
    assert names(back) == names(topology)
    assert members_of(back) == {name: members for name, members in members_of(topology).items() if len(members) > 1}
    if not warnings:
        assert whole_ways(back) == whole_ways(topology)


def test_netmask_that_ns_does_not_allow_is_reported_and_the_file_can_be_read():
    pairs = (Attribute("ip4_address", "10.0.0.1"), Attribute("ip4_netmask", "255.0.0.0"))
    ends = (Computer(name="a", interfaces=(Interface(name="inf000", substrates=("l",), attributes=pairs),)),)
    ends += (Computer(name="b", interfaces=(Interface(name="inf000", substrates=("l",)),)),)
    topology = Topology(elements=ends, substrates=(Substrate(name="l", capacity=Capacity(99.5)),))
    assert [str(one) for one in write_ns(topology)[1]] == [
        "link or LAN l: a bandwidth loses its fraction of a kb/s",
        "link or LAN l: a netmask becomes 255.255.255.0, as an NS file allows no such network (255.255.0.0 or smaller)",
    ]
    assert addresses(written_and_read(topology)) == {("a", "l"): ("10.0.0.1", "255.255.255.0")}


def test_swapped_names_of_interfaces_are_reported():
    swapped = Computer(name="a", interfaces=(Interface(name="inf000", substrates=("m",)), Interface(name="inf001", substrates=("l",))))
    other = Computer(name="b", interfaces=(Interface(name="inf000", substrates=("l",)), Interface(name="inf001", substrates=("m",))))
    (warning,) = write_ns(Topology(elements=(swapped, other), substrates=(Substrate(name="l"), Substrate(name="m"))))[1]
    assert "2 interfaces: no place for names" in str(warning) and str(warning).endswith("inf001 of a, inf000 of a")
