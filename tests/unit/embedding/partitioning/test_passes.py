# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passes and the options that say how each is divided, with what DETER's guide to Containers documents for its example6."""

from __future__ import annotations

from collections import Counter

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.embed import embed
from ansible_collections.deter.benito.plugins.module_utils.embedding.node_view import read_nodes
from ansible_collections.deter.benito.plugins.module_utils.embedding.partitioning.passes import machine_types
from ansible_collections.deter.benito.plugins.module_utils.embedding.settings import EmbeddingSettings
from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo, vtopos
from ansible_collections.deter.benito.tests.unit.tutorial import tutorial
from hypothesis import given, settings
from hypothesis import strategies as st


def example6():
    """A center in pass 0 on three LANs of twenty nodes, which are in passes 1, 2 and 3. What its description says of it: tests/unit/docs/test_tutorial.py."""
    return tutorial("example6.tcl")[0]


def sizes_by_pass(topology, **chosen):
    """[the sizes of the pnodes of pass 0, of pass 1, …], each with the largest first."""
    found = {}
    of_node = {computer.name: int(computer.attribute("containers:PartitionPass")) for computer in topology.computers}
    for machine in embed(topology, EmbeddingSettings(**chosen)).machines:
        (number,) = {of_node[node] for node in machine.nodes}
        found.setdefault(number, []).append(len(machine.nodes))
    return [sorted(found[number], reverse=True) for number in sorted(found)]


@pytest.mark.parametrize(("options", "machines"), [
    ({"size": 3, "packing": 20, "pass_pack": {"1": 20}}, [1, 3, 3, 3]),
    ({"size": 3, "pass_size": {"1": 2}}, [1, 2, 3, 3]),
    ({"pass_size": {"1": 2}, "pass_pack": {"1": 1}}, [1, 2, 2, 2]),
    ({"size": 1000}, [1, 20, 20, 20]),
])
def test_a_number_of_parts_wins_over_a_packing_and_what_is_said_of_a_pass_over_what_is_said_of_all(options, machines):
    assert [len(of_pass) for of_pass in sizes_by_pass(example6(), **options)] == machines


def test_only_the_passes_that_are_named_have_parts_of_equal_size():
    assert sizes_by_pass(example6(), pass_pack={"1": 11, "2": 11}, pass_nodes_only=(2,))[2] == [10, 10]


def test_openvz_and_qemu_share_machines_unless_the_original_s_passes_are_asked_for():
    mixed = vtopo({"lan": "a b c d"}, a={"node_type": "qemu"}, b={"node_type": "openvz"}, c={"node_type": "process"}, d={"node_type": "embedded_pnode"})
    assert embed(mixed, EmbeddingSettings()).assignment == {"pnode-0000": ("a", "b", "c"), "pnode-0001": ("d",)}
    original = embed(mixed, EmbeddingSettings(passes="original"))
    assert sorted(original.assignment.values()) == [("a", "c"), ("b",), ("d",)]
    assert original.assignment["pnode-0000"] == ("b",), "openvz is pass 0"
    assert not [warning for warning in original.warnings if "PartitionPass" in str(warning)]


def test_the_original_s_passes_take_options_by_pass():
    mixed = vtopo({}, nodes="a b c d", a={"node_type": "qemu"}, b={"node_type": "openvz"}, c={"node_type": "qemu"}, d={"node_type": "openvz"})
    embedding = embed(mixed, EmbeddingSettings(passes="original", pass_pack={"1": 1}))
    assert list(embedding.assignment.values()) == [("b", "d"), ("a",), ("c",)]


def test_an_option_for_a_pass_that_no_node_is_in_is_warned_of():
    warnings = [str(warning) for warning in embed(example6(), EmbeddingSettings(pass_pack={"1": 5, "7": 2}, pass_nodes_only=(4, 5))).warnings]
    assert warnings[:2] == [
        "setting pass_pack: names pass 7, which no node is in (the nodes are in passes 0, 1, 2, 3)",
        "setting pass_nodes_only: names passes 4, 5, which no node is in (the nodes are in passes 0, 1, 2, 3)",
    ]


def test_partitions_of_the_author_s_stay_unless_they_are_to_be_given_up():
    topology = vtopo({"lan": "a b c"}, a={"partition": "x"}, b={"partition": "y"}, c={"node_type": "openvz", "partition": "y"})
    assert embed(topology, EmbeddingSettings(packing=1)).assignment == {"pnode-0000": ("a",), "pnode-0001": ("b", "c")}
    idle = embed(topology, EmbeddingSettings(size=3, pass_pack={"0": 1}, pass_pnodes={"0": ["big"]})).warnings
    assert [str(warning) for warning in idle] == [
        "setting size: has no effect: the topology is partitioned by its author (force_partition gives that up)",
        "setting pass_pack: has no effect: the topology is partitioned by its author (force_partition gives that up)"]
    forced = embed(topology, EmbeddingSettings(force_partition=True))
    assert forced.assignment == {"pnode-0000": ("a", "b", "c")}
    assert {node.partition for node in read_nodes(forced.partitioned).values()} == {"0"}
    assert {node.partition for node in read_nodes(forced.annotated).values()} == {None}


def test_every_pass_has_the_types_of_machine_that_are_said_for_it_and_the_others_those_of_all():
    chosen = EmbeddingSettings(packing=20, pnode_types=("small",), pass_pnodes={"0": ["big"], "3": ["big", "huge"]})
    embedding = embed(example6(), chosen)
    assert machine_types(embedding.machines, embedding.nodes, chosen) == {
        "pnode-0000": ("big",), "pnode-0001": ("small",), "pnode-0002": ("small",), "pnode-0003": ("big", "huge")}
    assert set(machine_types(embedding.machines, embedding.nodes, EmbeddingSettings()).values()) == {()}


def test_a_partition_across_passes_needs_a_machine_that_all_of_them_allow():
    topology = vtopo({"lan": "a b"}, a={"partition": "x", "PartitionPass": "0"}, b={"partition": "x", "PartitionPass": "1"})
    both = EmbeddingSettings(pass_pnodes={"0": ["big", "huge"], "1": ["small", "huge"]})
    embedding = embed(topology, both)
    assert machine_types(embedding.machines, embedding.nodes, both) == {"pnode-0000": ("huge",)}
    with pytest.raises(InputError) as caught:
        embed(topology, EmbeddingSettings(pnode_types=("small",), pass_pnodes={"0": ["big"]}))
    assert str(caught.value) == ("test.xml: partition x: no type of machine is allowed by all passes of its nodes (pass 0: big; pass 1: small) "
                                 "(other partitions, or another pass_pnodes)")


seeds = st.integers(0, 1000)


def division(topology, **chosen):
    embedding = embed(topology, EmbeddingSettings(default_container="process", **chosen))
    return [machine.nodes for machine in embedding.machines]


def chosen_partitions(embedding):
    return {name: node.partition for name, node in embedding.nodes.items()}


@settings(max_examples=25, deadline=None)
@given(vtopos(most_nodes=14), st.integers(1, 6), seeds, st.booleans())
def test_one_pass_takes_as_few_machines_as_can_be_and_none_is_over_the_packing(topology, packing, seed, nodes_only):
    found = division(topology, packing=packing, seed=seed, nodes_only=nodes_only)
    count = len(topology.computers)
    assert len(found) == -(-count // packing)
    assert max(len(nodes) for nodes in found) <= packing
    assert Counter(node for nodes in found for node in nodes) == Counter(computer.name for computer in topology.computers)
    assert found == division(topology, packing=packing, seed=seed, nodes_only=nodes_only)
    if nodes_only:
        assert max(map(len, found)) - min(map(len, found)) <= 1


@settings(max_examples=25, deadline=None)
@given(vtopos(most_nodes=14), st.integers(1, 20), st.integers(1, 6), seeds)
def test_a_size_makes_exactly_so_many_parts_but_no_empty_ones(topology, size, packing, seed):
    found = division(topology, size=size, packing=packing, seed=seed)
    assert len(found) == min(size, len(topology.computers))
    assert max(map(len, found)) - min(map(len, found)) <= 1


@settings(max_examples=25, deadline=None)
@given(vtopos(most_nodes=10), st.lists(st.sampled_from("xyz"), min_size=10, max_size=10), st.integers(1, 4), st.booleans())
def test_what_the_author_partitioned_stays_unless_it_is_given_up(topology, words, packing, forced):
    given_words = {computer.name: word for computer, word in zip(topology.computers, words)}
    members = {name: " ".join(computer.name for computer, _interface in found) for name, found in topology.attachments().items()}
    written = vtopo(members, nodes=" ".join(given_words), **{name: {"partition": word} for name, word in given_words.items()})
    found = chosen_partitions(embed(written, EmbeddingSettings(default_container="process", packing=packing, force_partition=forced)))
    unwritten = embed(topology, EmbeddingSettings(default_container="process", packing=packing))
    assert found == (chosen_partitions(unwritten) if forced else given_words)
