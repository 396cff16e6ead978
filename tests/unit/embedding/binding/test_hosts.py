# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts file of an experiment (spec/semantics.md §2)."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.embedding.addressing.addresses import assign_addresses
from ansible_collections.deter.benito.plugins.module_utils.embedding.binding.hosts import Aliases, hosts_entries, hosts_text
from ansible_collections.deter.benito.plugins.module_utils.embedding.routing.network import read_network
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo, vtopos
from hypothesis import given, settings

TRIANGLE = {"l0": "a b", "l1": "b c", "l2": "c a"}


def network_of(substrates, **more):
    return read_network(assign_addresses(vtopo(substrates, **more)))


def lines(substrates, **more):
    return hosts_text(hosts_entries(network_of(substrates, **more))[0]).splitlines()


def aliases(network, node):
    return Aliases(network, hosts_entries(network)[0]).of(node)


def test_every_attachment_has_a_line_and_the_bare_name_is_the_first():
    assert lines(TRIANGLE) == [
        "127.0.0.1\tlocalhost loghost",
        "10.0.0.1\ta-l0 a-0 a",
        "10.0.2.1\ta-l2 a-1",
        "10.0.0.2\tb-l0 b-0 b",
        "10.0.1.1\tb-l1 b-1",
        "10.0.1.2\tc-l1 c-0 c",
        "10.0.2.2\tc-l2 c-1",
    ]


def test_a_node_knows_its_neighbours_by_the_first_substrate_they_share():
    network = network_of(TRIANGLE)
    assert aliases(network, "a") == {"c": "10.0.2.2"}
    assert aliases(network, "b") == {}
    assert aliases(network, "c") == {"a": "10.0.2.1", "b": "10.0.1.1"}


def test_a_neighbour_met_first_where_its_bare_name_points_needs_no_alias():
    assert aliases(network_of({"l0": "a b", "l1": "a b"}), "a") == {}
    assert aliases(network_of({"l0": "b c", "l1": "a b", "l2": "a b"}), "a") == {"b": "10.0.1.1"}


def test_plans_stay_small_on_a_lan_of_a_thousand():
    network = network_of({"lan": " ".join(f"n{number}" for number in range(1000))})
    table = Aliases(network, hosts_entries(network)[0])
    assert all(table.of(node) == {} for node in network.nodes)


def test_a_node_name_comes_before_a_made_up_one_and_the_loser_is_told():
    entries, warnings = hosts_entries(network_of({"b": "a c", "l1": "a-b c"}), "test.xml")
    assert [entry.names for entry in entries] == [("a-0", "a"), ("c-b", "c-0", "c"), ("c-l1", "c-1"), ("a-b-l1", "a-b-0", "a-b")]
    assert [str(warning) for warning in warnings] == ["test.xml: node a, interface inf000: the name a-b means node a-b in the hosts file, not this"]


def test_of_two_equal_made_up_names_the_first_wins():
    entries, warnings = hosts_entries(network_of({"b-c": "a", "c": "a-b"}))
    assert [entry.names for entry in entries] == [("a-b-c", "a-0", "a"), ("a-b-0", "a-b")]
    assert len(warnings) == 1


def test_names_that_differ_in_case_only_are_one_name():
    entries, warnings = hosts_entries(network_of({"l0": "Web web"}))
    assert [entry.names for entry in entries] == [("Web-l0", "Web-0", "Web")]
    assert "the name web means node Web" in warnings[0].message


def test_a_node_called_localhost_does_not_become_this_machine():
    entries, warnings = hosts_entries(network_of({"l0": "localhost b"}))
    assert entries[0].names == ("localhost-l0", "localhost-0")
    assert len(warnings) == 1


def test_a_node_without_interfaces_has_no_line():
    assert lines({"l0": "a"}, nodes="lonely a") == ["127.0.0.1\tlocalhost loghost", "10.0.0.1\ta-l0 a-0 a"]


@settings(max_examples=100, deadline=None)
@given(vtopos())
def test_every_name_stands_once_and_aliases_are_neighbours_on_a_shared_substrate(topology):
    network = read_network(assign_addresses(topology))
    entries, _warnings = hosts_entries(network)
    names = [name for entry in entries for name in entry.names]
    assert len(names) == len(set(names))
    bare = {entry.names[-1]: entry.address for entry in entries}
    table = Aliases(network, entries)
    for node, attachments in network.nodes.items():
        own = [attachment.substrate for attachment in attachments]
        for neighbour in network.nodes:
            shared = [a for substrate in own for a in network.substrates[substrate] if a.node == neighbour]
            if neighbour != node and shared:
                meant = table.of(node).get(neighbour, bare.get(neighbour))
                assert meant in {f"{a.address >> 24}.{a.address >> 16 & 255}.{a.address >> 8 & 255}.{a.address & 255}" for a in shared[:1]}
