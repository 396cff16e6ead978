# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the machines that carry given nodes of a swapped-in experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..embedding.kinds import EMBEDDED_PNODE
from ..embedding.placement.allocation import PoolHost
from ..errors import ExperimentError
from ..experiment.directory import ACTIVE, ExperimentDirectory
from .lent import read_allocation, read_plans

_MOST_NAMES = 10


@dataclass(frozen=True)
class Carrier:
    """A machine with some of an experiment's nodes.

    embedded   whether the machine is the node itself
    machine    its name in the pool
    variables  the connection variables of the machine, without passwords
    """

    nodes: tuple[str, ...]
    embedded: bool
    machine: str
    variables: dict[str, Any]


def carriers(directory: ExperimentDirectory, nodes: list[str]) -> dict[str, Carrier]:
    """Return {vhost: its share} of ``nodes``, in the order of the plans.

    Raises ExperimentError: an experiment that is not swapped in, no nodes, unknown ones, ghosts.
    """
    directory.require()
    lent, plans = read_allocation(directory).hosts, read_plans(directory)
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
    for vhost, plan in plans.items():
        mine = tuple(vnode.name for vnode in plan.vnodes if vnode.name in nodes)
        if mine:
            host = lent.get(vhost, PoolHost(vhost))
            found[vhost] = Carrier(mine, any(known[name].kind == EMBEDDED_PNODE for name in mine), host.name, host.variables)
    return found
