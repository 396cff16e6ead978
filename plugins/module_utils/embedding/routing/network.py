# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vtopo as a network of nodes, attachments and addresses, from which names, routes and plans are made.

Addresses are integers here. ``dotted`` formats them as text.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...topology.attributes import IP4_ADDRESS, IP4_NETMASK
from ...topology.model import Computer, Topology
from ..addressing.subnets import network_of
from ..node_view import read_nodes
from .declared import COMPUTED, GivenRoute, costs, given_routes, protocols

Prefix = tuple[int, int]  # first address, prefix length


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
    prefixes    {substrate: the prefixes of its members' addresses}, each (first address, prefix length)
    subnets     {substrate: its prefix} of those with a single prefix that no other substrate has: routes are computed for these (``unclear.py``)
    silent      nodes without computed routes (rtproto Manual or none)
    costs       {substrate: the cost of crossing it}, whole numbers; 1 if it is missing
    given       routes that authors gave
    """

    nodes: dict[str, tuple[Attachment, ...]]
    substrates: dict[str, tuple[Attachment, ...]]
    prefixes: dict[str, tuple[Prefix, ...]]
    subnets: dict[str, Prefix]
    silent: frozenset[str]
    costs: Mapping[str, int] = field(default_factory=dict)
    given: tuple[GivenRoute, ...] = ()


def read_network(topology: Topology) -> Network:
    """Return the network of a topology whose interfaces have their addresses (``addresses.assign_addresses``)."""
    views = read_nodes(topology)
    nodes = {computer.name: _attachments(computer) for computer in topology.computers}
    members: dict[str, list[Attachment]] = {substrate.name: [] for substrate in topology.substrates}
    for attachments in nodes.values():
        for attachment in attachments:
            members[attachment.substrate].append(attachment)
    substrates = {name: tuple(found) for name, found in members.items()}
    prefixes = {name: found for name, those in substrates.items() if (found := _prefixes(those))}
    silent = frozenset(node for node, protocol in protocols(topology, views).items() if protocol != COMPUTED)
    return Network(nodes, substrates, prefixes, _clear_subnets(prefixes), silent, costs(topology), given_routes(topology, views))


def _prefixes(members: tuple[Attachment, ...]) -> tuple[Prefix, ...]:
    found = [(network_of(member.address, member.prefix_length), member.prefix_length) for member in members if member.address is not None]
    return tuple(dict.fromkeys(found))


def _clear_subnets(prefixes: Mapping[str, tuple[Prefix, ...]]) -> dict[str, Prefix]:
    """Return {substrate: its prefix} of the substrates with a single prefix that no other substrate has."""
    times = Counter(prefix for those in prefixes.values() for prefix in those)
    return {name: those[0] for name, those in prefixes.items() if len(those) == 1 and times[those[0]] == 1}


def _attachments(computer: Computer) -> tuple[Attachment, ...]:
    found = []
    for port, interface in enumerate(computer.interfaces):
        text, mask = interface.attribute(IP4_ADDRESS), interface.attribute(IP4_NETMASK)
        address = int(ipaddress.IPv4Address(text)) if text else None
        length = int(ipaddress.IPv4Address(mask)).bit_count() if mask else 24
        found.append(Attachment(computer.name, port, interface.name, interface.substrate, address, length))
    return tuple(found)
