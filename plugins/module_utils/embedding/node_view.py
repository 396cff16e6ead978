# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What planning knows of a node: the ``containers:`` attributes of a computer, parsed once.

The rest of ``embedding`` takes these views and reads no attribute of a computer itself. A value that cannot be parsed becomes a Problem in
the view. Whether it matters is decided where the value is used: the memory of a process, for example, is never asked for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import Problem
from ..names import safe_partition
from ..topology.attributes import (
    CPUS,
    GHOST,
    MEMORY,
    NODE_TYPE,
    OPENVZ_DISKSPACE,
    PARTITION,
    PARTITION_PASS,
    STARTUP,
    VHOST,
    containers_attributes,
    is_true,
)
from ..topology.model import Computer, Topology
from .kinds import ALLOWED, kind_named

MOST_CPUS = 255
_PASS = re.compile(r"[0-9]{1,9}")
_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*([GM]?)(?:i?B)?", re.IGNORECASE)
_CPUS = re.compile(r"[0-9]{1,3}")


@dataclass(frozen=True)
class NodeView:
    """A computer of the vtopo as planning sees it. None and "" mean that the topology does not say.

    source, line    where the computer stands
    kind            a name of ``kinds.KINDS``, "" when it has none or an unknown one
    partition       identifier of its partition
    partition_pass  number of the pass that it asks for
    carrier         the virtual machine that is to carry it (``containers:vhost``)
    ghost           whether it gets resources, addresses and a hosts entry, but is never started
    memory_mb       MiB
    cpus            processors (``containers:cpus``)
    hardware_cpus   processors by its ``cpu`` elements, 0 without any
    disk_mb         MiB (``containers:openvz_diskspace``)
    start_command   what it runs after it has booted
    faults          (attribute, what is wrong with its value) of values that cannot be parsed
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


def is_pass(text: str) -> bool:
    """Return whether ``text`` is a number of a pass."""
    return bool(_PASS.fullmatch(text))


def is_size(text: str) -> bool:
    """Return whether ``text`` is a size of memory or disk: a number, and G or M where it is not in the attribute's own unit."""
    return size_mb(text, 1) is not None


def size_mb(text: str, bare_mb: float) -> int | None:
    """Return a size in MiB, rounded up; None when ``text`` is none. A number without a suffix counts units of ``bare_mb`` MiB."""
    match = _SIZE.fullmatch(text.strip())
    if not match or not float(match[1]):
        return None
    return max(1, math.ceil(float(match[1]) * {"": bare_mb, "M": 1, "G": 1024}[match[2].upper()]))


def _cpus(text: str) -> int | None:
    number = int(text) if _CPUS.fullmatch(text.strip()) else 0
    return number if 1 <= number <= MOST_CPUS else None


@dataclass(frozen=True)
class _Parser:
    """How the value of an attribute becomes a field of a view.

    parse    returns None for a value that it does not accept
    message  what is then wrong; {} stands for the value
    hint     what would be right
    """

    field: str
    parse: Callable[[str], Any]
    message: str
    hint: str


_SIZE_HINT = "a number and G or M, like 2G"
_PARSERS = {
    NODE_TYPE: _Parser("kind", kind_named, "unknown node_type {}", ALLOWED),
    PARTITION_PASS: _Parser("partition_pass", lambda text: int(text) if is_pass(text) else None, "PartitionPass {} is not a number", "0 to 999999999"),
    MEMORY: _Parser("memory_mb", lambda text: size_mb(text, 1), "containers:memory {} is not a size", _SIZE_HINT),
    CPUS: _Parser("cpus", _cpus, "containers:cpus {} is not a number of processors", f"1 to {MOST_CPUS}"),
    OPENVZ_DISKSPACE: _Parser("disk_mb", lambda text: size_mb(text, 1 / 1024), "containers:openvz_diskspace {} is not a size", _SIZE_HINT),
}
_PARTITION_HINT = "letters, digits, '_', '.' or '-', at most 64"
_EMPTY_IS_NONE = (PARTITION_PASS,)


def _view(computer: Computer, source: str) -> NodeView:
    values = containers_attributes(computer)
    fields: dict[str, Any] = {}
    faults: list[tuple[str, Problem]] = []

    def fault(attribute: str, message: str, hint: str) -> None:
        faults.append((attribute, Problem(message, source, computer.line, f"computer {computer.name}", hint)))

    for attribute, text in values.items():
        parser = _PARSERS.get(attribute)
        if parser is None or (not text and attribute in _EMPTY_IS_NONE):
            continue
        value = parser.parse(text)
        if value is None:
            fault(attribute, parser.message.format(repr(text)), parser.hint)
        else:
            fields[parser.field] = value
    partition = values.get(PARTITION)
    if partition is not None and not safe_partition(partition):
        fault(PARTITION, f"partition {partition!r} is not a word", _PARTITION_HINT)
    return NodeView(
        name=computer.name,
        source=source,
        line=computer.line,
        partition=partition,
        carrier=values.get(VHOST),
        ghost=is_true(values.get(GHOST)),
        hardware_cpus=sum(cpu.count for cpu in computer.cpus),
        start_command=computer.attribute(STARTUP) or "",
        faults=tuple(faults),
        **fields,
    )
