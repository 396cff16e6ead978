# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who should reach whom, as the plans of the vhosts say."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.hostplan import HostPlan, HostsEntry, InterfacePlan, VnodePlan

from benito.reach.pairs import all_pairs, neighbour_pairs


def node(name, *attachments, **more):
    interfaces = tuple(InterfacePlan(f"inf{number:03}", f"p{name}{number}", substrate, "02:00:00:00:00:01", address)
                       for number, (substrate, address) in enumerate(attachments))
    return VnodePlan(name, "process", name, interfaces, forwarding=len(interfaces) > 1, **more)


def plans(*vnodes, hosts=()):
    """Return the plans of two vhosts that share the nodes."""
    return {f"pnode-{number}": HostPlan("P", "e", f"pnode-{number}", vnodes=vnodes[number::2], hosts=hosts) for number in range(2)}


A, B = node("a", ("lan", "10.0.0.1/24")), node("b", ("lan", "10.0.0.2/24"), ("link", "10.0.1.1/24"))
C = node("c", ("link", "10.0.1.2/24"))
HOSTS = (HostsEntry("10.0.0.1", ("a-lan", "a-0", "a")), HostsEntry("10.0.0.2", ("b-lan", "b-0", "b")), HostsEntry("10.0.1.1", ("b-link", "b-1")),
         HostsEntry("10.0.1.2", ("c-link", "c-0", "c")))


def shown(pairs):
    return sorted(map(str, pairs))


def test_neighbours_are_tried_on_each_substrate_that_they_share():
    twice = node("d", ("lan", "10.0.0.3/24"), ("link", "10.0.1.3/24"))
    found = [pair.address for pair in neighbour_pairs(plans(B, twice).values()) if (pair.source, pair.target) == ("b", "d")]
    assert found == ["10.0.0.3", "10.0.1.3"]
    assert shown(neighbour_pairs(plans(A, B, C).values())) == ["a -> b (10.0.0.2)", "b -> a (10.0.0.1)", "b -> c (10.0.1.2)", "c -> b (10.0.1.1)"]


def test_all_pairs_go_by_way_of_nodes_that_forward_to_the_address_of_the_bare_name():
    assert shown(all_pairs(plans(A, B, C, hosts=HOSTS))) == [
        "a -> b (10.0.0.2)", "a -> c (10.0.1.2)", "b -> a (10.0.0.1)", "b -> c (10.0.1.2)", "c -> a (10.0.0.1)", "c -> b (10.0.0.2)"]


def test_a_neighbours_alias_wins_over_the_shared_name():
    near = node("c", ("link", "10.0.1.2/24"), aliases={"b": "10.0.1.1"})
    assert "c -> b (10.0.1.1)" in shown(all_pairs(plans(A, B, near, hosts=HOSTS)))


def test_a_name_that_means_something_else_is_no_address_of_a_node():
    """Node ``a-0`` has the made-up name that another node would have; its own address is used."""
    odd = node("a-0", ("lan", "10.0.0.9/24"))
    hosts = (HostsEntry("10.0.0.1", ("a-lan", "a")), HostsEntry("10.0.0.9", ("a-0-lan", "a-0")))
    assert "a -> a-0 (10.0.0.9)" in shown(all_pairs(plans(A, odd, hosts=hosts)))


def test_parts_of_a_topology_that_nothing_joins_are_not_expected_to_reach_each_other():
    island = node("x", ("far", "10.9.0.1/24")), node("y", ("far", "10.9.0.2/24"))
    found = shown(all_pairs(plans(A, B, *island)))
    assert found == ["a -> b (10.0.0.2)", "b -> a (10.0.0.1)", "x -> y (10.9.0.2)", "y -> x (10.9.0.1)"]


def test_nodes_without_an_address_and_ghosts_are_left_out():
    assert not all_pairs(plans(A, node("hub", ("lan", "")), node("g", ("lan", "10.0.0.7/24"), ghost=True)))
