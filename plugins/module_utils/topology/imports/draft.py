# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A topology under construction from a graph: machines, links between two machines, LANs, and the profile of each hop.

Latencies and losses of the result are those of hops, as with NS files: each end has half of a link's delay.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from math import sqrt

from ..attributes import LOSS, LOSS_MODEL, PREFIX, RX_LATENCY, RX_LOSS, RX_RATE
from ..model import Attribute, Capacity, Computer, Interface, Latency, OperatingSystem, Substrate, Topology
from ..problem_log import ProblemLog
from ..scope import shown
from ..topdl.consistency import check_names
from .names import InterfaceNames, Names

# The attribute with the name that a node or an interface had before it got a valid one.
LABEL = "label"
# Maximum number of nodes, links and LANs; it bounds memory and time for files too large to deploy.
MOST_THINGS = 80_000


@dataclass(frozen=True, slots=True)
class LinkProfile:
    """The shaping of a one-way path or of one of its hops: delay_ms, kbps (0 for no limit), loss as a fraction."""

    delay_ms: float = 0.0
    kbps: float = 0.0
    loss: float = 0.0

    def half(self) -> LinkProfile:
        """Return one of the two equal hops that together make this path."""
        return LinkProfile(self.delay_ms / 2, self.kbps, 1 - sqrt(1 - self.loss))


@dataclass(frozen=True, slots=True)
class End:
    """The known properties of one end of a link: the interface's name, "" for any, and its attributes."""

    name: str = ""
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(eq=False, slots=True)
class Machine:
    """A computer with its interfaces, (member, name), in the order of their creation."""

    name: str
    label: str
    line: int
    attributes: list
    osid: str = ""
    names: InterfaceNames = field(default_factory=InterfaceNames)
    interfaces: list = field(default_factory=list)


@dataclass(eq=False)
class Medium:
    """A link or a LAN."""

    name: str
    label: str
    line: int
    attributes: list
    members: list = field(default_factory=list)

    @cached_property
    def hops(self) -> frozenset[LinkProfile]:
        """Return the distinct profiles of all hops. The value is cached, so call this after adding all members."""
        return frozenset(profile for member in self.members for profile in (member.out, member.into))

    @property
    def usual(self) -> LinkProfile | None:
        """Return the common profile of all hops, None if they differ."""
        return next(iter(self.hops)) if len(self.hops) == 1 else None


@dataclass(eq=False, slots=True)
class Member:
    """A machine's attachment to a medium, with its outbound and its inbound hop."""

    medium: Medium
    out: LinkProfile
    into: LinkProfile
    end: End
    line: int


class Draft:
    """The topology of one file under construction. Labels are the names in that file."""

    def __init__(self, problems: ProblemLog):
        self.problems = problems
        self.names = Names(problems)
        self.machines: list[Machine] = []
        self.media: list[Medium] = []
        self._in_order: dict[Medium, None] = {}  # media by their first members

    def refuse_too_many(self, things: int = 0) -> None:
        """Check the number of machines and media, plus ``things`` to come.

        Raises InputError with this and all previous errors if there are more than MOST_THINGS.
        """
        if len(self.machines) + len(self.media) + things > MOST_THINGS:
            self.problems.error(0, "", f"has more than {MOST_THINGS:,} nodes and links")
            self.problems.raise_errors()

    def machine(self, label: str, line: int, attributes: Iterable[tuple[str, str]] = (), osid: str = "") -> Machine:
        machine = Machine(self.names.give("node", label, line), label, line, list(attributes), osid)
        self.machines.append(machine)
        return machine

    def lan(self, label: str, line: int, attributes: Iterable[tuple[str, str]] = ()) -> Medium:
        name = self.names.give("LAN", label, line) if label else self.names.number("lan")
        self.media.append(Medium(name, label, line, list(attributes)))
        return self.media[-1]

    def link(self, label: str, line: int, first: Machine, second: Machine, there: LinkProfile, back: LinkProfile,
             attributes: Iterable[tuple[str, str]] = (), ends: tuple[End, End] = (End(), End())) -> None:
        """Add a link between two machines, or one hop between a machine and a LAN; ``there`` is from the first to the second.

        A link from a thing to itself is left out with a warning. A link between two LANs is an error.
        """
        if first is second:
            self.problems.warn("loops", line, f"node {shown(first.label)}", "is joined to itself; that link is left out")
        elif isinstance(first, Medium) and isinstance(second, Medium):
            hint = "one LAN with the members of both, or a node between them"
            self.problems.error(line, f"LAN {first.name}", f"is joined to the LAN {second.name}, which is not possible here", hint)
        elif isinstance(first, Medium):
            self._hop(label, line, second, first, (back, there), attributes, ends[1])
        elif isinstance(second, Medium):
            self._hop(label, line, first, second, (there, back), attributes, ends[0])
        else:
            name = self.names.give("link", label, line) if label else self.names.number("link")
            medium = Medium(name, label, line, list(attributes))
            self.media.append(medium)
            out = there.half()
            into = out if back is there else back.half()
            self._join(first, medium, out, into, ends[0], line)
            self._join(second, medium, into, out, ends[1], line)

    def _hop(self, label: str, line: int, machine: Machine, lan: Medium, profiles: tuple[LinkProfile, LinkProfile],
             attributes: Iterable[tuple[str, str]], end: End) -> None:
        """Attach a machine to a LAN. The attributes of the hop become those of the LAN, which has each only once."""
        self._join(machine, lan, *profiles, end, line)
        if label:
            self.problems.warn("names of hops", line, f"hop from {shown(machine.label)} to {shown(lan.label)}", f"its name {shown(label)} is left out")
        known = dict(lan.attributes)
        for name, value in attributes:
            if known.setdefault(name, value) != value:
                message = f"{shown(name)} is {shown(value)} for the hop to {shown(machine.label)}; the first counts"
                self.problems.warn("data of hops that differ", line, f"LAN {lan.name}", message)
        lan.attributes = list(known.items())

    def member(self, medium: Medium, machine: Machine, profile: LinkProfile, line: int) -> None:
        """Attach a machine to a LAN; ``profile`` applies to the traffic between any two members."""
        self._join(machine, medium, profile.half(), profile.half(), End(), line)

    def _join(self, machine: Machine, medium: Medium, out: LinkProfile, into: LinkProfile, end: End, line: int) -> None:
        name = machine.names.give(end.name)
        if end.name and name != end.name:
            kind, label = "interfaces that got another name", f"node {machine.name}, interface {shown(end.name)}"
            self.problems.warn(kind, line, label, f"is called {name} here")
            end = End(end.name, (*end.attributes, (LABEL, end.name)))
        self._in_order.setdefault(medium)
        member = Member(medium, out, into, end, line)
        medium.members.append(member)
        machine.interfaces.append((member, name))

    def topology(self, attributes: Iterable[tuple[str, str]] = ()) -> Topology:
        """Return the draft as a Topology, and log what is unusual about it. Links and LANs are in the order of their first members."""
        self._in_order.update(dict.fromkeys(self.media))
        topology = Topology(
            latency_model="hop",
            substrates=tuple(_substrate(medium) for medium in self._in_order),
            elements=tuple(_computer(machine) for machine in self.machines),
            attributes=_attributes(attributes),
            source=self.problems.source,
        )
        check_names(self.problems, topology.substrates, topology.elements)
        return topology


def _computer(machine: Machine) -> Computer:
    return Computer(
        name=machine.name,
        operating_systems=(OperatingSystem(attributes=(Attribute("osid", machine.osid),)),) if machine.osid else (),
        interfaces=tuple(_interface(member, name) for member, name in machine.interfaces),
        attributes=_attributes(machine.attributes),
        line=machine.line,
    )


def _substrate(medium: Medium) -> Substrate:
    """Return a medium as a Substrate.

    If its hops differ, the interfaces carry the numbers; the substrate only gets the largest rate.
    """
    pairs = list(medium.attributes)
    usual = medium.usual
    kbps = usual.kbps if usual else max((member.out.kbps for member in medium.members), default=0)
    if usual and usual.loss:
        pairs.append((LOSS, plain_number(usual.loss)))
    if any(profile.loss for profile in medium.hops):
        pairs.append((PREFIX + LOSS_MODEL, "hop"))
    return Substrate(
        name=medium.name,
        capacity=Capacity(kbps) if kbps else None,
        latency=Latency(usual.delay_ms) if usual and usual.delay_ms else None,
        attributes=_attributes(pairs),
        line=medium.line,
    )


def _interface(member: Member, name: str) -> Interface:
    pairs = list(member.end.attributes)
    medium, out = member.medium, member.out
    capacity = latency = None
    if medium.usual is None:
        capacity = Capacity(out.kbps) if any(profile.kbps for profile in medium.hops) else None
        latency = Latency(out.delay_ms) if any(profile.delay_ms for profile in medium.hops) else None
        if any(profile.loss for profile in medium.hops):
            pairs.append((LOSS, plain_number(out.loss)))
        pairs += _received(member)
    return Interface(name=name, substrates=(medium.name,), capacity=capacity, latency=latency, attributes=_attributes(pairs), line=member.line)


def _received(member: Member) -> list[tuple[str, str]]:
    """Return the inbound numbers as attributes where they differ from a reader's default.

    The default is the node's own outbound number, or that of a link's other end.
    """
    into = member.into
    usual = [member.out]
    if len(member.medium.members) == 2:
        usual += [other.out for other in member.medium.members if other is not member]
    pairs = []
    if into.kbps != member.out.kbps:
        pairs.append((PREFIX + RX_RATE, plain_number(into.kbps)))
    if any(into.delay_ms != profile.delay_ms for profile in usual):
        pairs.append((PREFIX + RX_LATENCY, plain_number(into.delay_ms)))
    if any(into.loss != profile.loss for profile in usual):
        pairs.append((PREFIX + RX_LOSS, plain_number(into.loss)))
    return pairs


def _attributes(pairs: Iterable[tuple[str, str]]) -> tuple[Attribute, ...]:
    """Return the pairs as attributes; of pairs with the same name only the first."""
    first: dict[str, str] = {}
    for name, value in pairs:
        first.setdefault(name, value)
    return tuple(Attribute(name, value) for name, value in first.items())


def plain_number(number: float) -> str:
    """Format a number without an exponent."""
    return f"{number:.15f}".rstrip("0").rstrip(".") or "0"
