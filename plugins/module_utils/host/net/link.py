# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network device as netlink.py lists it."""

from __future__ import annotations

from dataclasses import dataclass

from .netlink_messages import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


@dataclass(frozen=True)
class Link:
    """A live network device.

    up      whether it is administratively up
    alias   "" when it has none
    kind    ``bridge``, ``veth``, ``vxlan``, ``tun`` …; "" for a network card
    master  the name of the bridge that it is a member of, or ""
    peer    the name of the device at its other end, or below it; "" when that is in another network namespace
    data    attributes of its kind, by the kernel's names
    ipv6    whether it takes part in IPv6. A kernel without IPv6 has no device that does
    arp_ignore  which requests for an address of this host the host does not answer by it, see the kernel's ip-sysctl
    """

    name: str
    index: int
    up: bool
    mtu: int
    mac_address: str
    alias: str
    group: int
    kind: str
    master: str
    peer: str
    data: dict[str, Any]
    ipv6: bool = False
    arp_ignore: int = 0
