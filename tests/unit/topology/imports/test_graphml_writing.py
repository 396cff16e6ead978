# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Topologies survive the way to GraphML and back, and NetworkX reads the files."""

from __future__ import annotations

import io

import networkx
import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.plugins.module_utils.topology.graphml.reader import read_graphml_text
from ansible_collections.deter.benito.plugins.module_utils.topology.graphml.writer import write_graphml
from ansible_collections.deter.benito.plugins.module_utils.topology.model import Attribute, Computer, Cpu, Interface, Latency, Substrate, Topology
from ansible_collections.deter.benito.tests.unit.topology.ns.networks import addresses, members_of, networks, whole_ways
from hypothesis import HealthCheck, given, settings


def node(name, *substrates, **more):
    return Computer(name=name, interfaces=tuple(Interface(name=f"inf{number:03}", substrates=(one,)) for number, one in enumerate(substrates)), **more)


def round_trip(topology):
    text, _warnings = write_graphml(topology)
    return read_graphml_text(text.encode(), "back.graphml")[0]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(networks(bare=True))
def test_nodes_links_lans_addresses_and_shaping_come_back(topology):
    back = round_trip(topology)
    assert [one.name for one in back.computers] == [one.name for one in topology.computers]
    assert members_of(back) == members_of(topology)
    assert whole_ways(back) == whole_ways(topology)
    assert addresses(back) == addresses(topology)
    assert {one.name for node in back.computers for one in node.interfaces} == {one.name for node in topology.computers for one in node.interfaces}


def test_node_attributes_survive_a_round_trip():
    ours = {"containers:node_type": "qemu", "startup": "echo <hi> & $x", "containers:image": "debian-13", "containers:partition": "p", "colour": "red"}
    given = tuple(Attribute(*pair) for pair in ours.items())
    topology = Topology(elements=(node("a", attributes=given),), attributes=(Attribute("containers:env:X", "1"), Attribute("rtproto", "Manual")))
    back = round_trip(topology)
    assert back.computers[0].attributes == topology.computers[0].attributes
    assert back.attributes == topology.attributes


def test_networkx_reads_the_written_file():
    substrates = (Substrate(name="link0", latency=Latency(5.0)), Substrate(name="office"))
    elements = (node("a", "link0", "office"), node("b", "link0", "office"), node("c", "office"))
    text, warnings = write_graphml(Topology(substrates=substrates, elements=elements))
    graph = networkx.read_graphml(io.BytesIO(text.encode()))
    assert not warnings and not graph.is_directed()
    assert sorted(graph) == ["a", "b", "c", "office"]
    assert graph.nodes["office"] == {"node_type": "lan"}
    assert graph.edges["a", "b"] == {"label": "link0", "delay": 10.0, "source_interface": "inf000", "target_interface": "inf000"}
    assert sorted(graph.neighbors("office")) == ["a", "b", "c"]


def test_link_with_different_directions_makes_a_directed_graph():
    slow = Interface(name="inf000", substrates=("l",), latency=Latency(40.0))
    topology = Topology(substrates=(Substrate(name="l", latency=Latency(5.0)),), elements=(Computer(name="a", interfaces=(slow,)), node("b", "l")))
    graph = networkx.read_graphml(io.BytesIO(write_graphml(topology)[0].encode()))
    assert {ends: graph.edges[ends]["delay"] for ends in graph.edges} == {("a", "b"): 80.0, ("b", "a"): 10.0}


def test_content_that_graphml_cannot_express_gives_a_warning():
    odd = Interface(name="x", substrates=("l",), attributes=(Attribute("colour", "red"),))
    elements = (Computer(name="a", interfaces=(odd,), cpus=(Cpu(),), attributes=(Attribute("name", "Anna"),)),)
    _text, warnings = write_graphml(Topology(substrates=(Substrate(name="l"),), elements=elements))
    assert sorted(str(warning) for warning in warnings) == [
        "attribute 'name' of a: left out, as its name means something else in a GraphML file",
        "node a: no place for <cpu> in a GraphML file",
    ]


def test_topology_that_cannot_be_deployed_is_refused():
    with pytest.raises(InputError):
        write_graphml(Topology(elements=(node("localhost"),)))


def test_lan_with_two_interfaces_of_one_node_comes_back():
    for members in (("a", "a"), ("a", "a", "b")):
        names = dict.fromkeys(members)
        elements = tuple(node(name, *["ring"] * members.count(name)) for name in names)
        text, warnings = write_graphml(Topology(substrates=(Substrate(name="ring", latency=Latency(3.0)),), elements=elements))
        back, odd = read_graphml_text(text.encode(), "back.graphml")
        assert not warnings and not [warning for warning in odd if "left out" in str(warning)]
        assert back.elements == elements and members_of(back) == {"ring": sorted(members)}
        assert back.substrates[0].latency == Latency(3.0)


def test_attributes_of_interfaces_and_lans_and_old_names_come_back():
    odd = Interface(name="Gi0-0-0-1", substrates=("l",), attributes=(Attribute("containers:queue_limit", "9"), Attribute("label", "GigabitEthernet0/0/0/1")))
    other = Interface(name="x", substrates=("l",), attributes=(Attribute("label", "another"),))
    elements = (Computer(name="Zurich", interfaces=(odd,), attributes=(Attribute("kind", "router"), Attribute("label", "Zürich"))), node("b", "l", "hub"))
    elements += (Computer(name="c", interfaces=(other,)),)
    lans = (Substrate(name="l", attributes=(Attribute("containers:cost", "3"),)), Substrate(name="hub", attributes=(Attribute("containers:cost", "4"),)))
    text, warnings = write_graphml(Topology(substrates=lans, elements=elements))
    back = read_graphml_text(text.encode(), "back.graphml")[0]
    assert not warnings and back.elements == elements and back.substrates == lans
    assert {"Zürich", "GigabitEthernet0/0/0/1"} <= set(text.replace(">", "<").split("<")), "NetworkX shows the names that people know"


def test_lan_with_the_name_of_a_node_is_still_readable():
    topology = Topology(substrates=(Substrate(name="a"),), elements=(node("a", "a"),))
    text, warnings = write_graphml(topology)
    back = read_graphml_text(text.encode(), "back.graphml")[0]
    assert members_of(back) == {"a-2": ["a"]}
    assert [str(one) for one in warnings] == [
        "link or LAN a (a-2): another name when the file is read, where nodes and links share one set of names, regardless of case"
    ]


def test_each_kind_of_loss_is_one_warning_with_a_count_and_three_names():
    elements = tuple(Computer(name=f"n{number}", cpus=(Cpu(),), attributes=(Attribute("x", ""),)) for number in range(17))
    _text, warnings = write_graphml(Topology(elements=elements, source="lab.xml"))
    assert [str(one) for one in warnings] == [
        "lab.xml: 17 attributes: left out, as a GraphML file has none without a value, for example 'x' of n0, 'x' of n1, 'x' of n2",
        "lab.xml: 17 nodes: no place for <cpu> in a GraphML file, for example n0, n1, n2",
    ]


def test_links_and_lans_keep_their_order_and_with_it_their_subnets():
    substrates = (Substrate(name="link7"), Substrate(name="hub"), Substrate(name="link3"))
    elements = (node("a", "link7", "hub"), node("b", "link7", "hub", "link3"), node("c", "hub", "link3"))
    back = round_trip(Topology(substrates=substrates, elements=elements))
    assert back.substrates == substrates and back.elements == elements
