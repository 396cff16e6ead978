# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at what is true of an experiment's network on this vhost now, and compare it with the plan. Nothing is changed or remembered.

What is on the vhost's side (bridges, tunnels, ports) must be as planned: anything else is a fault. What is inside a node is the experimenter's to
change: it is only noted as a difference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ...hostplan import HostPlan
from ..base.paths import ExperimentPaths
from ..net import netlink, substrates
from ..net.foreign_filters import PASSED, foreign_state
from ..net.frame_check import substrates_that_drop
from ..net.ports import media, port_faults
from ..net.substrates import UP, SubstrateHealth
from .kinds import KIND_PARTS

_MOST = 20  # faults of one substrate or node that are listed
_HAS_PORTS, _HAS_NETWORK = ("running", "booted"), ("booted",)  # the states of nodes


@dataclass(frozen=True)
class NodeHealth:
    """What is true of a node's network now.

    faults   of its ports, which are the vhost's side
    differs  how the network inside it differs from the plan
    """

    faults: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Health:
    """What is true of an experiment's network on this vhost now.

    substrates  {name: health} of every substrate of the plan, with its ports
    nodes       {name: health} of the nodes that run, without those that are as planned
    checked     number of bridges that frames were sent across
    """

    substrates: dict[str, SubstrateHealth]
    nodes: dict[str, NodeHealth]
    checked: int = 0


def look(plan: HostPlan, paths: ExperimentPaths, states: dict[str, str], probe: bool = False) -> Health:
    """Compare devices and networks with the plan. Raises HostError.

    states  {node: its state}, see kinds.Part
    probe   whether to send a frame across each bridge
    """
    live = netlink.links()
    on = media(plan, live)
    of_media: dict[str, list[str]] = defaultdict(list)
    of_nodes: dict[str, list[str]] = defaultdict(list)
    differs: dict[str, list[str]] = {}
    for part in KIND_PARTS:
        mine = [vnode for vnode in plan.vnodes if vnode.kind == part.kind]
        for port in [port for vnode in mine if states.get(vnode.name) in _HAS_PORTS for port in part.ports(vnode, on)]:
            faults = port_faults(paths, port, live)
            if faults:
                of_media[port.medium.name] += faults
                of_nodes[port.owner] += faults
        inside = [vnode.name for vnode in mine if states.get(vnode.name) in _HAS_NETWORK and (vnode.interfaces or vnode.control)]
        if inside and part.inside:
            differs.update(part.inside(plan, paths, inside, {medium.name: medium.mtu for medium in on.values()}))
    found = {name: health.with_faults(_first(of_media[name])) for name, health in substrates.look(plan, paths, live).items()}
    checked = [substrate for substrate in plan.substrates if probe and found[substrate.name].state == UP]
    dropping = substrates_that_drop(checked, paths)
    cause = _cause_of_drops(plan, paths) if dropping else ""
    for name in dropping:
        found[name] = found[name].with_faults([f"nothing passes from port to port of bridge {on[name].master}{cause}"])
    names = [vnode.name for vnode in plan.vnodes if of_nodes.get(vnode.name) or differs.get(vnode.name)]
    return Health(found, {name: NodeHealth(_first(of_nodes[name]), _first(differs.get(name, ()))) for name in names}, len(checked))


def _cause_of_drops(plan: HostPlan, paths: ExperimentPaths) -> str:
    """Return the end of the message about bridges that pass no frame."""
    chain = foreign_state(plan, paths)
    which = f"{chain}, of another program," if chain not in ("", PASSED) else "a packet filter of this host"
    return f": {which} drops it (nft list ruleset, iptables-save)"


def _first(texts: Sequence[str]) -> tuple[str, ...]:
    return (*texts[:_MOST], f"and {len(texts) - _MOST} more") if len(texts) > _MOST else tuple(texts)
