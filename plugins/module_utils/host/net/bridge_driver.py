# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Realise substrates as Linux bridges. A substrate that spans several vhosts also has a VXLAN device on each of them.

A bridge has no STP and no snooping, so the first packet of a node passes. The vhost is silent on it, so the ptopo stays
invisible from inside. Only what differs from the plan is changed.
"""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Sequence

from ...errors import HostError
from ...hostplan import SubstratePlan, Tunnel
from ..base.paths import ExperimentPaths
from . import netlink
from .marks import QUIET_BRIDGE, SILENCE, disable_ipv6, is_ours, is_silent, mark, refuse_stranger, remove_marked
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

remove = remove_marked  # the experiment's mark is enough to find bridges, tunnels and ports


def realises(_substrate: SubstratePlan) -> bool:
    """Return whether the substrate can be a bridge, which every substrate can."""
    return True


def master(substrate: SubstratePlan) -> str:
    """Return the name of the bridge."""
    return substrate.bridge


def is_up(paths: ExperimentPaths, substrate: SubstratePlan, live: dict[str, Link]) -> bool:
    """Return whether the bridge exists and is ours."""
    return substrate.bridge in live and is_ours(live[substrate.bridge], paths)


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
    if link and link.mtu == substrate.mtu and link.up and link.alias and is_silent(link) and _is_bounded(link):
        return []
    bound = ("IFLA_BR_FDB_MAX_LEARNED", MOST_ADDRESSES)
    data = [bound] if link else [*QUIET_BRIDGE, ("IFLA_BR_GROUP_FWD_MASK", _PASS_LINK_LOCAL_FRAMES), bound]
    info = ("IFLA_LINKINFO", [("IFLA_INFO_KIND", "bridge"), ("IFLA_INFO_DATA", data)])
    if not link:
        batch.add_link(what, [("IFLA_IFNAME", name), ("IFLA_GROUP", paths.group), info])
    elif not _is_bounded(link):
        batch.request(what, RTM_NEWLINK, 0, IFINFOMSG.encode(ifi_index=link.index) + encode([info]))
    mark(batch, what, name, f"{paths.mark}substrate:{substrate.name}")
    raising.set_link(what, [("IFLA_IFNAME", name), ("IFLA_MTU", substrate.mtu)], up=True)
    return [f"{what}: {'changed' if link else 'made'}"]


def _is_bounded(link: Link) -> bool:
    """Return whether the bridge learns no more addresses than planned. A kernel before 6.7 cannot bound that; then firewall.py does."""
    return link.data.get("IFLA_BR_FDB_MAX_LEARNED", MOST_ADDRESSES) == MOST_ADDRESSES


def _uplink(substrate: SubstratePlan, live: dict[str, Link], batch: Batch, dry_run: bool) -> list[str]:
    """Attach a network card of this virtual machine, which is found by its MAC address, to the bridge."""
    card = next((link for link in live.values() if link.mac_address == substrate.uplink and not link.kind), None)
    if not card:
        raise HostError(f"substrate {substrate.name}: this virtual machine has no network card {substrate.uplink} to join it by")
    if card.master == substrate.bridge and card.mtu == substrate.mtu and card.up and is_silent(card):
        return []
    what = f"uplink {card.name} of substrate {substrate.name}"
    if not dry_run:
        bridge = socket.if_nametoindex(substrate.bridge)
        batch.set_link(what, [("IFLA_MTU", substrate.mtu), SILENCE, ("IFLA_MASTER", bridge)], card.index)
        batch.set_link(what, index=card.index, up=True)
        batch.afterwards(lambda: disable_ipv6(card.name))
    return [f"{what}: put on {substrate.bridge}"]


def _tunnel(substrate: SubstratePlan, tunnel: Tunnel, paths: ExperimentPaths, live: dict[str, Link], batch: Batch, dry_run: bool) -> list[str]:
    name, what = tunnel.device, f"tunnel {tunnel.device} of substrate {substrate.name}"
    link = live.get(name)
    refuse_stranger(link, paths, what)
    if link and link.alias and _is_as_planned(link, substrate, tunnel):
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


def _is_as_planned(link: Link, substrate: SubstratePlan, tunnel: Tunnel) -> bool:
    live = tuple(link.data.get(f"IFLA_VXLAN_{name}", "") for name in ("ID", "LOCAL", "PORT", "GROUP", "LIMIT"))
    return (live == (tunnel.vni, tunnel.local, tunnel.port, tunnel.group, MOST_ADDRESSES) and link.mtu == substrate.mtu
            and link.master == substrate.bridge and link.up and is_silent(link))


def _flood_entries(tunnel: Tunnel, dry_run: bool) -> list[str]:
    listed = subprocess.run(["bridge", "-json", "fdb", "show", "dev", tunnel.device], capture_output=True, text=True, check=False)
    entries = json.loads(listed.stdout or "[]") if listed.returncode == 0 else []
    present = {entry["dst"] for entry in entries if entry.get("mac") == netlink.ALL_ZEROS and "dst" in entry}
    missing, surplus = sorted(set(tunnel.remotes) - present), sorted(present - set(tunnel.remotes))
    if not dry_run and (missing or surplus):
        batch, index = Batch(), socket.if_nametoindex(tunnel.device)
        for remote in missing:
            batch.flood_entry(f"flood entry of {tunnel.device} to {remote}", index, remote)
        for remote in surplus:
            batch.flood_entry(f"flood entry of {tunnel.device} to {remote}", index, remote, delete=True)
        batch.send()
    return [f"tunnel {tunnel.device}: floods to {remote}" for remote in missing] + [
        f"tunnel {tunnel.device}: no longer floods to {remote}" for remote in surplus]


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
