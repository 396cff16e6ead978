# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a written file cannot hold of a topology: one warning for each kind of loss, with a count and a few names."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import Problem
from .model import Attribute, Capacity, Computer, Element, Latency, Substrate, Topology
from .scope import shown

BLANKS = "blanks around its value"
_MOST_NAMES = 3


class Losses:
    """The losses of one conversion.

    form  the written format, such as "an NS file"
    """

    def __init__(self, source: str, form: str):
        self.source = source
        self.form = form
        self._found: dict[tuple[str, str, str], dict[str, int]] = {}

    def add(self, what: str, name: str, message: str, line: int = 0, hint: str = "") -> None:
        """Add a loss.

        what     the thing, in the singular and with a regular plural: "node", "link or LAN"
        name     its name
        message  what happens to it, true of one and of several; it makes the kind of the loss
        """
        self._found.setdefault((what, message, hint), {}).setdefault(name, line)

    def no_place(self, what: str, name: str, part: str, line: int = 0) -> None:
        """Add a part, such as "<cpu>", that the format has no place for."""
        self.add(what, name, f"no place for {part} in {self.form}", line)

    def warnings(self) -> tuple[Problem, ...]:
        """Return one warning for each kind of loss, in the order of their first losses."""
        return tuple(self._warning(*kind, names) for kind, names in self._found.items())

    def _warning(self, what: str, message: str, hint: str, names: dict[str, int]) -> Problem:
        line = next(iter(names.values()))
        if len(names) == 1:
            return Problem(message, self.source, line, f"{what} {next(iter(names))}".strip(), hint)
        listed = ", ".join(list(names)[:_MOST_NAMES])
        ending = f", for example {listed}" if len(names) > _MOST_NAMES else f": {listed}"
        return Problem(f"{message}{ending}", self.source, line, f"{len(names):,} {_plural(what)}", hint)


def _plural(what: str) -> str:
    return "links and LANs" if what == "link or LAN" else f"{what}s"


def add_common_losses(losses: Losses, topology: Topology) -> None:
    """Add what neither NS files nor graphs have a place for."""
    for computer in topology.computers:
        _add_fields(losses, "node", computer)
        for part, there in (("<cpu>", computer.cpus), ("<storage>", computer.storage)):
            if there:
                losses.no_place("node", computer.name, part, computer.line)
        _add_systems(losses, computer)
        for interface in computer.interfaces:
            name = f"{interface.name} of {computer.name}"
            _add_kinds(losses, "interface", name, (interface.capacity, interface.latency), interface.line)
            if interface.unknown:
                losses.no_place("interface", name, "its unknown elements", interface.line)
    for substrate in topology.substrates:
        _add_fields(losses, "link or LAN", substrate)
        _add_kinds(losses, "link or LAN", substrate.name, (substrate.capacity, substrate.latency), substrate.line)
    for what, names in (("fragment", [one.name for one in topology.fragments]), ("namemap", [one.pathname for one in topology.namemaps])):
        for name in names:
            losses.no_place(what, shown(name), "it")
    if topology.unknown:
        losses.no_place("", "", "the unknown elements of the experiment", topology.line)


def _add_fields(losses: Losses, what: str, element: Computer | Substrate) -> None:
    parts = {
        "<localname>": element.localnames,
        "<status>": element.status,
        "<service>": element.services,
        "<operation>": element.operations,
        "unknown elements": element.unknown,
    }
    for part, there in parts.items():
        if there:
            losses.no_place(what, element.name, part, element.line)


def _add_systems(losses: Losses, computer: Computer) -> None:
    """Add what is lost of operating systems: a file has the ``osid`` of one, else its name."""
    if len(computer.operating_systems) > 1:
        losses.no_place("node", computer.name, "more than one <os>", computer.line)
    for system in computer.operating_systems[:1]:
        osid = system.attribute("osid")
        more = [system.version, system.distribution, system.distributionversion, osid and system.name, system.unknown]
        if any(more) or any(attribute.name != "osid" for attribute in system.attributes) or not (osid or system.name):
            losses.no_place("node", computer.name, "all of <os>, but for its osid or name", computer.line)


def _add_kinds(losses: Losses, what: str, name: str, values: Iterable[Capacity | Latency | None], line: int) -> None:
    if any(value and value.kind != "max" for value in values):
        losses.no_place(what, name, "the kind of a capacity or latency (average)", line)


def add_blank_losses(losses: Losses, topology: Topology) -> None:
    """Add attributes whose values begin or end with blanks, which readers of XML leave out."""
    owned: list[tuple[str, Element]] = [("the experiment", topology), *((one.name, one) for one in topology.substrates)]
    for computer in topology.computers:
        owned += [(computer.name, computer), *((f"{computer.name}, interface {one.name}", one) for one in computer.interfaces)]
    for owner, element in owned:
        for attribute in element.attributes:
            if attribute.value.strip() != attribute.value:
                losses.no_place("attribute", f"{shown(attribute.name)} of {owner}", BLANKS)


def first_attributes(losses: Losses, owner: str, attributes: Iterable[Attribute]) -> list[Attribute]:
    """Return the attributes without those whose name was given before; add these as losses. owner: the thing that has them."""
    first: dict[str, Attribute] = {}
    for attribute in attributes:
        if attribute.name in first:
            losses.add("attribute", f"{shown(attribute.name)} of {owner}", "given twice; only the first counts and is written")
        first.setdefault(attribute.name, attribute)
    return list(first.values())
