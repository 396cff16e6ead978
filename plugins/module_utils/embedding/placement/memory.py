# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory the nodes of a machine need, and how much of it nodes may have: pure, all in MiB.

What a node takes beside what it was given was measured on Debian 12, kernel 6.18; each figure says how.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ...errors import InputError, Problem
from ...hostplan import QEMU_MB
from ...topology.model import Topology
from ..computers import kind_of, problem_of
from ..kinds import OPENVZ, PROCESS, QEMU
from ..nesting import carriers
from ..settings import EmbeddingSettings
from .machines import Machine
from .provisioning import Resources

OPENVZ_MB = 8
"""A system container that has no limit: Debian's init and services take 4.7 (RSS), the rest is for the kernel's side of it."""

PROCESS_MB = 1
"""A process node: 0.2 for its namespaces and one port, 0.45 for a shell in it. What start commands really take nobody knows before."""

GUEST_MB = 128
"""What a virtual machine that carries processes needs for its own system."""

_MOST_GROUPS = 4


@dataclass(frozen=True)
class MemoryNeed:
    """memory_mb: what all nodes of a machine need together; words: what it is made of, for a person."""

    memory_mb: int = 0
    words: str = ""


@dataclass(frozen=True)
class HostMemory:
    """The memory of a machine of the pool.

    total_mb     what it has, as measured or as its inventory says (``pnode_memory_mb``)
    reserve_mb   what stays for the machine itself (setting ``memory_reserve_mb``)
    reserved_mb  what other experiments on it have reserved
    overcommit   how many times what remains is promised to nodes (setting ``memory_overcommit``)
    """

    total_mb: int
    reserve_mb: int = 0
    reserved_mb: int = 0
    overcommit: float = 1.0

    @property
    def nodes_mb(self) -> int:
        """What the nodes of all experiments may have together."""
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
    """What a virtual machine takes that is cloned from a warm template.

    template   which one
    own_mb     MiB for itself, guest and QEMU, and what is kept free for it to grow
    shared_mb  MiB that all clones of the template on a machine have in common
    """

    template: str
    own_mb: int
    shared_mb: int


def memory_need(machine: Machine, topology: Topology, resources: dict[str, Resources], warm: Mapping[str, WarmMemory] | None = None) -> MemoryNeed:
    """What the machine's nodes need: all that a virtual machine was given and its QEMU, the limit of a system container, a little for the others.

    Of a virtual machine in ``warm`` it is what it is known to take, if that is less; not of one that carries processes, whose memory will be used.

    topology   partitioned
    resources  {node: its own}, see resources.node_resources

    Processes inside a virtual machine live on its memory. A ghost's is reserved as if it ran. A physical node needs nothing: it is the machine.
    """
    warm = warm or {}
    kinds = {computer.name: kind_of(computer) for computer in topology.computers}
    carrying, shared, cloned = set(carriers(topology).values()), {}, []
    for name in machine.nodes:
        own = warm.get(name)
        if own and name not in carrying and own.own_mb < sum(_each(QEMU, resources.get(name))[1:]):
            shared[own.template] = own.shared_mb
            cloned.append(name)
    groups = Counter(_each(kinds.get(name, QEMU), resources.get(name)) for name in (*machine.nodes, *machine.hidden) if name not in cloned)
    groups.update(("warm qemu", warm[name].own_mb, 0) for name in cloned)
    groups.update(("template", size, 0) for size in shared.values())
    groups = {group: count for group, count in groups.items() if sum(group[1:])}
    by_size = sorted(groups, key=lambda group: (-sum(group[1:]) * groups[group], group))
    words = [f"{groups[kind, size, more]} {kind} of {size:,}{f' and {more} for each QEMU' if more else ''}" for kind, size, more in by_size[:_MOST_GROUPS]]
    left = sum(groups[group] for group in by_size[_MOST_GROUPS:])
    return MemoryNeed(sum(sum(group[1:]) * count for group, count in groups.items()), ", ".join(words + ([f"{left} more nodes"] if left else [])))


def refuse_cramped_carriers(topology: Topology, resources: dict[str, Resources]) -> None:
    """Raise InputError with a Problem for every virtual machine whose memory cannot hold the processes that it is to carry."""
    computers = {computer.name: computer for computer in topology.computers}
    inside: dict[str, list[str]] = {}
    for process, carrier in carriers(topology).items():
        inside.setdefault(carrier, []).append(process)
    problems = [_cramped(topology, computers, carrier, processes, resources[carrier].memory_mb)
                for carrier, processes in inside.items() if GUEST_MB + PROCESS_MB * len(processes) > resources[carrier].memory_mb]
    if problems:
        raise InputError(problems)


def _each(kind: str, own: Resources | None) -> tuple[str, int, int]:
    """(kind, MiB of one such node, MiB of what runs it)."""
    given = own.memory_mb if own else 0
    if kind == QEMU:
        return kind, given or EmbeddingSettings.qemu_memory_mb, QEMU_MB
    if kind == OPENVZ:
        return kind, given or OPENVZ_MB, 0
    return kind, PROCESS_MB if kind == PROCESS else 0, 0


def _cramped(topology, computers, carrier: str, processes: list[str], memory_mb: int) -> Problem:
    needed = GUEST_MB + PROCESS_MB * len(processes)
    message = f"{memory_mb} MiB of memory are too few to carry {len(processes)} processes"
    if carrier in computers:
        return problem_of(topology, computers[carrier], message, f"containers:memory of at least {needed}M")
    return problem_of(topology, computers[processes[0]], f"its vhost {carrier}: {message}", f"a setting qemu_memory_mb of at least {needed}")
