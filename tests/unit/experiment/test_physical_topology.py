# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""phys_topo.xml and phys_topo.ns: the machines and what joins them, which both readers of this collection take back."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.embed import embed
from ansible_collections.deter.benito.plugins.module_utils.embedding.partitioning.passes import machine_types
from ansible_collections.deter.benito.plugins.module_utils.embedding.settings import EmbeddingSettings
from ansible_collections.deter.benito.plugins.module_utils.experiment.physical_topology import physical_files
from ansible_collections.deter.benito.plugins.module_utils.topology.ns.reader import read_ns_text
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.reader import read_topdl_text
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo


def parts(**partition):
    return {name: {"node_type": "process", "partition": part} for name, part in partition.items()}


def files_of(topology, **settings):
    settings = EmbeddingSettings(**settings)
    embedding = embed(topology, settings)
    return physical_files(embedding.partitioned, embedding.machines, machine_types(embedding.machines, embedding.nodes, settings))


def read(files, tmp_path):
    """(the topology of the XML, that of the NS file)."""
    return read_topdl_text(files["phys_topo.xml"].encode(), "phys_topo.xml")[0], read_ns_text(files["phys_topo.ns"].encode(), "phys_topo.ns", str(tmp_path))[0]


def shape(topology):
    members = {name: sorted(computer.name for computer, _interface in ports) for name, ports in topology.attachments().items()}
    return [computer.name for computer in topology.computers], members


def test_machines_are_joined_by_the_substrates_that_cross_between_them(tmp_path):
    topology = vtopo({"inside": "a b", "across": "b c", "all": "a b c d"}, **parts(a="x", b="x", c="y", d="z"))
    files, warnings = files_of(topology)
    assert warnings == ()
    for found in read(files, tmp_path):
        assert shape(found) == (["pnode-0000", "pnode-0001", "pnode-0002"],
                                {"across": ["pnode-0000", "pnode-0001"], "all": ["pnode-0000", "pnode-0001", "pnode-0002"]})
        assert {computer.attribute("failureaction") for computer in found.computers} == {"nonfatal"}


def test_a_machine_that_is_a_node_keeps_the_nodes_name(tmp_path):
    topology = vtopo({"link": "a m"}, a={"node_type": "process"}, m={"node_type": "embedded_pnode"})
    files, _warnings = files_of(topology)
    for found in read(files, tmp_path):
        assert shape(found) == (["pnode-0000", "m"], {"link": ["m", "pnode-0000"]})


def test_types_of_machines_become_a_soft_vtype_for_each_list(tmp_path):
    passes = {name: {"node_type": "process", "PartitionPass": number} for name, number in (("a", "0"), ("b", "1"), ("c", "2"))}
    files, _warnings = files_of(vtopo({"lan": "a b c"}, **passes), pnode_types=("pc2133", "bpc2133"), pass_pnodes={"1": ("MicroCloud",)})
    assert "tb-make-soft-vtype container0 {pc2133 bpc2133}" in files["phys_topo.ns"]
    for found in read(files, tmp_path):
        assert [computer.attribute("type") for computer in found.computers] == ["container0", "container1", "container0"]
        assert {a.name: a.value for a in found.attributes if "vtype" in a.name} == {
            "containers:vtype:container0": "soft pc2133 bpc2133", "containers:vtype:container1": "soft MicroCloud"}


@pytest.mark.parametrize("count", [0, 1])
def test_an_experiment_of_hardly_any_machine_has_its_files_too(count):
    files, warnings = files_of(vtopo({}, nodes="a" * count, **parts(**({"a": "x"} if count else {}))))
    assert sorted(files) == ["phys_topo.ns", "phys_topo.xml"] and warnings == ()
