# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Netlink in batches: many requests at a time over a plain socket that belongs to whichever network
namespace the process is in when it is opened.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import struct
import subprocess

from ...errors import HostError
from . import netlink_encoding as encoding

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWNEIGH, RTM_DELNEIGH = 28, 29
REQUEST, ACK, DUMP = 0x1, 0x4, 0x300
REPLACE, EXCL, CREATE, APPEND = 0x100, 0x200, 0x400, 0x800
IFF_UP = 1
_SCOPE_LINK, _PERMANENT, _SELF = 253, 0x80 | 0x40, 0x02  # NUD_PERMANENT and NUD_NOARP; NTF_SELF
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_HEADER = struct.Struct("=IHHII")
_AT_A_TIME = 64  # so that the acknowledgements fit the socket's receive buffer


class Batch:
    """Requests gathered, then sent. Each carries the words that its failure will be reported with."""

    def __init__(self):
        self._messages: list[tuple[bytes, str, int]] = []

    def __len__(self):
        return len(self._messages)

    def link(self, what: str, fields=None, attrs=(), create: bool = False) -> None:
        """RTM_NEWLINK that creates, or RTM_SETLINK that changes; ``fields`` are index, flags and change of the header."""
        kind, flags = (RTM_NEWLINK, CREATE | EXCL) if create else (RTM_SETLINK, 0)
        self.raw(what, kind, flags, encoding.link_body(attrs, **(fields or {})))

    def delete_link(self, what: str, index: int = 0, attrs=(), ignore: int = errno.ENODEV) -> None:
        self.raw(what, RTM_DELLINK, 0, encoding.link_body(attrs, index), ignore)

    def address(self, what: str, index: int, address: str, prefix: int, broadcast: str = "") -> None:
        attrs = [("IFA_LOCAL", address), ("IFA_ADDRESS", address)]
        if broadcast:
            attrs.append(("IFA_BROADCAST", broadcast))
        self.raw(what, RTM_NEWADDR, CREATE | REPLACE, encoding.address_body(attrs, index, prefix))

    def delete_address(self, what: str, index: int, address: str, prefix: int) -> None:
        self.raw(what, RTM_DELADDR, 0, encoding.address_body([("IFA_LOCAL", address)], index, prefix))

    def route(self, what: str, prefix: str, length: int, via: str) -> None:
        self.raw(what, RTM_NEWROUTE, CREATE | REPLACE, encoding.route_body([("RTA_DST", prefix), ("RTA_GATEWAY", via)], length))

    def device_route(self, what: str, address: str, index: int) -> None:
        """A host on the wire of an interface."""
        self.raw(what, RTM_NEWROUTE, CREATE | REPLACE, encoding.route_body([("RTA_DST", address), ("RTA_OIF", index)], 32, _SCOPE_LINK))

    def delete_route(self, what: str, prefix: str, length: int) -> None:
        self.raw(what, RTM_DELROUTE, 0, encoding.route_body([("RTA_DST", prefix)], length))

    def flood_entry(self, what: str, index: int, remote: str, delete: bool = False) -> None:
        """The all-zeros forwarding entry of a VXLAN device: unknown frames also go to ``remote``."""
        kind, flags = (RTM_DELNEIGH, 0) if delete else (RTM_NEWNEIGH, CREATE | APPEND)
        attrs = [("NDA_LLADDR", "00:00:00:00:00:00"), ("NDA_DST", remote)]
        self.raw(what, kind, flags, encoding.neighbour_body(attrs, index, _PERMANENT, _SELF))

    def raw(self, what: str, kind: int, flags: int, body: bytes, ignore: int = 0) -> None:
        """A request whose body (header of its family and attributes) is there already, as dump() lists them."""
        header = _HEADER.pack(16 + len(body), kind, REQUEST | ACK | flags, len(self._messages) + 1, 0)
        self._messages.append((header + body + bytes(-len(body) % 4), what, ignore))

    def send(self) -> None:
        """Send all, in order, in the current network namespace; the batch is empty afterwards.

        Raises HostError with the words of the first request that the kernel refused.
        """
        messages, self._messages = self._messages, []
        if not messages:
            return
        with _open() as sock:
            for start in range(0, len(messages), _AT_A_TIME):
                _exchange(sock, messages[start:start + _AT_A_TIME])


def _open():
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    sock.bind((0, 0))
    sock.settimeout(60)
    return sock


def _exchange(sock, messages) -> None:
    by_sequence = {_HEADER.unpack_from(data)[3]: (what, ignore) for data, what, ignore in messages}
    sock.send(b"".join(data for data, _what, _ignore in messages))
    failure = None
    while by_sequence:
        for kind, sequence, body in _parts(sock.recv(262144)):
            if kind != _NLMSG_ERROR or sequence not in by_sequence:
                continue
            what, ignore = by_sequence.pop(sequence)
            number = -struct.unpack_from("=i", body)[0]
            if number and number != ignore and failure is None:
                failure = HostError(f"{what}: {os.strerror(number)}")
    if failure:
        raise failure


def _parts(data):
    offset = 0
    while offset + 16 <= len(data):
        length, kind, _flags, sequence, _port = _HEADER.unpack_from(data, offset)
        yield kind, sequence, data[offset + 16:offset + length]
        offset += (length + 3) & ~3


def dump(kind, request):
    """The bodies of all that the kernel lists for a RTM_GET request of the current network namespace. Raises HostError."""
    with _open() as sock:
        sock.send(_HEADER.pack(16 + len(request), kind, REQUEST | DUMP, 1, 0) + request)
        while True:
            for part, _sequence, body in _parts(sock.recv(262144)):
                if part == _NLMSG_DONE:
                    return
                if part == _NLMSG_ERROR:
                    raise HostError(f"netlink dump: {os.strerror(-struct.unpack_from('=i', body)[0])}")
                yield body


def attributes(body, offset):
    """{type: value} of the attributes behind ``offset`` bytes of header."""
    found = {}
    while offset + 4 <= len(body):
        length, kind = struct.unpack_from("=HH", body, offset)
        if length < 4:
            break
        found[kind & 0x3FFF] = body[offset + 4:offset + length]
        offset += (length + 3) & ~3
    return found


def ipv4_addresses() -> set[tuple[int, str, int]]:
    """(interface index, address, prefix length) of the current network namespace, loopback left out."""
    found = set()
    for body in dump(RTM_GETADDR, struct.pack("=BBBBI", socket.AF_INET, 0, 0, 0, 0)):
        _family, prefix, _flags, _scope, index = struct.unpack_from("=BBBBI", body)
        if index != 1:
            found.add((index, socket.inet_ntoa(attributes(body, 8)[2]), prefix))
    return found


def ipv4_gateway_routes() -> set[tuple[str, int, str]]:
    """(prefix, length, gateway) of the main table of the current network namespace."""
    found = set()
    for body in dump(RTM_GETROUTE, struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)):
        length, table = body[1], body[4]
        attrs = attributes(body, 12)
        if table == 254 and 5 in attrs:
            prefix = socket.inet_ntoa(attrs[1]) if 1 in attrs else "0.0.0.0"
            found.add((prefix, length, socket.inet_ntoa(attrs[5])))
    return found


def devices() -> dict[str, tuple[int, bool, int]]:
    """{name: (index, whether it is up, MTU)} of the current network namespace."""
    found = {}
    for body in dump(RTM_GETLINK, struct.pack("=BxHiII", 0, 0, 0, 0, 0)):
        index, flags = struct.unpack_from("=iI", body, 4)
        attrs = attributes(body, 16)
        found[attrs[3].rstrip(b"\0").decode()] = (index, bool(flags & IFF_UP), struct.unpack("=I", attrs[4])[0])
    return found


def links() -> dict[str, dict]:
    """{name: what ``ip -json -details link`` says} of the current network namespace."""
    return {link["ifname"]: link for link in ip_json("-details", "link", "show")}


def ip_json(*arguments: str) -> list:
    """What iproute2 lists, in the current network namespace. Raises HostError."""
    try:
        result = subprocess.run(["ip", "-json", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError as exc:
        raise HostError("ip is missing on this host: install the package iproute2") from exc
    if result.returncode:
        raise HostError(f"ip {' '.join(arguments)}: {result.stderr.strip()}")
    return [entry for entry in json.loads(result.stdout or "[]") if entry]
