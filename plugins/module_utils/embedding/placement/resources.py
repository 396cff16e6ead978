# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory, processors and disk of nodes with a system of their own: what the topology says, else the site. Pure."""

from __future__ import annotations

import math
import re

from ...errors import InputError
from ...topology.attributes import CPUS, MEMORY, OPENVZ_DISKSPACE, containers_attribute
from ...topology.model import Computer, Topology
from ..computers import kind_of, problem_of
from ..kinds import OPENVZ, QEMU
from .provisioning import Resources

_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*([GM]?)(?:i?B)?", re.IGNORECASE)
_LEAST_MEMORY = {QEMU: 128, OPENVZ: 16}  # MiB with which our images boot
MOST_CPUS = 255


def node_resources(topology: Topology, settings, hidden=()) -> dict[str, Resources]:
    """{node: its Resources} for every computer of kind qemu or openvz and the virtual machines ``hidden``.

    Memory by ``containers:memory`` (MiB, or a number and G or M), processors by ``containers:cpus``, for qemu else by the computer's ``cpu``
    elements; disk of openvz by ``containers:openvz_diskspace`` (a number and G or M; a bare one counts blocks of 1 KiB).
    Raises InputError with a Problem for every value that is none.
    """
    found, problems = {name: _defaults(QEMU, settings) for name in hidden}, []
    for computer in topology.computers:
        kind = kind_of(computer)
        if kind not in (QEMU, OPENVZ):
            continue
        try:
            found[computer.name] = _resources(topology, computer, kind, settings)
        except InputError as exc:
            problems += exc.problems
    if problems:
        raise InputError(problems)
    return found


def is_size(text: str) -> bool:
    """Whether ``text`` is a size of memory or disk: a number, with G or M where it is not in the attribute's own unit."""
    match = _SIZE.fullmatch(text.strip())
    return bool(match) and float(match[1]) > 0


def _defaults(kind: str, settings) -> Resources:
    if kind == QEMU:
        return Resources(settings.qemu_memory_mb, settings.qemu_cpus, settings.qemu_disk_mb)
    return Resources(settings.openvz_memory_mb, settings.openvz_cpus, settings.openvz_disk_mb)


def _resources(topology: Topology, computer: Computer, kind: str, settings) -> Resources:
    site = _defaults(kind, settings)
    memory = _size(topology, computer, MEMORY, 1.0, site.memory_mb)
    if memory and memory < _LEAST_MEMORY[kind]:
        raise InputError(problem_of(topology, computer, f"{memory} MiB of memory are too few for kind {kind}", f"at least {_LEAST_MEMORY[kind]}M"))
    disk = _size(topology, computer, OPENVZ_DISKSPACE, 1 / 1024, site.disk_mb) if kind == OPENVZ else site.disk_mb
    return Resources(memory, _cpus(topology, computer, kind, site.cpus), disk)


def _size(topology, computer, name: str, bare_mb: float, default: int) -> int:
    """MiB of an attribute; ``bare_mb`` is what one stands for without a suffix."""
    text = containers_attribute(computer, name)
    if text is None:
        return default
    match = _SIZE.fullmatch(text.strip())
    if not match or not float(match[1]):
        raise InputError(problem_of(topology, computer, f"containers:{name} {text!r} is not a size", "a number and G or M, like 2G"))
    return max(1, math.ceil(float(match[1]) * {"": bare_mb, "M": 1, "G": 1024}[match[2].upper()]))


def _cpus(topology, computer, kind: str, default: int) -> int:
    text = containers_attribute(computer, CPUS)
    if text is None:
        counted = sum(cpu.count for cpu in computer.cpus) if kind == QEMU else 0
        return min(counted, MOST_CPUS) if counted > 0 else default
    if not re.fullmatch("[0-9]{1,3}", text.strip()) or not 1 <= int(text) <= MOST_CPUS:
        raise InputError(problem_of(topology, computer, f"containers:{CPUS} {text!r} is not a number of processors", f"1 to {MOST_CPUS}"))
    return int(text)
