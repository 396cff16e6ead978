# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Announce the addresses of nodes on the control network (RFC 5227), because a node may have one that another node had a minute ago.

Neighbours that still remember the other MAC address would not reach the node for ten seconds or more.
"""

from __future__ import annotations

import socket
import struct

from ...hostplan import HostPlan
from ...names import CONTROL

_ETHERNET, _ARP, _IPV4, _REQUEST = 1, 0x0806, 0x0800, 1


def announce(plan: HostPlan, kind: str) -> None:
    """Broadcast the control and MAC address of every node of this kind from the control bridge. Raises OSError."""
    nodes = [vnode.control for vnode in plan.vnodes if vnode.kind == kind and vnode.control and not vnode.ghost]
    if not nodes:
        return
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.htons(_ARP)) as wire:
        wire.bind((CONTROL, _ARP))
        for control in nodes:
            wire.send(announcement(control.mac_address, control.ip4_address.split("/")[0]))


def announcement(mac_address: str, address: str) -> bytes:
    """Return the frame: an ARP request for the address by its owner."""
    mac, ip = bytes.fromhex(mac_address.replace(":", "")), socket.inet_aton(address)
    body = struct.pack("!HHBBH6s4s6s4s", _ETHERNET, _IPV4, 6, 4, _REQUEST, mac, ip, bytes(6), ip)
    return (b"\xff" * 6 + mac + struct.pack("!H", _ARP) + body).ljust(60, b"\0")
