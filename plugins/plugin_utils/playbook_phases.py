# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The phases of the collection's playbooks, as their output shows them.

A phase is one line of output. Plays that follow each other belong to one phase if their entries below have the same name.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

PLAYBOOKS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))), "playbooks")
MACHINES, LENT = "vhosts", "lent"  # results of deter.benito.swap_begin: the machines that a swap-in needs, those that a swap-out cleans

ONLY_LOOK = ("show",)
"""The playbooks that look at an experiment and change nothing, so that the experiment has no events of them."""

BUILD_STEPS = (
    "Prepare the vhost", "Set up the control bridge", "Copy the node images to the vhost", "Set up QEMU", "Start building warm templates",
    "Set up the experiment network", "Set up the embedded pnode", "Set up the process vnodes", "Set up the system containers", "Set up the virtual machines",
)


@dataclass(frozen=True)
class PhaseKind:
    """How a phase is shown.

    name     how it is named, "machines built"
    counted  the task that is done once for each host, or for each item, that the phase counts; "" for a phase without a count
    total    the result of deter.benito.swap_begin whose length is how many there will be
    steps    tasks that the bar is divided by
    """

    name: str
    counted: str = ""
    total: str = ""
    steps: tuple[str, ...] = ()


LEASE = PhaseKind("machines leased", "Lease the machines", MACHINES)
BUILD = PhaseKind("machines built", "Record that the vhost is built", MACHINES, BUILD_STEPS)
IMAGES = PhaseKind("images")
BOOT = PhaseKind("nodes booted")
CLEAN = PhaseKind("machines cleaned", "Record that the machine is clean", LENT)

PHASES = {
    "phases/begin_swapin": LEASE,
    "phases/ask_pool": LEASE,
    "phases/choose_machines": LEASE,
    "phases/lease_machines": LEASE,
    "phases/provide_images": IMAGES,
    "phases/build_machines": BUILD,
    "phases/build_nested_vhosts": BUILD,
    "phases/run_start_commands": BOOT,
    "phases/finish_swapin": BOOT,
    "phases/begin_swapout": CLEAN,
    "phases/clean_machines": CLEAN,
    "phases/finish_swapout": CLEAN,
    "terminate": PhaseKind("experiment removed"),
    "containerize": PhaseKind("experiment created"),
    "show": PhaseKind("nodes looked at"),
    "node_reboot": PhaseKind("nodes rebooted"),
    "local_testbed": PhaseKind("local testbed"),
    "templates": PhaseKind("warm templates"),
    "convert": PhaseKind("topology converted"),
    "topdl_annotate": PhaseKind("topology annotated"),
    "image": PhaseKind("picture drawn"),
}
"""The phase of each play, by the path of its file below playbooks/."""


def phase_of(path: str, name: str) -> PhaseKind | None:
    """Return the phase of a play, None if the play is none of the collection's.

    path  of the play's file, with or without the line
    name  of the play, which names the phase of a play that the table does not have
    """
    file, suffix, _line = path.rpartition(".yml")
    place = os.path.relpath(os.path.realpath(file), PLAYBOOKS)
    return None if not suffix or place.startswith(os.pardir) else PHASES.get(place, PhaseKind(name[:1].lower() + name[1:]))
