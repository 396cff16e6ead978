# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routing that a topology declares, in the terms of NS files (``$ns rtproto``, ``$link cost``, ``$node add-route``).

These are the attributes ``rtproto`` of the topology or of a computer, ``containers:cost`` of a substrate and ``containers:route`` of
a computer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ...errors import InputError, Problem
from ...topology.attributes import COST, containers_attribute
from ...topology.model import Computer, Topology
from ..attribute_values import COST_UNIT, parse_cost, routing_protocol
from ..node_view import Nodes, NodeView

COMPUTED, GIVEN, NOTHING = "static", "manual", "none"
_COMPUTED = ("static", "static-ddijk", "static-old")
_DAEMONS = ("session", "ospf")
_PROTOCOLS = "Static, Session, ospf, Manual or none"


@dataclass(frozen=True)
class GivenRoute:
    """A route that the topology's author gave to ``node``.

    to_node       the node it leads to, "" for a substrate
    to_substrate  the substrate it leads to, "" for a node
    hop           the neighbour it goes by
    on            the substrate shared with it: the first one by the node's interfaces
    """

    node: str
    to_node: str
    to_substrate: str
    hop: str
    on: str


def check_routing(topology: Topology, nodes: Nodes) -> tuple[Problem, ...]:
    """Return warnings about what a topology says of routes. Raises InputError with everything that is wrong."""
    wrong_costs = _read_costs(topology)[1]
    routes, wrong_routes, warnings = _read_routes(topology, nodes)
    if wrong_costs or wrong_routes:
        raise InputError(sorted((*wrong_costs, *wrong_routes), key=lambda problem: problem.line))
    return (*_odd_protocols(topology, nodes), *warnings, *_idle_routes(topology, nodes, routes))


def protocols(topology: Topology, nodes: Nodes) -> dict[str, str]:
    """Return {computer: COMPUTED, GIVEN or NOTHING}."""
    everywhere = routing_protocol(topology)
    return {node.name: _meaning(node.protocol or everywhere) for node in nodes.values()}


def costs(topology: Topology) -> dict[str, int]:
    """Return {substrate: what crossing it costs, in millionths}; 1 where nothing valid is said."""
    found = _read_costs(topology)[0]
    return {substrate.name: found.get(substrate.name, COST_UNIT) for substrate in topology.substrates}


def given_routes(topology: Topology, nodes: Nodes) -> tuple[GivenRoute, ...]:
    """Return the routes that authors gave and that take effect, in document order."""
    routes = _read_routes(topology, nodes)[0]
    chosen = protocols(topology, nodes) if routes else {}
    return tuple(route for route in routes if chosen[route.node] != NOTHING)


def _meaning(protocol: str) -> str:
    return protocol.lower() if protocol.lower() in (GIVEN, NOTHING) else COMPUTED


def _odd_protocols(topology: Topology, nodes: Nodes) -> Iterator[Problem]:
    named = [(routing_protocol(topology), topology.line, "rtproto")]
    named += [(node.protocol, node.line, f"computer {node.name}, rtproto") for node in nodes.values() if node.protocol]
    for protocol, line, label in named:
        if protocol.lower() in _DAEMONS:
            message = f"routes are computed once, as with Static: no routing daemon is run for {protocol!r}"
            yield Problem(message, topology.source, line, label, "Manual leaves routes to a daemon of your own")
        elif protocol and protocol.lower() not in (GIVEN, NOTHING, *_COMPUTED):
            yield Problem(f"{protocol!r} is not known: routes are computed, as with Static", topology.source, line, label, _PROTOCOLS)


def _read_costs(topology: Topology) -> tuple[dict[str, int], list[Problem]]:
    """Return ({substrate: its cost in millionths} of those that have one, what is wrong with the others)."""
    found: dict[str, int] = {}
    wrong: list[Problem] = []
    for substrate in topology.substrates:
        text = containers_attribute(substrate, COST)
        if text is None:
            continue
        try:
            found[substrate.name] = parse_cost(text)
        except InputError as exc:
            wrong += [replace(problem, file=topology.source, line=substrate.line, element=f"substrate {substrate.name}") for problem in exc.problems]
    return found, wrong


def _read_routes(topology: Topology, nodes: Nodes) -> tuple[list[GivenRoute], list[Problem], list[Problem]]:
    """Return (routes, what is wrong, what is odd)."""
    with_routes = [(computer, nodes[computer.name]) for computer in topology.computers if nodes[computer.name].routes]
    if not with_routes:
        return [], [], []
    reader = _RouteReader(topology)
    for computer, node in with_routes:
        for words in node.routes:
            reader.read(computer, node, words)
    return reader.routes, reader.wrong, reader.odd


class _RouteReader:
    """A reader of routes given by names. A name that is both a computer and a substrate means the computer."""

    def __init__(self, topology: Topology):
        self.computers = {computer.name: computer for computer in topology.computers}
        self.members = {name: {computer.name for computer, _interface in members} for name, members in topology.attachments().items()}
        self.routes: list[GivenRoute] = []
        self.wrong: list[Problem] = []
        self.odd: list[Problem] = []
        self.seen: set[tuple[str, str]] = set()

    def read(self, computer: Computer, node: NodeView, words: tuple[str, ...]) -> None:
        """Add a route, or a Problem if it is invalid."""
        text = " ".join(words)
        problem = self._fault(computer, words)
        if problem:
            self.wrong.append(node.problem(f"its route {text!r}: {problem[0]}", problem[1]))
            return
        to, hop = words
        self.seen.add((computer.name, to))
        own = [interface.substrate for interface in computer.interfaces]
        on = next(name for name in own if hop in self.members[name])
        if to not in self.computers and to in own:
            self.odd.append(node.problem(f"its route {text!r} has no effect: it is on {to} itself"))
        else:
            self.routes.append(GivenRoute(computer.name, to if to in self.computers else "", "" if to in self.computers else to, hop, on))

    def _fault(self, computer: Computer, words: tuple[str, ...]) -> tuple[str, str] | None:
        """Return (what is wrong, what would be right), None for nothing."""
        if len(words) != 2:
            return "is not a destination and a next hop", "such as 'lan0 router; server router'"
        to, hop = words
        if to in self.computers and (number := len(self.computers[to].interfaces)) != 1:
            return f"{to} has {number or 'no'} interfaces", "a computer with one interface, or a substrate"
        if to not in self.computers and to not in self.members:
            return f"there is no computer or substrate {to!r}", "names of the topology"
        if to == computer.name:
            return "leads to itself", "another destination"
        if hop == computer.name or not any(hop in self.members[interface.substrate] for interface in computer.interfaces):
            return f"the next hop {hop!r} is on no substrate of {computer.name}", "a neighbour"
        if (computer.name, to) in self.seen:
            return f"there is a route to {to} already", "one for each destination"
        return None


def _idle_routes(topology: Topology, nodes: Nodes, routes: list[GivenRoute]) -> Iterator[Problem]:
    if not routes:
        return
    chosen, giving = protocols(topology, nodes), dict.fromkeys(route.node for route in routes)
    for name in giving:
        if chosen[name] == NOTHING:
            yield nodes[name].problem("its routes have no effect: its rtproto is none", "Manual")
