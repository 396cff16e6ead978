# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Topologies for tests, said in a line: ``vtopo({"lan0": "a b c"}, a={"node_type": "qemu"})``."""

from __future__ import annotations

import dataclasses

from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.allocation import Allocation, PoolHost
from ansible_collections.deter.benito.plugins.module_utils.topology.model import Attribute, Computer, Interface, Substrate, Topology
from hypothesis import strategies as st


def vtopo(substrates: dict[str, str], nodes: str = "", fixed: dict[tuple[str, str], str] | None = None, **containers: dict[str, str]) -> Topology:
    """A topology.

    substrates  {name: its members, in order}
    nodes       computers in document order; members that are not among them follow
    fixed       {(computer, substrate): "ADDRESS", "ADDRESS NETMASK" or "- NETMASK"}
    containers  {computer: its attributes}, names without a colon get the prefix ``containers:``
    """
    names = list(dict.fromkeys([*nodes.split(), *(name for members in substrates.values() for name in members.split())]))
    lines = {name: 100 + 10 * place for place, name in enumerate(names)}
    computers = []
    for name in names:
        joined = [substrate for substrate, members in substrates.items() for member in members.split() if member == name]
        interfaces = tuple(
            Interface(name=f"inf{port:03}", substrates=(substrate,), line=lines[name] + port + 1, attributes=_addresses((fixed or {}).get((name, substrate))))
            for port, substrate in enumerate(joined)
        )
        attributes = tuple(Attribute(_spelled(key), value) for key, value in containers.get(name, {}).items())
        computers.append(Computer(name=name, interfaces=interfaces, attributes=attributes, line=lines[name]))
    made = tuple(Substrate(name=name, line=place + 2) for place, name in enumerate(substrates))
    return Topology(substrates=made, elements=tuple(computers), source="test.xml")


def with_attribute(topology: Topology, name: str, value: str) -> Topology:
    return dataclasses.replace(topology, attributes=(*topology.attributes, Attribute(name, value)))


def addresses(topology: Topology) -> dict[tuple[str, str], str]:
    """{(computer, substrate): "ADDRESS NETMASK"}."""
    return {
        (computer.name, interface.substrate): f"{interface.attribute('ip4_address')} {interface.attribute('ip4_netmask')}"
        for computer in topology.computers
        for interface in computer.interfaces
    }


def lend(*vhosts: str, **more) -> Allocation:
    """A machine with a large underlay for every vhost; ``pnode_0001={…}`` changes its fields."""
    hosts = {}
    for number, vhost in enumerate(vhosts):
        fields = {"underlay_device": "eth1", "underlay_address": f"10.254.0.{number + 11}", "underlay_mtu": 1600, **more.get(vhost.replace("-", "_"), {})}
        hosts[vhost] = PoolHost(f"machine{number}", **fields)
    return Allocation(hosts)


@st.composite
def vtopos(draw, most_nodes: int = 8, most_substrates: int = 9) -> Topology:
    """Any small network: trees, rings, LANs, islands, lonely nodes, substrates without members."""
    count = draw(st.integers(1, most_nodes))
    names = draw(st.permutations([f"n{number}" for number in range(count)]))
    members = st.lists(st.sampled_from(names), max_size=4, unique=True)
    substrates = draw(st.lists(members, max_size=most_substrates))
    return vtopo({f"s{number}": " ".join(joined) for number, joined in enumerate(substrates)}, nodes=" ".join(names))


def _spelled(name):
    return name if ":" in name or name in ("startup", "rtproto") else f"containers:{name}"


def _addresses(text):
    return tuple(Attribute(name, value) for name, value in zip(("ip4_address", "ip4_netmask"), (text or "").split(), strict=False) if value != "-")
