# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the results of a swap-in: the machines that the experiment was lent, and the plan of each."""

from __future__ import annotations

import os

from ..embedding.placement.allocation import Allocation
from ..experiment.directory import ACTIVE, FAILED, SWAPPED, ExperimentDirectory
from ..hostplan import HostPlan, from_json


def read_allocation(directory: ExperimentDirectory) -> Allocation:
    """Return the experiment's allocation, empty if it has none. Raises ExperimentError."""
    if not os.path.exists(directory.allocation):
        return Allocation()
    return Allocation.from_json(directory.read("allocation.json"), directory.allocation)


def play_host(vhost: str, machine: str) -> str:
    """Return the name that the playbooks give to a vhost, such as ``pnode-0000@m1``.

    No name of a node or of a machine has an @, so this host is never one of the user's inventory.
    """
    return f"{vhost}@{machine}"


def read_plans(directory: ExperimentDirectory) -> dict[str, HostPlan]:
    """Return the plans of all vhosts in order, {} for an experiment that is not swapped in. Raises BenitoError."""
    names = sorted(name for name in os.listdir(directory.plans) if name.endswith(".json")) if os.path.isdir(directory.plans) else []
    return {name[:-5]: from_json(directory.read("plan", name), directory.file("plan", name)) for name in names}


def abandon(directory: ExperimentDirectory, reason: str) -> None:
    """End a swap-in that built nothing. Enter ``swapped``, or ``failed`` if machines are still lent. An active experiment stays active."""
    before = directory.read_state()
    if before.state == ACTIVE:
        directory.log_activity(f"swap-in of the active experiment: {reason}")
    elif read_allocation(directory).hosts:
        directory.write_state(FAILED, reason)
    else:
        directory.log_activity(f"not swapped in: {reason}")
        directory.write_state(SWAPPED)
