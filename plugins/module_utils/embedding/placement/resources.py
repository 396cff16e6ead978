# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory, processors and disk of nodes with a system of their own, from the topology or else from the site's settings. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import InputError, Problem
from ...topology.attributes import CPUS, MEMORY, OPENVZ_DISKSPACE
from ..attribute_values import MOST_CPUS
from ..kinds import OPENVZ, QEMU
from ..node_view import Nodes, NodeView
from ..settings import EmbeddingSettings
from .provisioning import Resources

_LEAST_MEMORY = {QEMU: 128, OPENVZ: 16}  # MiB with which our images boot


def node_resources(nodes: Nodes, settings: EmbeddingSettings, hidden: Iterable[str] = ()) -> dict[str, Resources]:
    """Return {node: its Resources} for every computer of kind qemu or openvz and the virtual machines ``hidden``.

    Memory comes from ``containers:memory`` (MiB, or a number and G or M). Processors come from ``containers:cpus``, for qemu else from the
    computer's ``cpu`` elements. The disk of openvz comes from ``containers:openvz_diskspace`` (a number and G or M; a bare one counts blocks of 1 KiB).
    Raises InputError with a Problem for every node with a value that is none.
    """
    found = {name: _defaults(QEMU, settings) for name in hidden}
    problems = []
    for node in nodes.values():
        if node.kind not in (QEMU, OPENVZ):
            continue
        own = _resources(node, _defaults(node.kind, settings))
        fault = _fault(node, own)
        if fault:
            problems.append(fault)
        else:
            found[node.name] = own
    if problems:
        raise InputError(problems)
    return found


def _defaults(kind: str, settings: EmbeddingSettings) -> Resources:
    if kind == QEMU:
        return Resources(settings.qemu_memory_mb, settings.qemu_cpus, settings.qemu_disk_mb, settings.qemu_cpu)
    return Resources(settings.openvz_memory_mb, settings.openvz_cpus, settings.openvz_disk_mb)


def _fault(node: NodeView, own: Resources) -> Problem | None:
    """Return the first thing that is wrong with what a node is to have."""
    faults = node.faults_of(MEMORY, *((OPENVZ_DISKSPACE,) if node.kind == OPENVZ else ()), CPUS)
    least = _LEAST_MEMORY[node.kind]
    if not node.faults_of(MEMORY) and own.memory_mb and own.memory_mb < least:
        return node.problem(f"{own.memory_mb} MiB of memory are too few for kind {node.kind}", f"at least {least}M")
    return faults[0] if faults else None


def _resources(node: NodeView, site: Resources) -> Resources:
    hardware = min(node.hardware_cpus, MOST_CPUS) if node.kind == QEMU else 0
    disk_mb = node.disk_mb if node.kind == OPENVZ else None
    return Resources(
        memory_mb=site.memory_mb if node.memory_mb is None else node.memory_mb,
        cpus=node.cpus or max(hardware, 0) or site.cpus,
        disk_mb=site.disk_mb if disk_mb is None else disk_mb,
        cpu_model=site.cpu_model,
    )
