# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the machines that carry the nodes of a swapped-in experiment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..embedding.kinds import EMBEDDED_PNODE
from ..errors import ExperimentError
from ..experiment.access import reach, with_login
from ..experiment.directory import ACTIVE, ExperimentDirectory
from .lent import read_allocation, read_plans

_MOST_NAMES = 10


@dataclass(frozen=True)
class Carrier:
    """A machine with some of an experiment's nodes.

    embedded   whether the machine is the node itself
    machine    its name in the pool; that of its pnode for a virtual machine that carries processes
    variables  the connection variables of the machine, without passwords
    """

    nodes: tuple[str, ...]
    embedded: bool
    machine: str
    variables: dict[str, Any]


def all_carriers(directory: ExperimentDirectory) -> dict[str, Carrier]:
    """Return {vhost: it with all its nodes}, in the order of the plans; {} for an experiment that is not swapped in.

    Raises BenitoError when the directory cannot be read.
    """
    directory.require()
    lent, plans = read_allocation(directory).hosts, read_plans(directory)
    addresses, outside = with_login(plans), {vnode.name: vhost for vhost, plan in plans.items() for vnode in plan.vnodes}
    found = {}
    for vhost, plan in plans.items():
        nodes, embedded = tuple(vnode.name for vnode in plan.vnodes), any(vnode.kind == EMBEDDED_PNODE for vnode in plan.vnodes)
        if vhost in lent:
            found[vhost] = Carrier(nodes, embedded, lent[vhost].name, lent[vhost].variables)
        elif vhost in addresses:  # a virtual machine that carries processes
            found[vhost] = Carrier(nodes, embedded, outside[vhost], reach(directory.path, addresses[vhost]))
    return found


def carriers(directory: ExperimentDirectory, nodes: list[str]) -> dict[str, Carrier]:
    """Return {vhost: its share} of ``nodes``, in the order of the plans.

    Raises ExperimentError: an experiment that is not swapped in, no nodes, unknown ones, ghosts.
    """
    directory.require()
    plans = read_plans(directory)
    state = directory.read_state().state
    if state != ACTIVE:
        raise ExperimentError(f"experiment {directory} is {state}, not {ACTIVE}: swap it in first")
    if not nodes:
        raise ExperimentError("no node is named")
    known = {vnode.name: vnode for plan in plans.values() for vnode in plan.vnodes}
    unknown = [name for name in dict.fromkeys(nodes) if name not in known]
    if unknown:
        some = ", ".join([*known][:_MOST_NAMES]) + (", …" if len(known) > _MOST_NAMES else "")
        raise ExperimentError(f"experiment {directory} has no node {' and no node '.join(unknown)}; it has {some}")
    ghosts = [name for name in nodes if known[name].ghost]
    if ghosts:
        raise ExperimentError(f"{' and '.join(ghosts)} of experiment {directory} never runs: a ghost")
    found = {}
    for vhost, carrier in all_carriers(directory).items():
        mine = tuple(name for name in carrier.nodes if name in nodes)
        if mine:
            found[vhost] = replace(carrier, nodes=mine, embedded=any(known[name].kind == EMBEDDED_PNODE for name in mine))
    return found
