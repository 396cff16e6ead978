# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory that a machine's nodes need, and the memory that nodes may have. Pure, all in MiB.

The overhead of a node was measured on Debian 12, kernel 6.18. Each constant states its measurement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ...errors import InputError, Problem
from ...hostplan import QEMU_MB
from ..kinds import OPENVZ, PROCESS, QEMU
from ..nesting import carriers
from ..node_view import Nodes
from ..settings import EmbeddingSettings
from .machines import Machine
from .provisioning import Resources

OPENVZ_MB = 8
"""A system container without a limit. Debian's init and services use 4.7 (RSS). The rest is for the kernel's data about it."""

PROCESS_MB = 1
"""A process node: 0.2 for its namespaces and one port, 0.45 for a shell in it. The memory of start commands is unknown beforehand."""

GUEST_MB = 128
"""The system of a virtual machine that carries processes."""

_MOST_GROUPS = 4


@dataclass(frozen=True)
class MemoryNeed:
    """The memory that all nodes of a machine need together. ``parts`` lists what they need it for, for a message."""

    memory_mb: int = 0
    parts: str = ""


@dataclass(frozen=True)
class HostMemory:
    """The memory of a machine of the pool.

    total_mb     in all, as measured or as given in its inventory (``pnode_memory_mb``)
    reserve_mb   for the machine itself (setting ``memory_reserve_mb``)
    reserved_mb  reserved by other experiments on it
    overcommit   how many times the rest is promised to nodes (setting ``memory_overcommit``)
    """

    total_mb: int
    reserve_mb: int = 0
    reserved_mb: int = 0
    overcommit: float = 1.0

    @property
    def nodes_mb(self) -> int:
        """Return the memory that the nodes of all experiments may have together."""
        return max(0, round((self.total_mb - self.reserve_mb) * self.overcommit))

    @property
    def free_mb(self) -> int:
        return max(0, self.nodes_mb - self.reserved_mb)

    def __str__(self) -> str:
        others = f", and {self.reserved_mb:,} for other experiments" if self.reserved_mb else ""
        factor = f", {self.overcommit:g} times" if self.overcommit != 1 else ""
        return f"{self.free_mb:,} MiB for nodes ({self.total_mb:,}, less {self.reserve_mb:,} for itself{factor}{others})"


@dataclass(frozen=True)
class WarmMemory:
    """The memory of a virtual machine that is cloned from a warm template.

    template   which one
    own_mb     MiB for itself: guest, QEMU, and a reserve for its growth
    shared_mb  MiB that all clones of the template on a machine share
    """

    template: str
    own_mb: int
    shared_mb: int


def memory_need(machine: Machine, nodes: Nodes, resources: Mapping[str, Resources], warm: Mapping[str, WarmMemory] | None = None) -> MemoryNeed:
    """Return the memory that the machine's nodes need: what a virtual machine was given and its QEMU, the limit of a system container, a little for others.

    A virtual machine in ``warm`` needs what such a clone is known to take, if that is less. One that carries processes is an exception, since
    its memory will be used.

    nodes      of a partitioned topology
    resources  {node: its own}, see resources.node_resources

    Processes inside a virtual machine live on its memory. A ghost's memory is reserved as if it ran. A physical node needs none: it is the machine.
    """
    warm = warm or {}
    carrying = {nested.vhost for nested in machine.nested}
    shared: dict[str, int] = {}
    cloned = []
    for name in machine.nodes:
        own = warm.get(name)
        if own and name not in carrying and own.own_mb < sum(_each(QEMU, resources.get(name))[1:]):
            shared[own.template] = own.shared_mb
            cloned.append(name)
    cold = [name for name in (*machine.nodes, *machine.hidden) if name not in cloned]
    groups = Counter(_each(nodes[name].kind if name in nodes else QEMU, resources.get(name)) for name in cold)
    groups.update(("warm qemu", warm[name].own_mb, 0) for name in cloned)
    groups.update(("template", size, 0) for size in shared.values())
    by_size = sorted((group for group in groups if sum(group[1:])), key=lambda group: (-sum(group[1:]) * groups[group], group))
    parts = [f"{groups[kind, size, more]} {kind} of {size:,}{f' and {more} for each QEMU' if more else ''}" for kind, size, more in by_size[:_MOST_GROUPS]]
    left = sum(groups[group] for group in by_size[_MOST_GROUPS:])
    return MemoryNeed(sum(sum(group[1:]) * count for group, count in groups.items()), ", ".join(parts + ([f"{left} more nodes"] if left else [])))


def refuse_cramped_carriers(nodes: Nodes, resources: Mapping[str, Resources]) -> None:
    """Raise InputError with a Problem for every virtual machine whose memory is too small for the processes that it carries."""
    inside: dict[str, list[str]] = {}
    for process, carrier in carriers(nodes).items():
        inside.setdefault(carrier, []).append(process)
    problems = [_cramped(nodes, carrier, processes, resources[carrier].memory_mb)
                for carrier, processes in inside.items() if GUEST_MB + PROCESS_MB * len(processes) > resources[carrier].memory_mb]
    if problems:
        raise InputError(problems)


def _each(kind: str, own: Resources | None) -> tuple[str, int, int]:
    """Return (kind, MiB of one such node, MiB of its QEMU)."""
    given = own.memory_mb if own else 0
    if kind == QEMU:
        return kind, given or EmbeddingSettings.qemu_memory_mb, QEMU_MB
    if kind == OPENVZ:
        return kind, given or OPENVZ_MB, 0
    return kind, PROCESS_MB if kind == PROCESS else 0, 0


def _cramped(nodes: Nodes, carrier: str, processes: list[str], memory_mb: int) -> Problem:
    needed = GUEST_MB + PROCESS_MB * len(processes)
    message = f"{memory_mb} MiB of memory are too few to carry {len(processes)} processes"
    if carrier in nodes:
        return nodes[carrier].problem(message, f"containers:memory of at least {needed}M")
    return nodes[processes[0]].problem(f"its vhost {carrier}: {message}", f"a setting qemu_memory_mb of at least {needed}")
