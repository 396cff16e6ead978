# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passes: which vnodes are partitioned together, by what rule, and on which types of machine.

Source: DETER's Containers guide and reference. A computer's pass is its attribute ``containers:PartitionPass``. Options by pass win over
those for all passes, and a number of parts over a packing: ``pass_size``, ``size``, ``pass_pack``, ``packing``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...errors import InputError, Problem
from ...topology.attributes import PARTITION_PASS, containers_attribute, with_containers_attribute
from ...topology.model import Topology
from ..computers import kind_of, map_computers, pass_of, problem_of
from ..kinds import KINDS, OPENVZ
from ..placement.machines import Machine
from ..settings import BY_PASS, EmbeddingSettings

_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class PassRule:
    """How the vnodes of a pass are divided.

    parts    into exactly so many parts of equal size, 0 for as few as ``packing`` allows
    packing  the most vnodes in a part
    even     whether parts are of equal size, that is, differ by one vnode at most
    """

    parts: int
    packing: int
    even: bool


def rule_of(number: int, settings: EmbeddingSettings) -> PassRule:
    """The rule for the pass of that number."""
    name = str(number)
    parts = settings.pass_size.get(name, settings.size)
    even = bool(parts) or settings.nodes_only or number in settings.pass_nodes_only
    return PassRule(parts, settings.pass_pack.get(name, settings.packing), even)


def types_of(number: int, settings: EmbeddingSettings) -> tuple[str, ...]:
    """The types of machine for the pass of that number, () for any."""
    return tuple(settings.pass_pnodes.get(str(number), settings.pnode_types))


def is_pass(text: str) -> bool:
    """Whether ``text`` may be a PartitionPass."""
    return bool(_NUMBER.fullmatch(text))


def refuse_wrong_passes(topology: Topology) -> None:
    """Raise InputError with a Problem for each PartitionPass that is not a number."""
    problems = []
    for computer in topology.computers:
        text = containers_attribute(computer, PARTITION_PASS)
        if text and not is_pass(text):
            problems.append(problem_of(topology, computer, f"PartitionPass {text!r} is not a number", "0 to 999999999"))
    if problems:
        raise InputError(problems)


def with_original_passes(topology: Topology) -> Topology:
    """The topology with the original's passes where its author chose none: 0 for openvz, 1 for the other vnodes."""
    if any(containers_attribute(computer, PARTITION_PASS) for computer in topology.computers):
        return topology

    def numbered(computer):
        own_machine = KINDS[kind_of(computer)].own_machine
        return computer if own_machine else with_containers_attribute(computer, PARTITION_PASS, "0" if kind_of(computer) == OPENVZ else "1")

    return map_computers(topology, numbered)


def missing_passes(topology: Topology) -> list[Problem]:
    """A warning for each vnode without a pass where others have one."""
    without = [computer for computer in topology.computers if not containers_attribute(computer, PARTITION_PASS)]
    if len(without) == len(topology.computers):
        return []
    return [problem_of(topology, computer, "has no PartitionPass, while others have one: taken as 0")
            for computer in without if not KINDS[kind_of(computer)].own_machine]


def unused_passes(topology: Topology, settings: EmbeddingSettings) -> list[Problem]:
    """A warning for each option that names passes no node is in: likely a slip of the pen."""
    there = {pass_of(computer) for computer in topology.computers}
    problems = []
    for name in BY_PASS:
        unused = sorted({int(number) for number in getattr(settings, name)} - there)
        if unused:
            known = f"the nodes are in {_passes(sorted(there))}" if there else ""
            problems.append(Problem(f"names {_passes(unused)}, which no node is in", element=f"setting {name}", hint=known))
    return problems


def idle_options(settings: EmbeddingSettings) -> list[Problem]:
    """A warning for each option that divides passes, given for a topology that its author has partitioned."""
    return [Problem("has no effect: the topology is partitioned by its author", element=f"setting {name}", hint="force_partition gives that up")
            for name in ("size", "pass_pack", "pass_size", "pass_nodes_only") if getattr(settings, name)]


def machine_types(carrying: tuple[Machine, ...], topology: Topology, settings: EmbeddingSettings) -> dict[str, tuple[str, ...]]:
    """{pnode: the types of machine that all passes of its nodes allow, () for any}.

    Raises InputError where no type is allowed by all of them, which only partitions of an author's own choice bring about.
    """
    passes = {computer.name: pass_of(computer) for computer in topology.computers}
    found, problems = {}, []
    for machine in carrying:
        numbers = sorted({passes[node] for node in machine.all_nodes})
        lists = [types for types in (types_of(number, settings) for number in numbers) if types]
        found[machine.vhost] = tuple(name for name in lists[0] if all(name in types for types in lists)) if lists else ()
        if lists and not found[machine.vhost]:
            asked = "; ".join(f"pass {number}: {', '.join(types_of(number, settings)) or 'any'}" for number in numbers)
            problems.append(Problem(f"no type of machine is allowed by all passes of its nodes ({asked})", topology.source,
                                    element=f"partition {machine.partition}", hint="other partitions, or another pass_pnodes"))
    if problems:
        raise InputError(problems)
    return found


def _passes(numbers: list[int]) -> str:
    return f"{'pass' if len(numbers) == 1 else 'passes'} {', '.join(str(number) for number in numbers)}"
