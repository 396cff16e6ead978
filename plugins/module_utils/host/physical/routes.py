# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuse routes of an experiment that would take away from a machine what it reaches by its own routes."""

from __future__ import annotations

import ipaddress
import re
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import HostError
from ...hostplan import HostPlan, VnodePlan
from ..net import netlink

_ESTABLISHED = "01"


@dataclass(frozen=True)
class RouteEntry:
    """A route of the main table: its destination, its gateway ("" for what is on the wire) and its device."""

    to: ipaddress.IPv4Network
    via: str
    device: str


def main_routes() -> list[RouteEntry]:
    """Return every IPv4 route of the main table; of a multipath route each hop is one."""
    found = []
    for route in netlink.ip_json("-4", "route", "show", "table", "main"):
        to = ipaddress.IPv4Network("0.0.0.0/0" if route["dst"] == "default" else route["dst"])
        for hop in route.get("nexthops", [route]):
            found.append(RouteEntry(to, hop.get("gateway", ""), hop.get("dev", "")))
    return found


def refuse_capture(plan: HostPlan, vnode: VnodePlan, others: list[RouteEntry]) -> None:
    """Raise HostError when a subnet or route of the node would cut this machine off from what it reaches by its own routes, ``others``."""
    needed = _needed(plan, vnode)
    for interface in vnode.interfaces:
        if interface.ip4_address:
            subnet = ipaddress.IPv4Interface(interface.ip4_address).network
            what = f"subnet {subnet} of interface {interface.name}"
            _refuse(vnode, what, _reached(entry for entry in others if entry.to.prefixlen and entry.to.subnet_of(subnet)))
            _refuse(vnode, what, _captured(subnet, others, needed))
    for route in vnode.routes:
        prefix = ipaddress.IPv4Network(route.to, strict=False)
        if not prefix.prefixlen:
            raise HostError(f"{vnode.name}: route to {route.to}: this machine keeps its own default route, by which it is managed")
        _refuse(vnode, f"route to {route.to}", _reached(entry for entry in others if entry.to == prefix))
        _refuse(vnode, f"route to {route.to}", _captured(prefix, others, needed))


def _refuse(vnode: VnodePlan, what: str, lost: str | None) -> None:
    if lost:
        raise HostError(f"{vnode.name}: {what} would cut this machine off from {lost}; "
                        "create the experiment with another address_base, or with this network among control_networks")


def _reached(conflicts: Iterator[RouteEntry]) -> str | None:
    """Name the first route of the machine's own that is in the way."""
    first = next(conflicts, None)
    return f"{first.to}, which it reaches by {first.device}" if first else None


def _captured(prefix: ipaddress.IPv4Network, others: list[RouteEntry], needed: dict[str, str]) -> str | None:
    """Name an address that the machine needs and that would from now on be reached through the experiment."""
    for address, what in needed.items():
        number = ipaddress.IPv4Address(address)
        if number in prefix and max((entry.to.prefixlen for entry in others if number in entry.to), default=0) < prefix.prefixlen:
            return f"{what} {address}"
    return None


def _needed(plan: HostPlan, vnode: VnodePlan) -> dict[str, str]:
    """Return {address: what it is} of what this machine talks to outside the experiment."""
    found = {remote: "the other end of a tunnel" for substrate in plan.substrates if substrate.tunnel for remote in substrate.tunnel.remotes}
    found.update(dict.fromkeys(_name_servers(), "the name server"))
    own = {interface.ip4_address.split("/")[0] for interface in vnode.interfaces}
    found.update({peer: "a peer of a connection," for local, peer in _connections() if local not in own})
    return found


def _name_servers() -> list[str]:
    try:
        with open("/etc/resolv.conf", encoding="utf-8", errors="replace") as stream:
            return re.findall(r"^\s*nameserver\s+(\d+\.\d+\.\d+\.\d+)\s*$", stream.read(), re.MULTILINE)
    except OSError:
        return []


def _connections() -> list[tuple[str, str]]:
    """Return (local, remote) IPv4 addresses of TCP connections, also of those to an IPv6 socket (::ffff:a.b.c.d)."""
    found = []
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(path, encoding="ascii") as lines:
                rows = [line.split() for line in lines][1:]
        except OSError:
            continue
        ends = [(row[1].split(":")[0], row[2].split(":")[0]) for row in rows if row[3] == _ESTABLISHED]
        found += [(_dotted(local), _dotted(remote)) for local, remote in ends if len(local) == 8 or local.startswith("0" * 16 + "FFFF0000")]
    return found


def _dotted(text: str) -> str:
    """Return an address as text. The kernel prints its last 32 bits as a number in this machine's byte order."""
    number = int(text[-8:], 16)
    return socket.inet_ntoa(number.to_bytes(4, sys.byteorder))
