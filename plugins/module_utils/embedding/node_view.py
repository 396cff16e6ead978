# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What planning knows of a node: the attributes of a computer, parsed once.

The rest of ``embedding`` takes these views and reads no attribute of a computer itself. A value that cannot be parsed becomes a Problem in
the view. Whether it matters is decided where the value is used: the memory of a process, for example, is never asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import InputError, Problem
from ..names import safe_partition
from ..topology.attributes import (
    CPUS,
    GHOST,
    IMAGE,
    MAVERICK_URL,
    MEMORY,
    NODE_TYPE,
    OPENVZ_DISKSPACE,
    OPENVZ_TEMPLATE,
    PARTITION,
    PARTITION_PASS,
    QEMU_ARCH,
    QEMU_URL,
    ROUTE,
    STARTUP,
    VHOST,
    containers_attributes,
    is_true,
)
from ..topology.model import Computer, OperatingSystem, Topology
from .attribute_values import (
    ImageUrl,
    parse_cpus,
    parse_disk_mb,
    parse_image_url,
    parse_kind,
    parse_memory_mb,
    parse_pass,
    parse_routes,
    routing_protocol,
)


@dataclass(frozen=True)
class NodeView:
    """A computer of the vtopo as planning sees it. None, () and "" mean that the topology does not say.

    source, line       where the computer stands
    kind               a name of ``kinds.KINDS``, "" when it has none or an unknown one
    partition          identifier of its partition
    partition_pass     number of the pass that it asks for
    carrier            the virtual machine that is to carry it (``containers:vhost``)
    ghost              whether it gets resources, addresses and a hosts entry, but is never started
    memory_mb          MiB
    cpus               processors (``containers:cpus``)
    hardware_cpus      processors by its ``cpu`` elements, 0 without any
    disk_mb            MiB (``containers:openvz_diskspace``)
    image              name of its image (``containers:image``)
    image_url          where its image is (``containers:qemu_url``)
    architecture       of the image at that URL
    template           DETER's name of its image (``containers:openvz_template``)
    operating_systems  what its operating systems may be called, best first
    protocol           its routing protocol, as spelled
    routes             the words of each route that its author gave it
    start_command      what it runs after it has booted
    faults             (attribute, what is wrong with its value) of values that cannot be parsed
    """

    name: str
    source: str = ""
    line: int = 0
    kind: str = ""
    partition: str | None = None
    partition_pass: int | None = None
    carrier: str | None = None
    ghost: bool = False
    memory_mb: int | None = None
    cpus: int | None = None
    hardware_cpus: int = 0
    disk_mb: int | None = None
    image: str = ""
    image_url: ImageUrl | None = None
    architecture: str = ""
    template: str = ""
    operating_systems: tuple[str, ...] = ()
    protocol: str = ""
    routes: tuple[tuple[str, ...], ...] = ()
    start_command: str = ""
    faults: tuple[tuple[str, Problem], ...] = ()

    @property
    def pass_number(self) -> int:
        """The number of its pass; nodes that ask for none are in pass 0."""
        return self.partition_pass or 0

    def problem(self, message: str, hint: str = "") -> Problem:
        """Return a Problem about this node."""
        return Problem(message, self.source, self.line, f"computer {self.name}", hint)

    def faults_of(self, *attributes: str) -> list[Problem]:
        """Return what is wrong with the values of these attributes, in their order."""
        return [problem for attribute in attributes for name, problem in self.faults if name == attribute]


Nodes = Mapping[str, NodeView]
"""{computer: its view}, in document order."""


def read_nodes(topology: Topology) -> dict[str, NodeView]:
    """Return the view of every computer, by its name."""
    return {view.name: view for view in node_views(topology)}


def node_views(topology: Topology) -> list[NodeView]:
    """Return the view of every computer, in document order. Names may repeat in a topology that has not been checked."""
    return [_view(computer, topology.source) for computer in topology.computers]


def is_partitioned(views: Iterable[NodeView]) -> bool:
    """Return whether any computer has a partition of its author's choice."""
    return any(view.partition is not None for view in views)


_PARSED: dict[str, tuple[str, Callable[[str], Any]]] = {
    NODE_TYPE: ("kind", parse_kind),
    PARTITION_PASS: ("partition_pass", parse_pass),
    VHOST: ("carrier", str),
    GHOST: ("ghost", is_true),
    MEMORY: ("memory_mb", parse_memory_mb),
    CPUS: ("cpus", parse_cpus),
    OPENVZ_DISKSPACE: ("disk_mb", parse_disk_mb),
    IMAGE: ("image", str),
    QEMU_URL: ("image_url", parse_image_url),
    QEMU_ARCH: ("architecture", str),
    OPENVZ_TEMPLATE: ("template", str),
    ROUTE: ("routes", parse_routes),
}
"""{containers attribute: (field of the view, what parses its value)}."""


def _view(computer: Computer, source: str) -> NodeView:
    values = containers_attributes(computer)
    values[QEMU_URL] = values.get(QEMU_URL) or values.get(MAVERICK_URL) or ""
    fields: dict[str, Any] = {}
    faults: list[tuple[str, Problem]] = []

    def note(attribute: str, problem: Problem) -> None:
        faults.append((attribute, replace(problem, file=source, line=computer.line, element=f"computer {computer.name}")))

    for attribute, text in values.items():
        if attribute not in _PARSED:
            continue
        field, parse = _PARSED[attribute]
        try:
            fields[field] = parse(text)
        except InputError as exc:
            note(attribute, exc.problems[0])
    partition = values.get(PARTITION)
    if partition is not None and not safe_partition(partition):  # it is kept: pictures and inventories of unchecked files show it
        note(PARTITION, Problem(f"partition {partition!r} is not a word", hint="letters, digits, '_', '.' or '-', at most 64"))
    return NodeView(
        name=computer.name,
        source=source,
        line=computer.line,
        partition=partition,
        hardware_cpus=sum(cpu.count for cpu in computer.cpus),
        operating_systems=tuple(name for system in computer.operating_systems for name in _names_of(system)),
        protocol=routing_protocol(computer),
        start_command=computer.attribute(STARTUP) or "",
        faults=tuple(faults),
        **fields,
    )


def _names_of(system: OperatingSystem) -> list[str]:
    """Return what an operating system may be called, best first."""
    versions = ((system.distribution, system.distributionversion), (system.name, system.version))
    names = [system.attribute("osid") or "", *(f"{name}-{version}" if version else name for name, version in versions if name)]
    return [name.strip() for name in names if name.strip()]
