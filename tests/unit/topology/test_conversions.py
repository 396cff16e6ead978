# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conversions lose nothing silently: what a written file gives back differs from the original only in what a warning names."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.plugins.module_utils.topology.model import (
    Attribute,
    Capacity,
    Computer,
    Latency,
    OperatingSystem,
    Substrate,
    Topology,
)
from ansible_collections.deter.benito.plugins.module_utils.topology.ns.hops import ports_of
from ansible_collections.deter.benito.plugins.module_utils.topology.readers import read_content, read_topology
from ansible_collections.deter.benito.plugins.module_utils.topology.writers import written
from ansible_collections.deter.benito.tests.unit.topology.ns import networks
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = Path(__file__).parents[3] / "examples"
FILES = sorted(path for folder in ("imports", "quickstart", "tutorial", "january-2011-demo") for path in (EXAMPLES / folder).glob("*.*"))
TOPOLOGIES = [path for path in FILES if path.suffix in (".xml", ".tcl", ".graphml") or path.name.endswith(".clab.yml")]
NAMES = ["a", "b", "A", "n-0", "n-1", "core", "ops", "5", "x_y", "a-2", "lan0", "link0", "Z" * 32, "web"]
INTERFACES = ["eth0", "eth1", "inf000", "inf001", "Gi0-0-0-1", "Gi0-0-0-10", "ens3f0np0", "_x", "E" * 15, "e-1"]
USUAL_NAMES = ["a", "b", "c3", "n-0", "n-1", "core", "big-lan", "link7", "x-9-1", "Web"]
USUAL_ATTRIBUTES = ["colour", "containers:memory", "containers:cost", "containers:queue_limit", "containers:note", "x y"]
USUAL_VALUES = ["red", "1", "1234567.5", "3.0", "é <&> \"'$[", "256M"]
ATTRIBUTES = ["colour", "label", "name", "kind", "bandwidth", "os", "source:x", "containers:memory", "containers:cost", "containers:note", "Image", "x y"]
VALUES = ["red", "", "1", "lan", "é <&> \"'$[", "256M", " blank "]
READ_ALSO = {"type", "failureaction", "containers:loss_model", "loss", "containers:latency_model", "ip4_netmask"}


@st.composite
def attributes(draw, most=2, usual=False):
    names = draw(st.lists(st.sampled_from(USUAL_ATTRIBUTES if usual else ATTRIBUTES), max_size=most, unique=usual))
    return tuple(Attribute(name, draw(st.sampled_from(USUAL_VALUES if usual else VALUES))) for name in names)


@st.composite
def topologies(draw, usual=False, twice=True):
    """Draw topologies with everything that a graph may have: parallel links, nodes twice on a LAN, stubs, empty LANs, nodes alone.

    usual  without what a GraphML file cannot hold
    twice  with LANs that have two interfaces of one node, which an NS file refuses
    """
    if usual:
        names = draw(st.lists(st.sampled_from(USUAL_NAMES), min_size=1, max_size=9, unique=True))
        count = draw(st.integers(1, len(names)))
        nodes, substrates = names[:count], names[count:]
    else:
        nodes = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique_by=str.lower))
        substrates = draw(st.lists(st.sampled_from(NAMES), max_size=5, unique=True))
    attached = {node: [] for node in nodes}
    for index, name in enumerate(substrates):
        for place, node in enumerate(draw(st.lists(st.sampled_from(nodes), max_size=4, unique=not twice))):
            own = attached[node]
            interface = draw(networks.interfaces(name, len(own), f"10.{index}.1.{place + 2}"))
            free = [word for word in INTERFACES if word not in {one.name for one in own}]
            word = draw(st.sampled_from([interface.name, *free])) if interface.name not in {one.name for one in own} else draw(st.sampled_from(free))
            own.append(replace(interface, name=word, attributes=interface.attributes + draw(attributes(1, usual))))
    computers = []
    for node in nodes:
        more = draw(attributes(2, usual)) + draw(st.sampled_from([(), (Attribute("startup", "echo hi; date"),), (Attribute("containers:node_type", "qemu"),)]))
        odd = () if usual else (OperatingSystem(name="x", version="1"),)
        systems = draw(st.sampled_from([(), (OperatingSystem(attributes=(Attribute("osid", "DEB12"),)),), odd]))
        interfaces = tuple(draw(st.permutations(attached[node])) if not usual and draw(st.integers(0, 5)) == 0 else attached[node])
        computers.append(Computer(name=node, interfaces=interfaces, attributes=more, operating_systems=systems))
    rates = st.none() | st.sampled_from([Capacity(1000.0), Capacity(99.5) if usual else Capacity(99.5, "average")])
    used = {interface.substrate for own in attached.values() for interface in own}
    shaped = tuple(
        Substrate(
            name=name,
            capacity=draw(rates) if name in used or not usual else None,
            latency=draw(st.none() | networks.DELAYS.map(Latency)) if name in used or not usual else None,
            attributes=draw(attributes(1, usual)),
        )
        for name in substrates
    )
    model = "hop" if usual else draw(st.sampled_from(["hop", "hop", "path"]))
    return Topology(elements=tuple(computers), substrates=shaped, attributes=draw(attributes(1, usual)), latency_model=model)


def essence(topology):
    """Return {part of a topology: its meaning}, by what a warning about it may say."""
    attached = topology.attachments()
    ports = {one.name: ports_of(one, attached[one.name], topology.latency_model) for one in topology.substrates}
    shaped = {
        name: sorted((port.computer.name, _numbers(port.out), _numbers(port.into)) for port in here)
        for name, here in ports.items()
        if len(here) != 2 or len({port.computer.name for port in here}) == 1
    }
    links = {name: sorted(_numbers(port.out) for port in here) for name, here in ports.items() if name not in shaped}
    ways = {name: networks.whole_ways(topology)[name] for name in links}
    return {
        "nodes": [one.name for one in topology.computers],
        "links and LANs": ([name for name in ports if ports[name]], sorted(name for name in ports if not ports[name])),  # subnets are in this order
        "members": {name: sorted(node.name for node, _interface in here) for name, here in attached.items()},
        "shaping": (shaped, ways),
        "interfaces": {name: sorted((node.name, interface.name) for node, interface in here) for name, here in attached.items()},
        "order": [[interface.substrate for interface in node.interfaces] for node in topology.computers],
        "addresses": networks.addresses(topology),
        "systems": {one.name: [system.attribute("osid") or system.name for system in one.operating_systems] for one in topology.computers},
        "attributes of nodes": {one.name: _pairs(one) for one in topology.computers},
        "attributes of substrates": {one.name: _pairs(one) for one in topology.substrates},
        "attributes of interfaces": sorted((node.name, one.substrate, sorted(_pairs(one).items())) for node in topology.computers for one in node.interfaces),
        "attributes": _pairs(topology),
    }


def _numbers(hop):
    return round(hop.delay_ms, 6), round(hop.kbps, 3), round(hop.loss, 6)


def _pairs(element):
    return {one.name: one.value for one in element.attributes if one.name not in READ_ALSO and not one.name.startswith(("containers:rx_", "ip4_"))}


# {part: what a warning says that explains a difference in it}
EXPLAINED = {
    "nodes": "another name",
    "links and LANs": "another name|fewer than two members",
    "members": "another name|fewer than two members",
    "shaping": "another name|fewer than two|add up|fraction of a kb/s|nearest that|without members",
    "interfaces": "another name|fewer than two members|numbers them",
    "order": "another name|fewer than two members|order of interfaces|numbers them",
    "addresses": "another name|fewer than two members|netmask",
    "systems": "another name",
    "attributes of nodes": "another name|attribute|start command of several lines",
    "attributes of substrates": "another name|fewer than two members|attribute",
    "attributes of interfaces": "another name|fewer than two members|attribute",
    "attributes": "attribute",
}


def assert_nothing_is_lost_silently(topology, suffix):
    try:
        result = written(topology, f"lab{suffix}")
    except InputError:
        return
    back = read_content(result.text.encode(), "/nonexistent/lab", f"lab{suffix}").topology
    said = "\n".join(str(warning) for warning in result.warnings)
    before, after = essence(topology), essence(back)
    for part, meaning in before.items():
        if after[part] != meaning:
            assert re.search(EXPLAINED[part], said), f"{part}: {meaning} became {after[part]}; said was: {said}"
    assert (result.nodes, result.links) == (len(back.computers), len(back.substrates))
    kinds = [re.sub(r"^[^:]*: |(?:, for example|:) [^:]*$", "", str(warning)) for warning in result.warnings]
    assert len(result.warnings) <= 20 and all("\n" not in kind for kind in kinds)


@pytest.mark.parametrize("suffix", [".xml", ".graphml", ".tcl"])
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(topology=topologies())
def test_written_topology_comes_back_but_for_what_is_said(suffix, topology):
    assert_nothing_is_lost_silently(topology, suffix)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(topology=topologies(usual=True, twice=False))
def test_ns_file_of_a_usual_topology_comes_back_but_for_what_is_said(topology):
    assert_nothing_is_lost_silently(topology, ".tcl")


@pytest.mark.parametrize("suffix", [".xml", ".graphml"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(topology=topologies(usual=True))
def test_usual_topology_comes_back_whole_and_without_a_warning(suffix, topology):
    result = written(topology, f"lab{suffix}")
    assert not result.warnings
    back = read_content(result.text.encode(), "/nonexistent/lab", "lab").topology
    before, after = essence(topology), essence(back)
    assert {part: (meaning, after[part]) for part, meaning in before.items() if after[part] != meaning} == {}


@pytest.mark.parametrize("suffix", [".xml", ".graphml", ".tcl"])
@pytest.mark.parametrize("path", TOPOLOGIES, ids=lambda path: path.name)
def test_example_is_converted_without_a_silent_loss(path, suffix):
    assert_nothing_is_lost_silently(read_topology(str(path))[0], suffix)
