# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The vtopo as plain data: what TopDL can say, and nothing that depends on how it is realised.

Everything is immutable; ``dataclasses.replace`` makes the changed copy. Order is document order
everywhere. ``line`` (1-based, 0 = not from a file) and ``unknown`` (what a reader did not understand
but a writer must keep) take no part in comparison of meaning where noted.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Attribute:
    """A name with a text value; names may repeat within one element, the first one counts."""

    name: str
    value: str = ""


@dataclass(frozen=True)
class Unknown:
    """Something a reader kept without understanding it.

    tag   the element's name, namespace stripped; "" for XML attributes of the element itself
    text  the element serialised as XML, or for tag "" a ``name="value"`` pair
    """

    tag: str
    text: str


@dataclass(frozen=True)
class Capacity:
    """rate_kbps in kb/s (1000 bit/s); kind is ``max`` or ``average``; kind_text as it stood in the file."""

    rate_kbps: float
    kind: str = "max"
    kind_text: str | None = None


@dataclass(frozen=True)
class Latency:
    """time_ms in milliseconds, one attachment's share or the path's: see Topology.latency_model."""

    time_ms: float
    kind: str = "max"
    kind_text: str | None = None


@dataclass(frozen=True)
class _Element:
    """What every TopDL element that may carry attributes has in common."""

    attributes: tuple[Attribute, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    line: int = field(default=0, compare=False)

    def attribute(self, name: str, default: str | None = None) -> str | None:
        """Value of the first attribute called exactly ``name``, else ``default``."""
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute.value
        return default


@dataclass(frozen=True)
class Cpu(_Element):
    type: str = ""
    count: int = 1


@dataclass(frozen=True)
class OperatingSystem(_Element):
    name: str = ""
    version: str = ""
    distribution: str = ""
    distributionversion: str = ""


@dataclass(frozen=True)
class Software(_Element):
    location: str = ""
    install: str | None = None


@dataclass(frozen=True)
class Storage(_Element):
    """amount_mb in MB; persistence is the text of the file."""

    amount_mb: float = 0.0
    persistence: str = ""


@dataclass(frozen=True)
class ServiceParam:
    name: str
    type: str


@dataclass(frozen=True)
class Service:
    name: str
    importers: tuple[str, ...] = ()
    params: tuple[ServiceParam, ...] = ()
    description: str | None = None
    status: str | None = None


@dataclass(frozen=True)
class Interface(_Element):
    """An attachment of an element to a substrate. TopDL 1.0 lets one interface name several."""

    name: str = ""
    substrates: tuple[str, ...] = ()
    capacity: Capacity | None = None
    latency: Latency | None = None

    @property
    def substrate(self) -> str:
        """The substrate it is attached to (deployable interfaces have exactly one)."""
        return self.substrates[0]


@dataclass(frozen=True)
class Substrate(_Element):
    """A link (two members) or a LAN (more)."""

    name: str = ""
    capacity: Capacity | None = None
    latency: Latency | None = None
    localnames: tuple[str, ...] = ()
    status: str | None = None
    services: tuple[Service, ...] = ()
    operations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Computer(_Element):
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
class OtherElement(_Element):
    """A testbed, segment, region or other element: read, kept and written, never deployed.

    kind    ``testbed``, ``segment``, ``region`` or ``other``
    fields  its scalar children in document order, as (tag, text)
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


@dataclass(frozen=True)
class Fragment(_Element):
    name: str = ""
    substrates: tuple[Substrate, ...] = ()
    elements: tuple[Computer | OtherElement, ...] = ()
    ifmaps: tuple[IfMap, ...] = ()


@dataclass(frozen=True)
class NameMap(_Element):
    pathname: str = ""
    namemaps: tuple[IfMap, ...] = ()


@dataclass(frozen=True)
class Topology(_Element):
    """A whole topology file.

    version  "1.0" or "2.0"
    source   the file as the user named it, for messages; no part of the meaning
    """

    version: str = "1.0"
    substrates: tuple[Substrate, ...] = ()
    elements: tuple[Computer | OtherElement, ...] = ()
    fragments: tuple[Fragment, ...] = ()
    namemaps: tuple[NameMap, ...] = ()
    source: str = field(default="", compare=False)

    @property
    def computers(self) -> tuple[Computer, ...]:
        return tuple(element for element in self.elements if isinstance(element, Computer))

    def attachments(self) -> dict[str, list[tuple[Computer, Interface]]]:
        """Every substrate's members in document order, also of substrates that have none."""
        members: dict[str, list[tuple[Computer, Interface]]] = {s.name: [] for s in self.substrates}
        for computer in self.computers:
            for interface in computer.interfaces:
                for name in interface.substrates:
                    members.setdefault(name, []).append((computer, interface))
        return members
