# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Move what an interface carries (addresses, routes, settings) from one device to another.

Addresses and routes are kept as the kernel listed them, byte for byte except for the device. So metrics, protocols, lifetimes and
whatever else they have move with them. This covers both families and all tables.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Iterable, Sequence

from ...errors import HostError
from ..net import netlink
from ..net import netlink_messages as nl
from ..net.device_settings import read_setting, write_setting

_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_TICKS = 100  # of the kernel's clock in a second, as it counts lifetimes of routes
_LABEL_LENGTH = 15
_RENEWED = (nl.RTPROT_KERNEL, nl.RTPROT_RA, nl.RTPROT_DHCP)  # routes that come back by themselves

# Per-interface settings that decide how the host sends and receives there; the bridge gets those of the interface.
SETTINGS = {
    "ipv4": ("accept_local", "accept_redirects", "accept_source_route", "arp_accept", "arp_announce", "arp_filter", "arp_ignore", "arp_notify",
             "forwarding", "force_igmp_version", "log_martians", "promote_secondaries", "proxy_arp", "route_localnet", "rp_filter", "secure_redirects",
             "send_redirects", "shared_media"),
    "ipv6": ("disable_ipv6", "accept_dad", "accept_ra", "accept_ra_defrtr", "accept_ra_pinfo", "accept_ra_rt_info_max_plen", "accept_ra_mtu",
             "accept_redirects", "addr_gen_mode", "autoconf", "dad_transmits", "forwarding", "hop_limit", "use_tempaddr"),
}


class Address:
    """One address as the kernel listed it; ``body`` is the ifaddrmsg and its attributes."""

    def __init__(self, body: bytes):
        self.body = body
        head, known = nl.decode(nl.RTM_NEWADDR, body)
        self.family, self.prefix, self.scope, self.index = (head[f"ifa_{name}"] for name in ("family", "prefixlen", "scope", "index"))
        self.flags: int = known.get("IFA_FLAGS", head["ifa_flags"])
        self.address: str = known.get("IFA_LOCAL", known.get("IFA_ADDRESS", ""))

    @property
    def key(self) -> tuple[int, str, int]:
        """The same for the same address on any device."""
        return (self.family, self.address, self.prefix)

    @property
    def permanent(self) -> bool:
        """Whether it has no lifetime."""
        return bool(self.flags & nl.IFA_F_PERMANENT)

    @property
    def link_local(self) -> bool:
        """Whether it is an IPv6 address of fe80::/16."""
        return self.address.startswith("fe80:")

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix}"

    def on(self, index: int, name: str, nodad: bool) -> bytes:
        """Return the request that adds it to the device ``index`` called ``name``."""
        attributes = nl.decode_raw(nl.RTM_NEWADDR, self.body)[1]
        label = nl.value_of("IFA_LABEL", attributes.pop("IFA_LABEL", b""))
        if self.family == socket.AF_INET:
            _device, colon, suffix = label.partition(":")
            attributes["IFA_LABEL"] = nl.value_bytes("IFA_LABEL", f"{name}{colon}{suffix}"[:_LABEL_LENGTH])
        flags = self.flags & ~(nl.IFA_F_TENTATIVE | nl.IFA_F_DADFAILED | nl.IFA_F_PERMANENT | nl.IFA_F_NODAD)
        if nodad and self.family == socket.AF_INET6:
            flags |= nl.IFA_F_NODAD
        attributes["IFA_FLAGS"] = nl.value_bytes("IFA_FLAGS", flags)
        head = nl.IFADDRMSG.encode(ifa_family=self.family, ifa_prefixlen=self.prefix, ifa_flags=flags & nl.U8_MAX, ifa_scope=self.scope, ifa_index=index)
        return head + nl.encode_raw(attributes)


class Route:
    """One route as the kernel listed it; ``body`` is the rtmsg and its attributes."""

    def __init__(self, body: bytes):
        self.body = body
        self._head, self._known = nl.decode(nl.RTM_NEWROUTE, body)
        self.family, self.length, self.protocol, self.flags = (self._head[f"rtm_{name}"] for name in ("family", "dst_len", "protocol", "flags"))
        self.table: int = self._known.get("RTA_TABLE") or self._head["rtm_table"]
        self.index: int = self._known.get("RTA_OIF", 0)
        self.source: str = self._known.get("RTA_PREFSRC", "")
        self.hops: list[int] = self._known.get("RTA_MULTIPATH", [])

    @property
    def destination_key(self) -> tuple[int, int, int, str, int, str]:
        """Where it leads and through which gateway. Its metric may be another on another device."""
        return (self.family, self.table, self.length, self._known.get("RTA_DST", ""), self._head["rtm_tos"], self._known.get("RTA_GATEWAY", ""))

    @property
    def through_gateway(self) -> bool:
        """Whether it leads through a gateway, of either family."""
        return "RTA_GATEWAY" in self._known or "RTA_VIA" in self._known

    @property
    def odd(self) -> str:
        """Why it cannot be moved as it is, or ""."""
        if self._known.get("RTA_NH_ID"):
            return "uses a nexthop object"
        return "is encapsulated" if "RTA_ENCAP" in self._known else ""

    def __str__(self) -> str:
        text = f"{self._known['RTA_DST']}/{self.length}" if "RTA_DST" in self._known else "default"
        return f"{text} via {self._known['RTA_GATEWAY']}" if "RTA_GATEWAY" in self._known else text

    def on(self, index: int) -> bytes:
        """Return the request that adds it through the device ``index``."""
        attributes = nl.decode_raw(nl.RTM_NEWROUTE, self.body)[1]
        attributes.pop("RTA_CACHEINFO", None)
        expires = self._known.get("RTA_CACHEINFO", 0)
        if expires > 0:
            attributes["RTA_EXPIRES"] = nl.value_bytes("RTA_EXPIRES", expires // _TICKS + 1)
        attributes["RTA_OIF"] = nl.value_bytes("RTA_OIF", index)
        table = self.table if self.table <= nl.U8_MAX else nl.RT_TABLE_UNSPEC
        return nl.RTMSG.encode(**{**self._head, "rtm_table": table, "rtm_flags": self.flags & nl.RTNH_F_ONLINK}) + nl.encode_raw(attributes)


def index_of(name: str) -> int:
    """Return the interface's index, 0 when there is none."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return 0


def addresses(index: int = 0) -> list[Address]:
    """Return the addresses of a device (of all for 0) in the kernel's order, primary before secondary."""
    listed = (Address(body) for family in _FAMILIES for body in netlink.dump(nl.RTM_GETADDR, nl.IFADDRMSG.encode(ifa_family=family)))
    return [address for address in listed if address.family in _FAMILIES and index in (0, address.index)]


def all_routes() -> list[Route]:
    """Return every route of both families and of all tables but ``local``."""
    listed = (Route(body) for family in _FAMILIES for body in netlink.dump(nl.RTM_GETROUTE, nl.RTMSG.encode(rtm_family=family)))
    return [route for route in listed if route.family in _FAMILIES and route.table != nl.RT_TABLE_LOCAL and not route.flags & nl.RTM_F_CLONED]


class LinkConfig:
    """What a device carries: addresses, the routes through it, routes elsewhere that name its addresses as source, and its settings."""

    def __init__(self, address_list: Iterable[Address], route_list: Iterable[Route], others: Iterable[Route] = (), settings: dict[str, str] | None = None):
        self.addresses, self.routes, self.others = list(address_list), list(route_list), list(others)
        self.settings = dict(settings or {})

    @classmethod
    def of(cls, name: str) -> LinkConfig:
        """Return what a live device carries."""
        index = index_of(name)
        mine = addresses(index) if index else []
        sources = {address.address for address in mine}
        listed = all_routes()
        others = [route for route in listed if route.index != index and route.source in sources]
        return cls(mine, [route for route in listed if route.index == index and index], others, read_settings(name))

    def to_plain(self) -> dict:
        """Return it in a form that JSON can hold."""
        lists: dict[str, Sequence[Address | Route]] = {"addresses": self.addresses, "routes": self.routes, "others": self.others}
        return {**{name: [item.body.hex() for item in items] for name, items in lists.items()}, "settings": self.settings}

    @classmethod
    def from_plain(cls, data: dict) -> LinkConfig:
        """Return what ``to_plain`` was called on."""
        routes, others = ([Route(bytes.fromhex(text)) for text in data[name]] for name in ("routes", "others"))
        return cls([Address(bytes.fromhex(text)) for text in data["addresses"]], routes, others, data["settings"])

    def global_addresses(self) -> list[Address]:
        """Return the addresses that the host is reached by from elsewhere."""
        return [address for address in self.addresses if not address.link_local]

    def describe(self) -> list[str]:
        """Return one line for each address and route, for people and ``--diff``."""
        routes = {str(route) for route in self.routes if route.protocol != nl.RTPROT_KERNEL}
        return sorted(map(str, self.global_addresses())) + sorted(f"route {route}" for route in routes)


def read_settings(name: str) -> dict[str, str]:
    """Return {"ipv6/accept_ra": "1", …} of an interface: those of SETTINGS that this kernel has."""
    found = {}
    for family, names in SETTINGS.items():
        for setting in names:
            try:
                value = read_setting(name, f"{family}/{setting}")
            except OSError:
                continue
            if value is not None:
                found[f"{family}/{setting}"] = value
    return found


def write_settings(name: str, wanted: dict[str, str]) -> None:
    """Set what differs. A value that the kernel refuses is skipped, because none is worth losing the connection for."""
    current = read_settings(name)
    for setting, value in wanted.items():
        if current.get(setting, value) == value:
            continue
        try:
            write_setting(name, setting, value)
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
        batch.request(f"address {address} on {target}", nl.RTM_NEWADDR, nl.NLM_F_CREATE | nl.NLM_F_REPLACE, address.on(taker, target, nodad))
    for route in sorted(link_config.routes, key=lambda route: route.through_gateway):
        batch.request(f"route {route} on {target}", nl.RTM_NEWROUTE, nl.NLM_F_CREATE | nl.NLM_F_EXCL, route.on(taker), errno.EEXIST)
    for route in link_config.others:
        batch.request(f"route {route}", nl.RTM_NEWROUTE, nl.NLM_F_CREATE | nl.NLM_F_EXCL, route.on(route.index), errno.EEXIST)
    batch.send()


def _take_away(batch: netlink.Batch, index: int) -> None:
    current = [route for route in all_routes() if route.index == index]
    for route in sorted(current, key=lambda route: not route.through_gateway):
        batch.request(f"route {route}", nl.RTM_DELROUTE, 0, route.on(index), errno.ESRCH)
    for address in reversed(addresses(index)):
        batch.request(f"address {address}", nl.RTM_DELADDR, 0, address.body, errno.EADDRNOTAVAIL)


def complete(link_config: LinkConfig, target: str) -> None:
    """Give ``target`` the permanent addresses and routes that it lacks because no configuration has them.

    The manager of the interface renews whatever has a lifetime or came from DHCP or router advertisements.
    """
    index = index_of(target)
    batch = netlink.Batch()
    present = {address.key for address in addresses(index)}
    for address in link_config.addresses:
        if address.key not in present and address.permanent and not address.link_local:
            batch.request(f"address {address} on {target}", nl.RTM_NEWADDR, nl.NLM_F_CREATE | nl.NLM_F_REPLACE, address.on(index, target, False))
    batch.send()
    there = {route.destination_key for route in all_routes() if route.index == index}
    lacking = [route for route in link_config.routes if route.destination_key not in there and route.protocol not in _RENEWED]
    for route in sorted(lacking, key=lambda route: route.through_gateway):
        batch.request(f"route {route} on {target}", nl.RTM_NEWROUTE, nl.NLM_F_CREATE | nl.NLM_F_EXCL, route.on(index), errno.EEXIST)
    for route in link_config.others:
        batch.request(f"route {route}", nl.RTM_NEWROUTE, nl.NLM_F_CREATE | nl.NLM_F_EXCL, route.on(route.index), errno.EEXIST)
    batch.send()


def missing(link_config: LinkConfig, target: str) -> list[str]:
    """Return what ``target`` still lacks for the host to be reached as before: global addresses, also unusable ones, and default routes."""
    index = index_of(target)
    usable = {address.key for address in addresses(index) if not address.flags & nl.IFA_F_TENTATIVE}
    wanted = [address for address in link_config.global_addresses() if address.family == socket.AF_INET or address.permanent]
    lacking = [f"address {address}" for address in wanted if address.key not in usable]
    defaults = {route.destination_key[:3] for route in all_routes() if route.index == index and not route.length}
    return lacking + [f"route {route}" for route in link_config.routes
                      if not route.length and route.protocol != nl.RTPROT_RA and route.destination_key[:3] not in defaults]


def await_link_config(link_config: LinkConfig, target: str, seconds: float) -> None:
    """Wait until ``target`` has what the host is reached by. Raises HostError that names what is missing after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        lacking = missing(link_config, target) if index_of(target) else ["the device"]
        if not lacking:
            return
        if time.monotonic() > deadline:
            raise HostError(f"{target} did not get {', '.join(lacking)} within {seconds:g} s")
        time.sleep(0.1)


def link_attribute(name: str, leaf: str) -> str:
    """Return the content of one file of /sys/class/net/NAME, "" when it is not there."""
    try:
        with open(f"/sys/class/net/{name}/{leaf}", encoding="ascii", errors="replace") as stream:
            return stream.read().strip()
    except OSError:
        return ""


def master_of(name: str) -> str:
    """Return the bridge, bond or VRF that the interface belongs to, or ""."""
    try:
        return os.path.basename(os.readlink(f"/sys/class/net/{name}/master"))
    except OSError:
        return ""
