# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds and partitions: what an author chose, what is chosen for him, and what cannot be."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.assign_kinds import annotate
from ansible_collections.deter.benito.plugins.module_utils.embedding.embed import embed
from ansible_collections.deter.benito.plugins.module_utils.embedding.node_view import read_nodes
from ansible_collections.deter.benito.plugins.module_utils.embedding.settings import EmbeddingSettings, check_settings
from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo


def kinds(topology):
    return {name: node.kind for name, node in read_nodes(topology).items()}


def partitions(topology):
    return {name: node.partition for name, node in read_nodes(topology).items()}


def plan(topology, **settings):
    return embed(topology, EmbeddingSettings(**settings))


def refused(topology, **settings):
    with pytest.raises(InputError) as caught:
        plan(topology, **settings)
    return [str(problem) for problem in caught.value.problems]


def test_a_node_without_a_kind_is_of_the_default_kind():
    topology = vtopo({"lan0": "a b"}, b={"node_type": "openvz"})
    assert kinds(annotate(topology, EmbeddingSettings())) == {"a": "qemu", "b": "openvz"}
    assert kinds(annotate(topology, EmbeddingSettings(default_container="process"))) == {"a": "process", "b": "openvz"}


@pytest.mark.parametrize("spelling", ["open_vz", "OpenVZ", "OPEN_VZ"])
def test_aliases_and_case_of_a_kind_do_not_matter(spelling):
    assert kinds(annotate(vtopo({}, nodes="a", a={"node_type": spelling}), EmbeddingSettings())) == {"a": "openvz"}


def test_every_unknown_kind_is_named_with_line_and_what_is_allowed():
    topology = vtopo({"lan0": "a b"}, a={"node_type": "viewos"}, b={"node_type": "xen"})
    assert refused(topology) == [
        "test.xml:100: computer a: unknown node_type 'viewos' (one of embedded_pnode, qemu, openvz, process)",
        "test.xml:110: computer b: unknown node_type 'xen' (one of embedded_pnode, qemu, openvz, process)",
    ]


def test_kind_map_realises_kinds_as_others_once_and_leaves_the_annotated_topology_alone():
    topology = vtopo({"lan0": "a b"}, a={"node_type": "openvz"}, b={"node_type": "process"})
    embedding = plan(topology, kind_map={"open_vz": "process", "process": "qemu"})
    assert kinds(embedding.annotated) == {"a": "openvz", "b": "process"}
    assert kinds(embedding.partitioned) == {"a": "process", "b": "qemu"}


def test_a_default_kind_is_mapped_too():
    assert kinds(plan(vtopo({"lan0": "a b"}), kind_map={"qemu": "process"}).partitioned) == {"a": "process", "b": "process"}


def test_settings_with_several_faults_are_refused_with_all_of_them():
    settings = EmbeddingSettings(packing=0, default_container="xen", kind_map={"openvz": "jail", "zone": "process"}, address_base="10.0.0.1/16")
    with pytest.raises(InputError) as caught:
        check_settings(settings)
    assert [problem.element for problem in caught.value.problems] == [
        "setting default_container",
        "setting kind_map",
        "setting kind_map",
        "setting address_base",
        "setting packing",
    ]


def test_in_a_partitioned_topology_a_node_with_neither_kind_nor_partition_is_physical():
    embedding = plan(vtopo({"lan0": "a b c"}, a={"node_type": "openvz", "partition": "0"}, b={"partition": "red"}))
    assert kinds(embedding.partitioned) == {"a": "openvz", "b": "qemu", "c": "embedded_pnode"}
    assert partitions(embedding.partitioned) == {"a": "0", "b": "red", "c": "1"}


def test_in_a_partitioned_topology_another_kind_without_a_partition_is_an_error_that_names_it():
    topology = vtopo({"lan0": "a b c"}, a={"partition": "0"}, b={"node_type": "openvz"}, c={"node_type": "embedded_pnode"})
    assert refused(topology) == [
        "test.xml:110: computer b: has kind openvz but no partition, while others have one (give it a partition, or remove its kind to make it physical)"
    ]


def test_default_kinds_do_not_make_a_partitioned_topology_lack_partitions():
    assert plan(vtopo({"lan0": "a b"}, a={"partition": "0"}), default_container="openvz").assignment == {"pnode-0000": ("a",), "pnode-0001": ("b",)}


def test_partition_identifiers_are_any_word():
    embedding = plan(vtopo({"lan0": "a b c"}, a={"partition": "rack-7.left"}, b={"partition": "6"}, c={"partition": "rack-7.left"}))
    assert embedding.assignment == {"pnode-0000": ("a", "c"), "pnode-0001": ("b",)}
    assert [machine.partition for machine in embedding.machines] == ["rack-7.left", "6"]


@pytest.mark.parametrize("text", ["", "two words", "../up", ".", "x" * 65])
def test_a_partition_that_is_no_word_is_refused(text):
    assert "is not a word" in refused(vtopo({}, nodes="a", a={"partition": text}))[0]


def test_a_misspelt_prefix_counts_as_a_partition():
    embedding = plan(vtopo({"lan0": "a b"}, a={"container:partition": "3", "container:node_type": "process"}, b={"partition": "3"}))
    assert embedding.assignment == {"pnode-0000": ("a", "b")}


def test_physical_nodes_that_share_a_partition_get_machines_of_their_own_and_a_warning():
    topology = vtopo({"lan0": "a b c"}, a={"partition": "0", "node_type": "process"}, b={"partition": "0", "node_type": "embedded_pnode"}, c={"partition": "0"})
    embedding = plan(topology, default_container="process")
    assert embedding.assignment == {"pnode-0000": ("a", "c"), "pnode-0001": ("b",)}
    assert partitions(embedding.partitioned)["b"] == "0"
    assert [str(warning) for warning in embedding.warnings] == [
        "test.xml:110: computer b: shares partition 0 with others, but is a machine by itself: it gets its own"
    ]


def test_a_process_in_a_vnode_inherits_its_partition():
    topology = vtopo({"lan0": "v p"}, v={"partition": "4", "node_type": "qemu"}, p={"vhost": "v"})
    embedding = plan(topology)
    assert kinds(embedding.partitioned) == {"v": "qemu", "p": "process"}
    assert partitions(embedding.partitioned) == {"v": "4", "p": "4"}


def test_processes_in_a_vnode_do_not_count_for_packing():
    processes = {f"p{number}": {"vhost": "v"} for number in range(5)}
    embedding = plan(vtopo({"lan0": "v w " + " ".join(processes)}, **processes), packing=2)
    assert embedding.assignment == {"pnode-0000": ("v", "w", *processes)}


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"vhost": "no body"}, "its vhost 'no body' is no computer, and no name for a virtual machine to be made"),
        ({"vhost": "pnode-0000"}, "its vhost 'pnode-0000' is no computer, and no name for a virtual machine to be made"),
        ({"vhost": "v", "node_type": "openvz"}, "only a process has a vhost, not openvz"),
        ({"vhost": "o"}, "its vhost o is of kind openvz, which carries no processes"),
        ({"vhost": "v", "partition": "2"}, "its partition 2 is not that of its vhost v"),
    ],
)
def test_an_impossible_vhost_is_refused(attributes, message):
    topology = vtopo({}, nodes="v o p", v={"node_type": "qemu", "partition": "1"}, o={"node_type": "openvz", "partition": "1"}, p=attributes)
    assert any(message in problem for problem in refused(topology))


def test_embedded_pnodes_are_not_packed():
    topology = vtopo({"lan0": "a b c d"}, b={"node_type": "embedded_pnode"}, d={"node_type": "embedded_pnode"})
    assert plan(topology, packing=10).assignment == {"pnode-0000": ("a", "c"), "pnode-0001": ("b",), "pnode-0002": ("d",)}


def test_machines_are_numbered_by_pass_and_then_by_lowest_node():
    topology = vtopo({"lan0": "a b c d"}, a={"PartitionPass": "1"}, b={"PackingPass": "0"}, c={"PartitionPass": "1"})
    embedding = plan(topology, packing=10)
    assert embedding.assignment == {"pnode-0000": ("b", "d"), "pnode-0001": ("a", "c")}
    assert [str(warning) for warning in embedding.warnings] == ["test.xml:130: computer d: has no PartitionPass, while others have one: taken as 0"]


def test_a_pass_that_is_no_number_is_refused():
    assert refused(vtopo({}, nodes="a", a={"PartitionPass": "first"})) == ["test.xml:100: computer a: PartitionPass 'first' is not a number (0 to 999999999)"]


def test_partitioning_what_was_partitioned_changes_nothing():
    embedding = plan(vtopo({"lan0": "a b c", "lan1": "c d e"}), packing=2)
    assert plan(embedding.partitioned, packing=5).partitioned == embedding.partitioned


def test_no_computers_make_no_machines():
    assert plan(vtopo({"lan0": ""})).assignment == {}
