# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes inside virtual machines: ``containers:vhost`` of a process names the qemu that carries it.

That is a qemu computer of the vtopo, or, where there is no computer of that name, a *hidden* virtual machine: one of
the ptopo alone, made for its processes on their partition (spec/semantics.md §6, the seeds' third realisation).
"""

from __future__ import annotations

import re

from ..errors import Problem
from ..names import NODE_RULE, is_node_name
from ..topology.attributes import VHOST, containers_attribute
from ..topology.model import Topology
from .computers import kind_of, partition_of, problem_of
from .kinds import KINDS, PROCESS, QEMU

_PNODE = re.compile(r"pnode-[0-9]+")


def carriers(topology: Topology) -> dict[str, str]:
    """{process: the virtual machine that carries it}, in document order, of an annotated topology.

    A process whose carrier is realised as a kind that carries nothing is not in it: it runs on the pnode itself.
    """
    kinds = {computer.name: kind_of(computer) for computer in topology.computers}
    found = {}
    for computer in topology.computers:
        vhost = containers_attribute(computer, VHOST)
        if vhost and kinds[computer.name] == PROCESS and KINDS[kinds.get(vhost, QEMU)].carries:
            found[computer.name] = vhost
    return found


def hidden_carriers(topology: Topology) -> dict[str, list[str]]:
    """{hidden virtual machine: its processes}, both in document order."""
    computers = {computer.name for computer in topology.computers}
    found: dict[str, list[str]] = {}
    for process, vhost in carriers(topology).items():
        if vhost not in computers:
            found.setdefault(vhost, []).append(process)
    return found


def made_carriers(topology: Topology) -> list[Problem]:
    """A warning for each hidden virtual machine: a name that was mistyped makes one, too."""
    lines = {computer.name: computer.line for computer in topology.computers}
    return [
        Problem(f"there is no computer {vhost}: a virtual machine of that name is made to carry {', '.join(processes)}", topology.source, lines[processes[0]],
                f"computer {processes[0]}")
        for vhost, processes in hidden_carriers(topology).items()
    ]


def shared_partition(topology: Topology) -> dict[str, str]:
    """{carrier: its partition} where it has one: the computer's own, or that of any process of a hidden one."""
    found = {computer.name: partition_of(computer) for computer in topology.computers}
    for vhost, processes in hidden_carriers(topology).items():
        found[vhost] = next((found[process] for process in processes if found[process] is not None), None)
    return {name: partition for name, partition in found.items() if partition is not None}


def wrong_carriers(topology: Topology) -> list[Problem]:
    """What is wrong with the vhosts that processes name."""
    computers = {computer.name: computer for computer in topology.computers}
    can_carry = ", ".join(kind.name for kind in KINDS.values() if kind.carries)
    partitions = shared_partition(topology)
    problems = []
    for computer in topology.computers:
        vhost = containers_attribute(computer, VHOST)
        if vhost is None:
            continue

        def wrong(message, hint="", computer=computer):
            problems.append(problem_of(topology, computer, message, hint))

        carrier = computers.get(vhost)
        if kind_of(computer) != PROCESS:
            wrong(f"only a process has a vhost, not {kind_of(computer)}")
        elif carrier is None and (not is_node_name(vhost) or _PNODE.fullmatch(vhost)):
            wrong(f"its vhost {vhost!r} is no computer, and no name for a virtual machine to be made", NODE_RULE)
        elif carrier is not None and not KINDS[kind_of(carrier)].carries:
            wrong(f"its vhost {vhost} is of kind {kind_of(carrier)}, which carries no processes", f"a vhost is {can_carry}")
        elif partition_of(computer) not in (None, partitions.get(vhost)):
            wrong(f"its partition {partition_of(computer)} is not that of its vhost {vhost}")
    return problems
