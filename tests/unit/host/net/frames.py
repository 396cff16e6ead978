# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ethernet frames as hostile nodes send them. Python 3.9 and the standard library only: the end-to-end tests send this file into nodes."""

from __future__ import annotations

import socket
import struct

ALL = b"\xff" * 6
ARP, IPV4, IPV6 = b"\x08\x06", b"\x08\x00", b"\x86\xdd"
TCP, UDP, ICMP = 6, 17, 1
SYN, ACK, RST = 2, 16, 4


def mac(text):
    """Return the bytes of a MAC address."""
    return bytes.fromhex(text.replace(":", ""))


def arp(source, sender, target, operation=1, to=ALL, claimed=None):
    """Return an ARP frame: by ``source``, which says that ``sender`` is at the MAC address ``claimed``, about ``target``."""
    body = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, operation, claimed or source, socket.inet_aton(sender), bytes(6), socket.inet_aton(target))
    return to + source + ARP + body


def ipv4(source, to, sender, target, payload, protocol=UDP, fragment=0, more=0):
    """Return an IPv4 frame.

    fragment  flags and offset
    more      bytes that the caller appends to the payload
    """
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload) + more, 4711, fragment, 64, protocol, 0, socket.inet_aton(sender), socket.inet_aton(target))
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return to + source + IPV4 + head + payload


def checksum(data):
    """Return the Internet checksum."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp(port, payload=b"", source=40000, more=0):
    """Return a UDP packet without a checksum."""
    return struct.pack("!HHHH", source, port, 8 + len(payload) + more, 0) + payload


def tcp(port, flags, source=40000, ends=None):
    """Return the header of a TCP segment. With ``ends``, (sender, target), it has a checksum."""
    segment = struct.pack("!HHIIBBHHH", source, port, 1, 1, 5 << 4, flags, 1024, 0, 0)
    if ends is None:
        return segment
    pseudo = socket.inet_aton(ends[0]) + socket.inet_aton(ends[1]) + struct.pack("!BBH", 0, TCP, len(segment))
    return segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:]


def vxlan(port, vni, frame):
    """Return a UDP packet of a tunnel with a frame inside."""
    return udp(port, struct.pack("!II", 0x08000000, vni << 8) + frame)


def router_advertisement(source, to=None, prefix="2001:db8::"):
    """Return a valid router advertisement, for all nodes unless ``to`` is another MAC address."""
    sender, target = socket.inet_pton(socket.AF_INET6, "fe80::a"), socket.inet_pton(socket.AF_INET6, "ff02::1")
    option = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 3600, 3600, 0) + socket.inet_pton(socket.AF_INET6, prefix)
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + option
    body = body[:2] + struct.pack("!H", checksum(sender + target + struct.pack("!IHBB", len(body), 0, 0, 58) + body)) + body[4:]
    return (to or bytes.fromhex("333300000001")) + source + IPV6 + struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + sender + target + body


def echo6(source, to=None):
    """Return an ICMPv6 echo request by a link-local address, to all nodes unless ``to`` is a MAC address."""
    sender, target = socket.inet_pton(socket.AF_INET6, "fe80::a"), socket.inet_pton(socket.AF_INET6, "ff02::1")
    body = b"\x80\0\0\0\0\1\0\1" + bytes(8)
    body = body[:2] + struct.pack("!H", checksum(sender + target + struct.pack("!IHBB", len(body), 0, 0, 58) + body)) + body[4:]
    return (to or bytes.fromhex("333300000001")) + source + IPV6 + struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + sender + target + body
