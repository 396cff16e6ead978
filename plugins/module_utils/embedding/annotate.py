# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which kind every computer is, and whether its author has partitioned the topology already.

Source of the rules: design §5.14, spec/semantics.md §8. Two steps: ``annotate`` says what was asked
for (annotated.xml), ``realise`` what it is made as (``kind_map``; partitioned.xml).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from ..errors import InputError, Problem
from ..names import safe_partition
from ..topology.attributes import NODE_TYPE, PARTITION, VHOST, containers_attribute, with_containers_attribute
from ..topology.model import Computer, Topology
from .kinds import ALLOWED, EMBEDDED_PNODE, KINDS, PROCESS, kind_named
from .settings import EmbeddingSettings, mapped_kinds


def annotate(topology: Topology, settings: EmbeddingSettings) -> Topology:
    """The topology with a valid ``node_type`` on every computer, carried processes with their carrier's partition.

    A topology in which any computer has a partition is partitioned: there a computer with neither
    partition nor kind is physical, and one with another kind but no partition is an error.

    Raises InputError with every unknown kind, impossible partition and impossible vhost.
    """
    problems = _wrong_words(topology)
    if problems:
        raise InputError(problems)
    partitioned = is_partitioned(topology)
    default = kind_named(settings.default_container)
    annotated = map_computers(topology, lambda computer: _with_kind(computer, default, partitioned))
    problems = _wrong_vhosts(annotated)
    if not problems:
        annotated = _inherit_partitions(annotated)
        problems = [*_missing_partitions(annotated)] if partitioned else []
    if problems:
        raise InputError(problems)
    return annotated


def realise(annotated: Topology, settings: EmbeddingSettings) -> Topology:
    """The annotated topology with ``kind_map`` applied once to every computer's kind."""
    mapped = mapped_kinds(settings)
    if all(asked == realised for asked, realised in mapped.items()):
        return annotated
    return map_computers(annotated, lambda computer: _with_node_type(computer, mapped[kind_of(computer)]))


def is_partitioned(topology: Topology) -> bool:
    """Whether any computer has a partition of its author's choice."""
    return any(containers_attribute(computer, PARTITION) is not None for computer in topology.computers)


def kind_of(computer: Computer) -> str:
    """Kind of a computer of an annotated topology."""
    return kind_named(containers_attribute(computer, NODE_TYPE) or "") or ""


def partition_of(computer: Computer) -> str | None:
    """Partition of a computer, None when it has none."""
    return containers_attribute(computer, PARTITION)


def carriers(topology: Topology) -> dict[str, str]:
    """{process: the vnode that carries it} of an annotated topology, where that vnode's kind can carry processes."""
    kinds = {computer.name: kind_of(computer) for computer in topology.computers}
    found = {}
    for computer in topology.computers:
        vhost = containers_attribute(computer, VHOST)
        if vhost and kinds[computer.name] == PROCESS and KINDS[kinds[vhost]].carries:
            found[computer.name] = vhost
    return found


def check_realised(topology: Topology) -> None:
    """Raise InputError naming every computer whose kind swap-in cannot make in this version."""
    can = ", ".join(kind.name for kind in KINDS.values() if kind.realised)
    problems = []
    for computer in topology.computers:
        kind = kind_of(computer)
        if kind not in KINDS or not KINDS[kind].realised:
            hint = f"this version swaps in: {can}; kind_map realises kinds as others, for example {kind or 'qemu'}=process"
            problems.append(problem_of(topology, computer, f"kind {kind or 'unknown'} cannot be swapped in yet", hint))
    if problems:
        raise InputError(problems)


def map_computers(topology: Topology, change: Callable[[Computer], Computer]) -> Topology:
    """The topology with ``change`` applied to every computer, everything else as it was."""
    elements = tuple(change(element) if isinstance(element, Computer) else element for element in topology.elements)
    return dataclasses.replace(topology, elements=elements)


def problem_of(topology: Topology, computer: Computer, message: str, hint: str = "") -> Problem:
    """A Problem about one computer of ``topology``."""
    return Problem(message, file=topology.source, line=computer.line, element=f"computer {computer.name}", hint=hint)


def _wrong_words(topology):
    problems = []
    for computer in topology.computers:
        kind = containers_attribute(computer, NODE_TYPE)
        if kind is not None and kind_named(kind) is None:
            problems.append(problem_of(topology, computer, f"unknown node_type {kind!r}", ALLOWED))
        partition = partition_of(computer)
        if partition is not None and not safe_partition(partition):
            problems.append(problem_of(topology, computer, f"partition {partition!r} is not a word", "letters, digits, '_', '.' or '-', at most 64"))
    return problems


def _with_kind(computer, default, partitioned):
    asked = containers_attribute(computer, NODE_TYPE)
    if asked is not None:
        return _with_node_type(computer, kind_named(asked))
    physical = partitioned and partition_of(computer) is None and containers_attribute(computer, VHOST) is None
    if containers_attribute(computer, VHOST) is not None:
        return _with_node_type(computer, PROCESS)
    return _with_node_type(computer, EMBEDDED_PNODE if physical else default)


def _with_node_type(computer, kind):
    if containers_attribute(computer, NODE_TYPE) == kind:
        return computer
    return with_containers_attribute(computer, NODE_TYPE, kind)


def _wrong_vhosts(topology):
    computers = {computer.name: computer for computer in topology.computers}
    can_carry = ", ".join(kind.name for kind in KINDS.values() if kind.carries)
    problems = []
    for computer in topology.computers:
        vhost = containers_attribute(computer, VHOST)
        if vhost is None:
            continue
        carrier = computers.get(vhost)
        if carrier is None:
            problems.append(problem_of(topology, computer, f"there is no computer {vhost} to be its vhost"))
        elif kind_of(computer) != PROCESS:
            problems.append(problem_of(topology, computer, f"only a process has a vhost, not {kind_of(computer)}"))
        elif not KINDS[kind_of(carrier)].carries:
            problems.append(
                problem_of(topology, computer, f"its vhost {vhost} is of kind {kind_of(carrier)}, which carries no processes", f"a vhost is {can_carry}")
            )
        elif partition_of(computer) not in (None, partition_of(carrier)):
            problems.append(problem_of(topology, computer, f"its partition {partition_of(computer)} is not that of its vhost {vhost}"))
    return problems


def _inherit_partitions(topology):
    partitions = {computer.name: partition_of(computer) for computer in topology.computers}
    carried = carriers(topology)

    def with_partition(computer):
        inherited = partitions[carried[computer.name]] if computer.name in carried else None
        return with_containers_attribute(computer, PARTITION, inherited) if inherited is not None else computer

    return map_computers(topology, with_partition)


def _missing_partitions(topology):
    for computer in topology.computers:
        kind = kind_of(computer)
        if partition_of(computer) is None and not KINDS[kind].own_machine:
            yield problem_of(
                topology, computer, f"has kind {kind} but no partition, while others have one", "give it a partition, or remove its kind to make it physical"
            )
