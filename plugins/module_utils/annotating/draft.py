# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A topology being annotated: its elements by their places, of which the attributes change and nothing else."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from ..topology.attributes import LATENCY_MODEL, PREFIX, containers_name
from ..topology.model import Attribute, Computer, Topology
from ..topology.scope import named
from .rules import COMPUTER, EXPERIMENT, INTERFACE, OTHER, SUBSTRATE


class Place(NamedTuple):
    """An element's: number counts elements, or substrates; port counts the interfaces of an element."""

    sort: str
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

    def places(self, sort: str) -> list[Place]:
        """All of a sort, in document order."""
        if sort == EXPERIMENT:
            return [Place(EXPERIMENT)]
        if sort == SUBSTRATE:
            return [Place(SUBSTRATE, number) for number in range(len(self._substrates))]
        if sort == INTERFACE:
            return [Place(INTERFACE, number, port) for number, element in enumerate(self._elements) for port in range(len(element.interfaces))]
        return [Place(sort, number) for number, element in enumerate(self._elements) if isinstance(element, Computer) == (sort == COMPUTER)]

    def at(self, place: Place):
        """The element there."""
        if place.sort == EXPERIMENT:
            return self._topology
        if place.sort == SUBSTRATE:
            return self._substrates[place.number]
        element = self._elements[place.number]
        return element.interfaces[place.port] if place.sort == INTERFACE else element

    def name(self, place: Place) -> str:
        """Its name; the experiment has none."""
        return "" if place.sort == EXPERIMENT else self.at(place).name

    def owner(self, place: Place):
        """The element that an interface is of."""
        return self._elements[place.number]

    def label(self, place: Place) -> str:
        """What it is called in messages."""
        if place.sort == EXPERIMENT:
            return EXPERIMENT
        if place.sort == INTERFACE:
            owner = self.owner(place)
            return f"{named(getattr(owner, 'kind', COMPUTER), owner.name)}, {named(INTERFACE, self.name(place))}"
        return named(self.at(place).kind if place.sort == OTHER else place.sort, self.name(place))

    def value(self, place: Place, name: str) -> str | None:
        """The value of an attribute by any spelling of its name; None where it is not."""
        if place.sort == EXPERIMENT and containers_name(name) == LATENCY_MODEL:
            return self._topology.latency_model
        usual, found = usual_name(name), None
        for attribute in self.at(place).attributes:
            if attribute.name == usual:
                return attribute.value
            if found is None and same_name(attribute.name, name):
                found = attribute.value
        return found

    def set(self, place: Place, name: str, value: str) -> None:
        """Give it the attribute, once, in the place of the first of that name, else at the end."""
        if place.sort == EXPERIMENT and containers_name(name) == LATENCY_MODEL:
            self._topology = replace(self._topology, latency_model=value)
            return
        made, attributes = None, []
        for attribute in self.at(place).attributes:
            if not same_name(attribute.name, name):
                attributes.append(attribute)
            elif made is None:
                made = replace(attribute, name=name, value=value)
                attributes.append(made)
        self._put(place, attributes if made else [*attributes, Attribute(name, value)])

    def remove(self, place: Place, unwanted) -> None:
        """Take away the attributes whose name ``unwanted(name)`` is true of, as it is written or in its usual spelling."""
        self._put(place, [one for one in self.at(place).attributes if not (unwanted(one.name) or unwanted(usual_name(one.name)))])

    def _put(self, place: Place, attributes: list[Attribute]) -> None:
        element = self.at(place)
        if tuple(attributes) == element.attributes:
            return
        changed = replace(element, attributes=tuple(attributes))
        if place.sort == EXPERIMENT:
            self._topology = changed
        elif place.sort == SUBSTRATE:
            self._substrates[place.number] = changed
        elif place.sort == INTERFACE:
            owner = self._elements[place.number]
            self._elements[place.number] = replace(owner, interfaces=(*owner.interfaces[: place.port], changed, *owner.interfaces[place.port + 1 :]))
        else:
            self._elements[place.number] = changed


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
