# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the network inside a node, and compare it with the plan.

Only netlink is used: no program of the node runs, and no file of it is read. A node may have given itself any number of devices,
addresses and routes, so the lists can be bounded.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...hostplan import VnodePlan
from ...names import CONTROL
from . import netlink
from . import netlink_messages as nl

MOST = 4096
"""Devices, addresses or routes of a node that may be hostile. The lists of one that has more are not read to their ends."""
_BRIEF = nl.IFINFOMSG.encode() + nl.encode([("IFLA_EXT_MASK", nl.RTEXT_FILTER_SKIP_STATS)])


@dataclass(frozen=True)
class Interface:
    """A device inside a node. ``up``: administratively."""

    index: int
    up: bool
    mtu: int
    mac_address: str


@dataclass(frozen=True)
class Inside:
    """The network inside a node.

    links      {name: device}
    addresses  (index of the device, ``10.0.0.1/24``)
    routes     (``10.0.0.0/16``, gateway) of the main table
    """

    links: dict[str, Interface]
    addresses: set[tuple[int, str]]
    routes: set[tuple[str, str]]


def look_inside(most: int = 0) -> Inside:
    """Return the network of the namespace that this process is in. Raises HostError.

    most  entries of a list; a longer one is an error. 0 for any number
    """
    with netlink.listing(most) as listed:
        links = {}
        for body in listed(nl.RTM_GETLINK, _BRIEF):
            head, attributes = nl.decode_brief_link(body)
            links[attributes["IFLA_IFNAME"]] = Interface(
                head["ifi_index"], bool(head["ifi_flags"] & nl.IFF_UP), attributes["IFLA_MTU"], attributes.get("IFLA_ADDRESS", ""))
        return Inside(links, netlink.ipv4_addresses(listed), netlink.ipv4_gateway_routes(listed))


def differences(vnode: VnodePlan, inside: Inside, mtus: dict[str, int]) -> list[str]:
    """Return how the network inside a node differs from the plan, as text. What the node has beside the planned things is its own.

    mtus  {substrate: its MTU}, with that of the control network
    """
    found: list[str] = []
    control = vnode.control
    if control:
        found += _interface(inside, control.interface, control.mac_address, control.ip4_address, mtus[CONTROL])
    for interface in vnode.interfaces:
        found += _interface(inside, interface.name, interface.mac_address, interface.ip4_address, mtus[interface.substrate])
    return found + [f"has no route to {route.to} via {route.via}" for route in vnode.routes if (route.to, route.via) not in inside.routes]


def _interface(inside: Inside, name: str, mac_address: str, ip4_address: str, mtu: int) -> list[str]:
    link = inside.links.get(name)
    if not link:
        return [f"{name} is missing"]
    return [text for text, differs in (
        (f"{name} is down", not link.up),
        (f"{name} has no address {ip4_address}", bool(ip4_address) and (link.index, ip4_address) not in inside.addresses),
        (f"{name} has MAC address {link.mac_address} instead of {mac_address}", link.mac_address != mac_address),
        (f"{name} has MTU {link.mtu} instead of {mtu}", link.mtu != mtu),
    ) if differs]
