# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The present state of an experiment on this vhost."""

from __future__ import annotations

from ..base.paths import ExperimentPaths
from ..base.plan_file import read_plan
from ..base.systemctl import systemctl
from ..net.firewall import firewall_state
from ..net.foreign_filters import foreign_state
from ..net.substrates import substrates_status
from .kinds import KIND_PARTS


def status(paths: ExperimentPaths) -> dict:
    """Return the state of every node and substrate: {"changed": False, "unit": "active", "nodes": {name: {"kind", "state", "exit_code", "start_command",
    "exit_status"}}, "substrates": {name: "up" or "missing"}, "filter": "up", "missing", "changed" by another program, or "" when the
    plan needs none, "foreign": "passed", the chain of another program that may drop its packets, or "" when none sees them}, with the nodes in the plan's order, see ``kinds.Part.status``. Raises HostError.
    """
    plan = read_plan(paths)
    kinds = {vnode.kind for vnode in plan.vnodes}
    found = {name: node for part in KIND_PARTS if part.kind in kinds for name, node in part.status(plan, paths).items()}
    return {
        "changed": False,
        "unit": systemctl("show", "--value", "--property=ActiveState", paths.unit).stdout.strip(),
        "nodes": {vnode.name: {"kind": vnode.kind, **found[vnode.name]} for vnode in plan.vnodes if vnode.name in found},
        "substrates": substrates_status(plan, paths),
        "filter": firewall_state(plan, paths),
        "foreign": foreign_state(plan, paths),
    }
