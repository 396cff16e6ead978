# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The substrates of a plan as Linux has them: a bridge each, and a VXLAN device where one goes on elsewhere.

Compares what is with what should be and changes the difference. Design: a bridge without STP and
snooping, so that the first packet of a node passes; no IPv6 address of the vhost's own on it, so
that the ptopo stays invisible from inside.
"""

from __future__ import annotations

import json
import socket
import subprocess
import time

from ...errors import HostError
from ...hostplan import HostPlan, SubstratePlan, Tunnel
from ..base.paths import ExperimentPaths
from . import netlink
from .netlink import IFF_UP, Batch

# Frames to 01:80:c2:00:00:0x (LLDP, LACP, 802.1X …) belong to the experiment; a bridge may not be told to pass 0, 1, 2.
_PASS_LINK_LOCAL_FRAMES = 0xFFF8
_BRIDGE = [
    ("IFLA_BR_STP_STATE", 0), ("IFLA_BR_FORWARD_DELAY", 0), ("IFLA_BR_MCAST_SNOOPING", 0), ("IFLA_BR_GROUP_FWD_MASK", _PASS_LINK_LOCAL_FRAMES),
    ("IFLA_BR_NF_CALL_IPTABLES", 0), ("IFLA_BR_NF_CALL_IP6TABLES", 0), ("IFLA_BR_NF_CALL_ARPTABLES", 0),
]
PREFIXES = ("bb", "bv", "bx", "bp")  # how names of our devices begin: bridge, port, tunnel, probe
NO_IPV6_ADDRESS = ("IFLA_AF_SPEC", [("AF_INET6", [("IFLA_INET6_ADDR_GEN_MODE", 1)])])


def apply_network(plan: HostPlan, paths: ExperimentPaths, dry_run: bool = False) -> list[str]:
    """Make bridges and tunnels as planned, remove those of this experiment that are not planned.

    Returns what was (or with ``dry_run`` would be) changed, in words. Raises HostError.
    """
    live = netlink.links()
    changes = _remove_unplanned(plan, paths, live, dry_run)
    batch = Batch()
    for substrate in plan.substrates:
        changes += _bridge(substrate, paths, live, batch)
    if not dry_run:
        batch.send()
    batch = Batch()
    for substrate in plan.substrates:
        if substrate.uplink:
            changes += _uplink(substrate, live, batch, dry_run)
        if substrate.tunnel:
            changes += _tunnel(substrate, substrate.tunnel, paths, live, batch, dry_run)
    if not dry_run:
        batch.send()
    for substrate in plan.substrates:
        if substrate.tunnel and substrate.tunnel.mode == "unicast":
            changes += _flood_entries(substrate.tunnel, dry_run)
    return changes


def port_attributes(alias: str, master: int | None) -> list:
    """What every device of ours on the vhost's side is set to before it goes up."""
    attrs = [("IFLA_IFALIAS", alias), NO_IPV6_ADDRESS]
    return attrs if master is None else [*attrs, ("IFLA_MASTER", master)]


def ours(link: dict, paths: ExperimentPaths) -> bool:
    """Whether a live link carries this experiment's mark; one whose making was interrupted has its group and no alias yet."""
    unfinished = link.get("group") == str(paths.group) and link["ifname"].startswith(PREFIXES)
    return link["ifalias"].startswith(paths.mark) if link.get("ifalias") else unfinished


def _alias(paths, *parts):
    return paths.mark + ":".join(parts)


def _claim(name, paths, live, what):
    """The live link of that name if it is ours; none if absent. A stranger's is never touched."""
    link = live.get(name)
    if link and not ours(link, paths):
        raise HostError(f"{what}: a device named {name} exists on this host and is not this experiment's")
    return link


def _bridge(substrate: SubstratePlan, paths: ExperimentPaths, live, batch: Batch) -> list[str]:
    name, what = substrate.bridge, f"bridge {substrate.bridge} of substrate {substrate.name}"
    link = _claim(name, paths, live, what)
    if link and link["mtu"] == substrate.mtu and "UP" in link["flags"] and link.get("ifalias"):
        return []
    if not link:
        info = [("IFLA_INFO_KIND", "bridge"), ("IFLA_INFO_DATA", _BRIDGE)]
        batch.link(what, attrs=[("IFLA_IFNAME", name), ("IFLA_GROUP", paths.group), ("IFLA_LINKINFO", info)], create=True)
    batch.link(what, attrs=[("IFLA_IFNAME", name), *port_attributes(_alias(paths, "substrate", substrate.name), None)])
    batch.link(what, {"flags": IFF_UP, "change": IFF_UP}, [("IFLA_IFNAME", name), ("IFLA_MTU", substrate.mtu)])
    return [f"{what}: {'changed' if link else 'made'}"]


def _uplink(substrate: SubstratePlan, live, batch: Batch, dry_run: bool) -> list[str]:
    """The network card of this virtual machine that joins the bridge, known by its MAC address."""
    cards = [link for link in live.values() if link.get("address") == substrate.uplink and link.get("linkinfo", {}).get("info_kind") is None]
    if not cards:
        raise HostError(f"substrate {substrate.name}: this virtual machine has no network card {substrate.uplink} to join it by")
    card, what = cards[0], f"uplink {cards[0]['ifname']} of substrate {substrate.name}"
    if card.get("master") == substrate.bridge and card["mtu"] == substrate.mtu and "UP" in card["flags"]:
        return []
    if not dry_run:
        batch.link(what, attrs=[("IFLA_IFNAME", card["ifname"]), ("IFLA_MTU", substrate.mtu), NO_IPV6_ADDRESS,
                                ("IFLA_MASTER", socket.if_nametoindex(substrate.bridge))])
        batch.link(what, {"flags": IFF_UP, "change": IFF_UP}, [("IFLA_IFNAME", card["ifname"])])
    return [f"{what}: put on {substrate.bridge}"]


def _tunnel(substrate: SubstratePlan, tunnel: Tunnel, paths: ExperimentPaths, live, batch: Batch, dry_run: bool) -> list[str]:
    name, what = tunnel.device, f"tunnel {tunnel.device} of substrate {substrate.name}"
    link = _claim(name, paths, live, what)
    if link and link.get("ifalias") and _as_planned(link, substrate, tunnel):
        return []
    if dry_run:
        return [f"{what}: {'changed' if link else 'made'}"]
    if link:
        batch.delete_link(what, link["ifindex"])
    batch.link(what, attrs=[("IFLA_IFNAME", name), ("IFLA_GROUP", paths.group), ("IFLA_LINKINFO", _vxlan(tunnel))], create=True)
    master = socket.if_nametoindex(substrate.bridge)
    batch.link(what, attrs=[("IFLA_IFNAME", name), ("IFLA_MTU", substrate.mtu),
                            *port_attributes(_alias(paths, "tunnel", substrate.name), master)])
    batch.link(what, {"flags": IFF_UP, "change": IFF_UP}, [("IFLA_IFNAME", name)])
    return [f"{what}: {'changed' if link else 'made'}"]


def _vxlan(tunnel: Tunnel) -> dict:
    data = [("IFLA_VXLAN_ID", tunnel.vni), ("IFLA_VXLAN_LOCAL", tunnel.local), ("IFLA_VXLAN_PORT", tunnel.port), ("IFLA_VXLAN_LEARNING", 1)]
    if tunnel.mode == "multicast":
        data += [("IFLA_VXLAN_GROUP", tunnel.group), ("IFLA_VXLAN_LINK", _underlay_index(tunnel.local)), ("IFLA_VXLAN_TTL", 16)]
    return [("IFLA_INFO_KIND", "vxlan"), ("IFLA_INFO_DATA", data)]


def _underlay_index(address: str, limit_s: float = 60.0) -> int:
    """The device that has ``address``; at a boot of the vhost it may come later than we do."""
    deadline = time.monotonic() + limit_s
    while True:
        for link in netlink.ip_json("address", "show"):
            if any(entry.get("local") == address for entry in link.get("addr_info", ())):
                return link["ifindex"]
        if time.monotonic() > deadline:
            raise HostError(f"no interface of this host has the address {address} of its experiment network, after {limit_s:.0f} s")
        time.sleep(0.5)


def _as_planned(link: dict, substrate: SubstratePlan, tunnel: Tunnel) -> bool:
    data = link.get("linkinfo", {}).get("info_data", {})
    return (data.get("id") == tunnel.vni and data.get("local") == tunnel.local and data.get("port") == tunnel.port
            and data.get("group", "") == tunnel.group and link["mtu"] == substrate.mtu
            and link.get("master") == substrate.bridge and "UP" in link["flags"])


def _flood_entries(tunnel: Tunnel, dry_run: bool) -> list[str]:
    listed = subprocess.run(["bridge", "-json", "fdb", "show", "dev", tunnel.device], capture_output=True, text=True, check=False)
    entries = json.loads(listed.stdout or "[]") if listed.returncode == 0 else []
    present = {entry["dst"] for entry in entries if entry.get("mac") == "00:00:00:00:00:00" and "dst" in entry}
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


def _remove_unplanned(plan: HostPlan, paths: ExperimentPaths, live, dry_run: bool) -> list[str]:
    planned = {substrate.bridge for substrate in plan.substrates}
    planned |= {substrate.tunnel.device for substrate in plan.substrates if substrate.tunnel}
    marks = tuple(paths.mark + suffix for suffix in ("substrate:", "tunnel:"))
    surplus = [link for name, link in live.items() if link.get("ifalias", "").startswith(marks) and name not in planned]
    if not dry_run:
        batch = Batch()
        for link in surplus:
            batch.delete_link(f"removing {link['ifname']}", link["ifindex"])
        batch.send()
    return [f"device {link['ifname']} ({link['ifalias']}): removed" for link in surplus]
