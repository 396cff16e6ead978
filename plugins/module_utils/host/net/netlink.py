# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send netlink requests to the kernel in batches, and list devices, addresses and routes.

Every function opens a socket of its own, so it acts on the network namespace that the process is in.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ...errors import HostError
from . import netlink_messages as nl
from .netlink_messages import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

_AT_A_TIME = 64  # requests; their acknowledgements must fit into the socket's receive buffer
_RECEIVE = 262144  # bytes; the kernel's datagrams are smaller
_LIMIT_S = 60
_HOST_LENGTH = 32  # of an IPv4 prefix that is one address
_LONGEST_WITH_BROADCAST = 30  # of the IPv4 prefixes that have a broadcast address
ALL_ZEROS = "00:00:00:00:00:00"
"""The MAC address of a VXLAN device's flood entries."""


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


class Batch:
    """Requests that are gathered, then sent. Each has a text, with which its failure is reported."""

    def __init__(self) -> None:
        self._requests: list[tuple[bytes, str, int]] = []
        self._afterwards: list[Callable[[], object]] = []

    def __len__(self) -> int:
        return len(self._requests)

    def add_link(self, what: str, attributes: Iterable[tuple[str, Any]]) -> None:
        """Make a device."""
        self.request(what, nl.RTM_NEWLINK, nl.NLM_F_CREATE | nl.NLM_F_EXCL, nl.IFINFOMSG.encode() + nl.encode(attributes))

    def set_link(self, what: str, attributes: Iterable[tuple[str, Any]] = (), index: int = 0, up: bool = False) -> None:
        """Change a device, which is known by ``index`` or by an attribute IFLA_IFNAME; ``up`` also brings it up."""
        flags = nl.IFF_UP if up else 0
        self.request(what, nl.RTM_SETLINK, 0, nl.IFINFOMSG.encode(ifi_index=index, ifi_flags=flags, ifi_change=flags) + nl.encode(attributes))

    def delete_link(self, what: str, index: int) -> None:
        """Remove a device. One that is gone already is no failure."""
        self.request(what, nl.RTM_DELLINK, 0, nl.IFINFOMSG.encode(ifi_index=index), errno.ENODEV)

    def delete_group(self, what: str, group: int) -> None:
        """Remove every device of a link group."""
        self.request(what, nl.RTM_DELLINK, 0, nl.IFINFOMSG.encode() + nl.encode([("IFLA_GROUP", group)]), errno.ENODEV)

    def address(self, what: str, index: int, prefix: str) -> None:
        """Give a device an IPv4 address, ``10.0.0.1/24``, and the broadcast address of its subnet."""
        address, length = split_prefix(prefix)
        attributes = [("IFA_LOCAL", address), ("IFA_ADDRESS", address)]
        if length <= _LONGEST_WITH_BROADCAST:
            attributes.append(("IFA_BROADCAST", _broadcast(address, length)))
        self.request(what, nl.RTM_NEWADDR, nl.NLM_F_CREATE | nl.NLM_F_REPLACE, _ipv4_address(index, length) + nl.encode(attributes))

    def delete_address(self, what: str, index: int, prefix: str) -> None:
        """Take an IPv4 address away from a device."""
        address, length = split_prefix(prefix)
        self.request(what, nl.RTM_DELADDR, 0, _ipv4_address(index, length) + nl.encode([("IFA_LOCAL", address)]))

    def route(self, what: str, to: str, via: str, index: int = 0, replace: bool = True) -> None:
        """Add an IPv4 route through a gateway, and through the device ``index`` if it is not 0. Without ``replace``, an equal route is a failure."""
        flags = nl.NLM_F_CREATE | (nl.NLM_F_REPLACE if replace else nl.NLM_F_EXCL)
        self.request(what, nl.RTM_NEWROUTE, flags, _ipv4_route(to, via, index))

    def device_route(self, what: str, address: str, index: int) -> None:
        """Add the route to a host that the device reaches directly."""
        self.request(what, nl.RTM_NEWROUTE, nl.NLM_F_CREATE | nl.NLM_F_REPLACE, _ipv4_route(address, "", index, nl.RT_SCOPE_LINK))

    def delete_route(self, what: str, to: str, via: str = "", index: int = 0, ignore: int = 0) -> None:
        """Remove an IPv4 route. The error number ``ignore`` is no failure."""
        self.request(what, nl.RTM_DELROUTE, 0, _ipv4_route(to, via, index), ignore)

    def flood_entry(self, what: str, index: int, remote: str, delete: bool = False) -> None:
        """Add or delete the all-zeros forwarding entry of a VXLAN device: frames to unknown addresses also go to ``remote``."""
        kind, flags = (nl.RTM_DELNEIGH, 0) if delete else (nl.RTM_NEWNEIGH, nl.NLM_F_CREATE | nl.NLM_F_APPEND)
        head = nl.NDMSG.encode(ndm_family=socket.AF_BRIDGE, ndm_ifindex=index, ndm_state=nl.NUD_PERMANENT | nl.NUD_NOARP, ndm_flags=nl.NTF_SELF)
        self.request(what, kind, flags, head + nl.encode([("NDA_LLADDR", ALL_ZEROS), ("NDA_DST", remote)]))

    def request(self, what: str, kind: int, flags: int, body: bytes, ignore: int = 0) -> None:
        """Add a request of any type.

        body    a structure and its attributes
        ignore  an error number that is no failure
        """
        self._requests.append((nl.message(kind, nl.NLM_F_ACK | flags, len(self._requests) + 1, body), what, ignore))

    def afterwards(self, action: Callable[[], object]) -> None:
        """Add an action that netlink has no request for. It is done after all requests."""
        self._afterwards.append(action)

    def send(self) -> None:
        """Send all requests in order, in the current network namespace, then do the other actions. The batch is empty afterwards.

        Raises HostError with the text of the first request that the kernel refused. The requests with which it was sent are carried out.
        """
        requests, self._requests = self._requests, []
        actions, self._afterwards = self._afterwards, []
        if requests:
            with _open() as sock:
                for start in range(0, len(requests), _AT_A_TIME):
                    _exchange(sock, start + 1, requests[start:start + _AT_A_TIME])
        for action in actions:
            action()


def _ipv4_address(index: int, length: int) -> bytes:
    return nl.IFADDRMSG.encode(ifa_family=socket.AF_INET, ifa_prefixlen=length, ifa_index=index)


def _ipv4_route(to: str, via: str, index: int, scope: int = nl.RT_SCOPE_UNIVERSE) -> bytes:
    """Return the message of a static unicast route of the main table."""
    prefix, length = split_prefix(to)
    attributes: list[tuple[str, Any]] = [("RTA_DST", prefix)]
    if via:
        attributes.append(("RTA_GATEWAY", via))
    if index:
        attributes.append(("RTA_OIF", index))
    head = nl.RTMSG.encode(rtm_family=socket.AF_INET, rtm_dst_len=length, rtm_table=nl.RT_TABLE_MAIN, rtm_protocol=nl.RTPROT_STATIC, rtm_scope=scope,
                           rtm_type=nl.RTN_UNICAST)
    return head + nl.encode(attributes)


def split_prefix(prefix: str) -> tuple[str, int]:
    """Return address and length of ``10.0.0.1/24``. An address without a length is that of a host."""
    address, _slash, length = prefix.partition("/")
    return address, int(length or _HOST_LENGTH)


def _broadcast(address: str, length: int) -> str:
    number = int.from_bytes(socket.inet_aton(address), "big") | ((1 << (_HOST_LENGTH - length)) - 1)
    return socket.inet_ntoa(number.to_bytes(4, "big"))


def _open(protocol: int = socket.NETLINK_ROUTE) -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    sock.bind((0, 0))
    sock.settimeout(_LIMIT_S)
    return sock


def _exchange(sock: socket.socket, first: int, requests: list[tuple[bytes, str, int]]) -> None:
    waiting = {first + place: (what, ignore) for place, (_data, what, ignore) in enumerate(requests)}
    sock.send(b"".join(data for data, _what, _ignore in requests))
    failure = None
    while waiting:
        for kind, sequence, body in nl.messages(sock.recv(_RECEIVE)):
            if kind != nl.NLMSG_ERROR or sequence not in waiting:
                continue
            what, ignore = waiting.pop(sequence)
            number = nl.error_number(body)
            if number and number != ignore and failure is None:
                failure = HostError(f"{what}: {os.strerror(number)}")
    if failure:
        raise failure


def dump(kind: int, request: bytes, protocol: int = socket.NETLINK_ROUTE) -> Iterator[bytes]:
    """Yield the bodies of all messages that the kernel lists for a request of type RTM_GET…, in the current network namespace. Raises HostError.

    protocol  another netlink family than that of devices and routes
    """
    with _open(protocol) as sock:
        sock.send(nl.message(kind, nl.NLM_F_DUMP, 1, request))
        while True:
            for part, _sequence, body in nl.messages(sock.recv(_RECEIVE)):
                if part == nl.NLMSG_DONE:
                    return
                if part == nl.NLMSG_ERROR:
                    raise HostError(f"the kernel does not list its network settings: {os.strerror(nl.error_number(body))}")
                yield body


def links() -> dict[str, Link]:
    """Return {name: device} of the current network namespace. Raises HostError."""
    request = nl.IFINFOMSG.encode() + nl.encode([("IFLA_EXT_MASK", nl.RTEXT_FILTER_SKIP_STATS)])
    listed = [nl.decode(nl.RTM_NEWLINK, body) for body in dump(nl.RTM_GETLINK, request)]
    names = {head["ifi_index"]: attributes["IFLA_IFNAME"] for head, attributes in listed}
    return {attributes["IFLA_IFNAME"]: _link(head, attributes, names) for head, attributes in listed}


def _link(head: dict[str, int], attributes: dict[str, Any], names: dict[int, str]) -> Link:
    info, family = attributes.get("IFLA_LINKINFO", {}), attributes.get("IFLA_AF_SPEC", {})
    return Link(
        name=attributes["IFLA_IFNAME"],
        index=head["ifi_index"],
        up=bool(head["ifi_flags"] & nl.IFF_UP),
        mtu=attributes["IFLA_MTU"],
        mac_address=attributes.get("IFLA_ADDRESS", ""),
        alias=attributes.get("IFLA_IFALIAS", ""),
        group=attributes.get("IFLA_GROUP", 0),
        kind=info.get("IFLA_INFO_KIND", ""),
        master=names.get(attributes.get("IFLA_MASTER", 0), ""),
        peer="" if "IFLA_LINK_NETNSID" in attributes else names.get(attributes.get("IFLA_LINK", 0), ""),
        data=info.get("IFLA_INFO_DATA", {}),
        ipv6=family.get("AF_INET6", {}).get("IFLA_INET6_CONF", {}).get("DEVCONF_DISABLE_IPV6") == 0,
        arp_ignore=family.get("AF_INET", {}).get("IFLA_INET_CONF", {}).get("IPV4_DEVCONF_ARP_IGNORE", 0),
    )


def ipv4_addresses() -> set[tuple[int, str]]:
    """Return (interface index, ``10.0.0.1/24``) of all addresses of the current network namespace. Raises HostError."""
    found = set()
    for body in dump(nl.RTM_GETADDR, nl.IFADDRMSG.encode(ifa_family=socket.AF_INET)):
        head, attributes = nl.decode(nl.RTM_NEWADDR, body)
        found.add((head["ifa_index"], f"{attributes['IFA_LOCAL']}/{head['ifa_prefixlen']}"))
    return found


def ipv4_gateway_routes() -> set[tuple[str, str]]:
    """Return (``10.0.0.0/16``, gateway) of the main table's routes through gateways, in the current network namespace. Raises HostError."""
    found = set()
    for body in dump(nl.RTM_GETROUTE, nl.RTMSG.encode(rtm_family=socket.AF_INET)):
        head, attributes = nl.decode(nl.RTM_NEWROUTE, body)
        if head["rtm_table"] == nl.RT_TABLE_MAIN and "RTA_GATEWAY" in attributes:
            found.add((f"{attributes.get('RTA_DST', '0.0.0.0')}/{head['rtm_dst_len']}", attributes["RTA_GATEWAY"]))
    return found


def ip_json(*arguments: str) -> list[dict[str, Any]]:
    """Return what iproute2 lists, in the current network namespace. Raises HostError."""
    try:
        result = subprocess.run(["ip", "-json", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError as exc:
        raise HostError("ip is missing on this host: install the package iproute2") from exc
    if result.returncode:
        raise HostError(f"ip {' '.join(arguments)}: {result.stderr.strip()}")
    return [entry for entry in json.loads(result.stdout or "[]") if entry]
