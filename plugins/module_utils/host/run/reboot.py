# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rebooting nodes by the functions of their kinds. Their start commands run again."""

from __future__ import annotations

import os

from ...errors import HostError
from ...hostplan import HostPlan
from ..base.locks import experiment_lock
from ..base.paths import ExperimentPaths
from ..base.plan_file import read_plan
from ..base.watch_socket import ask_for_a_look
from .kinds import KIND_PARTS, Part
from .status import status
from .unit import start_commands


def reboot(paths: ExperimentPaths, names: list[str], dry_run: bool = False) -> dict:
    """Reboot nodes of this host, without waiting until they are up again. A node that is the machine itself comes last.

    Return {"changed": bool, "changes": [text], "status": see ``status``}. Raises HostError. Nothing is done when a node is not on this
    host, is a ghost, or is of a kind that cannot be rebooted.
    """
    plan = read_plan(paths)
    shares = _shares(plan, paths, names)
    changes = []
    if dry_run:
        changes = [f"{name}: rebooted" for _part, mine in shares for name in mine]
    else:
        with experiment_lock(paths):
            for part, mine in shares:
                if part.reboot:
                    changes += part.reboot(plan, paths, mine)
        ask_for_a_look(paths)
        if not os.path.exists(f"{paths.run}/hold"):  # else a swap-in is running, which starts them itself
            changes += start_commands(paths)["changes"]
    return {"changed": bool(changes), "changes": changes, "status": status(paths)}


def _shares(plan: HostPlan, paths: ExperimentPaths, names: list[str]) -> list[tuple[Part, tuple[str, ...]]]:
    """Return each kind's share of the nodes."""
    here = {vnode.name: vnode for vnode in plan.vnodes}
    wrong = [f"no node {name} of {paths.experiment} is on this host" for name in names if name not in here]
    wrong += [f"{name} is a ghost, which never runs" for name in names if name in here and here[name].ghost]
    parts = {part.kind: part for part in KIND_PARTS}
    wrong += [f"{name} is of kind {here[name].kind}, which cannot be rebooted from its host"
              for name in names if name in here and (here[name].kind not in parts or parts[here[name].kind].reboot is None)]
    if wrong:
        raise HostError("; ".join(dict.fromkeys(wrong)))
    wanted = dict.fromkeys(names)
    shares = [(part, tuple(name for name in wanted if here[name].kind == part.kind)) for part in KIND_PARTS]
    return [(part, mine) for part, mine in shares if mine]
