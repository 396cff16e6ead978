# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Realise substrates as Linux bridges. A substrate that spans several vhosts also has a VXLAN device on each of them.

A bridge has no STP and no snooping, so the first packet of a node passes. The vhost is silent on it, so the ptopo stays
invisible from inside. Only what differs from the plan is changed.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

from ...errors import HostError
from ...hostplan import SubstratePlan, Tunnel
from ..base.paths import ExperimentPaths
from . import netlink
from .marks import QUIET_BRIDGE, SILENCE, disable_ipv6, is_ours, link_faults, mark, refuse_stranger, remove_marked
from .netlink import Batch, Link
from .netlink_messages import IFINFOMSG, RTM_NEWLINK, TYPE_CHECKING, encode
from .underlay import underlay_index

if TYPE_CHECKING:
    from typing import Any

# Frames to 01:80:c2:00:00:0x (LLDP, LACP, 802.1X …) belong to the experiment. The kernel allows no bridge to pass 0, 1 and 2.
_PASS_LINK_LOCAL_FRAMES = 0xFFF8
_MULTICAST_TTL = 16
MOST_ADDRESSES = 16384
"""The most MAC addresses that a bridge or a tunnel learns. A node that sends from more cannot fill the memory of the vhost."""
_BRIDGE_SETTINGS = [*QUIET_BRIDGE, ("IFLA_BR_GROUP_FWD_MASK", _PASS_LINK_LOCAL_FRAMES), ("IFLA_BR_FDB_MAX_LEARNED", MOST_ADDRESSES)]

remove = remove_marked  # the experiment's mark is enough to find bridges, tunnels and ports


def realises(_substrate: SubstratePlan) -> bool:
    """Return whether the substrate can be a bridge, which every substrate can."""
    return True


def master(substrate: SubstratePlan) -> str:
    """Return the name of the bridge."""
    return substrate.bridge


def exists(paths: ExperimentPaths, substrate: SubstratePlan, live: dict[str, Link]) -> bool:
    """Return whether the bridge exists and is ours."""
    return substrate.bridge in live and is_ours(live[substrate.bridge], paths)


def faults(paths: ExperimentPaths, substrate: SubstratePlan, live: dict[str, Link]) -> list[str]:
    """Return how bridge, card and tunnel differ from what is planned, as text; [] if they do not. Raises HostError."""
    found = _faults_of(paths, f"bridge {substrate.bridge}", live.get(substrate.bridge), lambda link: _bridge_faults(substrate, link))
    if substrate.uplink:
        card = _card(substrate, live)
        found += _uplink_faults(substrate, card) if card else [f"this virtual machine has no network card {substrate.uplink}"]
    tunnel = substrate.tunnel
    if tunnel:
        found += _faults_of(paths, f"tunnel {tunnel.device}", live.get(tunnel.device), lambda link: _live_tunnel_faults(substrate, tunnel, link))
    return found


def _faults_of(paths: ExperimentPaths, what: str, link: Link | None, compare: Callable[[Link], list[str]]) -> list[str]:
    if not link:
        return [f"{what} is missing"]
    return compare(link) if is_ours(link, paths) else [f"{what} is missing: a device of this name is not this experiment's"]


def apply(paths: ExperimentPaths, substrates: Sequence[SubstratePlan], live: dict[str, Link], dry_run: bool) -> list[str]:
    """Make bridges and tunnels as planned, and remove those that are not planned. Return the changes as text. Raises HostError."""
    changes = _remove_unplanned(paths, substrates, live, dry_run)
    batch, raising = Batch(), Batch()
    for substrate in substrates:
        changes += _bridge(substrate, paths, live, batch, raising)
    if not dry_run:
        batch.send()
        raising.send()  # a bridge is silent before it is up
    batch = Batch()
    for substrate in substrates:
        if substrate.uplink:
            changes += _uplink(substrate, live, batch, dry_run)
        if substrate.tunnel:
            changes += _tunnel(substrate, substrate.tunnel, paths, live, batch, dry_run)
    if not dry_run:
        batch.send()
    for substrate in substrates:
        if substrate.tunnel and substrate.tunnel.mode == "unicast":
            changes += _flood_entries(substrate.tunnel, dry_run)
    return changes


def _bridge(substrate: SubstratePlan, paths: ExperimentPaths, live: dict[str, Link], batch: Batch, raising: Batch) -> list[str]:
    name, what = substrate.bridge, f"bridge {substrate.bridge} of substrate {substrate.name}"
    link = live.get(name)
    refuse_stranger(link, paths, what)
    if link and not _bridge_faults(substrate, link):
        return []
    if not link:
        batch.add_link(what, [("IFLA_IFNAME", name), ("IFLA_GROUP", paths.group), _bridge_info(_BRIDGE_SETTINGS)])
    else:
        for setting in _changed_settings(link):  # one by one: STP must be off before its delay can be 0
            batch.request(what, RTM_NEWLINK, 0, IFINFOMSG.encode(ifi_index=link.index) + encode([_bridge_info([setting])]))
    mark(batch, what, name, f"{paths.mark}substrate:{substrate.name}")
    raising.set_link(what, [("IFLA_IFNAME", name), ("IFLA_MTU", substrate.mtu)], up=True)
    return [f"{what}: {'changed' if link else 'made'}"]


def _bridge_info(settings: Sequence[tuple[str, int]]) -> tuple[str, Any]:
    return ("IFLA_LINKINFO", [("IFLA_INFO_KIND", "bridge"), ("IFLA_INFO_DATA", settings)])


def _changed_settings(link: Link) -> list[tuple[str, int]]:
    """Return the planned settings that the live bridge does not have. A kernel may lack some: one before 6.7 cannot bound the addresses, firewall.py does."""
    return [(name, value) for name, value in _BRIDGE_SETTINGS if link.data.get(name, value) != value]


def _bridge_faults(substrate: SubstratePlan, link: Link) -> list[str]:
    what = f"bridge {substrate.bridge}"
    if link.kind != "bridge":
        return [f"{what} is no bridge"]
    settings = [f"{what} has {name[len('IFLA_BR_'):].lower()} {link.data[name]} instead of {value}" for name, value in _changed_settings(link)]
    return [*([] if link.alias else [f"{what} does not have its mark"]), *link_faults(link, what, substrate.mtu), *settings]


def _uplink(substrate: SubstratePlan, live: dict[str, Link], batch: Batch, dry_run: bool) -> list[str]:
    """Attach a network card of this virtual machine, which is found by its MAC address, to the bridge."""
    card = _card(substrate, live)
    if not card:
        raise HostError(f"substrate {substrate.name}: this virtual machine has no network card {substrate.uplink} to join it by")
    if not _uplink_faults(substrate, card):
        return []
    what = f"uplink {card.name} of substrate {substrate.name}"
    if not dry_run:
        bridge = socket.if_nametoindex(substrate.bridge)
        batch.set_link(what, [("IFLA_MTU", substrate.mtu), SILENCE, ("IFLA_MASTER", bridge)], card.index)
        batch.set_link(what, index=card.index, up=True)
        batch.afterwards(lambda: disable_ipv6(card.name))
    return [f"{what}: put on {substrate.bridge}"]


def _card(substrate: SubstratePlan, live: dict[str, Link]) -> Link | None:
    return next((link for link in live.values() if link.mac_address == substrate.uplink and not link.kind), None)


def _uplink_faults(substrate: SubstratePlan, card: Link) -> list[str]:
    return link_faults(card, f"uplink {card.name}", substrate.mtu, substrate.bridge)


def _tunnel(substrate: SubstratePlan, tunnel: Tunnel, paths: ExperimentPaths, live: dict[str, Link], batch: Batch, dry_run: bool) -> list[str]:
    name, what = tunnel.device, f"tunnel {tunnel.device} of substrate {substrate.name}"
    link = live.get(name)
    refuse_stranger(link, paths, what)
    if link and not _tunnel_faults(substrate, tunnel, link):
        return []
    if dry_run:
        return [f"{what}: {'changed' if link else 'made'}"]
    if link:
        batch.delete_link(what, link.index)
    batch.add_link(what, [("IFLA_IFNAME", name), ("IFLA_GROUP", paths.group), ("IFLA_LINKINFO", _vxlan(tunnel))])
    master = ("IFLA_MASTER", socket.if_nametoindex(substrate.bridge))
    mark(batch, what, name, f"{paths.mark}tunnel:{substrate.name}", [("IFLA_MTU", substrate.mtu), master])
    batch.set_link(what, [("IFLA_IFNAME", name)], up=True)
    return [f"{what}: {'changed' if link else 'made'}"]


def _vxlan(tunnel: Tunnel) -> list[tuple[str, Any]]:
    data: list[tuple[str, Any]] = [("IFLA_VXLAN_ID", tunnel.vni), ("IFLA_VXLAN_LOCAL", tunnel.local), ("IFLA_VXLAN_PORT", tunnel.port),
                                   ("IFLA_VXLAN_LEARNING", 1), ("IFLA_VXLAN_LIMIT", MOST_ADDRESSES)]
    if tunnel.mode == "multicast":
        data += [("IFLA_VXLAN_GROUP", tunnel.group), ("IFLA_VXLAN_LINK", underlay_index(tunnel.local)), ("IFLA_VXLAN_TTL", _MULTICAST_TTL)]
    return [("IFLA_INFO_KIND", "vxlan"), ("IFLA_INFO_DATA", data)]


def _tunnel_faults(substrate: SubstratePlan, tunnel: Tunnel, link: Link) -> list[str]:
    what = f"tunnel {tunnel.device}"
    planned = {"ID": tunnel.vni, "LOCAL": tunnel.local, "PORT": tunnel.port, "GROUP": tunnel.group, "LIMIT": MOST_ADDRESSES}
    changed = [name.lower() for name, value in planned.items() if link.data.get(f"IFLA_VXLAN_{name}", "") != value]
    settings = [f"{what} does not have the planned {name}" for name in changed]  # the identifier is secret
    return [*([] if link.alias else [f"{what} does not have its mark"]), *link_faults(link, what, substrate.mtu, substrate.bridge), *settings]


def _live_tunnel_faults(substrate: SubstratePlan, tunnel: Tunnel, link: Link) -> list[str]:
    """Return the faults of the device, and of its flood entries."""
    if link.kind != "vxlan":
        return [f"tunnel {tunnel.device} is no tunnel"]
    lacking, surplus = _flood_differences(tunnel, link.index) if tunnel.mode == "unicast" else ([], [])
    return [*_tunnel_faults(substrate, tunnel, link), *(f"tunnel {tunnel.device} does not flood to {remote}" for remote in lacking),
            *(f"tunnel {tunnel.device} floods to {remote}, which is not planned" for remote in surplus)]


def _flood_entries(tunnel: Tunnel, dry_run: bool) -> list[str]:
    try:
        index = socket.if_nametoindex(tunnel.device)
    except OSError:  # a dry run has made none
        index = 0
    missing, surplus = _flood_differences(tunnel, index)
    if not dry_run and (missing or surplus):
        batch = Batch()
        for remote in missing:
            batch.flood_entry(f"flood entry of {tunnel.device} to {remote}", index, remote)
        for remote in surplus:
            batch.flood_entry(f"flood entry of {tunnel.device} to {remote}", index, remote, delete=True)
        batch.send()
    return [f"tunnel {tunnel.device}: floods to {remote}" for remote in missing] + [
        f"tunnel {tunnel.device}: no longer floods to {remote}" for remote in surplus]


def _flood_differences(tunnel: Tunnel, index: int) -> tuple[list[str], list[str]]:
    """Return the remotes that the live device lacks, and those that are not planned.

    index  of the device; 0 if there is none
    """
    present = netlink.flood_remotes(index) if index else set()
    return sorted(set(tunnel.remotes) - present), sorted(present - set(tunnel.remotes))


def _remove_unplanned(paths: ExperimentPaths, substrates: Sequence[SubstratePlan], live: dict[str, Link], dry_run: bool) -> list[str]:
    planned = {substrate.bridge for substrate in substrates} | {substrate.tunnel.device for substrate in substrates if substrate.tunnel}
    marks = tuple(paths.mark + suffix for suffix in ("substrate:", "tunnel:"))
    surplus = [link for name, link in live.items() if link.alias.startswith(marks) and name not in planned]
    if not dry_run:
        batch = Batch()
        for link in surplus:
            batch.delete_link(f"removing {link.name}", link.index)
        batch.send()
    return [f"device {link.name} ({link.alias}): removed" for link in surplus]
