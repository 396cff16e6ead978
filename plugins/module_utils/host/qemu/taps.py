# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the ports of virtual machines: persistent taps, which QEMU only opens."""

from __future__ import annotations

from ...hostplan import HostPlan, VnodePlan
from ...names import CONTROL
from ..base.paths import ExperimentPaths
from ..net import netlink
from ..net.ports import Medium, Port, Ports, media


def apply_taps(plan: HostPlan, vnodes: list[VnodePlan], paths: ExperimentPaths, dry_run: bool = False) -> list[str]:
    """Make and repair every tap of these nodes. Return the changes as text. Raises HostError."""
    live = netlink.links()
    on = media(plan, live)
    return Ports(paths, [port for vnode in vnodes for port in taps(vnode, on)], live).apply(dry_run)


def taps(vnode: VnodePlan, on: dict[str, Medium]) -> list[Port]:
    """Return the taps of a node: for the control network, for its interfaces, and for the substrates of the processes it carries.

    on  {name: medium} of this vhost
    """
    control = [Port(vnode.control.port, vnode.name, CONTROL, on[CONTROL])] if vnode.control else []
    own = [Port(interface.port, vnode.name, interface.name, on[interface.substrate]) for interface in vnode.interfaces]
    uplinks = [Port(uplink.port, vnode.name, f"uplink-{uplink.substrate}", on[uplink.substrate]) for uplink in vnode.uplinks]
    return control + own + uplinks
