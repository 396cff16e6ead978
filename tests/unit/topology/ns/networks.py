# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw random networks of nodes, links and LANs that every format can express, and extract what must survive a round trip."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.topology.model import (
    Attribute,
    Capacity,
    Computer,
    Interface,
    Latency,
    OperatingSystem,
    Software,
    Substrate,
    Topology,
)
from ansible_collections.deter.benito.plugins.module_utils.topology.ns.hops import ports_of, way_between
from hypothesis import strategies as st


def whole_ways(topology, fewest=2):
    """Return {substrate: {(from, to): (delay in ms, kb/s, loss)}} of substrates with at least ``fewest`` members."""
    result = {}
    for substrate in topology.substrates:
        members = topology.attachments()[substrate.name]
        if len(members) < fewest:
            continue
        ports = ports_of(substrate, members, topology.latency_model)
        ways = {(a.computer.name, b.computer.name): way_between(a, b) for a in ports for b in ports if a is not b}
        result[substrate.name] = {ends: (round(way.delay_ms, 6), way.kbps, round(way.loss, 6)) for ends, way in ways.items()}
    return result


def members_of(topology):
    """Return {substrate: sorted names of its members}."""
    return {name: sorted(node.name for node, _interface in members) for name, members in topology.attachments().items()}


def addresses(topology):
    return {
        (node.name, interface.substrate): (interface.attribute("ip4_address"), interface.attribute("ip4_netmask"))
        for node in topology.computers
        for interface in node.interfaces
        if interface.attribute("ip4_address")
    }


# Names of provisional objects, of array elements, of what stands in the writer's own variables, and the longest.
NAMES = ["a", "n", "n-0", "n-1", "big-lan", "tbnode-n3", "tblink-l3", "tblan-lan2", "x-9-1", "core", "ns", "sim", "A1", "Z" * 32, "q-" + "7" * 30, "9x"]
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co", "Zl", "Zp")), max_size=20).map(str.strip)
DELAYS = st.sampled_from([0.0, 0.05, 1.0, 2.5, 10.0, 333.0])
RATES = st.sampled_from([0.0, 10.0, 1000.0, 99_999.0, 10_000_000.0])
LOSSES = st.sampled_from(["0", "0.001", "0.01", "0.5", "1"])


@st.composite
def interfaces(draw, substrate, number, address):
    attributes = []
    if draw(st.booleans()):
        attributes += [Attribute("ip4_address", address), Attribute("ip4_netmask", "255.255.255.0")]
    received = {"containers:rx_loss": LOSSES, "containers:rx_latency": DELAYS.map(str), "containers:rx_rate": RATES.map(str)}
    for attribute, values in {"loss": LOSSES, **received}.items():
        if draw(st.integers(0, 3)) == 0:
            attributes.append(Attribute(attribute, draw(values)))
    capacity, latency = draw(st.none() | RATES.map(Capacity)), draw(st.none() | DELAYS.map(Latency))
    return Interface(name=f"inf{number:03}", substrates=(substrate,), capacity=capacity, latency=latency, attributes=tuple(attributes))


def things_of_nodes(draw):
    """Draw what a computer may have: attributes, a start command, an operating system, software."""
    named = st.builds(Attribute, TEXTS.filter(lambda name: name and ":" not in name), TEXTS)
    attributes = draw(st.lists(named, max_size=2, unique_by=lambda one: one.name))
    attributes += [Attribute("startup", text) for text in draw(st.lists(TEXTS, max_size=1))]
    systems = tuple(OperatingSystem(attributes=(Attribute("osid", text),)) for text in draw(st.lists(TEXTS.filter(bool), max_size=1)))
    software = tuple(draw(st.lists(st.sampled_from([Software(location="/a.rpm"), Software(location="/b.tgz", install="/opt")]), max_size=2)))
    return {"attributes": tuple(attributes), "operating_systems": systems, "software": software}


@st.composite
def networks(draw, bare=False):
    """Draw networks with links, LANs, nodes on several of them and different hops. If ``bare``, nodes have only interfaces."""
    chosen = draw(st.lists(st.sampled_from(NAMES), min_size=3, max_size=10, unique=True))
    count = draw(st.integers(1, len(chosen) - 1))
    nodes, substrates = chosen[:count], chosen[count:]
    attached = {node: [] for node in nodes}
    for index, substrate in enumerate(substrates):
        for place, node in enumerate(draw(st.lists(st.sampled_from(nodes), max_size=5, unique=True))):
            attached[node].append(draw(interfaces(substrate, len(attached[node]), f"10.{index}.1.{place + 2}")))
    computers = tuple(Computer(name=node, interfaces=tuple(attached[node]), **({} if bare else things_of_nodes(draw))) for node in nodes)
    shaped = tuple(
        Substrate(name=name, capacity=draw(st.none() | RATES.map(Capacity)), latency=draw(st.none() | DELAYS.map(Latency))) for name in substrates
    )
    return Topology(elements=computers, substrates=shaped, latency_model=draw(st.sampled_from(["hop", "hop", "path"])))
