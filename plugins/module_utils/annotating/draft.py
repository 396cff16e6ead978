# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A topology being annotated: its elements by their places, of which the attributes change and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from ..topology.attributes import LATENCY_MODEL, PREFIX, containers_name
from ..topology.model import Attribute, Computer, OtherElement, Topology
from ..topology.scope import named
from .rules import COMPUTER, EXPERIMENT, INTERFACE, OTHER, SUBSTRATE


class ElementRef(NamedTuple):
    """An element's: number counts elements, or substrates; port counts the interfaces of an element."""

    element_type: str
    number: int = 0
    port: int = 0


class Draft:
    """The elements by place."""

    def __init__(self, topology: Topology):
        self._topology = topology
        self._substrates = list(topology.substrates)
        self._elements = list(topology.elements)

    def topology(self) -> Topology:
        """What has become of it."""
        return replace(self._topology, substrates=tuple(self._substrates), elements=tuple(self._elements))

    def refs(self, element_type: str) -> list[ElementRef]:
        """Return the elements of one type, in document order."""
        if element_type == EXPERIMENT:
            return [ElementRef(EXPERIMENT)]
        if element_type == SUBSTRATE:
            return [ElementRef(SUBSTRATE, number) for number in range(len(self._substrates))]
        if element_type == INTERFACE:
            return [ElementRef(INTERFACE, number, port) for number, element in enumerate(self._elements) for port in range(len(element.interfaces))]
        wants_computers = element_type == COMPUTER
        return [ElementRef(element_type, number) for number, element in enumerate(self._elements) if isinstance(element, Computer) == wants_computers]

    def at(self, ref: ElementRef) -> Any:
        """The element there."""
        if ref.element_type == EXPERIMENT:
            return self._topology
        if ref.element_type == SUBSTRATE:
            return self._substrates[ref.number]
        element = self._elements[ref.number]
        return element.interfaces[ref.port] if ref.element_type == INTERFACE else element

    def name(self, ref: ElementRef) -> str:
        """Its name; the experiment has none."""
        return "" if ref.element_type == EXPERIMENT else self.at(ref).name

    def owner(self, ref: ElementRef) -> Computer | OtherElement:
        """The element that an interface is of."""
        return self._elements[ref.number]

    def label(self, ref: ElementRef) -> str:
        """What it is called in messages."""
        if ref.element_type == EXPERIMENT:
            return EXPERIMENT
        if ref.element_type == INTERFACE:
            owner = self.owner(ref)
            return f"{named(getattr(owner, 'kind', COMPUTER), owner.name)}, {named(INTERFACE, self.name(ref))}"
        return named(self.at(ref).kind if ref.element_type == OTHER else ref.element_type, self.name(ref))

    def value(self, ref: ElementRef, name: str) -> str | None:
        """The value of an attribute by any spelling of its name; None where it is not."""
        if ref.element_type == EXPERIMENT and containers_name(name) == LATENCY_MODEL:
            return self._topology.latency_model
        usual, found = usual_name(name), None
        for attribute in self.at(ref).attributes:
            if attribute.name == usual:
                return attribute.value
            if found is None and same_name(attribute.name, name):
                found = attribute.value
        return found

    def set(self, ref: ElementRef, name: str, value: str) -> None:
        """Give it the attribute, once, in the place of the first of that name, else at the end."""
        if ref.element_type == EXPERIMENT and containers_name(name) == LATENCY_MODEL:
            self._topology = replace(self._topology, latency_model=value)
            return
        made, attributes = None, []
        for attribute in self.at(ref).attributes:
            if not same_name(attribute.name, name):
                attributes.append(attribute)
            elif made is None:
                made = replace(attribute, name=name, value=value)
                attributes.append(made)
        self._put(ref, attributes if made else [*attributes, Attribute(name, value)])

    def remove(self, ref: ElementRef, unwanted: Callable[[str], bool]) -> None:
        """Take away the attributes whose name ``unwanted(name)`` is true of, as it is written or in its usual spelling."""
        self._put(ref, [one for one in self.at(ref).attributes if not (unwanted(one.name) or unwanted(usual_name(one.name)))])

    def _put(self, ref: ElementRef, attributes: list[Attribute]) -> None:
        element = self.at(ref)
        if tuple(attributes) == element.attributes:
            return
        changed = replace(element, attributes=tuple(attributes))
        if ref.element_type == EXPERIMENT:
            self._topology = changed
        elif ref.element_type == SUBSTRATE:
            self._substrates[ref.number] = changed
        elif ref.element_type == INTERFACE:
            owner = self._elements[ref.number]
            self._elements[ref.number] = replace(owner, interfaces=(*owner.interfaces[: ref.port], changed, *owner.interfaces[ref.port + 1 :]))
        else:
            self._elements[ref.number] = changed


@lru_cache(maxsize=4096)
def usual_name(name: str) -> str:
    """The spelling that is written: ``benito:Partition`` → ``containers:partition``. What stands behind ``env:`` and the like keeps its case."""
    canonical = containers_name(name)
    if canonical is None:
        return name
    if ":" in canonical:
        rest = name.partition(":")[2].lstrip(":").strip()
        head, _colon, tail = rest.partition(":")
        return f"{PREFIX}{head.lower()}:{tail}"
    return PREFIX + canonical


def same_name(one: str, other: str) -> bool:
    """Whether two spellings are those of one attribute."""
    return one == other or usual_name(one) == usual_name(other)
