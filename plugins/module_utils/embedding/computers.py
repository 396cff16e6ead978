# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What planning asks of a computer, and changes about all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from ..errors import Problem
from ..topology.attributes import GHOST, NODE_TYPE, PARTITION, PARTITION_PASS, containers_attribute
from ..topology.model import Computer, Topology
from .kinds import kind_named


def is_partitioned(topology: Topology) -> bool:
    """Whether any computer has a partition of its author's choice."""
    return any(containers_attribute(computer, PARTITION) is not None for computer in topology.computers)


def kind_of(computer: Computer) -> str:
    """Kind of a computer of an annotated topology."""
    return kind_named(containers_attribute(computer, NODE_TYPE) or "") or ""


def partition_of(computer: Computer) -> str | None:
    """Partition of a computer, None when it has none."""
    return containers_attribute(computer, PARTITION)


def pass_of(computer: Computer) -> int:
    """The partition pass a computer asks for, 0 when it asks for none."""
    return int(containers_attribute(computer, PARTITION_PASS) or 0)


def is_ghost(computer: Computer) -> bool:
    """Whether a computer is to have its resources, address and hosts entry, and not to be started (``containers:ghost``)."""
    return (containers_attribute(computer, GHOST) or "").strip().lower() in ("true", "yes", "1")


def map_computers(topology: Topology, change: Callable[[Computer], Computer]) -> Topology:
    """The topology with ``change`` applied to every computer, everything else as it was."""
    elements = tuple(change(element) if isinstance(element, Computer) else element for element in topology.elements)
    return dataclasses.replace(topology, elements=elements)


def problem_of(topology: Topology, computer: Computer, message: str, hint: str = "") -> Problem:
    """A Problem about one computer of ``topology``."""
    return Problem(message, file=topology.source, line=computer.line, element=f"computer {computer.name}", hint=hint)
