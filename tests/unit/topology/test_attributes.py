# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``containers:`` attributes are found in all spellings that real files use."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.topology.attributes import (
    NODE_TYPE,
    PARTITION,
    PARTITION_PASS,
    containers_attribute,
    containers_name,
    with_containers_attribute,
)
from ansible_collections.deter.benito.plugins.module_utils.topology.model import Attribute, Computer


def computer(*pairs):
    return Computer(name="a", attributes=tuple(Attribute(*pair) for pair in pairs))


def pairs(element):
    return [(attribute.name, attribute.value) for attribute in element.attributes]


@pytest.mark.parametrize("spelling", ["containers:node_type", "containers::node_type", "container:node_type", "benito:node_type", "container:Node_Type"])
def test_every_prefix_and_case_names_the_same_attribute(spelling):
    assert containers_attribute(computer((spelling, "qemu")), NODE_TYPE) == "qemu"


@pytest.mark.parametrize("spelling", ["PartitionPass", "PackingPass", "partition_pass", "partitionpass"])
def test_pass_attribute_has_three_names(spelling):
    assert containers_attribute(computer(("containers:" + spelling, "2")), PARTITION_PASS) == "2"


def test_pass_and_partition_attributes_are_not_confused():
    element = computer(("containers:PartitionPass", "2"))
    assert containers_attribute(element, PARTITION) is None
    assert containers_attribute(computer(("containers:Partition", "7")), PARTITION_PASS) is None


@pytest.mark.parametrize("name", ["node_type", "startup", "containersnode_type", "containe:node_type", "xcontainers:node_type"])
def test_other_attributes_are_not_containers_attributes(name):
    assert containers_name(name) is None


def test_canonical_spelling_wins_over_an_earlier_alias():
    element = computer(("container:node_type", "openvz"), ("containers:node_type", "qemu"))
    assert containers_attribute(element, NODE_TYPE) == "qemu"


def test_first_of_repeated_attributes_wins():
    assert containers_attribute(computer(("containers:node_type", "a"), ("containers:node_type", "b")), NODE_TYPE) == "a"
    assert containers_attribute(computer(("container:node_type", "a"), ("benito:node_type", "b")), NODE_TYPE) == "a"


def test_setting_replaces_every_spelling_at_the_place_of_the_first():
    element = computer(("x", "1"), ("container:partition", "0"), ("startup", "true"), ("containers:Partition", "1"))
    assert pairs(with_containers_attribute(element, PARTITION, "5")) == [("x", "1"), ("containers:partition", "5"), ("startup", "true")]


def test_setting_appends_a_new_attribute_and_none_removes_it():
    element = with_containers_attribute(computer(("x", "1")), PARTITION, "5")
    assert pairs(element) == [("x", "1"), ("containers:partition", "5")]
    assert pairs(with_containers_attribute(element, PARTITION, None)) == [("x", "1")]
