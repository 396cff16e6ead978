# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Netlink requests as bytes: the few attributes that a vhost needs, by the kernel's names (linux/if_link.h and its kin).

Encoded here and not by pyroute2: its general encoder takes longer for a thousand nodes than the kernel takes to
make them, and a vhost without it needs one package less.
"""

from __future__ import annotations

import socket
import struct

_ATTRIBUTE = struct.Struct("=HH")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")
_NEIGHBOUR = struct.Struct("=BxxxiHBB")


def link_body(attributes, index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    """struct ifinfomsg and its attributes, [(name, value)]; a value for nested attributes is such a list again."""
    return _LINK.pack(0, 0, index, flags, change) + encode(attributes)


def address_body(attributes, index: int, prefix: int) -> bytes:
    """struct ifaddrmsg of IPv4 and its attributes."""
    return _ADDRESS.pack(socket.AF_INET, prefix, 0, 0, index) + encode(attributes)


def route_body(attributes, length: int, scope: int = 0) -> bytes:
    """struct rtmsg of a static unicast IPv4 route in the main table, and its attributes."""
    return _ROUTE.pack(socket.AF_INET, length, 0, 0, 254, 4, scope, 1, 0) + encode(attributes)


def neighbour_body(attributes, index: int, state: int, flags: int) -> bytes:
    """struct ndmsg of a bridge's or tunnel's forwarding entry, and its attributes."""
    return _NEIGHBOUR.pack(socket.AF_BRIDGE, index, state, flags, 0) + encode(attributes)


def encode(attributes) -> bytes:
    """[(name, value)] as attributes, each padded to four bytes."""
    parts = []
    for name, value in attributes:
        number, pack = _KNOWN[name]
        data = pack(value)
        parts.append(_ATTRIBUTE.pack(len(data) + 4, number) + data + bytes(-len(data) % 4))
    return b"".join(parts)


def _u8(value) -> bytes:
    return struct.pack("=B", value)


def _u16(value) -> bytes:
    return struct.pack("=H", value)


def _be16(value) -> bytes:
    return struct.pack("!H", value)


def _u32(value) -> bytes:
    return struct.pack("=I", value)


def _text(value) -> bytes:
    return value.encode() + b"\0"


def _mac(value) -> bytes:
    return bytes.fromhex(value.replace(":", ""))


def _peer(value) -> bytes:
    """The other end of a veth is a whole link message."""
    return link_body(value)


_KNOWN = {
    "IFLA_ADDRESS": (1, _mac), "IFLA_IFNAME": (3, _text), "IFLA_MTU": (4, _u32), "IFLA_MASTER": (10, _u32), "IFLA_LINKINFO": (18, encode),
    "IFLA_IFALIAS": (20, _text), "IFLA_AF_SPEC": (26, encode), "IFLA_GROUP": (27, _u32), "IFLA_NET_NS_FD": (28, _u32),
    "IFLA_NUM_TX_QUEUES": (31, _u32), "IFLA_NUM_RX_QUEUES": (32, _u32),
    "IFLA_INFO_KIND": (1, _text), "IFLA_INFO_DATA": (2, encode), "VETH_INFO_PEER": (1, _peer),
    "AF_INET6": (socket.AF_INET6, encode), "IFLA_INET6_ADDR_GEN_MODE": (8, _u8),
    "IFLA_BR_FORWARD_DELAY": (1, _u32), "IFLA_BR_STP_STATE": (5, _u32), "IFLA_BR_GROUP_FWD_MASK": (9, _u16), "IFLA_BR_MCAST_SNOOPING": (23, _u8),
    "IFLA_BR_NF_CALL_IPTABLES": (36, _u8), "IFLA_BR_NF_CALL_IP6TABLES": (37, _u8), "IFLA_BR_NF_CALL_ARPTABLES": (38, _u8),
    "IFLA_VXLAN_ID": (1, _u32), "IFLA_VXLAN_GROUP": (2, socket.inet_aton), "IFLA_VXLAN_LINK": (3, _u32), "IFLA_VXLAN_LOCAL": (4, socket.inet_aton),
    "IFLA_VXLAN_TTL": (5, _u8), "IFLA_VXLAN_LEARNING": (7, _u8), "IFLA_VXLAN_PORT": (15, _be16),
    "IFA_ADDRESS": (1, socket.inet_aton), "IFA_LOCAL": (2, socket.inet_aton), "IFA_BROADCAST": (4, socket.inet_aton),
    "RTA_DST": (1, socket.inet_aton), "RTA_OIF": (4, _u32), "RTA_GATEWAY": (5, socket.inet_aton),
    "NDA_DST": (1, socket.inet_aton), "NDA_LLADDR": (2, _mac),
}
