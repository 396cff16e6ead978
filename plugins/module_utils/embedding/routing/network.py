# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vtopo as a network of nodes, attachments and addresses, from which names, routes and plans are made.

Addresses are integers here. ``dotted`` formats them as text.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...topology.attributes import IP4_ADDRESS, IP4_NETMASK
from ...topology.model import Computer, Topology
from ..addressing.subnets import network_of
from ..node_view import read_nodes
from .declared import COMPUTED, GivenRoute, costs, given_routes, protocols


@dataclass(frozen=True)
class Attachment:
    """One interface. ``port`` counts a node's interfaces from 0. ``address`` is an integer, or None without an address."""

    node: str
    port: int
    interface: str
    substrate: str
    address: int | None
    prefix_length: int


@dataclass(frozen=True)
class Network:
    """The nodes, substrates and subnets of a vtopo, in document order.

    nodes       {node: its attachments}
    substrates  {substrate: its members}, also of substrates without any
    subnets     {substrate: (first address, prefix length)}, only for substrates whose members have addresses
    silent      nodes without computed routes (rtproto Manual or none)
    costs       {substrate: the cost of crossing it}, whole numbers; 1 if it is missing
    given       routes that authors gave
    """

    nodes: dict[str, tuple[Attachment, ...]]
    substrates: dict[str, tuple[Attachment, ...]]
    subnets: dict[str, tuple[int, int]]
    silent: frozenset[str]
    costs: Mapping[str, int] = field(default_factory=dict)
    given: tuple[GivenRoute, ...] = ()


def read_network(topology: Topology) -> Network:
    """Return the network of a topology whose interfaces have their addresses (``addresses.assign_addresses``)."""
    views = read_nodes(topology)
    nodes = {computer.name: _attachments(computer) for computer in topology.computers}
    members: dict[str, list[Attachment]] = {substrate.name: [] for substrate in topology.substrates}
    subnets = {}
    for attachments in nodes.values():
        for attachment in attachments:
            members[attachment.substrate].append(attachment)
            if attachment.address is not None and attachment.substrate not in subnets:
                subnets[attachment.substrate] = (network_of(attachment.address, attachment.prefix_length), attachment.prefix_length)
    substrates = {name: tuple(found) for name, found in members.items()}
    silent = frozenset(node for node, protocol in protocols(topology, views).items() if protocol != COMPUTED)
    in_order = {name: subnets[name] for name in substrates if name in subnets}
    return Network(nodes, substrates, in_order, silent, costs(topology), given_routes(topology, views))


def _attachments(computer: Computer) -> tuple[Attachment, ...]:
    found = []
    for port, interface in enumerate(computer.interfaces):
        text, mask = interface.attribute(IP4_ADDRESS), interface.attribute(IP4_NETMASK)
        address = int(ipaddress.IPv4Address(text)) if text else None
        length = int(ipaddress.IPv4Address(mask)).bit_count() if mask else 24
        found.append(Attachment(computer.name, port, interface.name, interface.substrate, address, length))
    return tuple(found)
