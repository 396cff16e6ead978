# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One subnet on several substrates, or several subnets on one, is accepted: told once, and no route leads there."""

from __future__ import annotations

import ipaddress

from ansible_collections.deter.benito.plugins.module_utils.embedding.addressing.addresses import assign_addresses
from ansible_collections.deter.benito.plugins.module_utils.embedding.routing.network import read_network
from ansible_collections.deter.benito.plugins.module_utils.embedding.routing.routes import Routes
from ansible_collections.deter.benito.plugins.module_utils.embedding.routing.unclear import unclear_subnets
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo

BASE = "10.0.0.0/16"
EFFECT = "no routes are computed to it or across it"


def planned(topology):
    network = read_network(assign_addresses(topology, BASE))
    return network, Routes(network, BASE)


def told(network):
    return [str(problem) for problem in unclear_subnets(network, "lab.xml")]


def addresses(network):
    return {(a.node, a.substrate): str(ipaddress.IPv4Address(a.address)) for attachments in network.nodes.values() for a in attachments}


# west - w - x - y - z - east: both ends have the subnet 10.0.1.0/24, which lies between those of the middle
CHAIN = {"west": "a w", "l0": "w x", "l1": "x y", "l2": "y z", "east": "z b"}
ENDS = {("a", "west"): "10.0.1.1", ("b", "east"): "10.0.1.2"}


def test_subnet_of_two_networks_is_told_once_and_gets_no_route():
    network, routes = planned(vtopo(CHAIN, fixed=ENDS))
    assert told(network) == [f"lab.xml: the topology: 10.0.1.0/24 is the subnet of west and east: {EFFECT} (a subnet for each of them)"]
    everything = {node: [ipaddress.IPv4Network(route.to) for route in routes.of(node)] for node in network.nodes}
    assert not any(prefix.overlaps(ipaddress.IPv4Network("10.0.1.0/24")) for prefixes in everything.values() for prefix in prefixes)
    assert everything["a"] == everything["b"] == []
    assert {route.via for route in routes.of("w")} == {addresses(network)["x", "l0"]}, "the middle still has its routes"
    assert any(ipaddress.IPv4Network("10.0.3.0/24").subnet_of(prefix) for prefix in everything["w"])


def test_members_of_networks_with_one_subnet_have_addresses_of_their_own():
    network, _routes = planned(vtopo({"l0": "a b c", "l1": "d e f", "l2": "g h"}, fixed={("a", "l0"): "10.0.0.2", ("d", "l1"): "10.0.0.1"}))
    assert addresses(network) == {
        ("a", "l0"): "10.0.0.2", ("b", "l0"): "10.0.0.3", ("c", "l0"): "10.0.0.4",
        ("d", "l1"): "10.0.0.1", ("e", "l1"): "10.0.0.5", ("f", "l1"): "10.0.0.6",
        ("g", "l2"): "10.0.1.1", ("h", "l2"): "10.0.1.2",
    }  # fmt: skip


def test_several_subnets_on_one_network_are_told_once_and_get_no_route():
    network, routes = planned(vtopo({"l0": "a r", "l1": "r b c"}, fixed={("r", "l1"): "10.5.0.1", ("b", "l1"): "10.6.0.1"}))
    assert told(network) == [f"lab.xml: substrate l1: its members are in several subnets, 10.5.0.0/24 and 10.6.0.0/24: {EFFECT} (addresses of one subnet)"]
    assert addresses(network)["c", "l1"] == "10.5.0.2", "who has no address gets one of the first subnet"
    assert all(routes.of(node) == () for node in "arbc")


def test_later_subnets_keep_away_from_all_subnets_of_a_network():
    network, _routes = planned(vtopo({"l0": "a b", "l1": "a b"}, fixed={("a", "l0"): "10.9.0.1", ("b", "l0"): "10.0.0.1"}))
    assert addresses(network)["a", "l1"] == "10.0.1.1"


def test_route_by_hand_to_such_a_network_is_kept():
    network, routes = planned(vtopo(CHAIN, fixed=ENDS, x={"route": "west w"}))
    assert ("10.0.1.0/24", addresses(network)["w", "l0"]) in [(route.to, route.via) for route in routes.of("x")]


def test_many_such_subnets_are_counted():
    substrates = {f"l{number}": "a b" for number in range(40)}
    fixed = {(node, f"l{number}"): f"10.7.{number // 2}.{2 * (number % 2) + (node == 'b') + 1}" for number in range(40) for node in "ab"}
    messages = told(planned(vtopo(substrates, fixed=fixed))[0])
    assert len(messages) == 6 and messages[-1] == "lab.xml: 15 more subnets of several substrates"
