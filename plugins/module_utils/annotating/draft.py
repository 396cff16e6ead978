# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A topology being annotated: only the attributes of its elements can change."""

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
    """A reference to an element.

    number  index among the elements, or among the substrates
    port    index of an interface within its element
    """

    element_type: str
    number: int = 0
    port: int = 0


class Draft:
    """The elements of a topology being annotated, by ElementRef."""

    def __init__(self, topology: Topology):
        self._topology = topology
        self._substrates = list(topology.substrates)
        self._elements = list(topology.elements)

    def topology(self) -> Topology:
        """Return the topology with all changes so far."""
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
        """Return the element of a reference."""
        if ref.element_type == EXPERIMENT:
            return self._topology
        if ref.element_type == SUBSTRATE:
            return self._substrates[ref.number]
        element = self._elements[ref.number]
        return element.interfaces[ref.port] if ref.element_type == INTERFACE else element

    def name(self, ref: ElementRef) -> str:
        """Return the element's name; "" for the experiment."""
        return "" if ref.element_type == EXPERIMENT else self.at(ref).name

    def owner(self, ref: ElementRef) -> Computer | OtherElement:
        """Return the element that an interface belongs to."""
        return self._elements[ref.number]

    def label(self, ref: ElementRef) -> str:
        """Return the element's name for messages."""
        if ref.element_type == EXPERIMENT:
            return EXPERIMENT
        if ref.element_type == INTERFACE:
            owner = self.owner(ref)
            return f"{named(getattr(owner, 'kind', COMPUTER), owner.name)}, {named(INTERFACE, self.name(ref))}"
        return named(self.at(ref).kind if ref.element_type == OTHER else ref.element_type, self.name(ref))

    def value(self, ref: ElementRef, name: str) -> str | None:
        """Return the value of an attribute by any spelling of its name; None if it is absent."""
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
        """Set an attribute. It replaces all its spellings, in the place of the first one, else at the end."""
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
        """Remove the attributes for which ``unwanted(name)`` is true of the given or of the usual spelling."""
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
    """Return the usual spelling: ``benito:Partition`` → ``containers:partition``. The part after ``env:`` and the like keeps its case."""
    canonical = containers_name(name)
    if canonical is None:
        return name
    if ":" in canonical:
        rest = name.partition(":")[2].lstrip(":").strip()
        head, _colon, tail = rest.partition(":")
        return f"{PREFIX}{head.lower()}:{tail}"
    return PREFIX + canonical


def same_name(one: str, other: str) -> bool:
    """Return whether two spellings denote the same attribute."""
    return one == other or usual_name(one) == usual_name(other)
