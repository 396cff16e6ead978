# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The present state of an experiment on this vhost."""

from __future__ import annotations

from ..base.paths import ExperimentPaths
from ..base.plan_file import read_plan
from ..base.systemctl import systemctl
from ..net.firewall import firewall_state
from ..net.foreign_filters import foreign_state
from ..net.unmanaged import managed_devices
from ..watch.states import read_changes
from .health import look
from .kinds import KIND_PARTS


def status(paths: ExperimentPaths, probe: bool = False) -> dict:
    """Return what is true now of every node and substrate. Raises HostError.

    {"changed": False, "unit": "active",
    "nodes": {name: {"kind", "state", "exit_code", "start_command", "exit_status"}}, in the plan's order, see ``kinds.Part.status``;
    with "since" where the supervisor has seen that state begin,
    "substrates": {name: "up", "missing" or "broken"},
    "faults": {"substrates": {name: [text]}, "nodes": {name: [text]}}, of those that have any: what differs on the vhost's side,
    "differs": {node: [text]}: what differs inside nodes, which experimenters may change,
    "filter": "up", "missing", "changed" by another program, or "" when the plan needs none,
    "foreign": see ``foreign_state``, "managed": {device: the network manager that has taken it}}

    probe  whether to send a frame across each bridge. Then "probed" is the number of bridges
    """
    plan = read_plan(paths)
    kinds = {vnode.kind for vnode in plan.vnodes}
    found = {name: node for part in KIND_PARTS if part.kind in kinds for name, node in part.status(plan, paths).items()}
    changes = read_changes(paths)
    since = {name: {"since": changes[name][1]} for name, node in found.items()
             if node["state"] != "ghost" and name in changes and changes[name][0] == node["state"]}
    health = look(plan, paths, {name: node["state"] for name, node in found.items()}, probe)
    return {
        "changed": False,
        "unit": systemctl("show", "--value", "--property=ActiveState", paths.unit).stdout.strip(),
        "nodes": {vnode.name: {"kind": vnode.kind, **found[vnode.name], **since.get(vnode.name, {})} for vnode in plan.vnodes if vnode.name in found},
        "substrates": {name: substrate.state for name, substrate in health.substrates.items()},
        "faults": {
            "substrates": {name: list(substrate.faults) for name, substrate in health.substrates.items() if substrate.faults},
            "nodes": {name: list(node.faults) for name, node in health.nodes.items() if node.faults},
        },
        "differs": {name: list(node.differs) for name, node in health.nodes.items() if node.differs},
        "filter": firewall_state(plan, paths),
        "foreign": foreign_state(plan, paths),
        "managed": managed_devices(paths),
        **({"probed": health.checked} if probe else {}),
    }
