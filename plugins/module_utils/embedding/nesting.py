# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes inside virtual machines: ``containers:vhost`` of a process names the virtual machine that carries it, its carrier.

The carrier is a qemu computer of the vtopo. Where no computer has that name, it is a *hidden* virtual machine: one of the ptopo alone, made
for its processes on their partition (spec/semantics.md §6, the seeds' third realisation).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import Problem
from ..names import NODE_RULE, is_node_name
from .kinds import KINDS, PROCESS, QEMU
from .node_view import Nodes, NodeView

_PNODE = re.compile(r"pnode-[0-9]+")


def carriers(nodes: Nodes) -> dict[str, str]:
    """Return {process: the virtual machine that carries it}, in document order, of an annotated topology.

    A process whose carrier is realised as a kind that carries nothing is not in it: it runs on the pnode itself.
    """
    return {
        node.name: node.carrier for node in nodes.values()
        if node.carrier and node.kind == PROCESS and KINDS[nodes[node.carrier].kind if node.carrier in nodes else QEMU].carries
    }


def hidden_carriers(nodes: Nodes) -> dict[str, list[str]]:
    """Return {hidden virtual machine: its processes}, both in document order."""
    found: dict[str, list[str]] = {}
    for process, carrier in carriers(nodes).items():
        if carrier not in nodes:
            found.setdefault(carrier, []).append(process)
    return found


def made_carriers(nodes: Nodes) -> list[Problem]:
    """Return a warning for each hidden virtual machine, because a mistyped name makes one, too."""
    return [
        nodes[processes[0]].problem(f"there is no computer {carrier}: a virtual machine of that name is made to carry {', '.join(processes)}")
        for carrier, processes in hidden_carriers(nodes).items()
    ]


def carrier_partitions(nodes: Nodes) -> dict[str, str]:
    """Return {node: its partition} of every node that has one. A hidden virtual machine has that of any of its processes."""
    found = {node.name: node.partition for node in nodes.values()}
    for carrier, processes in hidden_carriers(nodes).items():
        found[carrier] = next((found[process] for process in processes if found[process] is not None), None)
    return {name: partition for name, partition in found.items() if partition is not None}


def wrong_carriers(views: Sequence[NodeView]) -> list[Problem]:
    """Return what is wrong with the carriers that nodes name."""
    nodes = {view.name: view for view in views}
    partitions = carrier_partitions(nodes)
    found = ((view, _carrier_fault(view, nodes, partitions)) for view in views if view.carrier is not None)
    return [view.problem(*fault) for view, fault in found if fault]


def _carrier_fault(node: NodeView, nodes: Nodes, partitions: dict[str, str]) -> tuple[str, str] | None:
    """Return (what is wrong with the carrier of a node, what would be right); None for nothing."""
    vhost = node.carrier or ""
    carrier = nodes.get(vhost)
    if node.kind != PROCESS:
        return f"only a process has a vhost, not {node.kind}", ""
    if carrier is None and (not is_node_name(vhost) or _PNODE.fullmatch(vhost)):
        return f"its vhost {vhost!r} is no computer, and no name for a virtual machine to be made", NODE_RULE
    if carrier is not None and not KINDS[carrier.kind].carries:
        able = ", ".join(kind.name for kind in KINDS.values() if kind.carries)
        return f"its vhost {vhost} is of kind {carrier.kind}, which carries no processes", f"a vhost is {able}"
    if node.partition not in (None, partitions.get(vhost)):
        return f"its partition {node.partition} is not that of its vhost {vhost}", ""
    return None
