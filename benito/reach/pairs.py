# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes should reach which: the pairs that the topology connects, with the address that each pair is tried by."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.deter.benito.plugins.module_utils.hostplan import HostPlan, InterfacePlan, VnodePlan


@dataclass(frozen=True)
class Pair:
    """One way from a node to another one, by an address of the latter."""

    source: str
    target: str
    address: str

    def __str__(self) -> str:
        return f"{self.source} -> {self.target} ({self.address})"


def neighbour_pairs(plans: Iterable[HostPlan]) -> list[Pair]:
    """Return each node with each of its neighbours, both ways, once for every substrate that both are on and have addresses on."""
    vnodes = _vnodes(plans)
    members = _members(vnodes)
    return [
        Pair(name, other, _address(theirs))
        for name, vnode in vnodes.items() for own in _addressed(vnode) for other, theirs in members[own.substrate] if other != name
    ]


def all_pairs(plans: Mapping[str, HostPlan]) -> list[Pair]:
    """Return every two nodes that the topology connects, both ways, by the address that the target's bare name has at the source."""
    vnodes = _vnodes(plans.values())
    bare = {entry.names[-1]: entry.address for plan in plans.values() for entry in plan.hosts}
    first = {name: _address(interfaces[0]) for name, vnode in vnodes.items() if (interfaces := _addressed(vnode))}
    return [
        Pair(name, other, vnode.aliases.get(other) or (bare[other] if other in bare else first[other]))
        for name, vnode in vnodes.items() if name in first
        for other in _connected(vnodes, name) if other != name
    ]


def _vnodes(plans: Iterable[HostPlan]) -> dict[str, VnodePlan]:
    """Return the nodes that run, without hidden virtual machines, which have no interface with an address."""
    return {vnode.name: vnode for plan in plans for vnode in plan.vnodes if not vnode.ghost and _addressed(vnode)}


def _addressed(vnode: VnodePlan) -> list[InterfacePlan]:
    return [interface for interface in vnode.interfaces if interface.ip4_address]


def _address(interface: InterfacePlan) -> str:
    return str(ipaddress.IPv4Interface(interface.ip4_address).ip)


def _members(vnodes: Mapping[str, VnodePlan]) -> dict[str, list[tuple[str, InterfacePlan]]]:
    found: dict[str, list[tuple[str, InterfacePlan]]] = {}
    for name, vnode in vnodes.items():
        for interface in _addressed(vnode):
            found.setdefault(interface.substrate, []).append((name, interface))
    return found


def _connected(vnodes: Mapping[str, VnodePlan], start: str) -> list[str]:
    """Return the nodes to which substrates lead from ``start``, by way of nodes that forward, in the order of ``vnodes``."""
    members = _members(vnodes)
    reached, edge = {start}, [start]
    crossed: set[str] = set()
    while edge:
        vnode = vnodes[edge.pop()]
        if vnode.name != start and not vnode.forwarding:
            continue
        for substrate in {interface.substrate for interface in _addressed(vnode)} - crossed:
            crossed.add(substrate)
            new = {name for name, _interface in members[substrate]} - reached
            reached |= new
            edge += sorted(new)
    return [name for name in vnodes if name in reached]
