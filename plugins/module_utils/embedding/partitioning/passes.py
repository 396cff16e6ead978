# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passes: which vnodes are partitioned together, by what rule, and on which types of machine.

Source: DETER's Containers guide and reference. A computer's pass is its attribute ``containers:PartitionPass``. Options by pass win
over those for all passes. A number of parts wins over a packing: ``pass_size``, ``size``, ``pass_pack``, ``packing``.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import InputError, Problem
from ...topology.attributes import PARTITION_PASS
from ...topology.model import Topology
from ..computers import with_values
from ..kinds import KINDS, OPENVZ
from ..node_view import Nodes
from ..placement.machines import Machine
from ..settings import BY_PASS, EmbeddingSettings


@dataclass(frozen=True)
class PassRule:
    """The rule by which the vnodes of a pass are divided.

    parts    into exactly so many parts of equal size, 0 for as few as ``packing`` allows
    packing  the most vnodes in a part
    even     whether parts are of equal size, that is, differ by one vnode at most
    """

    parts: int
    packing: int
    even: bool


def rule_of(number: int, settings: EmbeddingSettings) -> PassRule:
    """Return the rule for the pass of that number."""
    name = str(number)
    parts = settings.pass_size.get(name, settings.size)
    even = bool(parts) or settings.nodes_only or number in settings.pass_nodes_only
    return PassRule(parts, settings.pass_pack.get(name, settings.packing), even)


def types_of(number: int, settings: EmbeddingSettings) -> tuple[str, ...]:
    """Return the types of machine for the pass of that number, () for any."""
    return tuple(settings.pass_pnodes.get(str(number), settings.pnode_types))


def refuse_wrong_passes(nodes: Nodes) -> None:
    """Raise InputError with a Problem for each PartitionPass that is not a number."""
    problems = [problem for node in nodes.values() for problem in node.faults_of(PARTITION_PASS)]
    if problems:
        raise InputError(problems)


def with_original_passes(topology: Topology, nodes: Nodes) -> Topology:
    """Return the topology with the original's passes where its author chose none: 0 for openvz, 1 for the other vnodes."""
    if any(node.partition_pass is not None for node in nodes.values()):
        return topology
    return with_values(topology, PARTITION_PASS, [None if KINDS[node.kind].own_machine else "0" if node.kind == OPENVZ else "1" for node in nodes.values()])


def missing_passes(nodes: Nodes) -> list[Problem]:
    """Return a warning for each vnode without a pass where others have one."""
    without = [node for node in nodes.values() if node.partition_pass is None]
    if len(without) == len(nodes):
        return []
    return [node.problem("has no PartitionPass, while others have one: taken as 0") for node in without if not KINDS[node.kind].own_machine]


def unused_passes(nodes: Nodes, settings: EmbeddingSettings) -> list[Problem]:
    """Return a warning for each option that names passes no node is in, which is likely a slip of the pen."""
    there = {node.pass_number for node in nodes.values()}
    problems = []
    for name in BY_PASS:
        unused = sorted({int(number) for number in getattr(settings, name)} - there)
        if unused:
            known = f"the nodes are in {_passes(sorted(there))}" if there else ""
            problems.append(Problem(f"names {_passes(unused)}, which no node is in", element=f"setting {name}", hint=known))
    return problems


def idle_options(settings: EmbeddingSettings) -> list[Problem]:
    """Return a warning for each option that divides passes, given for a topology that its author has partitioned."""
    return [Problem("has no effect: the topology is partitioned by its author", element=f"setting {name}", hint="force_partition gives that up")
            for name in ("size", "pass_pack", "pass_size", "pass_nodes_only") if getattr(settings, name)]


def machine_types(carrying: tuple[Machine, ...], nodes: Nodes, settings: EmbeddingSettings) -> dict[str, tuple[str, ...]]:
    """Return {pnode: the types of machine that all passes of its nodes allow, () for any}.

    Raises InputError where no type is allowed by all of them, which only partitions of an author's own choice bring about.
    """
    found: dict[str, tuple[str, ...]] = {}
    problems = []
    for machine in carrying:
        numbers = sorted({nodes[node].pass_number for node in machine.all_nodes})
        lists = [types for types in (types_of(number, settings) for number in numbers) if types]
        found[machine.vhost] = tuple(name for name in lists[0] if all(name in types for types in lists)) if lists else ()
        if lists and not found[machine.vhost]:
            asked = "; ".join(f"pass {number}: {', '.join(types_of(number, settings)) or 'any'}" for number in numbers)
            problems.append(Problem(f"no type of machine is allowed by all passes of its nodes ({asked})", nodes[machine.all_nodes[0]].source,
                                    element=f"partition {machine.partition}", hint="other partitions, or another pass_pnodes"))
    if problems:
        raise InputError(problems)
    return found


def _passes(numbers: list[int]) -> str:
    return f"{'pass' if len(numbers) == 1 else 'passes'} {', '.join(str(number) for number in numbers)}"
