# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of nodes only when somebody asks: the counters of their interfaces, and what they have printed."""

from __future__ import annotations

from ...errors import HostError
from ...hostplan import HostPlan, VnodePlan
from ..base.paths import ExperimentPaths
from ..base.plan_file import read_plan
from ..net import netlink
from ..net.counters import device_counters, seen_from_the_other_end
from ..net.ports import media
from .kinds import KIND_PARTS

MOST_LINES = 2000


def counters(paths: ExperimentPaths, names: list[str]) -> dict[str, dict[str, dict[str, int]]]:
    """Return {node: {interface: {"rx_packets", "tx_packets", "rx_bytes", …}}}, as the node would count. Raises HostError.

    They are read from the vhost's ports, so what a node does to its own interfaces does not change them. An interface whose port is not there is left out.

    names  of nodes; all if there are none
    """
    plan = read_plan(paths)
    vnodes = [_find(plan, paths, name) for name in names] or list(plan.vnodes)
    on, counted = media(plan, netlink.links()), device_counters()
    parts = {part.kind: part for part in KIND_PARTS}
    found = {}
    for vnode in vnodes:
        ports = [] if vnode.ghost else parts[vnode.kind].ports(vnode, on)
        found[vnode.name] = {port.interface or port.medium.name: seen_from_the_other_end(counted[port.name]) for port in ports if port.name in counted}
    return found


def printed(paths: ExperimentPaths, name: str, lines: int) -> dict:
    """Return the last lines of what a node has printed: {"node", "kind", "texts": {name: text}}, see kinds.Part.texts. Raises HostError."""
    if not 1 <= lines <= MOST_LINES:
        raise HostError(f"--lines {lines}: choose a number from 1 to {MOST_LINES}")
    plan = read_plan(paths)
    vnode = _find(plan, paths, name)
    if vnode.ghost:
        raise HostError(f"{name} is a ghost, which never runs")
    part = next(part for part in KIND_PARTS if part.kind == vnode.kind)
    return {"node": name, "kind": vnode.kind, "texts": part.texts(plan, paths, name, lines)}


def _find(plan: HostPlan, paths: ExperimentPaths, name: str) -> VnodePlan:
    for vnode in plan.vnodes:
        if vnode.name == name:
            return vnode
    raise HostError(f"no node {name} of {paths.experiment} is on this host")
