# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes: every packet arrives, by a shortest path, with as few prefixes as can be (spec/semantics.md §3)."""

from __future__ import annotations

import ipaddress
import time
from functools import cache

import networkx
import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.addressing.addresses import assign_addresses
from ansible_collections.deter.benito.plugins.module_utils.embedding.addressing.subnets import dotted
from ansible_collections.deter.benito.plugins.module_utils.embedding.routing.aggregate import address_space, forests
from ansible_collections.deter.benito.plugins.module_utils.embedding.routing.network import read_network
from ansible_collections.deter.benito.plugins.module_utils.embedding.routing.routes import Routes
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo, vtopos, with_attribute
from hypothesis import assume, given, settings
from hypothesis import strategies as st

BASE = "10.0.0.0/16"


def planned(topology, base=BASE, avoid=()):
    network = read_network(assign_addresses(topology, base, avoid))
    return network, Routes(network, base, avoid)


def table(routes, node):
    return [(route.to, route.via) for route in routes.of(node)]


class Forwarding:
    """What the kernels of all nodes would do together: longest prefix first, connected subnets before all."""

    def __init__(self, network, routes):
        self.network = network
        self.owner = {dotted(a.address): a.node for attachments in network.nodes.values() for a in attachments}
        self.connected = {node: [ipaddress.IPv4Network(network.subnets[a.substrate]) for a in attachments] for node, attachments in network.nodes.items()}
        self.routes = {node: [(ipaddress.IPv4Network(route.to), route.via) for route in routes.of(node)] for node in network.nodes}

    def next_hop(self, node, address):
        """The node that gets the packet next, None where there is no route."""
        if any(address in subnet for subnet in self.connected[node]):
            return self.owner[str(address)]
        matches = [(prefix.prefixlen, via) for prefix, via in self.routes[node] if address in prefix]
        return self.owner[max(matches)[1]] if matches else None

    def path(self, node, address):
        """Nodes on the way to whoever has the address; None where it does not arrive."""
        passed = [node]
        while str(address) not in {dotted(a.address) for a in self.network.nodes[passed[-1]]}:
            following = self.next_hop(passed[-1], address)
            if following is None or len(passed) > len(self.network.nodes):
                return None
            if len(passed) > 1:
                assert len(self.network.nodes[passed[-1]]) > 1, f"{passed[-1]} forwards with one interface"
            passed.append(following)
        return passed


def distances(network):
    """{node: {node or ("substrate", name): steps}}, from node to substrate to node."""
    graph = networkx.Graph()
    for node, attachments in network.nodes.items():
        graph.add_node(node)
        graph.add_edges_from((node, ("substrate", attachment.substrate)) for attachment in attachments)
    return {node: networkx.single_source_shortest_path_length(graph, node) for node in network.nodes}


@settings(max_examples=120, deadline=None)
@given(vtopos(most_nodes=9, most_substrates=10))
def test_every_address_is_reached_by_a_shortest_path_or_not_covered_at_all(topology):
    network, routes = planned(topology)
    forwarding, shortest = Forwarding(network, routes), distances(network)
    for node in network.nodes:
        for other, attachments in network.nodes.items():
            for attachment in attachments:
                address = ipaddress.IPv4Address(attachment.address)
                if other not in shortest[node]:
                    assert not any(address in prefix for prefix, _via in forwarding.routes[node])
                    continue
                path = forwarding.path(node, address)
                assert path is not None
                crossed = (shortest[node]["substrate", attachment.substrate] + 1) // 2
                enters_at_its_owner = shortest[node][other] // 2 == crossed - 1
                assert len(path) - 1 in ((crossed - 1, crossed) if enters_at_its_owner else (crossed,))


@settings(max_examples=100, deadline=None)
@given(vtopos(most_nodes=9, most_substrates=10))
def test_no_route_is_the_default_route_or_leaves_the_experiment(topology):
    network, routes = planned(topology)
    spaces = address_space(list(network.subnets.values()), BASE)
    for node, attachments in network.nodes.items():
        own = [ipaddress.IPv4Network(network.subnets[a.substrate]) for a in attachments]
        for route in routes.of(node):
            assert any(ipaddress.IPv4Network(route.to).subnet_of(space) for space in spaces)
            assert any(ipaddress.IPv4Address(route.via) in subnet for subnet in own)
            assert ipaddress.IPv4Network(route.to) not in own


@settings(max_examples=30, deadline=None)
@given(vtopos(), st.randoms(use_true_random=False))
def test_routes_do_not_depend_on_the_order_they_are_asked_in(topology, random):
    network, routes = planned(topology)
    wanted = {node: routes.of(node) for node in network.nodes}
    again = planned(topology)[1]
    names = list(network.nodes)
    random.shuffle(names)
    assert {node: again.of(node) for node in names} == wanted


def fewest(base, leaves):
    """How many prefixes are needed, found by trying everything: leaves is {address: hop}, hop None for never covered, 0 for any."""

    @cache
    def cost(start, length, inherited):
        inside = {hop for address, hop in leaves.items() if start <= address < start + (1 << (32 - length))}
        if inside <= {inherited, 0}:
            return 0
        if length == 24:
            return 1 if inherited not in inside else 0
        half = 1 << (31 - length)
        choices = [(0, inherited)] + ([(1, hop) for hop in inside if hop not in (None, 0)] if None not in inside else [])
        if None in inside and inherited is not None:
            return 10**6
        return min(price + cost(start, length + 1, hop) + cost(start + half, length + 1, hop) for price, hop in choices)

    return cost(int(base.network_address), base.prefixlen, None)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.integers(0, 15), st.sampled_from([None, 0, 1, 2, 3]), min_size=1))
def test_no_smaller_table_says_the_same(slots):
    base = ipaddress.IPv4Network("10.0.0.0/20")
    leaves = {int(base.network_address) + (slot << 8): hop for slot, hop in sorted(slots.items())}
    subnets = [(address, 24) for address in leaves]
    reachable = [place for place, hop in enumerate(leaves.values()) if hop is not None]
    assume(any(leaves[subnets[place][0]] for place in reachable))
    forest = forests(subnets, [0 if hop is not None else 1 for hop in leaves.values()], str(base))[0]
    hops = [leaves[subnets[place][0]] for place in reachable]
    groups = [[rank for rank, hop in enumerate(hops) if hop == number] for number in (1, 2, 3)]
    default = max(range(3), key=lambda number: len(groups[number]))
    routes = forest.table(groups, [rank for rank, hop in enumerate(hops) if hop == 0], default)
    assert len(routes) == fewest(base, leaves)
    for address, hop in leaves.items():
        matches = [(ipaddress.IPv4Network(p).prefixlen, number + 1) for p, number in routes if ipaddress.IPv4Address(address) in ipaddress.IPv4Network(p)]
        assert hop == 0 or (max(matches)[1] if matches else None) == hop


def test_a_stub_node_has_one_route_to_the_experiments_address_space():
    _network, routes = planned(vtopo({"l0": "a r", "l1": "r b", "l2": "r c"}))
    assert table(routes, "a") == [("10.0.0.0/16", "10.0.0.2")]
    assert table(routes, "b") == [("10.0.0.0/16", "10.0.1.1")]
    assert table(routes, "r") == []


def test_more_than_256_subnets_widen_the_address_space():
    _network, routes = planned(vtopo({f"l{number}": f"r n{number}" for number in range(300)}))
    assert table(routes, "n299") == [("10.0.0.0/15", "10.1.43.1")]


def test_a_node_on_one_lan_with_all_others_needs_no_route():
    _network, routes = planned(vtopo({"lan": "a b c"}))
    assert table(routes, "a") == []


def test_of_two_equally_short_ways_the_name_that_comes_first_decides():
    _network, routes = planned(vtopo({"l0": "a z", "l1": "a m", "l2": "z b", "l3": "m b", "l4": "b c"}))
    assert ("10.0.0.0/16", "10.0.1.2") in table(routes, "a")
    assert ("10.0.2.0/24", "10.0.0.2") in table(routes, "a")


def test_of_two_substrates_to_one_neighbour_the_name_that_comes_first_decides():
    _network, routes = planned(vtopo({"y": "a r", "x": "a r", "l2": "r b"}))
    assert table(routes, "a") == [("10.0.0.0/16", "10.0.1.2")]


def test_subnets_that_cannot_be_reached_are_never_covered():
    _network, routes = planned(vtopo({"l0": "a r", "island": "x y", "l1": "r b"}))
    assert table(routes, "a") == [("10.0.2.0/24", "10.0.0.2")]
    assert table(routes, "x") == []


def test_the_control_network_is_never_covered():
    _network, routes = planned(vtopo({"l0": "a r", "l1": "r b", "l2": "b c"}), avoid=("10.0.128.0/17",))
    assert all(not ipaddress.IPv4Network(to).overlaps(ipaddress.IPv4Network("10.0.128.0/17")) for to, _via in table(routes, "a"))
    assert len(table(routes, "a")) == 1


def test_fixed_addresses_elsewhere_have_a_space_of_their_own():
    fixed = {("r", "l1"): "192.168.5.1", ("r", "l2"): "203.0.113.1", ("b", "l3"): "203.0.112.1", ("r", "l3"): "203.0.112.9"}
    _network, routes = planned(vtopo({"l0": "a r", "l1": "r b", "l2": "r b", "l3": "r b"}, fixed=fixed))
    assert table(routes, "a") == [("192.168.5.0/24", "10.0.0.2"), ("203.0.112.0/23", "10.0.0.2")]


@pytest.mark.parametrize("word", ["Manual", "manual", "none"])
def test_manual_routing_means_no_routes(word):
    topology = vtopo({"l0": "a r", "l1": "r b"}, a={"rtproto": word})
    _network, routes = planned(topology)
    assert (table(routes, "a"), table(routes, "b")) == ([], [("10.0.0.0/16", "10.0.1.1")])
    _network, routes = planned(with_attribute(vtopo({"l0": "a r", "l1": "r b"}, a={"rtproto": "Static"}), "rtproto", word))
    assert (table(routes, "a"), table(routes, "b")) == ([("10.0.0.0/16", "10.0.0.2")], [])


@pytest.mark.parametrize("word", ["Session", "Static-old", "misspelt"])
def test_any_other_routing_protocol_means_computed_routes(word):
    _network, routes = planned(with_attribute(vtopo({"l0": "a r", "l1": "r b"}), "rtproto", word))
    assert table(routes, "a") == [("10.0.0.0/16", "10.0.0.2")]


def test_the_route_file_has_a_line_for_each_route():
    _network, routes = planned(vtopo({"l0": "a r", "l1": "r b", "l2": "b c"}))
    assert routes.text_of("c") == "10.0.0.0/16 via 10.0.2.1\n"
    assert routes.text_of("a") == "10.0.0.0/16 via 10.0.0.2\n"


def test_a_mesh_of_a_thousand_nodes_is_routed_within_seconds():
    graph = networkx.barabasi_albert_graph(1000, 2, seed=1)
    network, routes = planned(vtopo({f"l{place}": f"n{one} n{other}" for place, (one, other) in enumerate(graph.edges)}))
    before = time.process_time()
    total = sum(len(routes.of(node)) for node in network.nodes)
    assert time.process_time() - before < 5
    assert total < 1000 * len(network.subnets) / 4
