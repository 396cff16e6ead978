# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of nodes, and the variables by which nodes are reached, of an experiment that is created and swapped in without real machines."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import ExperimentError
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.allocate import allocate
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.create import Request, prepare
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.writer import write_topdl
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo

from benito.reach import node_list
from benito.reach.members import Members

OFFER = {"memory_mb": 4096, "underlay_device": "eth1", "underlay_mtu": 1600, "variables": {"ansible_host": "192.0.2.1"}}


@pytest.fixture(name="directory")
def fixture_directory(tmp_path):
    """A LAN of two processes and a physical machine."""
    topology = vtopo({"lan": "a b m"}, a={"node_type": "process"}, b={"node_type": "process"}, m={"node_type": "embedded_pnode"})
    file = tmp_path / "topology.xml"
    file.write_text(write_topdl(topology), encoding="utf-8")
    creation = prepare(Request("Proj", "Exp", str(file), home=str(tmp_path / "home")))
    creation.write()
    return creation.directory


@pytest.fixture(name="lent")
def fixture_lent(directory):
    allocate(directory, {f"pc{number:03}": {**OFFER, "underlay_address": f"10.254.0.{number}"} for number in (3, 38)}, {})
    return Members(directory)


def test_each_list_has_the_names_that_the_original_gave(lent):
    assert sorted(node_list.physical_names(lent)) == ["pc003", "pc038"]
    assert sorted(node_list.virtual_names(lent)) == ["m", "pnode-0000"]
    assert node_list.containers(lent) == ["a", "b", "m"]
    carrier = lent.machine(lent.pnode_of("a"))
    assert node_list.hosts_of_vnodes(lent) == [f"a={carrier}", f"b={carrier}"]
    assert node_list.extra_nodes(lent) == ["a.Exp.Proj", "b.Exp.Proj"]


def test_the_extra_list_has_the_form_of_the_original(lent):
    first, second, *rest = sorted(node_list.extra_lines(lent)[:2]) + node_list.extra_lines(lent)[2:]
    assert first.startswith("    m.Exp.Proj / pc0") and second.startswith("    pnode-0000.Exp.Proj / pc0")
    assert rest == ["  extra nodes:", "    a.Exp.Proj", "    b.Exp.Proj"]


def test_an_experiment_that_is_not_swapped_in_has_no_machines(directory):
    members = Members(directory)
    assert node_list.physical_names(members) == []
    assert [line.partition(" / ")[2] for line in node_list.extra_lines(members)[:2]] == ["-", "-"]


def test_a_node_is_reached_only_while_it_is_swapped_in_and_a_wrong_name_is_told_the_right_ones(directory, lent):
    assert lent.connection("a")["ansible_host"] == "192.0.2.1"
    directory.discard("allocation.json")
    with pytest.raises(ExperimentError, match="a cannot be reached: experiment Proj/Exp is .*benito swapin Proj/Exp"):
        Members(directory).connection("a")
    with pytest.raises(ExperimentError, match="there is no node nosuch in experiment Proj/Exp: it has a, b, m"):
        lent.connection("nosuch")
