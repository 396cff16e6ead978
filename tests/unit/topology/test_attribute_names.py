# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Misspelt, unknown and misplaced names of attributes: one warning for each name, with what was probably meant. Other names are free."""

from __future__ import annotations

import time

import pytest
from ansible_collections.deter.benito.plugins.module_utils.topology.attribute_names import name_remark, name_warnings
from ansible_collections.deter.benito.plugins.module_utils.topology.attributes import STARTUP
from ansible_collections.deter.benito.plugins.module_utils.topology.checks import check_deployable
from ansible_collections.deter.benito.plugins.module_utils.topology.model import Attribute, Computer, Interface, Substrate, Topology
from ansible_collections.deter.benito.tests.unit.topology.ns.files import LINK, topology_of

UNKNOWN = "is not known here; it has no effect"
OTHER = "is another attribute than the one with a prefix; it has no effect"
MISSPELT = {
    ("computer", "startpu"): "startup",
    ("computer", "start_up"): "startup",
    ("computer", "StartUp"): "startup",
    ("computer", "startcmd"): "startup",
    ("computer", "failureacton"): "failureaction",
    ("computer", "failure_action"): "failureaction",
    ("computer", "node_typ"): "containers:node_type",
    ("computer", "nodetype"): "containers:node_type",
    ("computer", "partitions"): "containers:partition",
    ("computer", "containers:nodetype"): "containers:node_type",
    ("computer", "containers:node_typ"): "containers:node_type",
    ("computer", "container:Node-Type"): "containers:node_type",
    ("computer", "benito:partion"): "containers:partition",
    ("computer", "containers::PackngPass"): "containers:PartitionPass",
    ("computer", "containers:startup"): "startup",
    ("computer", "contaners:ghost"): "containers:ghost",
    ("interface", "ip4_adress"): "ip4_address",
    ("interface", "ip_address"): "ip4_address",
    ("interface", "netmask"): "ip4_netmask",
    ("interface", "Loss"): "loss",
    ("interface", "containers:rx_latncy"): "containers:rx_latency",
    ("experiment", "containers:latency_modell"): "containers:latency_model",
}
FREE = [
    ("computer", name)
    for name in ("type", "fixed", "testbed", "osid", "role", "host", "label", "tape", "start", "colour", "owner:containers", "containerlab:image", "rtproto")
] + [("interface", name) for name in ("lost", "mac_address", "name", "speed")]


@pytest.mark.parametrize(("element_type", "name"), MISSPELT)
def test_misspelt_name_is_remarked_on_with_the_right_one(element_type, name):
    assert name_remark(element_type, name) == (UNKNOWN, f"perhaps {MISSPELT[element_type, name]}")


@pytest.mark.parametrize(("element_type", "name"), FREE)
def test_name_that_resembles_none_of_ours_is_free(element_type, name):
    assert name_remark(element_type, name) is None


def test_unknown_name_of_the_family_without_a_near_one_is_remarked_on():
    assert name_remark("computer", "containers:colour") == (UNKNOWN, "")


def test_name_that_lacks_its_prefix_is_remarked_on():
    assert name_remark("computer", "Memory") == (OTHER, "perhaps containers:memory")


def test_name_on_an_element_where_it_has_no_effect_is_remarked_on():
    assert name_remark("interface", STARTUP) == ("has no effect on an interface", "it belongs to a computer")
    assert name_remark("substrate", "containers:node_type") == ("has no effect on a substrate", "it belongs to a computer")


def lab(*attributes, count=1):
    """Return a topology of computers on one LAN, each with these attributes, named and numbered by lines."""
    made = tuple(Attribute(name, "x") for name in attributes)
    computers = tuple(
        Computer(name=f"n{number}", attributes=made, line=10 + number, interfaces=(Interface(name="inf000", substrates=("lan",), attributes=made),))
        for number in range(count)
    )
    return Topology(source="lab.xml", substrates=(Substrate(name="lan"),), elements=computers)


def texts(topology):
    return [str(problem) for problem in name_warnings(topology)]


def test_each_name_gets_one_warning_at_its_first_element_that_counts_the_others():
    of_computers, of_interfaces = texts(lab("startpu", "ip4_adress", count=8))
    assert of_computers == f"lab.xml:10: computer n0: the attribute 'startpu' {UNKNOWN}; 7 more computers have it (perhaps startup)"
    assert of_interfaces == (
        f"lab.xml:10: computer n0, interface inf000: the attribute 'ip4_adress' {UNKNOWN}; 7 more interfaces have it (perhaps ip4_address)"
    )
    assert texts(lab("containers:x", count=2))[0].endswith("the attribute 'containers:x' is not known here; it has no effect; 1 more computer has it")


def test_many_names_are_counted():
    warnings = texts(lab(*(f"containers:unheard-of-{number}" for number in range(30))))
    assert len(warnings) == 21 and warnings[-1] == "lab.xml: 40 more names of attributes have no effect"


def test_unprintable_and_endless_names_make_one_short_line():
    (warning, _of_interfaces) = texts(lab("containers:" + "\x1b[31m" * 2000))
    assert warning.isprintable() and len(warning) < 300


def test_check_of_a_topology_reports_names_but_raises_no_error():
    assert [str(problem).partition(": the ")[0] for problem in check_deployable(lab("startpu"))] == ["lab.xml:10: computer n0"]


def test_attribute_of_an_ns_file_is_checked_too():
    topology = topology_of(LINK + "tb-add-node-attribute $a containers:nodetype process\ntb-add-node-attribute $b containers:nodetype process")
    assert texts(topology) == [
        "lab.tcl:3: computer a: the attribute 'containers:nodetype' is not known here; it has no effect; 1 more computer has it (perhaps containers:node_type)"
    ]


def test_large_topology_is_checked_in_little_time():
    topology = lab("startpu", "containers:node_type", "color", *(f"label{number}" for number in range(20)), count=5000)
    before = time.process_time()
    name_warnings(topology)
    assert time.process_time() - before < 2
