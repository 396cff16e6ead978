# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The view of a node: every attribute as a value, and faults that wait until somebody uses the value."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.attribute_values import ImageUrl
from ansible_collections.deter.benito.plugins.module_utils.embedding.node_view import NodeView, read_nodes
from ansible_collections.deter.benito.plugins.module_utils.topology.attributes import (
    NODE_TYPE,
    PARTITION,
    PARTITION_PASS,
    PREFIX,
    containers_attribute,
    containers_attributes,
    containers_name,
)
from ansible_collections.deter.benito.plugins.module_utils.topology.model import Attribute, Computer, Cpu, OperatingSystem
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo
from hypothesis import given
from hypothesis import strategies as st

SUM = "0123456789abcdef" * 4
SPELLED = [f"{prefix}{name}" for prefix in ("containers:", "container:", "benito:") for name in ("node_type", "Node_Type", "partition", "PackingPass", "ghost")]


def view(**attributes) -> NodeView:
    return read_nodes(vtopo({"lan": "a"}, a=attributes))["a"]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, {}),
        ({"node_type": "OpenVZ"}, {"kind": "openvz"}),
        ({"partition": "x", "PartitionPass": "3"}, {"partition": "x", "partition_pass": 3}),
        ({"PartitionPass": ""}, {}),
        ({"vhost": "vm"}, {"carrier": "vm"}),
        ({"ghost": "Yes"}, {"ghost": True}),
        ({"memory": "1.5G", "cpus": "4"}, {"memory_mb": 1536, "cpus": 4}),
        ({"openvz_diskspace": "2097152"}, {"disk_mb": 2048}),
        ({"image": "debian-13", "openvz_template": "old"}, {"image": "debian-13", "template": "old"}),
        ({"qemu_url": f"http://x/i#sha256={SUM}", "qemu_arch": "i386"}, {"image_url": ImageUrl("http://x/i", SUM), "architecture": "i386"}),
        ({"qemu_url": "", "maverick_url": f"https://x/i#{SUM}"}, {"image_url": ImageUrl("https://x/i", SUM)}),
        ({"route": "lan0 r; s  r;"}, {"routes": (("lan0", "r"), ("s", "r"))}),
        ({"rtproto": " Manual "}, {"protocol": "Manual"}),
    ],
)
def test_attributes_become_values(attributes, expected):
    assert view(**attributes) == NodeView("a", "test.xml", 100, **expected)


def test_parts_of_the_computer_become_values():
    system = OperatingSystem(name="Linux", version="6.1", distribution="debian", distributionversion="13", attributes=(Attribute("osid", " D13 "),))
    topology = vtopo({"lan": "a"})
    computer = dataclasses.replace(topology.computers[0], operating_systems=(system,), cpus=(Cpu(count=2), Cpu()), attributes=(Attribute("startup", "true"),))
    found = read_nodes(dataclasses.replace(topology, elements=(computer,)))["a"]
    assert found == NodeView("a", "test.xml", 100, hardware_cpus=3, operating_systems=("D13", "debian-13", "Linux-6.1"), start_command="true")


def test_a_value_that_cannot_be_parsed_waits_as_a_problem_with_its_place():
    found = view(node_type="vax", memory="much", partition="not a word", PartitionPass="-1")
    assert (found.kind, found.memory_mb, found.partition, found.pass_number) == ("", None, "not a word", 0)
    assert [str(problem) for problem in found.faults_of(PARTITION_PASS, NODE_TYPE, PARTITION)] == [
        "test.xml:100: computer a: PartitionPass '-1' is not a number (0 to 999999999)",
        "test.xml:100: computer a: unknown node_type 'vax' (one of embedded_pnode, qemu, openvz, process)",
        "test.xml:100: computer a: partition 'not a word' is not a word (letters, digits, '_', '.' or '-', at most 64)"]


@given(st.lists(st.tuples(st.sampled_from([*SPELLED, "startup", PREFIX]), st.sampled_from("abc")), max_size=6))
def test_all_containers_attributes_at_once_are_those_found_one_by_one(pairs):
    computer = Computer(name="a", attributes=tuple(Attribute(*pair) for pair in pairs))
    names = {containers_name(name) for name, _value in pairs} - {None}
    assert containers_attributes(computer) == {name: containers_attribute(computer, name) for name in names}
