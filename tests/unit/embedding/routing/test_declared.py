# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Costs, protocols and routes that a topology gives; and that aggregated routes say what one route for each subnet would."""

from __future__ import annotations

import dataclasses
import heapq
import ipaddress

import networkx
import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.addressing.addresses import assign_addresses
from ansible_collections.deter.benito.plugins.module_utils.embedding.addressing.subnets import dotted
from ansible_collections.deter.benito.plugins.module_utils.embedding.node_view import read_nodes
from ansible_collections.deter.benito.plugins.module_utils.embedding.routing.components import separate_parts
from ansible_collections.deter.benito.plugins.module_utils.embedding.routing.declared import check_routing
from ansible_collections.deter.benito.plugins.module_utils.embedding.routing.network import read_network
from ansible_collections.deter.benito.plugins.module_utils.embedding.routing.routes import Routes
from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.plugins.module_utils.topology.model import Attribute
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo, vtopos, with_attribute
from hypothesis import given, settings
from hypothesis import strategies as st

BASE = "10.0.0.0/16"


def costing(topology, **costs):
    """The topology with the attribute ``containers:cost`` on some substrates."""
    substrates = tuple(
        dataclasses.replace(one, attributes=(Attribute("containers:cost", costs[one.name]),)) if one.name in costs else one for one in topology.substrates
    )
    return dataclasses.replace(topology, substrates=substrates)


def planned(topology, profile="default"):
    network = read_network(assign_addresses(topology, BASE, (), profile))
    return network, Routes(network, BASE)


def table(topology, node):
    return [f"{route.to} via {route.via}" for route in planned(topology)[1].of(node)]


def warned(topology):
    return [str(problem) for problem in check_routing(topology, read_nodes(topology))]


def refused(topology):
    with pytest.raises(InputError) as caught:
        check_routing(topology, read_nodes(topology))
    return [str(problem) for problem in caught.value.problems]


@st.composite
def networks(draw):
    """Small networks with any costs, addresses of any profile."""
    topology = draw(vtopos(most_nodes=9, most_substrates=10))
    chosen = st.sampled_from(["1", "1", "2", "0.5", "3.25", "7"])
    costs = {substrate.name: draw(chosen) for substrate in topology.substrates} if draw(st.booleans()) else {}
    return planned(costing(topology, **costs), draw(st.sampled_from(["default", "emulab", "hierarchical"])))


def distances_to(network, target):
    """{node: what a packet pays from it to a subnet}, crossing that not counted; only nodes on two or more substrates forward."""
    found = {}
    waiting = [(0, member.node) for member in network.substrates[target]]
    while waiting:
        distance, node = heapq.heappop(waiting)
        on = {attachment.substrate for attachment in network.nodes[node]}
        if node in found or len(on) < 2:
            continue
        found[node] = distance
        for name in on:
            for member in network.substrates[name]:
                heapq.heappush(waiting, (distance + network.costs[name], member.node))
    return found


def graph_of(network):
    """Nodes and substrates, joined by their attachments."""
    graph = networkx.Graph()
    graph.add_nodes_from([*network.nodes, *network.substrates])
    graph.add_edges_from((attachment.node, attachment.substrate) for attachments in network.nodes.values() for attachment in attachments)
    return graph


def cheapest_hop(network, node, target, distances):
    """(neighbour, substrate) by which a packet leaves for a subnet; of equal ones the first by names; None where there is no way."""
    on = {attachment.substrate for attachment in network.nodes[node]}
    ways = [
        (network.costs[name] + distances[member.node], member.node, name)
        for name in on for member in network.substrates[name] if member.node != node and member.node in distances
    ]
    return min(ways)[1:] if ways else None


@settings(max_examples=150, deadline=None)
@given(networks())
def test_each_address_has_the_next_hop_that_a_route_for_each_subnet_would_give_it(planned_network):
    network, routes = planned_network
    tables = {node: [(ipaddress.IPv4Network(route.to), route.via) for route in routes.of(node)] for node in network.nodes}
    first = {}
    for attachments in network.nodes.values():
        for attachment in attachments:
            first.setdefault((attachment.node, attachment.substrate), dotted(attachment.address))
    for target, members in network.substrates.items():
        distances = distances_to(network, target)
        for node, attachments in network.nodes.items():
            if target in {attachment.substrate for attachment in attachments}:
                continue
            hop = cheapest_hop(network, node, target, distances)
            for member in members:
                matches = [(prefix.prefixlen, via) for prefix, via in tables[node] if ipaddress.IPv4Address(member.address) in prefix]
                assert (max(matches)[1] if matches else None) == (first[hop] if hop else None)


@settings(max_examples=60, deadline=None)
@given(networks())
def test_aggregation_never_makes_more_routes(planned_network):
    network, routes = planned_network
    for component in networkx.connected_components(graph_of(network)):
        for node in component & network.nodes.keys():
            distant = len(component & network.substrates.keys()) - len({attachment.substrate for attachment in network.nodes[node]})
            assert len(routes.of(node)) <= distant
            assert bool(routes.of(node)) == bool(distant)


def test_a_costly_link_is_gone_around():
    square = vtopo({"ab": "a b", "bd": "b d", "ac": "a c", "cd": "c d", "de": "d e"})
    assert "10.0.4.0/24 via 10.0.0.2" in table(square, "a") or table(square, "a")[0].endswith("10.0.0.2")
    assert [line for line in table(costing(square, ab="3"), "a") if line.endswith("10.0.2.2")] == ["10.0.0.0/16 via 10.0.2.2"]


def test_fractions_of_costs_count_exactly():
    ring = vtopo({"l0": "a b", "l1": "b d", "l2": "a c", "l3": "c d", "l4": "d e"})
    assert table(costing(ring, l0="0.1", l1="0.2", l2="0.15", l3="0.15"), "a") == table(ring, "a")


def test_equal_costs_of_any_size_are_hops():
    ring = vtopo({"l0": "a b", "l1": "b d", "l2": "a c", "l3": "c d", "l4": "d e"})
    tenfold = costing(ring, **{substrate.name: "10" for substrate in ring.substrates})
    assert [table(tenfold, node) for node in "abcde"] == [table(ring, node) for node in "abcde"]


@settings(max_examples=60, deadline=None)
@given(vtopos(most_nodes=9, most_substrates=10))
def test_both_solvers_agree_where_costs_do_not_matter(topology):
    """A substrate that nobody needs, between two nodes of a ring of its own, makes costs differ."""
    names = [substrate.name for substrate in topology.substrates]
    alone = vtopo({"x0": "p q", "x1": "p q"})
    both = dataclasses.replace(topology, substrates=(*topology.substrates, *alone.substrates), elements=(*topology.elements, *alone.elements))
    network, routes = planned(both)
    weighted_network, weighted = planned(costing(both, x0="2"))
    assert type(weighted._paths._core).__name__ == "WeightedCore" and type(routes._paths._core).__name__ == "Core"
    assert [routes.of(node) for node in network.nodes if node not in "pq"] == [weighted.of(node) for node in weighted_network.nodes if node not in "pq"]
    assert names == [name for name in network.substrates if not name.startswith("x")]


def test_costs_are_routed_at_a_few_hundred_nodes_too():
    graph = networkx.barabasi_albert_graph(150, 2, seed=1)
    mesh = vtopo({f"l{place}": f"n{one} n{other}" for place, (one, other) in enumerate(graph.edges)})
    network, routes = planned(costing(mesh, **{substrate.name: str(place % 7 + 1) for place, substrate in enumerate(mesh.substrates)}))
    assert all(routes.of(node) for node in network.nodes)


LINE = {"l0": "a r", "l1": "r s", "l2": "s b"}


@pytest.mark.parametrize("name", ["rtproto", "containers:rtproto", "benito:RTPROTO"])
def test_manual_leaves_only_the_given_routes(name):
    topology = with_attribute(vtopo(LINE, a={"route": "l1 r; b r"}), name, "Manual")
    assert table(topology, "a") == ["10.0.1.0/24 via 10.0.0.2", "10.0.2.2/32 via 10.0.0.2"]
    assert table(topology, "b") == []
    assert warned(topology) == []


def test_a_computer_may_choose_for_itself():
    topology = with_attribute(vtopo(LINE, a={"containers:rtproto": "Static"}), "containers:rtproto", "none")
    assert table(topology, "a") == ["10.0.0.0/16 via 10.0.0.2"]
    assert table(topology, "b") == []


def test_a_given_route_comes_before_a_computed_one():
    topology = vtopo({"l0": "a r", "l1": "r b", "l2": "a s", "l3": "s b", "l4": "b c"}, a={"route": "l4 s"})
    assert "10.0.4.0/24 via 10.0.0.2" not in table(topology, "a")
    assert "10.0.4.0/24 via 10.0.2.2" in table(topology, "a")


def test_none_leaves_given_routes_out_and_says_so():
    topology = with_attribute(vtopo(LINE, a={"route": "l1 r"}), "containers:rtproto", "none")
    assert table(topology, "a") == []
    assert warned(topology) == ["test.xml:100: computer a: its routes have no effect: its rtproto is none (Manual)"]


@pytest.mark.parametrize(("word", "said"), [
    ("Static", []),
    ("Static-ddijk", []),
    ("manual", []),
    ("Session", ["routes are computed once, as with Static: no routing daemon is run for 'Session' (Manual leaves routes to a daemon of your own)"]),
    ("ospf", ["routes are computed once, as with Static: no routing daemon is run for 'ospf' (Manual leaves routes to a daemon of your own)"]),
    ("RIP", ["'RIP' is not known: routes are computed, as with Static (Static, Session, ospf, Manual or none)"]),
])
def test_what_becomes_of_a_protocol_is_said(word, said):
    assert [text.removeprefix("test.xml: rtproto: ") for text in warned(with_attribute(vtopo(LINE), "containers:rtproto", word))] == said
    assert len(warned(vtopo(LINE, a={"rtproto": word}))) == len(said)


def test_a_route_to_what_a_node_is_on_itself_has_no_effect():
    topology = vtopo(LINE, r={"route": "l0 s; l2 s"})
    assert warned(topology) == ["test.xml:110: computer r: its route 'l0 s' has no effect: it is on l0 itself"]
    assert "10.0.2.0/24 via 10.0.1.2" in table(topology, "r")


def test_all_that_is_wrong_with_routes_and_costs_is_said_at_once():
    topology = vtopo(LINE, a={"route": "l1; l9 r; l1 b; l2 r; l2 r; s r; a r; b a"})
    assert refused(costing(topology, l0="0", l1="x", l2="1e10")) == [
        "test.xml:2: substrate l0: its cost '0' is invalid (a number from 0.000001 to 1,000,000,000)",
        "test.xml:3: substrate l1: its cost 'x' is invalid (a number from 0.000001 to 1,000,000,000)",
        "test.xml:4: substrate l2: its cost '1e10' is invalid (a number from 0.000001 to 1,000,000,000)",
        "test.xml:100: computer a: its route 'l1': is not a destination and a next hop (such as 'lan0 router; server router')",
        "test.xml:100: computer a: its route 'l9 r': there is no computer or substrate 'l9' (names of the topology)",
        "test.xml:100: computer a: its route 'l1 b': the next hop 'b' is on no substrate of a (a neighbour)",
        "test.xml:100: computer a: its route 'l2 r': there is a route to l2 already (one for each destination)",
        "test.xml:100: computer a: its route 's r': s has 2 interfaces (a computer with one interface, or a substrate)",
        "test.xml:100: computer a: its route 'a r': leads to itself (another destination)",
        "test.xml:100: computer a: its route 'b a': the next hop 'a' is on no substrate of a (a neighbour)",
    ]


def test_parts_without_a_way_between_them_are_named():
    topology = vtopo({"l0": "a r", "l1": "r b", "island": "x y"}, nodes="lonely")
    assert [str(problem) for problem in separate_parts(planned(topology)[0], "test.xml")] == [
        "test.xml: the topology: is in 2 parts with no way from one to another: a and 2 more; x and 1 more"
    ]
    assert separate_parts(planned(vtopo(LINE))[0]) == ()
