# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routes of the experiment network: shortest paths (``shortest``), and the routes that authors gave (``declared``), which win.

Computed routes are aggregated to as few prefixes as possible within the experiment's address space (``aggregate``). A node has no
computed routes if its neighbours lead nowhere, or if its ``rtproto`` is Manual or none. Substrates whose subnet is unclear (``unclear``)
are neither destinations nor part of a path. No route is ever the default route 0.0.0.0/0,
which belongs to the control network.
"""

from __future__ import annotations

import ipaddress
from functools import cached_property

from ...hostplan import RoutePlan
from ..addressing.subnets import dotted
from .aggregate import Forest, forests
from .network import Network
from .shortest import Group, Paths, Stretch
from .unclear import unclear_prefixes


class Routes:
    """The routes of every node, computed when first asked for.

    address_base  of the settings: unused addresses inside it may be covered
    avoid         prefixes that no route may cover: the control network
    """

    def __init__(self, network: Network, address_base: str = "10.0.0.0/16", avoid: tuple[str, ...] = ()):
        self._network = network
        self._address_base = address_base
        self._avoid = (*avoid, *(f"{dotted(start)}/{length}" for start, length in unclear_prefixes(network)))
        self._by_substrate: dict[int, tuple[RoutePlan, ...]] = {}
        self._by_router: dict[int, tuple[RoutePlan, ...]] = {}

    def of(self, node: str) -> tuple[RoutePlan, ...]:
        """Return the routes of a node, by ascending prefix, the wider first."""
        computed, given = self._computed(node), self._given.get(node)
        if not given:
            return computed
        return tuple(sorted({**{route.to: route for route in computed}, **{route.to: route for route in given}}.values(), key=_prefix))

    def _computed(self, node: str) -> tuple[RoutePlan, ...]:
        if node in self._network.silent:
            return ()
        if node in self._router_number:
            return self._of_router(self._router_number[node])
        name = next((a.substrate for a in self._network.nodes[node] if a.address is not None and a.substrate in self._network.subnets), None)
        return () if name is None else self._of_substrate(self._substrate_number[name])

    def text_of(self, node: str) -> str:
        """Return the routes of a node as text, a line ``PREFIX via ADDRESS`` for each."""
        return "".join(f"{route.to} via {route.via}\n" for route in self.of(node))

    @cached_property
    def _paths(self) -> Paths:
        return Paths(self._network)

    @cached_property
    def _router_number(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self._paths.routers)}

    @cached_property
    def _substrate_number(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self._paths.substrates)}

    @cached_property
    def _forests(self) -> list[Forest]:
        """Return a forest for each component. Its leaves are in the order of the tour."""
        paths = self._paths
        subnets = [self._network.subnets[paths.substrates[substrate]] for substrate in paths.tour]
        return forests(subnets, [paths.component_of(substrate) for substrate in paths.tour], self._address_base, self._avoid)

    @cached_property
    def _place(self) -> dict[int, int]:
        """Return {substrate: its place in the tour}."""
        return {substrate: place for place, substrate in enumerate(self._paths.tour)}

    @cached_property
    def _gateways(self) -> dict[tuple[str, str], str]:
        """Return {(node, substrate name): its first address there, as text}."""
        found: dict[tuple[str, str], str] = {}
        for node in self._paths.routers:
            for attachment in self._network.nodes[node]:
                if attachment.address is not None:
                    found.setdefault((node, attachment.substrate), dotted(attachment.address))
        return found

    @cached_property
    def _given(self) -> dict[str, list[RoutePlan]]:
        """Return {node: the routes that its author gave}. Routes are left out if their destination or next hop has no address."""
        found: dict[str, list[RoutePlan]] = {}
        for route in self._network.given:
            via = next((a.address for a in self._network.nodes[route.hop] if a.substrate == route.on and a.address is not None), None)
            to = next(iter(self._network.prefixes.get(route.to_substrate, ())), None)
            if route.to_node:
                to = next(((a.address, 32) for a in self._network.nodes[route.to_node] if a.address is not None), None)
            if via is not None and to is not None:
                found.setdefault(route.node, []).append(RoutePlan(f"{dotted(to[0])}/{to[1]}", dotted(via)))
        return found

    def _of_router(self, router: int) -> tuple[RoutePlan, ...]:
        if router not in self._by_router:
            self._by_router[router] = self._table(self._paths.from_router(router), self._paths.connected(router))
        return self._by_router[router]

    def _of_substrate(self, substrate: int) -> tuple[RoutePlan, ...]:
        """Return the routes of a node that is on one substrate only. All such nodes of a substrate have the same routes."""
        if substrate not in self._by_substrate:
            self._by_substrate[substrate] = self._table(self._paths.from_substrate(substrate), [substrate])
        return self._by_substrate[substrate]

    def _table(self, groups: list[Group], connected: list[int]) -> tuple[RoutePlan, ...]:
        if not groups:
            return ()
        component = self._paths.component_of(connected[0])
        begin = self._paths.components[component][0]
        groups = _merged(groups)
        default = max(range(len(groups)), key=lambda number: _size(groups[number][1]))
        leaves = [[] if number == default else _places(stretches, begin) for number, (_hop, stretches) in enumerate(groups)]
        routes = self._forests[component].table(leaves, [self._place[substrate] - begin for substrate in connected], default)
        vias = [self._gateways[self._paths.routers[router], self._paths.substrates[substrate]] for (router, substrate), _stretches in groups]
        return tuple(RoutePlan(prefix, vias[number]) for prefix, number in routes)


def _merged(groups: list[Group]) -> list[Group]:
    """Return the groups with one entry for each hop, in order of names."""
    merged: dict[tuple[int, int], list[Stretch]] = {}
    for hop, stretches in sorted(groups, key=lambda group: group[0]):
        merged.setdefault(hop, []).extend(stretches)
    return list(merged.items())


def _size(stretches: list[Stretch]) -> int:
    return sum(end - begin for begin, end in stretches)


def _places(stretches: list[Stretch], begin: int) -> list[int]:
    return [place - begin for low, high in stretches for place in range(low, high)]


def _prefix(route: RoutePlan) -> tuple[int, int]:
    network = ipaddress.IPv4Network(route.to)
    return int(network.network_address), network.prefixlen
