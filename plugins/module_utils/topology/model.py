# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual topology (vtopo) as plain data.

It holds everything that TopDL can express, and nothing that depends on how the topology is realised.

All objects are immutable; ``dataclasses.replace`` makes a changed copy. Sequences are in document order.
Two topologies are equal if they have the same meaning and are written the same. Equality ignores ``line``
(1-based, 0 = not from a file), ``source``, and the ``version`` that the file declared. It includes
``unknown``, the content that a reader does not understand and a writer must keep.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Unknown:
    """A part of the input that a reader kept without understanding it.

    tag   an element's name, namespace stripped; or, for XML attributes: "" those of the element itself,
          ".." those of the wrapper around it (``<elements>``), "name/1" those of its first child ``name``
    text  the element serialised as XML; for XML attributes ``name="value"`` pairs with a space between
    """

    tag: str
    text: str


@dataclass(frozen=True)
class Attribute:
    """A name with a text value. Names may repeat within one element; the first one counts."""

    name: str
    value: str = ""
    unknown: tuple[Unknown, ...] = ()


@dataclass(frozen=True)
class Capacity:
    """A bandwidth: rate_kbps in kb/s (1000 bit/s), kind ``max`` or ``average``.

    kind_text  the file's spelling if it differs from ``kind``: "avg", or "" for a missing kind
    """

    rate_kbps: float
    kind: str = "max"
    kind_text: str | None = None
    unknown: tuple[Unknown, ...] = ()


@dataclass(frozen=True)
class Latency:
    """A delay: time_ms in milliseconds, of one attachment or of the whole path (see Topology.latency_model)."""

    time_ms: float
    kind: str = "max"
    kind_text: str | None = None
    unknown: tuple[Unknown, ...] = ()


@dataclass(frozen=True)
class Element:
    """The common fields of all TopDL elements that may carry attributes."""

    attributes: tuple[Attribute, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    line: int = field(default=0, compare=False)

    def attribute(self, name: str, default: str | None = None) -> str | None:
        """Return the value of the first attribute called exactly ``name``, else ``default``."""
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute.value
        return default


@dataclass(frozen=True)
class Cpu(Element):
    type: str = ""
    count: int = 1


@dataclass(frozen=True)
class OperatingSystem(Element):
    name: str = ""
    version: str = ""
    distribution: str = ""
    distributionversion: str = ""


@dataclass(frozen=True)
class Software(Element):
    location: str = ""
    install: str | None = None


@dataclass(frozen=True)
class Storage(Element):
    """A storage device: amount_mb in MB; persistence is the text of the file."""

    amount_mb: float = 0.0
    persistence: str = ""


@dataclass(frozen=True)
class ServiceParam:
    """A parameter of a service. type is ``string``, ``int`` or ``float``, or any other text of the file."""

    name: str
    type: str
    unknown: tuple[Unknown, ...] = ()


@dataclass(frozen=True)
class Service:
    name: str
    importers: tuple[str, ...] = ()
    params: tuple[ServiceParam, ...] = ()
    description: str | None = None
    status: str | None = None
    unknown: tuple[Unknown, ...] = ()


@dataclass(frozen=True)
class Interface(Element):
    """An attachment of an element to a substrate. In TopDL 1.0 one interface may name several substrates."""

    name: str = ""
    substrates: tuple[str, ...] = ()
    capacity: Capacity | None = None
    latency: Latency | None = None

    @property
    def substrate(self) -> str:
        """Return the substrate that the interface is attached to (deployable interfaces have exactly one)."""
        return self.substrates[0]


@dataclass(frozen=True)
class Substrate(Element):
    """A link (two members) or a LAN (more)."""

    name: str = ""
    capacity: Capacity | None = None
    latency: Latency | None = None
    localnames: tuple[str, ...] = ()
    status: str | None = None
    services: tuple[Service, ...] = ()
    operations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Computer(Element):
    name: str = ""
    cpus: tuple[Cpu, ...] = ()
    operating_systems: tuple[OperatingSystem, ...] = ()
    software: tuple[Software, ...] = ()
    storage: tuple[Storage, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    localnames: tuple[str, ...] = ()
    status: str | None = None
    services: tuple[Service, ...] = ()
    operations: tuple[str, ...] = ()


@dataclass(frozen=True)
class OtherElement(Element):
    """A testbed, segment, region or other element. It is read, kept and written, but never deployed.

    kind    ``testbed``, ``segment``, ``region`` or ``other``
    fields  its scalar children in document order, as (tag, text); a segment's id is ("id/uuid", text)
    """

    kind: str = "other"
    name: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    interfaces: tuple[Interface, ...] = ()
    localnames: tuple[str, ...] = ()
    status: str | None = None
    services: tuple[Service, ...] = ()
    operations: tuple[str, ...] = ()


@dataclass(frozen=True)
class IfMap:
    inner: str
    outer: str
    unknown: tuple[Unknown, ...] = ()


@dataclass(frozen=True)
class Fragment(Element):
    name: str = ""
    substrates: tuple[Substrate, ...] = ()
    elements: tuple[Computer | OtherElement, ...] = ()
    ifmaps: tuple[IfMap, ...] = ()


@dataclass(frozen=True)
class NameMap(Element):
    pathname: str = ""
    namemaps: tuple[IfMap, ...] = ()


@dataclass(frozen=True)
class Topology(Element):
    """The content of a whole topology file.

    version        "1.0" or "2.0", as declared in the file; the writer chooses its own
    latency_model  ``hop``: a latency is one attachment's share; ``path``: it is the latency of the whole path
                   (spec/topdl.md, Latency meaning). In a file it is the root's attribute
                   ``containers:latency_model``, which is not among ``attributes``
    source         the file as the user named it, for messages; not part of the meaning
    """

    version: str = field(default="1.0", compare=False)
    latency_model: str = "hop"
    substrates: tuple[Substrate, ...] = ()
    elements: tuple[Computer | OtherElement, ...] = ()
    fragments: tuple[Fragment, ...] = ()
    namemaps: tuple[NameMap, ...] = ()
    source: str = field(default="", compare=False)

    @property
    def computers(self) -> tuple[Computer, ...]:
        return tuple(element for element in self.elements if isinstance(element, Computer))

    def attachments(self) -> dict[str, list[tuple[Computer, Interface]]]:
        """Return {substrate: [(computer, interface)]} in document order, including substrates without members."""
        members: dict[str, list[tuple[Computer, Interface]]] = {s.name: [] for s in self.substrates}
        for computer in self.computers:
            for interface in computer.interfaces:
                for name in interface.substrates:
                    members.setdefault(name, []).append((computer, interface))
        return members
