# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The routing that a topology declares, in the terms of NS files (``$ns rtproto``, ``$link cost``, ``$node add-route``).

These are the attributes ``rtproto`` of the topology or of a computer, ``containers:cost`` of a substrate and ``containers:route`` of
a computer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...errors import InputError, Problem
from ...topology.attributes import COST, ROUTE, RTPROTO, containers_attribute
from ...topology.model import Computer, Topology
from ..computers import problem_of

COMPUTED, GIVEN, NOTHING = "static", "manual", "none"
_COMPUTED = ("static", "static-ddijk", "static-old")
_DAEMONS = ("session", "ospf")
_PROTOCOLS = "Static, Session, ospf, Manual or none"
_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_MILLIONTHS = 10**6  # costs are whole numbers of these, so that sums of them are exact
_LARGEST_COST = 1e9


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


def check_routing(topology: Topology) -> tuple[Problem, ...]:
    """Return warnings about the routing that ``topology`` declares. Raises InputError with every fault in it."""
    problems = [*_wrong_costs(topology)]
    routes, wrong, warnings = _read_routes(topology)
    problems += wrong
    if problems:
        raise InputError(sorted(problems, key=lambda problem: problem.line))
    return (*_odd_protocols(topology), *warnings, *_idle_routes(topology, routes))


def protocols(topology: Topology) -> dict[str, str]:
    """Return {computer: COMPUTED, GIVEN or NOTHING}."""
    everywhere = _word(topology)
    return {computer.name: _meaning(_word(computer) or everywhere) for computer in topology.computers}


def costs(topology: Topology) -> dict[str, int]:
    """Return {substrate: the cost of crossing it, in millionths}. Without a valid cost it is a million, that is 1."""
    return {substrate.name: _cost(containers_attribute(substrate, COST)) or _MILLIONTHS for substrate in topology.substrates}


def given_routes(topology: Topology) -> tuple[GivenRoute, ...]:
    """Return the effective routes that authors gave, in document order."""
    routes = _read_routes(topology)[0]
    chosen = protocols(topology) if routes else {}
    return tuple(route for route in routes if chosen[route.node] != NOTHING)


def _word(element) -> str:
    """Return the protocol as it was spelled, "" for none. NS files and the original's own TopDL files spell the attribute differently."""
    return (containers_attribute(element, RTPROTO) or element.attribute(RTPROTO) or "").strip()


def _meaning(word: str) -> str:
    return word.lower() if word.lower() in (GIVEN, NOTHING) else COMPUTED


def _odd_protocols(topology: Topology):
    for element, label in ((topology, "rtproto"), *((computer, f"computer {computer.name}, rtproto") for computer in topology.computers)):
        word = _word(element)
        if word.lower() in _DAEMONS:
            message = f"routes are computed once, as with Static: no routing daemon is run for {word!r}"
            yield Problem(message, topology.source, element.line, label, "Manual leaves routes to a daemon of your own")
        elif word and word.lower() not in (GIVEN, NOTHING, *_COMPUTED):
            yield Problem(f"{word!r} is not known: routes are computed, as with Static", topology.source, element.line, label, _PROTOCOLS)


def _cost(text: str | None) -> int:
    """Return a cost in millionths, 0 for an invalid or missing one."""
    if text is None or not _NUMBER.fullmatch(text.strip()):
        return 0
    number = float(text)
    return round(number * _MILLIONTHS) if number <= _LARGEST_COST else 0


def _wrong_costs(topology: Topology):
    for substrate in topology.substrates:
        text = containers_attribute(substrate, COST)
        if text is not None and not _cost(text):
            hint = f"a number from {1 / _MILLIONTHS:f} to {_LARGEST_COST:,.0f}"
            yield Problem(f"its cost {text!r} is none", topology.source, substrate.line, f"substrate {substrate.name}", hint)


def _read_routes(topology: Topology) -> tuple[list[GivenRoute], list[Problem], list[Problem]]:
    """Return (routes, errors, warnings)."""
    with_routes = [computer for computer in topology.computers if containers_attribute(computer, ROUTE)]
    if not with_routes:
        return [], [], []
    places = _RouteReader(topology)
    for computer in with_routes:
        texts = [text.split() for text in containers_attribute(computer, ROUTE).split(";")]
        for words in texts:
            if words:
                places.read(computer, words)
    return places.routes, places.wrong, places.odd


class _RouteReader:
    """A reader of routes given by names. A name that is both a computer and a substrate means the computer."""

    def __init__(self, topology: Topology):
        self.topology = topology
        self.computers = {computer.name: computer for computer in topology.computers}
        self.members = {name: {computer.name for computer, _interface in members} for name, members in topology.attachments().items()}
        self.routes: list[GivenRoute] = []
        self.wrong: list[Problem] = []
        self.odd: list[Problem] = []
        self.seen: set[tuple[str, str]] = set()

    def read(self, computer: Computer, words: list[str]) -> None:
        """Add a route, or a Problem if it is invalid."""
        text = " ".join(words)
        problem = self._fault(computer, words)
        if problem:
            self.wrong.append(problem_of(self.topology, computer, f"its route {text!r}: {problem[0]}", problem[1]))
            return
        to, hop = words
        self.seen.add((computer.name, to))
        own = [interface.substrate for interface in computer.interfaces]
        on = next(name for name in own if hop in self.members[name])
        if to not in self.computers and to in own:
            self.odd.append(problem_of(self.topology, computer, f"its route {text!r} has no effect: it is on {to} itself"))
        else:
            self.routes.append(GivenRoute(computer.name, to if to in self.computers else "", "" if to in self.computers else to, hop, on))

    def _fault(self, computer: Computer, words: list[str]) -> tuple[str, str] | None:
        """Return (message, hint) of an invalid route, None for a valid one."""
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


def _idle_routes(topology: Topology, routes: list[GivenRoute]):
    chosen, giving = protocols(topology), {route.node for route in routes}
    for computer in topology.computers:
        if computer.name in giving and chosen[computer.name] == NOTHING:
            yield problem_of(topology, computer, "its routes have no effect: its rtproto is none", "Manual")
