# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Begin a swap-in or a swap-out: enter its state, and return the facts that the run needs about the experiment."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from ..embedding.kinds import PROCESS, QEMU
from ..embedding.node_view import read_nodes
from ..embedding.placement.allocation import Allocation
from ..embedding.placement.machines import Machine, machines, pnode_of
from ..errors import ExperimentError
from ..experiment.directory import ACTIVATING, ACTIVE, FAILED, STATES, SWAPPED, SWAPPING, ExperimentDirectory
from ..experiment.locks import Holder
from ..topology.model import Topology
from ..topology.topdl.reader import read_topdl
from .lent import read_allocation

SWAPIN, SWAPOUT = "swapin", "swapout"


@dataclass(frozen=True)
class Begun:
    """The facts that a run needs before it contacts the machines.

    changed     whether the state changed
    machines    the experiment's machines, in order; () for a swap-out
    allocation  of an earlier run, empty for none
    owner       the name under which this controller leases machines
    crosses     whether any substrate has members on several machines
    kinds       every kind that its nodes are realised as
    processes   whether processes run on the machines themselves; those see the machine's files, processes in virtual machines do not
    """

    changed: bool
    machines: tuple[Machine, ...]
    allocation: Allocation
    owner: str
    crosses: bool = False
    kinds: tuple[str, ...] = ()
    processes: bool = False


def begin(directory: ExperimentDirectory, operation: str, dry_run: bool = False) -> Begun:
    """Enter ``activating`` for a ``swapin``, ``swapping`` for a ``swapout``.

    An active experiment stays active at a swap-in, which then repairs it. A swapped one stays swapped at a swap-out. A swap-out begins in
    any other state, also when state.json cannot be read.
    Raises ExperimentError or InputError: no such experiment, another run that has not ended, a broken directory.
    """
    directory.require()
    return _begin_swapin(directory, dry_run) if operation == SWAPIN else _begin_swapout(directory, dry_run)


def _begin_swapin(directory: ExperimentDirectory, dry_run: bool) -> Begun:
    topology, _warnings = read_topdl(directory.partitioned)
    nodes = read_nodes(topology)
    carrying = machines(nodes)
    crosses = bool(linked_pnodes(topology, carrying))
    before = directory.read_state()
    changed = before.state != ACTIVE
    if changed and not dry_run:
        directory.begin(ACTIVATING, (SWAPPED, FAILED), Holder.of_playbook())
    kinds = {*(node.kind for node in nodes.values()), *([QEMU] if any(machine.hidden for machine in carrying) else [])}
    processes = any(nodes[name].kind == PROCESS for machine in carrying for name in machine.nodes)
    return Begun(changed, carrying, read_allocation(directory), _owner(directory), crosses, tuple(sorted(kinds)), processes)


def linked_pnodes(topology: Topology, carrying: tuple[Machine, ...]) -> set[str]:
    """Return the pnodes with a substrate that has members on other pnodes, too."""
    place_of = pnode_of(carrying)
    places = [{place_of[computer.name] for computer, _i in members} for members in topology.attachments().values()]
    return {pnode for found in places if len(found) > 1 for pnode in found}


def _begin_swapout(directory: ExperimentDirectory, dry_run: bool) -> Begun:
    allocation = read_allocation(directory)
    try:
        before = directory.read_state()
        changed = before.state != SWAPPED or bool(allocation.hosts)
    except ExperimentError:
        changed = True
        if not dry_run:
            directory.write_state(FAILED, "state.json was broken")
    if changed and not dry_run:
        directory.begin(SWAPPING, STATES, Holder.of_playbook())
    return Begun(changed, (), allocation, _owner(directory))


def _owner(directory: ExperimentDirectory) -> str:
    """Return the owner of the experiment's leases: the controller, and its BENITO_HOME."""
    return f"{socket.gethostname()}:{directory.home}"
