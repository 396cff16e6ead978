# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The counters that the kernel keeps of each device."""

from __future__ import annotations

import struct

from . import netlink
from . import netlink_messages as nl

_IFNAME, _STATS64 = 3, 23  # attributes of a link
_STATS = struct.Struct("=8Q")  # the beginning of struct rtnl_link_stats64
_FIELDS = ("rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_errors", "tx_errors", "rx_dropped", "tx_dropped")


def device_counters() -> dict[str, dict[str, int]]:
    """Return {device: {"rx_packets", "tx_packets", "rx_bytes", …}} of the current network namespace. Raises HostError."""
    found = {}
    for body in netlink.dump(nl.RTM_GETLINK, nl.IFINFOMSG.encode()):
        stats = nl.attribute_bytes(body, _STATS64, nl.IFINFOMSG.size)
        if len(stats) >= _STATS.size:
            name = nl.attribute_bytes(body, _IFNAME, nl.IFINFOMSG.size).rstrip(b"\0").decode(errors="replace")
            found[name] = dict(zip(_FIELDS, _STATS.unpack_from(stats)))
    return found


def seen_from_the_other_end(counters: dict[str, int]) -> dict[str, int]:
    """Return the counters of a port as the node at its other end would count: what the port sends, the node receives."""
    other = {"rx": "tx", "tx": "rx"}
    return {field: counters[f"{other[field[:2]]}{field[2:]}"] for field in _FIELDS}
