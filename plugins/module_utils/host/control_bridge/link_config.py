# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an interface carries (addresses, routes, settings), moved whole from one device to another.

Addresses and routes are kept as the kernel listed them, byte for byte but for the device, so that metrics,
protocols, lifetimes and whatever else they have move with them. Both families, all tables.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time

from ...errors import HostError
from ..net import netlink

ADDRESS_HEADER, ROUTE_HEADER = struct.Struct("=BBBBI"), struct.Struct("=BBBBBBBBI")
IFA_ADDRESS, IFA_LOCAL, IFA_LABEL, IFA_CACHEINFO, IFA_FLAGS = 1, 2, 3, 6, 8
IFA_F_NODAD, IFA_F_TENTATIVE, IFA_F_DADFAILED, IFA_F_PERMANENT = 0x02, 0x40, 0x08, 0x80
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PREFSRC = 1, 4, 5, 7
RTA_MULTIPATH, RTA_CACHEINFO, RTA_TABLE, RTA_VIA, RTA_ENCAP, RTA_EXPIRES, RTA_NH_ID = 9, 12, 15, 18, 22, 23, 30
RTM_F_CLONED, RTNH_F_ONLINK, TABLE_LOCAL = 0x200, 4, 255
PROTO_KERNEL, PROTO_RA, PROTO_DHCP = 2, 9, 16
FOREVER = 0xFFFFFFFF

# Per-interface settings that decide how the host speaks and listens there; the bridge gets the interface's.
SETTINGS = {
    "ipv4": ("accept_local", "accept_redirects", "accept_source_route", "arp_accept", "arp_announce", "arp_filter", "arp_ignore", "arp_notify",
             "forwarding", "force_igmp_version", "log_martians", "promote_secondaries", "proxy_arp", "route_localnet", "rp_filter", "secure_redirects",
             "send_redirects", "shared_media"),
    "ipv6": ("disable_ipv6", "accept_dad", "accept_ra", "accept_ra_defrtr", "accept_ra_pinfo", "accept_ra_rt_info_max_plen", "accept_ra_mtu",
             "accept_redirects", "addr_gen_mode", "autoconf", "dad_transmits", "forwarding", "hop_limit", "use_tempaddr"),
}


class Address:
    """One address as the kernel listed it (``body``: the ifaddrmsg and its attributes)."""

    def __init__(self, body: bytes):
        self.body = body
        self.family, self.prefix, _flags, self.scope, self.index = ADDRESS_HEADER.unpack_from(body)
        self.attributes = netlink.attributes(body, 8)
        self.flags = struct.unpack("=I", self.attributes[IFA_FLAGS])[0] if IFA_FLAGS in self.attributes else _flags
        self.address = self.attributes.get(IFA_LOCAL, self.attributes.get(IFA_ADDRESS, b""))

    @property
    def key(self):
        return (self.family, self.address, self.prefix)

    @property
    def permanent(self) -> bool:
        return bool(self.flags & IFA_F_PERMANENT)

    @property
    def link_local(self) -> bool:
        return self.family == socket.AF_INET6 and self.address[:2] == b"\xfe\x80"

    def __str__(self):
        return f"{socket.inet_ntop(self.family, self.address)}/{self.prefix}"

    def on(self, index: int, name: str, nodad: bool) -> bytes:
        """The request that adds it to the device ``index`` called ``name``."""
        attrs = dict(self.attributes)
        label = attrs.pop(IFA_LABEL, b"").rstrip(b"\0").decode(errors="replace")
        if self.family == socket.AF_INET:
            suffix = label[label.find(":"):] if ":" in label else ""
            attrs[IFA_LABEL] = (name + suffix).encode()[:15] + b"\0"
        flags = self.flags & ~(IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_PERMANENT | IFA_F_NODAD)
        if nodad and self.family == socket.AF_INET6:
            flags |= IFA_F_NODAD
        attrs[IFA_FLAGS] = struct.pack("=I", flags)
        return ADDRESS_HEADER.pack(self.family, self.prefix, flags & 0xFF, self.scope, index) + _encode(attrs)


class Route:
    """One route as the kernel listed it (``body``: the rtmsg and its attributes)."""

    def __init__(self, body: bytes):
        self.body = body
        (self.family, self.length, self.source_length, self.tos, table, self.protocol, self.scope, self.kind, self.flags) = ROUTE_HEADER.unpack_from(body)
        self.attributes = netlink.attributes(body, 12)
        self.table = _u32(self.attributes.get(RTA_TABLE)) or table
        self.index = _u32(self.attributes.get(RTA_OIF))

    @property
    def destination_key(self):
        """Where it leads and through whom; its metric may be another on another device."""
        return (self.family, self.table, self.length, self.attributes.get(RTA_DST, b""), self.tos, self.attributes.get(RTA_GATEWAY, b""))

    @property
    def through_gateway(self) -> bool:
        return RTA_GATEWAY in self.attributes or RTA_VIA in self.attributes

    @property
    def odd(self) -> str:
        """Why it cannot be moved as it is, or ""."""
        if self.attributes.get(RTA_NH_ID):
            return "uses a nexthop object"
        return "is encapsulated" if RTA_ENCAP in self.attributes else ""

    def __str__(self):
        destination = self.attributes.get(RTA_DST)
        text = f"{socket.inet_ntop(self.family, destination)}/{self.length}" if destination else "default"
        gateway = self.attributes.get(RTA_GATEWAY)
        return f"{text} via {socket.inet_ntop(self.family, gateway)}" if gateway else text

    def on(self, index: int) -> bytes:
        """The request that adds it through the device ``index``."""
        attrs = dict(self.attributes)
        expires = struct.unpack_from("=i", attrs.pop(RTA_CACHEINFO, bytes(12)), 8)[0]
        if expires > 0:
            attrs[RTA_EXPIRES] = struct.pack("=I", expires // 100 + 1)
        attrs[RTA_OIF] = struct.pack("=I", index)
        table = self.table if self.table < 256 else 0
        head = (self.family, self.length, self.source_length, self.tos, table, self.protocol, self.scope, self.kind, self.flags & RTNH_F_ONLINK)
        return ROUTE_HEADER.pack(*head) + _encode(attrs)


def _u32(value) -> int:
    return struct.unpack("=I", value)[0] if value else 0


def _encode(attrs) -> bytes:
    parts = []
    for kind, value in attrs.items():
        parts.append(struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4))
    return b"".join(parts)


def index_of(name: str) -> int:
    """The interface's index, 0 when there is none."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return 0


def addresses(index: int = 0) -> list[Address]:
    """Addresses of a device (of all for 0), in the kernel's order: primary before secondary."""
    listed = (Address(body) for family in (socket.AF_INET, socket.AF_INET6)
              for body in netlink.dump(netlink.RTM_GETADDR, ADDRESS_HEADER.pack(family, 0, 0, 0, 0)))
    return [address for address in listed if address.family in (socket.AF_INET, socket.AF_INET6) and index in (0, address.index)]


def all_routes() -> list[Route]:
    """Every route of both families and all tables but ``local``."""
    listed = (Route(body) for family in (socket.AF_INET, socket.AF_INET6)
              for body in netlink.dump(netlink.RTM_GETROUTE, ROUTE_HEADER.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)))
    return [route for route in listed if route.family in (socket.AF_INET, socket.AF_INET6)
            and route.table != TABLE_LOCAL and not route.flags & RTM_F_CLONED]


class LinkConfig:
    """What a device carries: addresses, the routes through it, routes elsewhere that name its addresses as source, and its settings."""

    def __init__(self, address_list, route_list, others=(), settings=None):
        self.addresses, self.routes, self.others = list(address_list), list(route_list), list(others)
        self.settings = dict(settings or {})

    @classmethod
    def of(cls, name: str) -> LinkConfig:
        index = index_of(name)
        mine = addresses(index) if index else []
        sources = {address.address for address in mine}
        listed = all_routes()
        others = [route for route in listed if route.index != index and route.attributes.get(RTA_PREFSRC) in sources]
        return cls(mine, [route for route in listed if route.index == index and index], others, read_settings(name))

    def to_plain(self) -> dict:
        """As JSON can hold it."""
        lists = {"addresses": self.addresses, "routes": self.routes, "others": self.others}
        return {**{name: [item.body.hex() for item in items] for name, items in lists.items()}, "settings": self.settings}

    @classmethod
    def from_plain(cls, data: dict) -> LinkConfig:
        """What ``to_plain`` gave."""
        routes, others = ([Route(bytes.fromhex(text)) for text in data[name]] for name in ("routes", "others"))
        return cls([Address(bytes.fromhex(text)) for text in data["addresses"]], routes, others, data["settings"])

    def global_addresses(self) -> list[Address]:
        """Those that others reach the host by."""
        return [address for address in self.addresses if not address.link_local]

    def describe(self) -> list[str]:
        """One line for each address and route, for people and ``--diff``."""
        routes = {str(route) for route in self.routes if route.protocol != PROTO_KERNEL}
        return sorted(map(str, self.global_addresses())) + sorted(f"route {route}" for route in routes)


def read_settings(name: str) -> dict[str, str]:
    """{"ipv6/accept_ra": "1", …} of an interface, what the kernel has of SETTINGS."""
    found = {}
    for family, names in SETTINGS.items():
        for setting in names:
            try:
                with open(f"/proc/sys/net/{family}/conf/{name}/{setting}", encoding="ascii") as stream:
                    found[f"{family}/{setting}"] = stream.read().strip()
            except OSError:
                continue
    return found


def write_settings(name: str, wanted: dict[str, str]) -> None:
    """Set what differs. A value the kernel refuses is left: none of them is worth losing the connection for."""
    current = read_settings(name)
    for setting, value in wanted.items():
        if current.get(setting, value) == value:
            continue
        family, leaf = setting.split("/")
        try:
            with open(f"/proc/sys/net/{family}/conf/{name}/{leaf}", "w", encoding="ascii") as stream:
                stream.write(value)
        except OSError:
            continue


def move(link_config: LinkConfig, source: str, target: str, nodad: bool) -> None:
    """Take addresses and routes from ``source`` (which may be gone) and give them to ``target``, in one batch.

    nodad  IPv6 addresses are usable at once, without looking for duplicates again
    Raises HostError that names the first address or route the kernel refused.
    """
    batch = netlink.Batch()
    giver, taker = index_of(source), index_of(target)
    if giver:
        _take_away(batch, giver)
    for address in link_config.addresses:
        batch.raw(f"address {address} on {target}", netlink.RTM_NEWADDR, netlink.CREATE | netlink.REPLACE, address.on(taker, target, nodad))
    for route in sorted(link_config.routes, key=lambda route: route.through_gateway):
        batch.raw(f"route {route} on {target}", netlink.RTM_NEWROUTE, netlink.CREATE | netlink.EXCL, route.on(taker), errno.EEXIST)
    for route in link_config.others:
        batch.raw(f"route {route}", netlink.RTM_NEWROUTE, netlink.CREATE | netlink.EXCL, route.on(route.index), errno.EEXIST)
    batch.send()


def _take_away(batch, index: int) -> None:
    current = [route for route in all_routes() if route.index == index]
    for route in sorted(current, key=lambda route: not route.through_gateway):
        batch.raw(f"route {route}", netlink.RTM_DELROUTE, 0, route.on(index), errno.ESRCH)
    for address in reversed(addresses(index)):
        batch.raw(f"address {address}", netlink.RTM_DELADDR, 0, address.body, errno.EADDRNOTAVAIL)


def complete(link_config: LinkConfig, target: str) -> None:
    """Give ``target`` the lasting addresses and routes it lacks: those nobody's configuration knows of.

    What has a lifetime, or came from DHCP or router advertisements, is for whoever manages the interface to renew.
    """
    index = index_of(target)
    batch = netlink.Batch()
    present = {address.key for address in addresses(index)}
    for address in link_config.addresses:
        if address.key not in present and address.permanent and not address.link_local:
            batch.raw(f"address {address} on {target}", netlink.RTM_NEWADDR, netlink.CREATE | netlink.REPLACE, address.on(index, target, False))
    batch.send()
    present = {route.destination_key for route in all_routes() if route.index == index}
    missing = [route for route in link_config.routes if route.destination_key not in present and route.protocol not in (PROTO_KERNEL, PROTO_RA, PROTO_DHCP)]
    for route in sorted(missing, key=lambda route: route.through_gateway):
        batch.raw(f"route {route} on {target}", netlink.RTM_NEWROUTE, netlink.CREATE | netlink.EXCL, route.on(index), errno.EEXIST)
    for route in link_config.others:
        batch.raw(f"route {route}", netlink.RTM_NEWROUTE, netlink.CREATE | netlink.EXCL, route.on(route.index), errno.EEXIST)
    batch.send()


def missing(link_config: LinkConfig, target: str) -> list[str]:
    """What ``target`` still lacks for the host to be reached as before: global addresses and default routes; not yet usable ones count."""
    index = index_of(target)
    usable = {address.key for address in addresses(index) if not address.flags & IFA_F_TENTATIVE}
    wanted = [address for address in link_config.global_addresses() if address.family == socket.AF_INET or address.permanent]
    lacking = [f"address {address}" for address in wanted if address.key not in usable]
    defaults = {route.destination_key[:3] for route in all_routes() if route.index == index and not route.length}
    return lacking + [f"route {route}" for route in link_config.routes
                      if not route.length and route.protocol != PROTO_RA and route.destination_key[:3] not in defaults]


def await_link_config(link_config: LinkConfig, target: str, seconds: float) -> None:
    """Wait until ``target`` has what the host is reached by. Raises HostError with what is missing after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        lacking = missing(link_config, target) if index_of(target) else ["the device"]
        if not lacking:
            return
        if time.monotonic() > deadline:
            raise HostError(f"{target} did not get {', '.join(lacking)} within {seconds:g} s")
        time.sleep(0.1)


def link_attribute(name: str, leaf: str) -> str:
    """One file of /sys/class/net/NAME, "" when it is not there."""
    try:
        with open(f"/sys/class/net/{name}/{leaf}", encoding="ascii", errors="replace") as stream:
            return stream.read().strip()
    except OSError:
        return ""


def master_of(name: str) -> str:
    """The bridge, bond or VRF that the interface belongs to, or ""."""
    try:
        return os.path.basename(os.readlink(f"/sys/class/net/{name}/master"))
    except OSError:
        return ""
