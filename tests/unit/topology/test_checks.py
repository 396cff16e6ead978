# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks refuse topologies that are valid TopDL but cannot be deployed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.plugins.module_utils.topology.checks import check_deployable
from ansible_collections.deter.benito.plugins.module_utils.topology.model import Attribute, Computer, Fragment, Interface, OtherElement, Substrate, Topology
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.reader import read_topdl

DATA = Path(__file__).parent / "data"


def topology(*computers, substrates=("s",), **more):
    return Topology(substrates=tuple(Substrate(name=name) for name in substrates), elements=computers, **more)


def attached(**attributes):
    """Return a computer whose only interface has these attributes. '__' in a name stands for ':'."""
    found = tuple(Attribute(name.replace("__", ":"), value) for name, value in attributes.items())
    return topology(Computer(name="a", interfaces=(Interface(name="inf000", substrates=("s",), attributes=found),)))


def interface(name="inf000", substrates=("s",)):
    return Computer(name="a", interfaces=(Interface(name=name, substrates=substrates),))


def complaints(topology):
    with pytest.raises(InputError) as caught:
        check_deployable(topology)
    return [f"{problem.element}: {problem.message}" for problem in caught.value.problems]


def test_real_file_is_deployable():
    assert check_deployable(read_topdl(DATA / "one_line.xml")[0]) == ()


@pytest.mark.parametrize("kind", ["testbed", "segment", "region", "other"])
def test_elements_other_than_computers_are_refused(kind):
    (complaint,) = complaints(topology(OtherElement(kind=kind, name="far")))
    assert complaint == f"{kind} far: a {kind} cannot be deployed"


def test_fragments_without_regions_give_a_warning():
    (warning,) = check_deployable(topology(fragments=(Fragment(name="f"),)))
    assert warning.element == "fragment f"


def test_interface_needs_exactly_one_substrate():
    assert complaints(topology(interface(substrates=("s", "t")), substrates=("s", "t"))) == ["computer a, interface inf000: is attached to several substrates"]
    assert complaints(topology(interface(substrates=()))) == ["computer a, interface inf000: is attached to no substrate"]
    assert complaints(topology(interface(substrates=("t",)))) == ["computer a, interface inf000: there is no substrate 't'"]


@pytest.mark.parametrize("name", ["a" * 16, "-x", "a/b", "a b", "a.1", "", "lo", "all", "default", "eth0;reboot", "ä"])
def test_interface_name_must_be_a_valid_device_name(name):
    (complaint,) = complaints(topology(interface(name=name)))
    assert "cannot be the name of a network device" in complaint


@pytest.mark.parametrize("name", ["-n", "a b", "a.b", "../x", "", "n" * 33])
def test_computer_and_substrate_names_with_other_characters_are_refused(name):
    assert "is no name for a computer" in complaints(topology(Computer(name=name)))[0]
    assert "is no name for a substrate" in complaints(topology(substrates=(name,)))[0]


@pytest.mark.parametrize("name", ["localhost", "LocalHost", "all", "pnode-0000", "pnode-12345"])
def test_reserved_names_are_refused(name):
    assert len(complaints(topology(Computer(name=name)))) == 1


def test_names_that_differ_only_in_case_are_refused():
    assert complaints(topology(Computer(name="Web"), Computer(name="web"))) == ["computer web: in DNS this is the same name as 'Web'"]


def test_duplicate_computer_or_substrate_names_are_refused():
    assert complaints(topology(Computer(name="a"), Computer(name="a"), substrates=("s", "s"))) == [
        "substrate s: this name is taken",
        "computer a: this name is taken",
    ]


@pytest.mark.parametrize(
    ("address", "netmask"),
    [("10.0.0.1", "255.255.255.0"), ("10.0.0.1", None), ("10.0.0.0", "255.255.255.254"), ("10.255.0.0", "255.0.0.0"), (None, None)],
)
def test_valid_addresses_are_accepted(address, netmask):
    given = {name: value for name, value in (("ip4_address", address), ("ip4_netmask", netmask)) if value is not None}
    assert check_deployable(attached(**given)) == ()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ip4_address": "10.0.0.256"}, "not an IPv4 address"),
        ({"ip4_address": "10.0.0"}, "not an IPv4 address"),
        ({"ip4_address": "fe80::1"}, "not an IPv4 address"),
        ({"ip4_address": "10.0.0.1/24"}, "not an IPv4 address"),
        ({"ip4_address": ""}, "not an IPv4 address"),
        ({"ip4_address": "127.0.0.1"}, "not the address of a host"),
        ({"ip4_address": "224.0.0.1"}, "not the address of a host"),
        ({"ip4_address": "0.0.0.0"}, "not the address of a host"),
        ({"ip4_address": "255.255.255.255"}, "not the address of a host"),
        ({"ip4_address": "10.0.0.0"}, "network address"),
        ({"ip4_address": "10.0.0.255"}, "broadcast address"),
        ({"ip4_address": "10.0.0.1", "ip4_netmask": "255.0.255.0"}, "not a netmask"),
        ({"ip4_address": "10.0.0.1", "ip4_netmask": "/24"}, "not a netmask"),
        ({"ip4_address": "10.0.0.1", "ip4_netmask": "255.255.255.255"}, "no room"),
        ({"ip4_address": "10.0.0.1", "ip4_netmask": "0.0.0.0"}, "too short"),
        ({"ip4_netmask": "255.255.255.0"}, "without ip4_address"),
    ],
)
def test_unusable_interface_addresses_are_refused(given, message):
    (complaint,) = complaints(attached(**given))
    assert message in complaint and complaint.startswith("computer a, interface inf000: ")


@pytest.mark.parametrize(
    "given",
    [
        {"loss": "1.1"},
        {"loss": "-0.1"},
        {"loss": "5%"},
        {"loss": "nan"},
        {"containers__loss_model": "other"},
        {"containers__rx_rate": "fast"},
        {"containers__rx_latency": "-1"},
        {"container__rx_loss": "2"},
    ],
)
def test_invalid_traffic_attributes_are_refused(given):
    assert len(complaints(attached(**given))) == 1


def test_all_faults_are_reported_together_with_their_lines():
    bad = topology(
        Computer(name="-a", line=7),
        replace(interface(name="lo"), name="b"),
        OtherElement(kind="segment", name="far", line=3),
        substrates=("s", "s"),
        source="bad.xml",
    )
    with pytest.raises(InputError) as caught:
        check_deployable(bad)
    assert len(caught.value.problems) == 4
    assert [problem.line for problem in caught.value.problems] == [0, 0, 3, 7]
    assert {problem.file for problem in caught.value.problems} == {"bad.xml"}
